"""From a folder that holds modules of the user's own with the names of ours and of Python's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.processes import run

ENTRY = Path(sys.executable).parent / "agent"
OWN = ("agent", "tools", "retrieval", "evals", "json", "sqlite3", "typing", "numpy", "rich")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Modules and packages that leave a trace when they are imported, and end whoever imports them."""
    place = tmp_path / "own"
    place.mkdir()
    for n, name in enumerate(OWN):
        file = place / f"{name}.py" if n % 2 == 0 or name == "json" else place / name / "__init__.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            f"open({str(tmp_path / 'imported')!r}, 'a').write(__name__)\nraise SystemExit({name!r})\n"
        )
    (place / "note.md").write_text("The boiler was serviced by Ines Moreau on 3 May 2026.\n")
    return place


@pytest.mark.slow  # each starts from nothing
@pytest.mark.parametrize(
    "code", [[str(ENTRY)], [sys.executable, "-P", "-m", "agent.cli"]], ids=["agent", "python -P"]
)
def test_ask_add_and_chat_import_nothing_of_it(
    folder: Path, cache_folder: Path, tmp_path: Path, code: list[str]
) -> None:
    if not ENTRY.exists():
        pytest.fail("the command is not installed: run `make dev`")
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "cache").symlink_to(cache_folder)
    question = "Who serviced the boiler?"
    for arguments, stdin, says in [
        (["add", "."], "", "10 indexed"),
        (["ask", question], "", "Ines Moreau"),
        (["ask", question, "-"], "The boiler was serviced by Tomas Lindqvist.", "Lindqvist"),
        (["chat"], f"{question}\n", "Ines Moreau"),
    ]:
        done = run(home, *arguments, stdin=stdin, cwd=folder, code=code)
        assert done.returncode == 0 and says in done.stdout, done.stderr
    assert not (tmp_path / "imported").exists()
