"""The chat: how lines are read, what is shown of a run, what is opened and exported; no terminal is needed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from agent.cli.chat_words import WORDS, Lang, lang_of
from agent.cli.commands import ALIASES, COMMANDS, export_file, nearest, paths_in, read_line, unknown
from agent.cli.exporting import markdown
from agent.cli.live import CLEAR_BELOW, Live, frame, rows
from agent.cli.opening import citations_of, supporting, surroundings
from agent.cli.prompting import suggested
from agent.events import Event

EVENTS: list[Event] = [
    {
        "event": "started",
        "seconds": 0.0,
        "run_id": "1f3a",
        "question": "会费每年多少钱？",
        "thread": "t",
        "resumable": True,
        "resumed": False,
    },
    {"event": "recall", "seconds": 0.1, "standalone": "会费每年多少钱？", "episodes": 0},
    {
        "event": "plan",
        "seconds": 0.2,
        "need": "search",
        "answer_type": "number",
        "queries": ["会费 每年"],
        "tool": "",
        "where": {},
    },
    {"event": "retrieve", "seconds": 0.3, "queries": ["会费 每年"], "round": 0, "hits": 7},
    {
        "event": "draft",
        "seconds": 1.0,
        "model": "/models/small.gguf",
        "claims": ["会费120元。", "会费130元。" * 9],
    },
    {
        "event": "critique",
        "seconds": 2.0,
        "verdicts": [
            {"text": "会费120元。", "verdict": "supported", "reason": ""},
            {"text": "会费130元。" * 9, "verdict": "unsupported", "reason": "numbers: 130 is nowhere"},
        ],
        "sufficiency": 0.4,
        "passed": False,
    },
    {
        "event": "reformulate",
        "seconds": 2.1,
        "round": 1,
        "queries": [{"text": "年费", "move": "model"}, {"text": "费用", "move": "model"}],
    },
]


def shown(events: list[Event], lang: Lang = "zh", width: int = 60, height: int = 20) -> str:
    return "\n".join(line.plain for line in frame(events, 3.2, lang, width, height))


# --- how a line is read -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ("When was it signed?", ("", "When was it signed?")),
        ("/open 2", ("/open", "2")),
        ("/open", ("/open", "")),
        ("／help", ("/help", "")),
        ("、open 2", ("/open", "2")),
        ("、这是什么？", ("", "、这是什么？")),
        ("/wrong it is\nthe second", ("/wrong", "it is\nthe second")),
        ("/wrong\nthe second", ("/wrong", "the second")),
        ("//open is what?", ("", "/open is what?")),
        ("/here.md says what?", ("", "/here.md says what?")),
        ("/home/me/x.md 说了什么？", ("", "/home/me/x.md 说了什么？")),
        ("/home/me/my notes.md says what?", ("", "/home/me/my notes.md says what?")),
        ("/opne 2", ("/opne", "2")),
    ],
)
def test_a_line_is_a_command_or_a_question(line: str, read: tuple[str, str]) -> None:
    assert read_line(line, lambda path: path == "/here.md") == read


@given(st.text(st.sampled_from("/／ 会a\n"), max_size=20))
def test_what_does_not_begin_with_a_slash_is_asked_as_it_is(line: str) -> None:
    name, rest = read_line(line, lambda _: False)
    assert name or rest == line.strip() or line.strip().startswith(("/", "／"))


@pytest.mark.parametrize(
    ("name", "meant"),
    [("/opne", "/open"), ("/ope", "/open"), ("/thraed", "/thread"), ("/HELP", "/help"), ("/xyzzy", "")],
)
def test_an_unknown_command_is_told_with_the_nearest(name: str, meant: str) -> None:
    assert nearest(name, COMMANDS) == meant
    for lang in WORDS:
        assert name in unknown(name, lang) and (meant or "/help") in unknown(name, lang)


def test_every_command_is_explained_in_both_languages() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])
    for name, command in COMMANDS.items():
        assert command.usage.startswith(name) and set(command.help) == set(WORDS)
    assert set(ALIASES.values()) <= set(COMMANDS)


@pytest.mark.parametrize(
    ("text", "lang"),
    [("Who is 何佳 in the meeting notes?", "en"), ("何佳是谁？", "zh"), ("GDP是什么？", "zh"), ("42?", None)],
)
def test_the_language_of_a_question(text: str, lang: Lang | None) -> None:
    assert lang_of(text) == lang


def test_paths_with_spaces_quotations_and_tildes() -> None:
    assert paths_in("my notes.md", lambda path: path == "my notes.md") == ["my notes.md"]
    assert paths_in('a.md "b c.md"', lambda _: False) == ["a.md", "b c.md"]
    assert paths_in("Anna's.md", lambda _: False) == ["Anna's.md"]
    assert paths_in("~/x.md", lambda _: False) == [str(Path.home() / "x.md")]
    assert paths_in("https://example.org/~me", lambda _: False) == ["https://example.org/~me"]


def test_commands_paths_threads_and_names_are_completed() -> None:
    kinds = {name: command.completes for name, command in COMMANDS.items()}

    def choose(kind: str) -> list[str]:
        return {"thread": ["treaty", "Trip 2026", "书会"], "command": ["open", "add"]}.get(kind, [])

    assert suggested("/th", kinds, choose) == [("/thread", -3)]
    assert suggested("/thread tr", kinds, choose) == [("treaty", -2), ("Trip 2026", -2)]
    assert suggested("/thread 书", kinds, choose) == [("书会", -1)]
    assert suggested("/help o", kinds, choose) == [("open", -1)]
    assert suggested("/why x", kinds, choose) == []


# --- what is shown of a run -------------------------------------------------------------------------------


def test_what_is_not_verified_is_said_to_be_so_and_what_fails_is_struck_out() -> None:
    drafted = frame(EVENTS[:5], 1.0, "zh", 60, 20)
    label = next(n for n, line in enumerate(drafted) if "未经核实" in line.plain)
    assert "small.gguf" in drafted[label].plain and "/models" not in drafted[label].plain
    assert all("dim" in str(line.style) or "dim" in str(line.spans) for line in drafted[label:])
    checked = frame(EVENTS[:6], 2.0, "zh", 60, 20)
    good = next(line for line in checked if "120" in line.plain)
    bad = [line for line in checked if "130" in line.plain]
    assert good.plain.strip().startswith("✓") and "green" in str(good.spans)
    assert bad[0].plain.strip().startswith("✗") and all("strike" in str(line.spans) for line in bad)
    assert "没有依据 (numbers: 130 is nowhere)" in "".join(line.plain.strip() for line in checked)
    assert "尚不足以回答" in shown(EVENTS[:6]) and "未经核实" not in shown(EVENTS[:6])


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        (
            "en",
            [
                "searching",
                "3 s",
                "plan: search, for a number",
                "“会费 每年”: 7 passages",
                "round 1: 年费 (and 1 more)",
            ],
        ),
        ("zh", ["检索", "计划：检索，要找数字", "“会费 每年”：7 个段落", "第 1 轮：年费（另有 1 个）"]),
    ],
)
def test_plan_queries_and_hits_are_told(lang: Lang, words: list[str]) -> None:
    text = shown(EVENTS, lang)
    for one in words:
        assert one in text
    assert "理解为：" not in text and "read as:" not in text  # it stands as it was asked
    again = [EVENTS[0], {**EVENTS[1], "standalone": "读书会的会费？"}]
    assert "读书会的会费？" in shown(again, lang)  # type: ignore[arg-type]


@pytest.mark.parametrize("lang", WORDS)
def test_what_is_under_way(lang: Lang) -> None:
    heads = [shown(EVENTS[:n], lang).split("\n")[0] for n in range(len(EVENTS) + 1)]
    assert WORDS[lang]["doing"]["ready"] in heads[0]
    assert len(set(heads)) == 7  # each step but the round's search, which is one as the first
    stopped = frame(EVENTS, 3.0, lang, 60, 20, stopping=True)
    assert WORDS[lang]["doing"]["stopping"] in stopped[0].plain


@given(
    st.integers(1, len(EVENTS)),
    st.integers(12, 120),
    st.integers(1, 30),
    st.text(st.sampled_from("会费 abc\x1b[2J\n\u202e，👍🏽é"), max_size=300),
)
def test_a_frame_fits_its_window_and_never_loses_the_label(
    count: int, width: int, height: int, text: str
) -> None:
    events = [dict(event) for event in EVENTS[:count]]
    if events[-1]["event"] == "draft":
        events[-1]["claims"] = [text, text]
    lines = frame(events, 3.0, "zh", width, height)  # type: ignore[arg-type]
    assert len(lines) <= max(1, height - 1)
    assert all(line.cell_len < width and "\n" not in line.plain for line in lines)
    drafted = any("·" in line.plain for line in lines)
    assert not drafted or any("未经核实" in line.plain.replace("\n", "") or width < 40 for line in lines)


def test_a_frame_is_drawn_over_the_one_before_and_wiped() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=20, height=10, color_system=None)
    frames = iter([[Text("one"), Text("两行")], [Text("three")]])
    live = Live(console, lambda width, height: next(frames, [Text("three")]))
    live.draw()
    live.draw()
    drawn = file.getvalue()
    assert drawn.index("两行") < drawn.index("\x1b[1A") < drawn.index("three")
    with Live(console, lambda width, height: [Text("a"), Text("b"), Text("c")]):
        pass
    assert file.getvalue().endswith(f"\r\x1b[2A{CLEAR_BELOW}")


def test_lines_that_a_narrower_window_wraps_are_gone_back_over() -> None:
    assert rows([19, 0, 20, 21], 20) == 5
    assert rows([19, 0, 20, 21], 10) == 8
    assert rows([], 20) == 0


# --- what is opened ---------------------------------------------------------------------------------------


def answer(*quotes: str, **more: Any) -> dict[str, Any]:
    cited = [
        {
            "path": "/a/b.md",
            "start": 0,
            "end": len(q),
            "quote": q,
            "page": None,
            "heading": "H",
            "line": n,
            "also": [],
        }
        for n, q in enumerate(quotes, start=1)
    ]
    claims = [
        {"text": f"{q}.", "verdict": "supported", "score": 0.9, "citations": [c]}
        for q, c in zip(quotes, cited, strict=True)
    ]
    return {
        "question": "Why?",
        "answer": " ".join(quotes),
        "outcome": "verified",
        "claims": claims,
        "run_id": "1f3a",
        **more,
    }


def test_citations_are_numbered_as_they_are_printed() -> None:
    given_ = answer("one", "two", "one")
    given_["claims"][2]["citations"] = given_["claims"][0]["citations"]
    assert [one["quote"] for one in citations_of(given_)] == ["one", "two"]


@given(st.text(st.sampled_from("ab 会。\n"), max_size=1500), st.data())
def test_surroundings_stand_around_the_quotation(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    before, quote, after = surroundings(text, start, end)
    assert quote == text[start:end]
    assert text[:start].endswith(before.removeprefix("…"))
    assert text[end:].startswith(after.removesuffix("…"))
    assert len(before) <= 401 and len(after) <= 401
    assert before.count("\n") <= 4 and after.count("\n") <= 4


@pytest.mark.parametrize(
    ("quote", "claim", "words"),
    [
        ("The fee is 120 yuan a year.", "A YEAR costs 120.", ["120", "a", "year"]),
        ("会费每人每年120元，由何佳收取。", "每年要交120元", ["每年", "120"]),
        ("nothing", "in common", []),
    ],
)
def test_words_of_the_claim_are_found_in_the_quotation(quote: str, claim: str, words: list[str]) -> None:
    assert [quote[a:b] for a, b in supporting(quote, claim)] == words


# --- what is exported -------------------------------------------------------------------------------------


def test_a_thread_as_markdown() -> None:
    asked = [
        answer("The <b>fee</b>", "is [120](http://x)"),
        answer(question="会费？", answer="没有找到。", outcome="abstained"),
    ]
    text = markdown("书会 *2026*", asked, 0.0, "en")
    assert text.startswith("# 书会 \\*2026\\*\n\nExported on 1970-01-01")
    assert "## Why?\n\nThe \\<b>fee\\</b>. \\[1\\] is \\[120\\](http://x). \\[2\\]" in text
    assert "1. `/a/b.md:1` — H\n   > The \\<b>fee\\</b>\n2. `/a/b.md:2`" in text
    [short] = [answer("The <b>fee</b>", "is 120") | {"short": "<b>120"}]
    assert "## Why?\n\n**\\<b>120**\n\nThe" in markdown("t", [short], 0.0, "en")
    assert "*verified*" in text and "## 会费？\n\n没有找到。\n\n*不作回答*" in text


def test_a_list_stays_a_list_and_what_would_be_one_is_not() -> None:
    text = markdown("t", [answer("a", "b", answer="- a\n- b")], 0.0, "en")
    assert "- a. \\[1\\]\n- b. \\[2\\]" in text
    text = markdown("t", [answer(answer="# no head\n1. no list\n> no quote\x1b[2J")], 0.0, "en")
    assert "\\# no head\n1\\. no list\n\\> no quote\\[2J" in text


def test_where_a_thread_is_written(tmp_path: Path) -> None:
    there = {"a-b.md"}
    assert export_file("", "a/b", lambda path: path in there) == Path("a-b-2.md")
    assert export_file("x.md", "a/b", lambda _: False) == Path("x.md")
    assert export_file('"x y.md"', "a/b", lambda _: False) == export_file("x y.md", "", lambda _: False)
    assert export_file(str(tmp_path), "..", lambda path: path == str(tmp_path)) == tmp_path / "chat.md"
