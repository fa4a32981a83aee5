"""The catalogue is well-formed, and installed models are found, chosen and removed by name or path."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.models import store
from agent.models.catalog import catalog, entry, recommended
from agent.models.pull import Wanted, wanted

GB = 10**9


def put(folder: Path, where: str, age: int = 0, **about: str) -> Path:
    path = folder / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF")
    os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    if about:
        store.note(path, dict(about))
    return path


def test_the_catalogue_is_well_formed() -> None:
    names = [one.name for one in catalog()]
    assert len(set(names)) == len(names) >= 4
    for one in catalog():
        assert re.fullmatch(r"[a-z0-9.-]+", one.name) and entry(one.name.upper()) == one
        assert wanted([one.name]) == wanted([one.repository, one.file]) == Wanted(one.repository, one.file)
        assert wanted([f"hf:{one.repository}/{one.file}"]) == Wanted(one.repository, one.file)
        assert one.size_gb < one.memory_gb < 2 * one.size_gb + 1
        assert {"Chinese", "English"} <= set(one.languages)
    assert any(one.cpu for one in catalog())


@pytest.mark.parametrize(
    ("ram", "gpus", "name"),
    [
        (4, [], None),
        (8, [], "qwen3-4b"),
        (64, [], "qwen3-4b"),
        (16, [4], "qwen3-4b"),
        (16, [8], "qwen3-8b"),
        (16, [12], "gemma-4-12b"),
        (16, [24], "qwen3.8-27b"),
        (16, [12, 12], "qwen3.8-27b"),
    ],
)
def test_the_recommended_one_fits(ram: int, gpus: list[int], name: str | None) -> None:
    best = recommended(ram * GB, [one * GB for one in gpus])
    assert (best.name if best else None) == name


@pytest.mark.parametrize(
    "given",
    [
        ["qwen9"],
        ["owner/name", "model.safetensors"],
        ["owner/name", "../../etc/x.gguf"],
        ["hf:owner/name/x-00001-of-00003.gguf"],
        ["own er/name", "x.gguf"],
        ["https://huggingface.co/a/b", "x.gguf"],
        ["模型"],
    ],
)
def test_what_cannot_be_pulled_is_told(given: list[str]) -> None:
    with pytest.raises(ModelError) as error:
        wanted(given)
    assert "\n" not in str(error.value)


def test_names_and_paths(tmp_path: Path) -> None:
    small = entry("qwen3-4b")
    assert small
    known = put(tmp_path, "a--b/x.gguf", repository=small.repository, file=small.file)
    mine = put(tmp_path, "我的模型.gguf", age=9)
    assert [one.name for one in store.installed(tmp_path)] == ["qwen3-4b", "我的模型"]
    assert (
        store.find(tmp_path, "Qwen3-4B")
        == store.find(tmp_path, "x")
        == store.find(tmp_path, "x.gguf")
        == known
    )
    assert store.find(tmp_path, "我的模型") == store.find(tmp_path, str(mine)) == mine
    for name, said in (
        ("qwen3-8b", "agent model pull qwen3-8b"),
        ("nothing", "agent model list"),
        ("gone.gguf", "no such model file"),
        (str(tmp_path / "gone"), "no such model file"),
    ):
        with pytest.raises(ModelError, match=said):
            store.find(tmp_path, name)
    store.use(tmp_path, "x")
    put(tmp_path, "c--d/x.gguf")
    assert store.chosen(tmp_path, "") == known, "another one of its name changes nothing"
    with pytest.raises(ModelError, match="2 models are called x"):
        store.find(tmp_path, "x")


def test_the_default_is_what_was_used_else_the_newest(tmp_path: Path) -> None:
    assert store.default(tmp_path) == "" and store.chosen(tmp_path, "") is None
    old, new = put(tmp_path, "old.gguf", age=9), put(tmp_path, "new.gguf")
    assert store.chosen(tmp_path, "") == new and store.chosen(tmp_path, "old") == old
    assert store.use(tmp_path, "old") == "old" and store.chosen(tmp_path, "") == old
    assert store.chosen(tmp_path, "extractive") is None
    store.use(tmp_path, "extractive")
    assert store.chosen(tmp_path, "") is None and store.chosen(tmp_path, "new") == new
    outside = put(tmp_path.parent, f"{tmp_path.name}-outside.gguf")
    assert store.use(tmp_path, str(outside)) == str(outside) and store.chosen(tmp_path, "") == outside
    outside.unlink()
    with pytest.raises(ModelError, match="no such model file"):
        store.chosen(tmp_path, "")
    (tmp_path / store.CHOICE_FILE).write_text("{", encoding="utf-8")
    assert store.chosen(tmp_path, "") == new, "a damaged choice is none"


def test_removing(tmp_path: Path) -> None:
    kept = put(tmp_path, "a--b/kept.gguf")
    gone = put(tmp_path, "a--b/gone.gguf", repository="a/b", file="gone.gguf")
    store.use(tmp_path, "gone")
    assert store.remove(tmp_path, "gone").path == gone
    assert not gone.exists() and not store.about_file(gone).exists() and kept.exists()
    assert store.chosen(tmp_path, "") == kept, "what is gone is the default no longer"
    store.remove(tmp_path, "kept")
    assert not kept.parent.exists()
    outside = put(tmp_path.parent, f"{tmp_path.name}-mine.gguf")
    with pytest.raises(ModelError, match="delete the file yourself"):
        store.remove(tmp_path, str(outside))
    assert outside.exists()
