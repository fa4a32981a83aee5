"""A run as a page: what it shows, that it needs nothing but itself, and that no text becomes markup."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import Agent, Settings
from agent.cli.looking import GRAPH
from agent.graph import build_graph
from agent.page import is_page_of_a_run, page_of
from agent.page_words import PAGE_WORDS
from agent.runs import record_unfinished
from tests.processes import Terminal, called

VOID = {"meta"}
TEXT = "Ada signed it on 1 March 2026. Bo says it was 2 March. <Notes>"
CITATION = {
    "path": "/notes/a b.md",
    "start": 100,
    "end": 130,
    "quote": TEXT[:30],
    "page": 3,
    "heading": "Lease > Signing",
    "line": 7,
    "changed": "gone",
    "also": ["/copy/a.md"],
}
CHECKS = [
    {"layer": "quote", "verdict": "supported", "reason": "every quotation stands at its place"},
    {"layer": "numbers", "verdict": "unsupported", "reason": "'4' is not in what it cites"},
]
ITEM = {
    "number": 1,
    "kind": "passage",
    "path": "/notes/a b.md",
    "title": "Lease",
    "heading": "Lease > Signing",
    "page": 3,
    "start": 100,
    "end": 100 + len(TEXT),
    "text": TEXT,
    "score": 0.4,
    "query": "When did Ada sign it?",
    "relevance": 0.9,
    "round": 0,
    "who": ["Anna"],
    "when": "2026-03-02",
}
RUN: dict[str, Any] = {
    "run_id": "0123456789ab",
    "created_s": 1_800_000_000.0,
    "question": "When did Ada sign it?",
    "standalone": "When did Ada sign the lease?",
    "outcome": "partial",
    "stopped": "rounds",
    "answer": "Ada signed it on 1 March 2026.",
    "model": "extractive",
    "seconds": 1.5,
    "rounds": 1,
    "where": {"paths": ["/notes"]},
    "plan": {"lang": "en"},
    "claims": [
        {"text": "Ada signed it on 1 March 2026.", "verdict": "supported", "citations": [CITATION]},
        {"text": "From memory.", "verdict": "supported", "citations": []},
    ],
    "draft": {
        "sufficiency": 0.5,
        "claims": [
            {"text": "Ada signed it on 1 March 2026.", "verdict": "supported", "checks": CHECKS[:1]},
            {"text": "She paid 4 euros.", "verdict": "unsupported", "checks": CHECKS},
            {"text": "Bo was there.", "verdict": "supported", "checks": []},
        ],
    },
    "evidence": [
        ITEM,
        {**ITEM, "number": 2, "path": "https://example.org/x", "start": 0, "query": "lease Ada", "round": 1},
        {**ITEM, "number": 3, "kind": "said", "path": "memory:12", "start": 0, "query": "", "title": ""},
    ],
    "conflicts": [
        {"evidence": 1, "start": 131, "end": 155, "what": "date", "ours": "1 March", "theirs": "2 March"}
    ],
    "disagreements": ["Another passage says 2 March."],
    "missing": ["lease"],
    "notes": ["read as: sign"],
    "memory": ["ffff"],
    "budget": {"rounds": {"used": 1, "limit": 2}, "tokens": {"used": 0, "limit": 0}},
    "events": [
        {"event": "recall", "seconds": 0.1, "standalone": "When did Ada sign the lease?", "episodes": 1},
        {
            "event": "plan",
            "seconds": 0.3,
            "need": "search_then_tool",
            "answer_type": "date",
            "queries": ["When did Ada sign it?"],
            "tool": "calendar: weekday",
            "where": {"paths": ["/notes"]},
        },
        {"event": "retrieve", "seconds": 0.5, "queries": ["When did Ada sign it?", "Ada's hand"], "hits": 7},
        {"event": "act", "seconds": 0.6, "result": "", "failure": "no date"},
        {"event": "draft", "seconds": 0.7, "model": "extractive", "claims": ["She paid 4 euros."]},
        {
            "event": "critique",
            "seconds": 0.8,
            "verdicts": [{"text": "She paid 4 euros.", "verdict": "unsupported", "reason": "numbers: '4'"}],
            "sufficiency": 0.1,
            "passed": False,
        },
        {
            "event": "reformulate",
            "seconds": 0.9,
            "round": 1,
            "queries": [{"text": "lease Ada", "move": "bridge"}],
        },
        {"event": "retrieve", "seconds": 1.1, "queries": ["lease Ada"], "hits": 3},
        {"event": "sweep", "seconds": 1.2, "parts": 2, "quoted": 1},
        {"event": "settle", "seconds": 1.4, "outcome": "partial", "stopped": "rounds"},
        {"event": "remember", "seconds": 1.5},
    ],
}


class Page(HTMLParser):
    """A page taken apart; fails where a tag is left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []  # the innermost tag, and what it says
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, name: str) -> list[str]:
        return [
            value or "" for _, attributes in self.tags for key, value in attributes.items() if key == name
        ]

    def said(self, tag: str = "") -> str:
        return "".join(data for inner, data in self.texts if tag in ("", inner) and inner != "style")


def checked(text: str) -> Page:
    """A page that needs nothing but itself, and whose links lead somewhere in it or to local files."""
    page, ids = Page(text), Page(text).all("id")
    assert not {tag for tag, _ in page.tags} & {"script", "img", "link", "iframe", "object", "form", "base"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert len(ids) == len(set(ids))
    assert all(
        href[1:] in ids if href[:1] == "#" else href.startswith("file:///") for href in page.all("href")
    )
    assert set(page.all("lang")) <= {"en", "zh-Hans", "zh-Hant"}
    assert all(re.fullmatch(r"margin-left:[\d.]+%;width:[\d.]+%", style) for style in page.all("style"))
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert [tag for tag, _ in page.tags if tag in ("header", "nav", "main", "footer", "h1")] == [
        "header", "h1", "nav", "main", "footer",
    ]  # fmt: skip
    return page


def marked(text: str) -> list[str]:
    """What of the passages is marked as cited, without the numbers before it."""
    cited = re.findall(r'<mark class="cited">(<sup.*?</sup>.*?)</mark>', text, re.S)
    return ["".join(Page(re.sub("<sup.*?</sup>", "", one)).said()) for one in cited]


@pytest.fixture(scope="module")
def agent(home: Path) -> Iterator[Agent]:
    with Agent(Settings(home=home)) as opened:
        yield opened


def payload(agent: Agent, run_id: str) -> dict[str, Any]:
    run = agent.library.store.run(run_id)
    assert run is not None
    return {**run["payload"], "run_id": run["id"], "created_s": run["created_s"]}


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("When was the contract signed?", ["verified", "Draft by extractive", "Checks: 10", "no limit"]),
        ("会费每人每年多少钱？", ["已核实", "第一遍", "核对项：10"]),
        ("會費每人每年多少錢？", ["已核实", "第一遍"]),
        ("How many days between the contract date and the deadline for notice?", ["72 days", "calendar"]),
        ("Who ground the lens of the refractor?", ["Margaret Oduya"]),
        ("5除以0等于多少？", ["不作回答", "失败：division by zero", "没有写出句子"]),
        ("What is the capital of Peru?", ["not answered", "Round 1", "nothing new found", "Nowhere in what"]),
        ("Summarise the lease", ["whole documents", "Parts of whole documents read: 1; quotations found: 6"]),
        ("你好", ["无需检索"]),
    ],
)
def test_a_run_is_a_page(agent: Agent, question: str, told: list[str]) -> None:
    answer = agent.ask(question)
    text = page_of(payload(agent, answer.run_id))
    page = checked(text)
    said = page.said().replace("none", "no limit")
    assert said.count(question) >= 2  # the title and the heading
    assert all(word in said for word in (*told, answer.run_id))
    assert all(claim.text in said for claim in answer.claims)
    assert ('class="short"' in text) == bool(answer.short) and answer.short in said
    quotes = {citation.quote for claim in answer.claims for citation in claim.citations}
    assert set(marked(text)) == quotes
    assert page.tags[0] == ("html", {"lang": PAGE_WORDS[answer.lang]["lang"]})
    assert is_page_of_a_run(text[:500])


def test_a_run_from_memory_is_a_page(agent: Agent) -> None:
    first, again = (agent.ask("Who ground the lens of the refractor?") for _ in range(2))
    found = payload(agent, again.run_id)
    assert found["memory"] and "retrieve" not in [event["event"] for event in found["events"]]
    said = checked(page_of(found)).said()
    assert first.text in said and "Earlier questions that were used: 1" in said


@pytest.mark.parametrize(("question", "word"), [("Who?", "cut short"), ("谁签的？", "打断")])
def test_an_unfinished_run_is_a_page(agent: Agent, question: str, word: str) -> None:
    state: Any = {"question": question, "run_id": "ab12", "thread": "", "started_s": 1.0}
    record_unfinished(
        agent.library.store, state, "extractive", RUN["events"][:5], {"seconds": 1.0, "tokens": 0}
    )
    said = checked(page_of(payload(agent, "ab12"))).said()
    assert word in said and "agent ask --resume ab12" in said and "She paid 4 euros." in said
    agent.library.store.drop_run("ab12")


def test_all_that_a_run_has_is_on_its_page() -> None:
    text = page_of(RUN)
    page = checked(text)
    said = page.said()
    for told in (
        "When did Ada sign the lease?",  # what it was read as
        "partial",
        "no rounds left",
        "--in /notes",
        "line 7",
        "p. 3",
        "the file is gone",
        "also in: /copy/a.md",
        "in passage 1",
        "Another passage says 2 March.",
        "'4' is not in what it cites",
        "supported, but no part of the answer",
        "given without a check of this run",
        "Failed: no date",
        "2 queries, 7 passages found",
        "an earlier search",
        "a name that leads on",
        "0.200",
        "your own words",
        "https://example.org/x",
        "memory:12",
        "read as: sign",
    ):
        assert told in said, told
    assert page.said("s") == 2 * "She paid 4 euros."
    assert marked(text) == [CITATION["quote"]]
    assert "2 March" in page.said("mark") and "Ada" in page.said("u")
    assert {href for href in page.all("href") if href[0] != "#"} == {
        "file:///notes/a%20b.md",
        "file:///copy/a.md",
    }


def test_overlapping_citations_are_marked_to_the_character() -> None:
    other = {**CITATION, "start": 111, "end": 131, "quote": TEXT[11:31]}
    run = {**RUN, "claims": [{**RUN["claims"][0], "citations": [CITATION, other]}]}
    text = page_of(run)
    assert "".join(marked(text)).startswith(TEXT[:30])
    assert {"#c1", "#c2", "#s1", "#s2"} <= set(checked(text).all("href"))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all texts in a value."""
    if isinstance(value, str):
        yield path
    for key, below in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from leaves(below, (*path, key))


def put(run: Any, path: tuple[Any, ...], text: str) -> Any:
    """A run with another text in a place."""
    changed = copy.deepcopy(run)
    below = changed
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = text
    return changed


HOSTILE = st.text() | st.sampled_from(
    [
        "</style><script>alert(1)</script>",
        "\"><img src=x onerror='alert(1)'>",
        "javascript:alert(1)",
        "</title></head><body onload=x>",
        "<!-- --><![CDATA[ ]]>",
        "/a\"b'<c>&amp;\x00\ud800\u202e",
        "//host/share/<x>",
        "http://example.org/?a=<b>",
        "]]>&lt;b&gt;&#60;i&#62;</blockquote></details>",
    ]
)
TAGS = {tag for tag, _ in Page(page_of(RUN)).tags}
LEAVES = list(leaves(RUN))


@pytest.mark.slow
@given(path=st.sampled_from(LEAVES), text=HOSTILE)
def test_no_text_becomes_markup(path: tuple[Any, ...], text: str) -> None:
    shown = page_of(put(RUN, path, text))
    shown.encode("utf-8")
    assert {tag for tag, _ in checked(shown).tags} <= TAGS | {"ul"}


@pytest.mark.slow
@given(text=HOSTILE)
def test_a_hostile_text_everywhere_stays_a_text(text: str) -> None:
    run = RUN
    for path in LEAVES:
        if path[-1] != "event":
            run = put(run, path, text)
    page = checked(page_of(run))
    assert {tag for tag, _ in page.tags} <= TAGS | {"ul"}
    seen = re.sub(r"[^\x20-\x7e]", "", page.said("h1"))
    assert seen == re.sub(r"[^\x20-\x7e]", "", text)


def test_both_languages_say_the_same_things() -> None:
    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: shape(below) for key, below in value.items()}
        return sorted(re.findall(r"{\w*}", value))

    assert shape(PAGE_WORDS["en"]) == shape(PAGE_WORDS["zh"])


# --- the command ---


def test_why_writes_a_page(agent: Agent, home: Path, tmp_path: Path) -> None:
    run_id = agent.ask("When was the contract signed?").run_id
    file = tmp_path / "页.html"
    done = called(home, "why", run_id[:6], "--html", str(file))
    assert (done.returncode, done.stderr) == (0, "") and run_id in done.stdout
    text = file.read_text(encoding="utf-8")
    assert text == page_of(payload(agent, run_id)) == called(home, "why", run_id, "--html", "-").stdout
    assert called(home, "why", "--html", str(file)).returncode == 0  # its own page is replaced
    assert [one.name for one in tmp_path.glob("*.*")] == [file.name]  # nothing is left beside it


def test_why_spares_what_is_no_page(agent: Agent, home: Path, tmp_path: Path) -> None:
    agent.ask("When was the contract signed?")
    file = tmp_path / "thesis.html"
    file.write_text("<!DOCTYPE html>\n<html>my thesis</html>", encoding="utf-8")
    refused = called(home, "why", "--html", str(file))
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1 and "--force" in refused.stderr
    assert "my thesis" in file.read_text(encoding="utf-8")
    assert called(home, "why", "--html", str(file), "--force").returncode == 0
    assert is_page_of_a_run(file.read_text(encoding="utf-8"))
    folder = called(home, "why", "--html", str(tmp_path), "--force")
    assert folder.returncode == 1 and "is no file" in folder.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("nope", "--html", "x.html"), 1, "no run 'nope'"),
        (("--html", "/nowhere/x.html"), 1, "/nowhere/x.html cannot be written: No such file"),
        (("--html", "/dev/null", "--force"), 1, "is no file"),
        (("--html", "~nobody-here/x.html"), 1, "cannot be written: "),
        (("--html", "x.html", "--json"), 2, "exclude each other"),
        (("--force",), 2, "belongs to --html"),
    ],
)
def test_what_cannot_be_written_is_told_in_a_line(
    agent: Agent, home: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    agent.ask("When was the contract signed?")
    done = called(home, "why", *arguments)
    assert done.returncode == code and told in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == "" and not Path("x.html").exists()


# --- the state machine ---


def landings(rows: list[str], row: int, column: int, step: int) -> Iterator[int]:
    """The rows that the lines arrive at which leave a name to its right (`step` 1, and down) or left (-1, and up).

    A line runs under those that it crosses.
    """
    while 0 <= column < len(rows[row]) and rows[row][column] in "─│┬┤╮┴├╰":
        if rows[row][column] not in "─│":
            lane = row + step
            while rows[lane][column] in "│┤├":
                lane += step
            assert rows[lane][column] in "╯╭" and {"◂", "▸"} & set(rows[lane])
            yield lane + 1
            if rows[row][column] not in "┬┴":
                return
        column += step


def test_the_drawing_of_the_graph_is_the_graph() -> None:
    rows = GRAPH.split("\n")
    names = {n: found for n, row in enumerate(rows) if (found := re.search(r"[A-Za-z]+", row))}
    found = {(names[a].group(), names[b].group()) for a, b in pairwise(names)}  # down the middle
    assert all(row[14] in "│┼├" for n, row in enumerate(rows) if n not in names)
    for n, name in names.items():
        ends = [*landings(rows, n, name.end() + 1, 1), *landings(rows, n, name.start() - 2, -1)]
        found |= {(name.group(), names[end].group()) for end in ends}
    known = {"__start__": "START", "__end__": "END"}
    drawn = build_graph().get_graph()
    assert found == {(known.get(e.source, e.source), known.get(e.target, e.target)) for e in drawn.edges}


def test_graph_is_drawn_on_a_terminal_and_mermaid_elsewhere(tmp_path: Path) -> None:
    assert called(tmp_path, "graph").stdout == called(tmp_path, "graph", "--mermaid").stdout
    drawn = Terminal(tmp_path, "graph")
    assert "reformulate" in drawn.wait_for("END") and drawn.exit_code() == 0
    assert "graph TD" in Terminal(tmp_path, "graph", "--mermaid").wait_for("classDef")
