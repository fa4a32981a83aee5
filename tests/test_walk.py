"""Walking folders: what is listed, what is passed over, and why."""

from __future__ import annotations

from pathlib import Path

from retrieval.load.walk import walk
from tests.load_files import write


def test_walk(tmp_path: Path) -> None:
    for name in ("b.md", "a.txt", "c.xyz", ".hidden.md", "README"):
        write(tmp_path, name, "x")
    for folder in ("sub", ".git", "node_modules", "__pycache__"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "inner.md", "x")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "sub" / "gone.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "sub" / "same.md").symlink_to(tmp_path / "b.md")
    found = {str(p.relative_to(tmp_path)): why for p, why in walk([tmp_path])}
    assert list(found) == [*("README", "a.txt", "b.md", "c.xyz", "sub/gone.md", "sub/inner.md", "sub/up")]
    assert [name for name, why in found.items() if why is None] == [
        *("README", "a.txt", "b.md", "sub/inner.md")
    ]
    assert (found["c.xyz"] or "").startswith("not a supported format: .xyz")


def test_walk_tries_what_is_named(tmp_path: Path) -> None:
    hidden, odd = write(tmp_path, ".notes.md", "x"), write(tmp_path, "x.xyz", "x")
    missing = tmp_path / "missing.md"
    named = [hidden, odd, missing, hidden, tmp_path]
    assert list(walk(named))[:3] == [
        (hidden, None),
        (odd, None),
        (missing, "no such file or folder"),
    ]
    assert [p for p, why in walk(named) if why is None] == [hidden, odd]
    (tmp_path / ".vault").mkdir()
    inner = write(tmp_path / ".vault", "in.md", "x")
    assert list(walk([tmp_path / ".vault"])) == [(inner, None)]


def test_walk_goes_deep(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(60):
        folder = folder / "d"
        folder.mkdir()
    deep = write(folder, "deep.md", "x")
    assert list(walk([tmp_path])) == [(deep, None)]
