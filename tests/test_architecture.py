"""The packages depend on each other in one direction only, and importing the agent is light."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import agent
from tests.processes import ROOT, python

PACKAGES = ("agent", "retrieval", "tools", "evals")
MAY_IMPORT = {
    "evals": {"evals", "agent", "retrieval", "tools"},
    "agent": {"agent", "retrieval", "tools"},
    "retrieval": {"retrieval"},
    "tools": {"tools"},
}
HEAVY = (
    "langgraph",
    "langchain_core",
    "langsmith",
    "faiss",
    "onnxruntime",
    "torch",
    "numpy",
    "pydantic",
    "llama_cpp",
    "openpyxl",
    "lxml",
)
UNSAFE = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}


@cache
def modules(package: str) -> list[tuple[Path, ast.Module]]:
    return [
        (file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8")))
        for file in sorted((ROOT / package).rglob("*.py"))
    ]


def imports(file: Path, tree: ast.Module) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ".".join(file.parts[: -node.level]) + "." if node.level else ""
            yield f"{package}{node.module or ''}".rstrip(".")


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_point_one_way(package: str) -> None:
    found = {
        (str(file), name)
        for file, tree in modules(package)
        for name in imports(file, tree)
        if name.split(".")[0] in {*PACKAGES, "tests"} - MAY_IMPORT[package]
    }
    assert found == set()
    assert any(modules(package))


def test_nothing_is_pickled() -> None:
    found = set()
    for package in PACKAGES:
        for file, tree in modules(package):
            found |= {(str(file), name) for name in imports(file, tree) if name.split(".")[0] in UNSAFE}
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and node.attr in ("load", "save"):
                    found |= {(str(file), "torch")} if ast.unparse(node.value) == "torch" else set()
                if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                    assert isinstance(node.value, ast.Constant)
                    if node.value.value is not False:
                        found.add((str(file), "allow_pickle"))
    assert found == set()


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(file) for package in PACKAGES for file, tree in modules(package) if not ast.get_docstring(tree)
    ]
    assert silent == []


@pytest.mark.parametrize("line", ["import agent", "from agent import Settings; Settings()", "import tools"])
def test_importing_is_light(line: str) -> None:
    code = f"import json, sys; {line}; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_torch_is_never_imported_on_the_path_of_a_question(tmp_path: Path, cache_folder: Path) -> None:
    (tmp_path / "home" / "library").mkdir(parents=True)
    (tmp_path / "home" / "cache").symlink_to(cache_folder)
    (tmp_path / "a.txt").write_text(
        "The contract was signed on 1 March 2026.\n\n会费每年120元。\n", encoding="utf-8"
    )
    code = f"""
import json, sys
from pathlib import Path
from agent import Agent, Settings
with Agent(Settings(home=Path({str(tmp_path / "home")!r}))) as agent:
    agent.add({str(tmp_path / "a.txt")!r})
    outcomes = [agent.ask(q).outcome for q in ("When was the contract signed?", "会费每年多少钱？")]
heavy = [name for name in ("torch", "sentence_transformers", "transformers", "openpyxl", "docx") if name in sys.modules]
print(json.dumps([outcomes, heavy]))
"""
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [["verified", "verified"], []]


def test_public_names() -> None:
    assert sorted(agent.__all__) == sorted(
        ["Agent", "Answer", "Citation", "Claim", "Filter", "Outcome", "Settings", "__version__"]
    )
    assert all(getattr(agent, name) is not None for name in agent.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Agnet'"):
        getattr(agent, "Agnet")  # noqa: B009
