"""What a person does with memory, by functions and by commands; and that what is forgotten is gone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent import Agent, Settings, memory, records
from agent.cli import app
from agent.errors import InputError
from retrieval.records import DAY_S, Record
from tests.conftest import SAMPLE

QUESTION = "Does the zyzzyva clause say when the contract was signed?"
FRAGE = "租约签订时葳蕤条款怎么说？"
NOW = 1_800_000_000.0


@pytest.fixture
def agent(settings: Settings, tmp_path: Path) -> Iterator[Agent]:
    shutil.copy(SAMPLE / "lease.txt", tmp_path / "lease.txt")
    with Agent(settings) as opened:
        opened.add(tmp_path / "lease.txt")
        yield opened


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


@pytest.mark.parametrize(("question", "traces"), [(QUESTION, ["zyzzyva"]), (FRAGE, ["葳蕤", "蕤条"])])
def test_forgotten_is_forgotten_to_the_last_byte(
    agent: Agent, settings: Settings, question: str, traces: list[str]
) -> None:
    agent.ask(question, thread="t")
    agent.ask("When was the contract signed?", thread="t")
    library, folder = agent.library, settings.library_folder
    library.put_record(Record("e", "mid", "episode", "", question, {"spans": []}, NOW, NOW, 0, pinned=True))
    library.store.put_run("open", "t", question, "unfinished", {"question": question})
    library.store.put_checkpoint(("open", "", "1", None, "k", question.encode(), "k", b""))
    library.store.put_checkpoint_writes([("open", "", "1", "task", 0, "", "c", "k", question.encode())])
    (folder / "chat_history").write_text(f"\n# 2026\n+{question}\n\n# 2026\n+other words\n", encoding="utf-8")
    library.save_index()
    assert all(trace.encode() in bytes_of(folder) for trace in traces[:1])
    records.forget(library, [library.store.turns("t", 2)[0]])
    left = bytes_of(folder)
    assert all(trace.encode() not in left for trace in traces)
    assert b"other words" in left and len(library.store.turns("t", 5)) == 1
    assert agent.ask("When was the contract signed?").outcome == "verified"


def test_another_library_knows_nothing_of_it(agent: Agent, tmp_path: Path, cache_folder: Path) -> None:
    agent.ask("My deadline is 12 May.")
    other = tmp_path / "other"
    (other).mkdir()
    (other / "cache").symlink_to(cache_folder)
    with Agent(Settings(home=other)) as apart:
        assert apart.ask("When is my deadline?").outcome == "abstained"
        assert records.listed(apart.library, tiers=("mid",)) == []


def test_what_is_used_on_three_days_is_promoted_and_the_unused_goes(agent: Agent) -> None:
    library = agent.library
    for name in ("used", "unused"):
        library.put_record(Record(name, "mid", "episode", "", name, {"spans": []}, NOW, NOW, 0))
    for day in range(3):
        library.store.use_record("used", NOW + day * DAY_S)
    assert memory.tidy(library, NOW + 3 * DAY_S).promoted == ["used"]
    assert memory.tidy(library, NOW + 200 * DAY_S).expired == ["unused"]
    kept = records.find(library, "used")
    assert kept.tier == "long" and {p.chunk.record_id for p in agent.search("used")} <= {None}
    records.pin(library, [kept], pinned=True)
    records.pin(library, [records.find(library, "used")], pinned=False)
    assert records.find(library, "used").tier == "long", "it has proved itself"


def test_export_and_import(agent: Agent, tmp_path: Path, cache_folder: Path) -> None:
    for words in ("When was the contract signed?", "My deadline is 12 May.", "我对花生过敏"):
        agent.ask(words, thread="t")
    text = records.exported(agent.library, records.listed(agent.library))
    assert records.imported(agent.library, text) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "cache").symlink_to(cache_folder)
    with Agent(Settings(home=other)) as apart:
        assert records.imported(apart.library, text) == 6
        assert "12 May" in apart.ask("When is my deadline?").text
        assert "花生" in apart.ask("我对什么过敏？").text
        assert apart.ask("When was the contract signed?").outcome == "abstained", "its file is not there"
        for wrong in ("", "x", "{}", text.replace('"spans"', '"span"'), text + "[]\n"):
            with pytest.raises(InputError):
                records.imported(apart.library, wrong)


def test_the_commands(agent: Agent, tmp_path: Path) -> None:
    agent.ask("When was the contract signed?", thread="t")
    agent.ask("My deadline is 12 May.")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["memory", *words])
        assert done.exit_code == 0, (words, done.output, done.exception)
        return done.stdout

    def ids(*words: str) -> list[str]:
        return [one["id"] for one in json.loads(run("list", "--json", *words))["records"]]

    assert len(ids()) == 3 and len(ids("--tier", "mid")) == 2 and len(ids("--thread", "t")) == 2
    assert (
        len(ids("--source", "lease")) == 1
        and ids("--until", "2020") == []
        and len(ids("--since", "2020")) == 3
    )
    [episode] = ids("--kind", "episode")
    assert "contract" in run("list") and "contract" in run("search", "contract signed")
    assert json.loads(run("show", episode, "--json"))["uses"] == 0 and "episode" in run("show", episode[:8])
    told = json.loads(run("why", episode, "--json"))
    assert told["spans"][0]["stands"] and told["run_id"] and "stands" in run("why", episode)
    run("pin", episode[:10])
    assert ids("--tier", "long") == [episode]
    run("unpin", episode)
    assert ids("--tier", "long") == []
    made = json.loads(run("correct", "When was the contract signed?", "2 March 2026", "--json"))
    assert made["kind"] == "correction" and made["said"] == "2 March 2026"
    run("correct", made["id"], "--undo")
    assert ids("--kind", "correction") == []
    run("export", str(tmp_path / "m.jsonl"))
    assert json.loads(run("import", str(tmp_path / "m.jsonl"), "--json")) == {"imported": 0}
    assert json.loads(run("stats", "--json"))["records"]["mid"] == {"episode": 1, "statement": 1}
    assert "mid" in run("stats") and "promoted" in run("tidy")
    assert json.loads(run("forget", "--all", "--yes", "--json"))["records"] == 3 and ids() == []


@pytest.mark.parametrize(
    "words", [["show", "nothing"], ["forget"], ["list", "--tier", "warm"], ["list", "--since", "soon"]]
)
def test_mistakes_are_told(settings: Settings, words: list[str]) -> None:
    assert CliRunner().invoke(app, ["memory", *words]).exit_code != 0
