"""Filters: how options are read, which chunks pass, and what is shown of them; both languages."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.cli import app
from agent.errors import SettingsError
from agent.filters import checked, merged, nothing_passes, read_options, said
from retrieval.embed import HashEmbedder
from retrieval.filters import FORMATS, Filter, covers, is_in, matching_names
from retrieval.library import Library
from retrieval.schema import VERSIONS

TODAY = date(2026, 11, 22)
MAIL = """From: {}
To: team@example.org
Date: {}
Subject: {}

{}
"""
CHAT = """2025-03-05 18:05 安娜
周六去爬山，八点在东门集合。

2025-03-05 18:06 李波
预算是三百元，我来买票。

2025-04-01 09:01 安娜
收到，我会带投影仪。
"""
NOTES = "---\ntitle: Trip notes\ndate: 2025-02-11\ntags: [Travel/Alps, 旅行]\n---\n# Plan\nThe boat costs 35 euros.\n"


def write_samples(folder: Path) -> None:
    mails = {
        "a.eml": ("Anna Lind <anna@example.org>", "Mon, 03 Mar 2025 10:00:00 +0100", "Budget", "The budget is 4,200 euros."),
        "b.eml": ("Bob Li <bob@example.org>", "Fri, 14 Mar 2025 09:30:00 +0100", "Re: Budget", "The budget is 5,000 euros. I booked the hotel Astoria."),
        "c.eml": ("Bob Li <bob@example.org>", "Sat, 14 Nov 2026 09:30:00 +0100", "Train", "The train leaves at 08:12."),
    }  # fmt: skip
    for name, fields in mails.items():
        (folder / name).write_text(MAIL.format(*fields), encoding="utf-8")
    (folder / "群聊.txt").write_text(CHAT, encoding="utf-8")
    (folder / "notes.md").write_text(NOTES, encoding="utf-8")
    (folder / "plain.md").write_text("# Hotels\nThe hotel Astoria has 40 rooms.\n", encoding="utf-8")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("messages")
    write_samples(folder)
    with Library(tmp_path_factory.mktemp("filters"), HashEmbedder) as filled:
        assert len(filled.add([folder]).indexed) == 6
        yield filled


def passing(library: Library, where: Filter) -> set[str]:
    """Names of the documents with anything that passes."""
    chunks = library.store.chunks(library.store.selected(where))
    return {Path(chunk.path).name for chunk in chunks}


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (Filter(who=["anna"]), {"a.eml"}),
        (Filter(who=["bob@example"]), {"b.eml", "c.eml"}),
        (Filter(who=["li"]), {"b.eml", "c.eml"}),
        (Filter(who=["ann", "安娜"]), {"a.eml", "群聊.txt"}),
        (Filter(who=["zoe"]), set()),
        (Filter(since="2025-03", until="2025-03"), {"a.eml", "b.eml", "群聊.txt"}),
        (Filter(since="2025-03-05", until="2025-03-13"), {"群聊.txt"}),
        (Filter(until="2025"), {"a.eml", "b.eml", "群聊.txt", "notes.md"}),
        (Filter(who=["bob"], until="2025"), {"b.eml"}),
        (Filter(formats=["mail"]), {"a.eml", "b.eml", "c.eml"}),
        (Filter(formats=["mail", "chat"], since="2025-04", until="2025-12"), {"群聊.txt"}),
        (Filter(tags=["travel"]), {"notes.md"}),
        (Filter(tags=["#旅行"]), {"notes.md"}),
        (Filter(title="TRIP notes"), {"notes.md"}),
        (Filter(paths=["*.md"]), {"notes.md", "plain.md"}),
        (Filter(paths=["b.eml", "c.eml"]), {"b.eml", "c.eml"}),
    ],
)
def test_what_passes(library: Library, where: Filter, names: set[str]) -> None:
    assert passing(library, where) == names


def test_the_time_of_a_file_stands_in_for_a_date_and_is_not_shown_as_one(library: Library) -> None:
    assert "plain.md" in passing(library, Filter(since="2026"))
    (plain,) = [one for one in library.documents() if one.path.endswith("plain.md")]
    assert plain.date == "" and plain.modified_s > 0
    (notes,) = [one for one in library.documents() if one.path.endswith("notes.md")]
    assert (notes.date, notes.tags) == ("2025-02-11", ("Travel/Alps", "旅行"))


def test_of_a_shared_chunk_only_the_words_asked_for_are_given(library: Library) -> None:
    """Brief messages share a chunk; nobody is given what others say in it."""
    (found,) = library.search("预算", 5, where=Filter(who=["李波"]))
    assert found.chunk.text == "[18:06] 李波: 预算是三百元，我来买票。"
    assert (found.chunk.who, found.chunk.when) == (("李波",), "2025-03-05T18:06:00")
    source = library.store.source(found.chunk.document_id or 0)
    assert source and source.text[found.chunk.start : found.chunk.end] == found.chunk.text
    texts = [one.chunk.text for one in library.search("东门 投影仪", 5, where=Filter(who=["安娜"]))]
    assert len(texts) == 2 and not any("李波" in text for text in texts)


def test_dense_and_lexical_search_keep_to_the_filter(library: Library) -> None:
    for query in ("budget", "预算", "nothing like it"):
        for one in library.search(query, 9, where=Filter(formats=["mail"])):
            assert one.chunk.path.endswith(".eml")
    assert library.search("budget", 9, where=Filter(who=["zoe"])) == []


def test_what_there_is_to_filter_by(library: Library) -> None:
    store = library.store
    assert store.senders() == ["Anna Lind <anna@example.org>", "Bob Li <bob@example.org>", "安娜", "李波"]
    assert store.tags() == ["Travel/Alps", "旅行"]
    assert store.last_year_of(3, []) == 2025 and store.last_year_of(7, []) is None
    assert store.last_year_of(11, ["Bob Li <bob@example.org>"]) == 2026
    assert store.last_year_of(11, ["安娜"]) is None


def test_an_older_library_is_brought_up_to_date_when_files_are_added_again(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    write_samples(folder)
    with Library(tmp_path / "library", HashEmbedder) as library:
        library.add([folder])
    with sqlite3.connect(tmp_path / "library" / "library.sqlite") as db:
        later = re.findall(r"CREATE TABLE (\w+)", "".join(VERSIONS[2:]))
        db.executescript(
            "DROP INDEX documents_by_sha256; DROP INDEX chunks_by_embedded;"
            "DROP INDEX records_by_key; DROP INDEX records_by_kind;"
            "ALTER TABLE chunks DROP COLUMN embedded; ALTER TABLE failures DROP COLUMN kind;"
            "ALTER TABLE documents DROP COLUMN date; ALTER TABLE documents DROP COLUMN tags;"
            "ALTER TABLE documents DROP COLUMN described; ALTER TABLE documents DROP COLUMN etag;"
            + "".join(
                f"ALTER TABLE records DROP COLUMN {n};"
                for n in ("key", "days", "pinned", "ended_s", "replaces")
            )
            + "".join(f"DROP TABLE {name};" for name in later)
            + "".join(f"DROP TRIGGER {n};" for n in re.findall(r"CREATE TRIGGER (\w+)", "".join(VERSIONS)))
            + "DELETE FROM meta WHERE key = 'names';"
            + "PRAGMA user_version = 2"
        )
    db.close()
    with Library(tmp_path / "library", HashEmbedder) as library:
        assert library.search("budget") and library.store.senders() == []
        assert not any(one.described for one in library.documents())
        report = library.add([folder])
        assert len(report.indexed) == 5, "what has nothing to tell is left as it is"
        assert all(one.described for one in library.documents())
        assert passing(library, Filter(who=["anna"])) == {"a.eml"}
        assert len(library.add([folder]).unchanged) == 6


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({}, {}),
        ({"who": ["Anna"], "since": "2025-03"}, {"who": ["Anna"], "since": "2025-03-01"}),
        ({"until": "2025-03"}, {"until": "2025-03-31"}),
        ({"since": "last week"}, {"since": "2026-11-09"}),
        ({"since": "去年", "until": "去年"}, {"since": "2025-01-01", "until": "2025-12-31"}),
        ({"types": ["mail,pdf"]}, {"formats": ["mail", "pdf"]}),
        ({"types": ["邮件", "e-mail"]}, {"formats": ["mail"]}),
        ({"types": ["微信"]}, {"formats": ["chat"]}),
        ({"tags": ["#travel,旅行"]}, {"tags": ["travel", "旅行"]}),
        ({"title": " trip "}, {"title": "trip"}),
    ],
)
def test_options_are_read(options: dict[str, Any], where: Filter) -> None:
    assert read_options(**options, today=TODAY) == where


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": "garbage"}, "--since: 'garbage' is no date"),
        ({"until": "2025-02-30"}, "--until"),
        ({"since": "2025", "until": "2024"}, "is after --until"),
        ({"since": "before 2025"}, "--since"),
        ({"types": ["mial"]}, "there is no 'mial'; choose among"),
        ({"who": [" "]}, "--from: it is empty"),
    ],
)
def test_options_that_cannot_be_read_are_one_clear_line(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as error:
        read_options(**options, today=TODAY)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_filter_from_python_may_be_written_freely() -> None:
    given: Any = {"who": "Anna", "since": "2025-03", "formats": ["md"], "documents": [3]}
    assert checked(given) == {
        "who": ["Anna"],
        "since": "2025-03-01",
        "formats": ["markdown"],
        "documents": [3],
    }
    with pytest.raises(SettingsError, match="a filter has no 'sender'"):
        checked({"sender": "Anna"})


def test_nothing_passes_says_what_there_is(library: Library) -> None:
    line = nothing_passes({"who": ["zoe"]}, library.store)
    assert line == "no document matches --from zoe; senders and speakers: Anna Lind, Bob Li, 安娜, 李波"
    assert nothing_passes({"formats": ["pdf"]}, library.store, "zh").endswith("；类型：chat、mail、markdown")
    assert nothing_passes({"who": ["anna"]}, library.store) == nothing_passes({}, library.store) == ""


@pytest.mark.parametrize(
    ("name", "whole", "found"),
    [
        ("anna", True, ["Anna Lind <a@x.org>", "ANNA"]),
        ("Lind, Anna", True, ["Anna Lind <a@x.org>"]),
        ("nna", True, []),
        ("nna", False, ["Anna Lind <a@x.org>", "Hannah", "ANNA"]),
        ("李波", True, ["李波（产品）"]),
        ("劉", True, ["刘洋"]),
        ("", False, []),
    ],
)
def test_names_match_by_their_words_and_else_by_their_letters(
    name: str, whole: bool, found: list[str]
) -> None:
    known = ["Anna Lind <a@x.org>", "Hannah", "ANNA", "李波（产品）", "刘洋"]
    assert matching_names(name, known, whole=whole) == (found if name != "nna" or whole else known[:3])


@pytest.mark.parametrize(
    ("path", "place", "inside"),
    [
        ("/n/mail/a.eml", "/n/mail", True),
        ("/n/mail/a.eml", "/n/mai", False),
        ("/n/mail/a.eml", "mail", True),
        ("/n/mail/a.eml", "a.eml", True),
        ("/n/mail/a.eml", "*.eml", True),
        ("/n/mail/a.eml", "/n/*", True),
        ("/n/mail/a.eml", "*.md", False),
        ("/n/[x]/a.md", "/n/[x]", True),
        ("C:\\n\\会议\\a.md", "会议", True),
    ],
)
def test_paths(path: str, place: str, inside: bool) -> None:
    assert is_in(path, place) == inside


DAYS = st.dates(date(1900, 1, 1), date(2100, 1, 1))
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "who": st.lists(st.sampled_from(["Anna", "李波", "o'Neil"]), min_size=1, unique=True),
        "since": DAYS.map(str),
        "formats": st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, unique=True),
        "tags": st.lists(st.sampled_from(["travel", "旅行"]), min_size=1, unique=True),
        "title": st.sampled_from(["trip notes", "行程"]),
        "paths": st.lists(st.sampled_from(["/n", "*.md"]), min_size=1, unique=True),
    },
)


@given(st.text(max_size=30), st.sampled_from(["since", "until"]))
def test_any_text_is_a_day_or_one_clear_line(text: str, key: str) -> None:
    try:
        where: Any = read_options(**{key: text}, today=TODAY)  # type: ignore[arg-type]
    except SettingsError as error:
        assert "\n" not in str(error)
    else:
        assert not text or date.fromisoformat(where[key])


@given(FILTERS)
def test_a_filter_is_json_and_stays_what_it_is_when_read_again(where: Any) -> None:
    again = checked(json.loads(json.dumps(where)), TODAY)
    assert again == where == merged(again, again)
    assert bool(said(again)) == bool(where)


@given(DAYS, DAYS, DAYS)
def test_a_day_is_covered_between_two_others(day: date, one: date, other: date) -> None:
    first, last = sorted([one, other])
    where = Filter(since=str(first), until=str(last))
    assert covers(where, f"{day}T10:00:00") == (first <= day <= last)
    assert covers(where, f"{day.year}") == (first.year <= day.year <= last.year)
    assert covers(where, f"{day.year}-{day.month:02d}") == (str(first)[:7] <= str(day)[:7] <= str(last)[:7])


# --- the command line ---------------------------------------------------------------------------------------


@pytest.fixture
def filled(tmp_path: Path, cache_folder: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    (home / "cache").symlink_to(cache_folder)
    folder = tmp_path / "files"
    folder.mkdir()
    write_samples(folder)
    assert CliRunner().invoke(app, ["add", str(folder)]).exit_code == 0


def test_search_and_ask_take_the_same_flags(filled: None) -> None:
    run = CliRunner().invoke
    found = run(
        app, ["search", "budget", "--from", "bob", "--since", "2025-03", "--until", "2025-03", "--json"]
    )
    (passage,) = json.loads(found.stdout)["passages"]
    assert passage["who"] == ["Bob Li <bob@example.org>"] and passage["when"].startswith("2025-03-14")
    asked = run(app, ["ask", "How much is the budget?", "--from", "bob", "--json"])
    answer = json.loads(asked.stdout)
    assert "5,000" in answer["answer"] and asked.exit_code == 0
    assert {tuple(item["who"]) for item in answer["evidence"]} == {("Bob Li <bob@example.org>",)}
    why = run(app, ["why"])
    assert "only --from bob" in why.stdout
    asked = run(app, ["ask", "预算是多少？", "--type", "chat", "--from", "李波"])
    assert "三百元" in asked.stdout and asked.exit_code == 0


def test_an_empty_selection_is_one_line(filled: None) -> None:
    run = CliRunner().invoke
    found = run(app, ["search", "budget", "--from", "zoe"])
    assert found.exit_code == 1 and found.stderr.startswith("no document matches --from zoe; senders")
    asked = run(app, ["ask", "How much is the budget?", "--from", "zoe", "--json"])
    answer = json.loads(asked.stdout)
    assert asked.exit_code == 4 and answer["outcome"] == "abstained"
    assert answer["answer"].startswith("no document matches --from zoe") and not answer["evidence"]


def test_a_bad_date_is_a_usage_error(filled: None) -> None:
    for command in ("search", "ask"):
        result = CliRunner().invoke(app, [command, "budget", "--since", "sometime"])
        assert isinstance(result.exception, SettingsError)
