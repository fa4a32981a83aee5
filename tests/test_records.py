"""What a person does with memory, by functions and by commands; and that what is forgotten is gone."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from agent import Agent, Settings, carrying, forgetting, memory, records
from agent.cli import app
from agent.errors import InputError
from retrieval.embed import HashEmbedder
from retrieval.library import Library
from retrieval.records import DAY_S, Record
from retrieval.store import StoreError
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
    forgetting.forget(library, [library.store.turns("t", 2)[0]])
    left = bytes_of(folder)
    assert all(trace.encode() not in left for trace in traces)
    assert b"other words" in left and len(library.store.turns("t", 5)) == 1
    assert agent.ask("When was the contract signed?").outcome == "verified"


@pytest.mark.parametrize(
    ("said", "asked", "trace"),
    [
        ("My PIN is 48151623.", "What is my PIN?", "48151623"),
        ("我吃素", "我吃素吗？", "我吃素"),
        ("我叫王丽。", "我叫什么名字？", "王丽"),
    ],
)
def test_answers_that_quote_what_is_forgotten_go_with_it(
    agent: Agent, settings: Settings, said: str, asked: str, trace: str
) -> None:
    for thread in ("t", "u"):
        agent.ask(said if thread == "t" else asked, thread=thread)
    agent.ask("When was the contract signed?", thread="u")
    [statement] = agent.memory.records(kinds=("statement",))
    agent.memory.forget(statement.id)
    assert trace.encode() not in bytes_of(settings.library_folder)
    assert agent.memory.turns("u")[-1].text == "When was the contract signed?"


@pytest.mark.parametrize(
    ("right", "question"),
    [
        ("That is wrong, it is Zq7", "When was the contract signed?"),
        ("不对，应该是赵灵", "When was the contract signed?"),
    ],
)
def test_a_short_correction_is_forgotten_where_it_is_quoted(
    agent: Agent, settings: Settings, right: str, question: str
) -> None:
    agent.ask(question, thread="t")
    agent.ask(right, thread="t")
    agent.ask(question, thread="u")
    [made] = agent.memory.records(kinds=("correction",))
    forgetting.forget(agent.library, [made])
    assert made.payload["said"].encode() not in bytes_of(settings.library_folder)


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("deposit", ("How much is the deposit?", "Is a deposit due at once: yes or no?")),
        ("押金", ("押金是多少？", "租金和押金一样吗？")),
        ("14 May", ("Who signed it on 14 May 2026?",)),
    ],
)
def test_a_common_word_takes_only_what_quotes_it(agent: Agent, word: str, others: tuple[str, ...]) -> None:
    library = agent.library
    for n, text in enumerate((word, f"You said: “{word}”.", f"Well: {word}.", *others)):
        payload = {"standalone": text, "answer": "", "outcome": "verified", "run_id": ""}
        library.put_record(Record(f"r{n}", "short", "turn", "t", text, payload, NOW + n, NOW + n, 0))
        library.store.put_run(f"run{n}", "t", "", "verified", {"answer": text})
        library.store.put_checkpoint(
            (f"run{n}", "", "1", None, "k", b"\xa7" + text.encode() + b"\xa1", "k", b"")
        )
    going = forgetting.reckoned(library, [records.find(library, "r0")])
    assert [one.id for one in going.records] == ["r0", "r1", "r2"]
    assert going.runs == ["run0", "run1", "run2"]


@given(
    st.sampled_from(["deposit", "押金", "Zq7", "14 May"]),
    st.sampled_from(["{}", "{}.", "“{}”", "No. {}. Yes", "好。{}。", '"{}!"']),
)
def test_a_word_is_found_where_it_is_quoted(word: str, form: str) -> None:
    assert not forgetting.is_telling(word)
    assert forgetting._repeats([f"Other words.\n{form.format(word)}"], word)
    assert not forgetting._repeats([f"x{form.format('the ' + word + ' here')}"], word)


@pytest.mark.parametrize("text", ["My PIN is 4815", "48151623", "hunter2", "我吃素", "赵灵儿", "Anna Keller"])
def test_more_than_a_word(text: str) -> None:
    assert forgetting.is_telling(text)


def test_a_thread_named_as_what_is_forgotten_stays(agent: Agent) -> None:
    for name, thread in (("r", "a"), ("s", "My foo is 3")):
        agent.library.put_record(Record(name, "mid", "statement", thread, f"My {name} is 3", {}, NOW, NOW, 0))
    said = Record("u", "mid", "statement", "a", "My foo is 3", {}, NOW, NOW, 0)
    agent.library.put_record(said)
    assert [one.id for one in forgetting.reckoned(agent.library, [said]).records] == ["u"]


def test_all_and_a_thread_take_runs_that_no_record_speaks_of(agent: Agent, settings: Settings) -> None:
    agent.ask("Do I have zyzzyvitis?")
    store = agent.library.store
    assert store.run_ids() and not store.records()
    store.put_run("open", "secret", "Is it quagga?", "unfinished", {"question": "Is it quagga?"})
    store.put_checkpoint(("open", "", "1", None, "k", b"quagga", "k", b""))
    store.put_checkpoint(("lone", "", "1", None, "k", b"quetzal", "k", b""))
    history = settings.library_folder / "chat_history"
    history.write_text("\n# 2026\n+Is it quagga?\n\n# 2026\n+Is it quokka?\n", encoding="utf-8")
    assert run_json("forget", "--thread", "secret") == {"records": 0, "runs": 1}
    left = bytes_of(settings.library_folder)
    assert b"quagga" not in left and b"secret" not in left and b"quokka" in left
    assert run_json("forget", "--all") == {"records": 0, "runs": 2}
    left = bytes_of(settings.library_folder)
    assert not any(trace in left for trace in (b"zyzzyvitis", b"quetzal", b"quokka"))
    assert run_json("forget", "--all") == {"records": 0, "runs": 0}


def test_a_forgetting_that_was_cut_short_is_finished(agent: Agent, settings: Settings) -> None:
    agent.ask(QUESTION, thread="t")
    [turn] = agent.memory.turns("t")
    with closing(sqlite3.connect(settings.library_folder / "library.sqlite")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM records").fetchone()
        with pytest.raises(StoreError, match="still in the library's file"):
            forgetting.forget(agent.library, [turn], wait_s=0.0)
        assert Library(settings.library_folder, HashEmbedder).erased_late is False
        assert b"zyzzyva" in bytes_of(settings.library_folder)
        reader.execute("COMMIT")
    assert agent.memory.forget(turn.id) == (0, 0), "it is not missed"
    assert b"zyzzyva" not in bytes_of(settings.library_folder)
    with pytest.raises(InputError):
        agent.memory.forget(turn.id)


@pytest.mark.parametrize("way", ["open", "tidy", "all", "again"])
def test_what_nobody_came_to_erase_is_erased_later(agent: Agent, settings: Settings, way: str) -> None:
    agent.ask(QUESTION, thread="t")
    store, [turn] = agent.library.store, agent.memory.turns("t")
    store.forget([one.id for one in store.records()], store.run_ids())
    agent.close()
    assert b"zyzzyva" in bytes_of(settings.library_folder)
    if way == "open":
        with Agent(settings) as again:
            assert again.library.erased_late
    else:
        words = {"tidy": ["tidy"], "all": ["forget", "--all", "--yes"], "again": ["forget", turn.id]}[way]
        assert CliRunner().invoke(app, ["memory", *words]).exit_code == 0
    assert b"zyzzyva" not in bytes_of(settings.library_folder)


def run_json(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["memory", *words, "--yes", "--json"])
    assert done.exit_code == 0, (words, done.output, done.exception)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_forgetting_tells_first_all_that_goes(agent: Agent) -> None:
    agent.ask("When was the contract signed?", thread="t")
    agent.ask("How much is the rent?", thread="t")
    [episode] = [one for one in agent.memory.records(kinds=("episode",)) if "contract" in one.text]
    records.pin(agent.library, [episode], pinned=True)

    def forget(*words: str, answer: str = "n") -> Result:
        return CliRunner().invoke(app, ["memory", "forget", *words], input=f"{answer}\n")

    told = forget(agent.memory.turns("t")[0].id)
    assert "2 records (1 pinned, 1 of them as they repeat" in told.stdout and told.exit_code == 1
    for wrong in (["--all", "--json"], ["--all", "--thread", "t"], [episode.id, "--kind", "turn"], []):
        assert forget(*wrong, answer="y").exit_code == 2, wrong
    assert forget("--until", "2020", answer="y").exit_code == 1
    assert forget("--source", "lease", "--kind", "episode", answer="y").exit_code == 0
    assert all(one.kind != "episode" for one in agent.memory.records())


@pytest.mark.parametrize(
    ("said", "words"), [("My deadline is 12 May.", "deadline"), ("我的截止日期是5月12日", "截止日期")]
)
def test_search_finds_every_kind(agent: Agent, said: str, words: str) -> None:
    agent.ask(said)
    agent.ask("When was the contract signed?", thread="t")
    agent.ask("No, it is 3 March 2026", thread="t")
    library, today = agent.library, date.today()

    def found(words: str, **filters: Any) -> list[Record]:
        return records.searched(library, words, today, 3, **filters)

    assert found(words)[0].text == said and found(f"{words} 12 May 5月12日")[0].text == said
    assert found("contract signed", kinds=["correction"])[0].payload["said"] == "3 March 2026"
    kinds = {one.kind for one in records.searched(library, "when was the contract signed", today, 9)}
    assert {"turn", "episode", "correction"} <= kinds
    assert {one.thread for one in found("contract", thread="t")} == {"t"}
    assert found(words, thread="t", kinds=["statement"]) == [] == found(words, until_s=1.0)
    assert found("contract", source="lease")[0].kind in ("episode", "correction")
    assert found("what did I ask today", kinds=["turn"]) and not found("what did I ask on 6 May 2019")
    assert not found("我2019年5月6日问了什么")


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
    text = carrying.exported(agent.library, records.listed(agent.library))
    assert carrying.imported(agent.library, text) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "cache").symlink_to(cache_folder)
    with Agent(Settings(home=other)) as apart:
        assert carrying.imported(apart.library, text) == 6
        assert "12 May" in apart.ask("When is my deadline?").text
        assert "花生" in apart.ask("我对什么过敏？").text
        assert apart.ask("When was the contract signed?").outcome == "abstained", "its file is not there"
        for wrong in ("", "x", "{}", "[" * 100_000, text.replace('"spans"', '"span"'), text + "[]\n"):
            with pytest.raises(InputError):
                carrying.imported(apart.library, wrong)


def test_what_is_told_in_odd_lines_comes_back(agent: Agent, tmp_path: Path, cache_folder: Path) -> None:
    said = "Remember that the code is\u2028four\u2029five\x85six \x1b[31m"
    agent.ask(said)
    file = tmp_path / "m.jsonl"
    assert CliRunner().invoke(app, ["memory", "export", str(file)]).exit_code == 0
    before = agent.memory.records()
    for name in ("show", "why"):
        assert "\x1b" not in CliRunner().invoke(app, ["memory", name, before[0].id]).stdout
    agent.memory.forget(*[one.id for one in before])
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8-sig")  # as some editors save it
    assert run_imported(file).exit_code == 0
    assert [one.text for one in agent.memory.records()] == [one.text for one in before]


def run_imported(file: Path) -> Result:
    return CliRunner().invoke(app, ["memory", "import", str(file)])


@pytest.mark.parametrize(
    "wrong",
    [
        '"created_s": NaN', '"created_s": Infinity', '"created_s": 1e999', '"used_s": -1', '"created_s": 1e15',
        '"ended_s": "x"', '"pinned": "no"', '"pinned": 1', '"uses": 1.5', '"uses": 1' + "0" * 400, '"days": true',
        '"text": 3', '"text": "\\ud800"', '"id": ""', '"kind": []', '"kind": "turn"', '"tier": "short"', '"more": 1',
        '"kind": "turn", "tier": "short", "payload": {"standalone": "", "answer": 2, "outcome": "", "run_id": ""}',
        '"kind": "correction", "payload": {"said": 5, "spans": [], "ended": []}',
        '"kind": "episode", "payload": {"spans": 5}', '"kind": "episode", "payload": {"spans": [{"path": "a"}]}',
        '"payload": {"score": 1e999}', '"payload": []',
    ],
)  # fmt: skip
def test_an_import_made_by_hand_is_checked(hashed: Library, wrong: str) -> None:
    good = (
        '{"id": "x%d", "tier": "mid", "kind": "statement", "thread": "", "text": "My foo is 3", "payload": {},'
        ' "created_s": 1.0, "used_s": 1, "uses": 0%s}'
    )
    lines = ['{"format": "toulmin-memory-1"}', good % (1, ""), "", good % (2, f", {wrong}")]
    with pytest.raises(InputError, match=r"^line 4: .*nothing was taken in$"):
        carrying.imported(hashed, "\n".join(lines))
    assert hashed.store.records() == []
    assert carrying.imported(hashed, "\n".join([*lines[:2], lines[1]])) == 1


@pytest.mark.parametrize("where", ["nowhere/x", "."])
def test_an_export_that_cannot_be_written_says_so(settings: Settings, tmp_path: Path, where: str) -> None:
    with pytest.raises(InputError, match=r"cannot be written: (No such|Is a)"):
        CliRunner().invoke(app, ["memory", "export", str(tmp_path / where)], catch_exceptions=False)


def test_why_shows_the_older_answer_and_until_when(agent: Agent, tmp_path: Path) -> None:
    agent.ask("When was the contract signed?")
    lease = tmp_path / "lease.txt"
    text = lease.read_text(encoding="utf-8")
    older = agent.memory.records(kinds=("episode",))[0].payload["answer"]
    lease.write_text("The contract was signed on 5 April 2025 by Bo.", encoding="utf-8")
    assert older and "5 April" not in text
    agent.add(lease)
    agent.ask("When was the contract signed?")
    newer = agent.memory.records(kinds=("episode",))[0]
    shown = CliRunner().invoke(app, ["memory", "why", newer.id]).stdout
    [line] = [line for line in shown.splitlines() if line.startswith("in place of")]
    assert " ".join(older.split()) in line and re.search(r" to \d{4}-\d\d-\d\d \d\d:\d\d ", line)


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


@pytest.mark.parametrize("words", ["When was the contract signed?", "我的截止日期"])
def test_what_is_stored_anew_keeps_what_became_of_it_meanwhile(agent: Agent, words: str) -> None:
    record = Record("e", "mid", "episode", "", words, {"spans": []}, NOW, NOW, 0)
    agent.library.put_record(record)
    records.pin(agent.library, [record], pinned=True)
    agent.library.store.end_records(["e"], NOW + 1)
    agent.library.put_record(record)
    kept = records.find(agent.library, "e")
    assert kept.pinned and kept.tier == "long" and kept.ended_s == NOW + 1
