"""Calendars, notebooks, JSON, code and the metadata of Markdown: how they read, and what is left out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.load import LOADERS, LoadError, Source, line_of, load, place
from retrieval.load.code import code_suffix
from retrieval.split import split
from tests.linear import assert_linear
from tests.processes import python


def read(data: str | bytes | Any, name: str) -> Source:
    if not isinstance(data, str | bytes):
        data = json.dumps(data)
    path = Path(name)
    return LOADERS[path.suffix](data.encode() if isinstance(data, str) else data, path)


def headings(source: Source) -> list[tuple[int, str]]:
    return [(mark.level, mark.label) for mark in source.marks]


# Calendars

ICS = """BEGIN:VCALENDAR
VERSION:2.0
X-WR-CALNAME:Home
BEGIN:VTIMEZONE
TZID:Europe/Berlin
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:Dinner\\, at last
DTSTART;TZID=Europe/Berlin:20240312T180000
DTEND;TZID=Europe/Berlin:20240312T193000
LOCATION:Café Zentral
ORGANIZER;CN=Anna Lind:mailto:anna@x.org
ATTENDEE;CN=Bob:mailto:bob@x.org
ATTENDEE:mailto:carol@x.org
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;UNTIL=20240630T000000Z
DESCRIPTION:Bring the papers.\\nAnd a
 pen.
BEGIN:VALARM
DESCRIPTION:Beep
END:VALARM
END:VEVENT
BEGIN:VEVENT
SUMMARY:去北京出差
DTSTART;VALUE=DATE:20240501
DTEND;VALUE=DATE:20240504
RRULE:FREQ=YEARLY;COUNT=3
END:VEVENT
BEGIN:VTODO
SUMMARY:Pay the rent
DUE:20240401T090000Z
STATUS:NEEDS-ACTION
END:VTODO
BEGIN:VEVENT
DTSTART:nonsense
END:VEVENT
END:VCALENDAR
"""


def test_calendar() -> None:
    source = read(ICS, "x.ics")
    assert source.title == "Home" and source.format == "calendar"
    assert source.text == (
        "Dinner, at last\nStart: Tuesday 2024-03-12 18:00 (Europe/Berlin)\nEnd: Tuesday 2024-03-12 19:30 (Europe/Berlin)\n"
        "Where: Café Zentral\nRepeats: every 2 weeks on Tuesday until Sunday 2024-06-30 00:00\n"
        "Organiser: Anna Lind <anna@x.org>\nWith: Bob <bob@x.org>, carol@x.org\n\nBring the papers.\nAnd apen.\n\n"
        "去北京出差\n开始：2024-05-01 星期三\n结束：2024-05-03 星期五\n重复：每年，共3次\n\n"
        "Pay the rent\nDue: Monday 2024-04-01 09:00 (UTC)\nStatus: needs-action"
    )
    assert headings(source) == [(1, "Dinner, at last"), (1, "去北京出差"), (1, "Pay the rent")]
    assert [line_of(source, mark.start) for mark in source.marks] == [7, 22, 28]
    assert source.notes == ()
    assert len(split(source)) == 3


@pytest.mark.parametrize(
    ("rule", "en", "zh"),
    [
        ("FREQ=DAILY", "every day", "每天"),
        ("FREQ=WEEKLY;BYDAY=MO,WE", "every week on Monday, Wednesday", "每周星期一、星期三"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday", "每月倒数第1个星期五"),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=15", "every 3 months on day 15", "每3个月15日"),
        ("FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=1", "every year on day 1 in month 5", "每年5月1日"),
        (
            "FREQ=MONTHLY;BYSETPOS=-1;BYDAY=MO",
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1",
            "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=-1",
        ),
    ],
)
def test_rules_in_words(rule: str, en: str, zh: str) -> None:
    for summary, told in (("Dinner", f"Repeats: {en}"), ("晚饭", f"重复：{zh}")):
        text = f"BEGIN:VEVENT\nSUMMARY:{summary}\nDTSTART:20240312T180000\nRRULE:{rule}\nEND:VEVENT\n"
        assert told in read(text, "x.ics").text.split("\n")


def test_labels_follow_the_script() -> None:
    text = "BEGIN:VEVENT\nSUMMARY:週會\nDTSTART:20240312T180000\nRRULE:FREQ=MONTHLY;INTERVAL=2\nEND:VEVENT\n"
    assert read(text, "x.ics").text == "週會\n開始：2024-03-12 星期二 18:00\n重複：每2個月"


def test_no_events() -> None:
    with pytest.raises(LoadError, match="no events"):
        read("BEGIN:VCALENDAR\nEND:VCALENDAR\n", "x.ics")


PROPERTIES = st.sampled_from(
    ["SUMMARY:会议\n", "DTSTART:2024", "DTSTART:20240312T180000\n", "DTEND;VALUE=DATE:20240101\n", "DURATION:PT99999999H\n", "DURATION:x\n",
     "RRULE:FREQ=WEEKLY;BYDAY=99XX\n", "RRULE:FREQ=\n", "RRULE:UNTIL=20240101;FREQ=DAILY\n", "ATTENDEE;CN=\"a\n", "ATTENDEE:mailto:\n", ";", ":", "=", " x\n", "\n",
     "BEGIN:VALARM\n", "END:VALARM\n", "END:VEVENT\n", "BEGIN:VTODO\n", "DESCRIPTION:<p>x\n", "DTSTART;TZID=Nowhere/At All:20240312T180000\n", "DTSTART:00010101T000000Z\nDTEND;VALUE=DATE:00010101\n"]
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(st.lists(PROPERTIES, max_size=12).map("".join))
def test_any_calendar_loads_or_is_refused(text: str) -> None:
    try:
        source = read(f"BEGIN:VEVENT\n{text}END:VEVENT\n", "x.ics")
    except LoadError:
        return
    assert all(0 <= mark.start < len(source.text) and mark.label for mark in source.marks)


# Notebooks


def cell(kind: str, source: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "source": source.splitlines(True), **more}


def test_notebook() -> None:
    outputs = [
        {"output_type": "stream", "text": ["\x1b[31m3\x1b[0m\n"]},
        {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "<Figure size 640x480 with 1 Axes>"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["long"]},
    ]  # fmt: skip
    cells = [
        cell("markdown", "# 图\n\nSome text."),
        cell("code", "print(1 + 2)", outputs=outputs),
        cell("markdown", "![](data:image/png;base64," + "A" * 200 + ")\n\n## Next"),
    ]
    source = read({"nbformat": 4, "metadata": {}, "cells": cells}, "x.ipynb")
    assert source.text == (
        "# 图\n\nSome text.\n\n```python\nprint(1 + 2)\n```\n\n```output\n3\nValueError: no\n```\n\n"
        "![](data:image/png;base64,…)\n\n## Next"
    )
    assert headings(source) == [(1, "图"), (2, "Next")] and source.title == "图"
    assert source.notes == ("1 image not read",)
    assert all(source.text[mark.start] == "#" for mark in source.marks)


def test_old_notebook() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "input": ["x = 1"], "outputs": []},
    ]
    source = read({"worksheets": [{"cells": cells}]}, "x.ipynb")
    assert source.text == "## Old\n\n```python\nx = 1\n```"


def test_long_output_is_cut() -> None:
    output = [{"output_type": "stream", "text": "a line of output\n" * 10_000}]
    source = read({"cells": [cell("code", "run()", outputs=output)]}, "x.ipynb")
    assert len(source.text) < 5000 and source.notes == ("long outputs were cut",)


@pytest.mark.parametrize("data", ["[]", "{}", "{", "[" * 50_000])
def test_no_notebook(data: str) -> None:
    with pytest.raises(LoadError, match="not a notebook"):
        read(data, "x.ipynb")


# JSON


def test_json_reads_as_lines() -> None:
    value = {
        "name": "Tool",
        "private": True,
        "none": None,
        "keywords": ["a", "b"],
        "numbers": list(range(50)),
        "scripts": {"test": "run", "deep": {"x": 1.5}},
    }
    source = read(value, "package.json")
    numbers = ", ".join(map(str, range(30)))
    assert source.text == (
        f"name: Tool\nprivate: true\n\nkeywords: a, b\n\nnumbers: {numbers}, … (50 numbers)\n\nscripts > test: run\nscripts > deep > x: 1.5"
    )
    assert headings(source) == [(1, "keywords"), (1, "numbers"), (1, "scripts")] and source.title == "Tool"
    assert line_of(source, 5) is None


def test_json_records() -> None:
    value = {
        "data": [
            {
                "paragraphs": [
                    {
                        "context": "话很长。" * 100,
                        "qas": [{"id": "5", "question": "谁？", "answers": [{"text": "张三", "start": 3}]}],
                    }
                ],
                "title": "甲",
            },
            {"title": "乙", "paragraphs": []},
        ]
    }
    source = read(value, "x.json")
    assert headings(source) == [(1, "data"), (2, "甲"), (2, "乙")]
    assert source.text.endswith("question: 谁？\nid: 5\nanswers: text: 张三, start: 3\n\ntitle: 乙")
    assert place(source.marks, source.text.index("谁"))[0] == "data > 甲"


def test_json_lines() -> None:
    lines = '{"id": 1, "title": "甲", "text": "One."}\n\nnot json\n{"id": 2, "text": "Two."}\n'
    source = read(lines, "x.jsonl")
    assert source.text == "title: 甲\ntext: One.\nid: 1\n\nid: 2\ntext: Two."
    assert headings(source) == [(1, "甲"), (1, "2")] and source.notes == (
        "1 lines are not JSON and were left out",
    )
    assert [line_of(source, mark.start) for mark in source.marks] == [1, 4]


@pytest.mark.parametrize("data", ["{// a comment\n}", "{'a': 1}", '{"a": 1}{"b": 2}'])
def test_what_is_not_json_is_text(data: str) -> None:
    source = read(data, "x.json")
    assert source.text == data and source.notes == ("not valid JSON: read as text",)


def test_json_at_its_limits() -> None:
    deep: Any = "end"
    for _ in range(200):
        deep = {"a": deep}
    assert "too deeply" in read({"x": "y", "deep": deep}, "x.json").notes[0]
    with pytest.raises(LoadError, match="too deeply"):
        read("[" * 100_000, "x.json")
    with pytest.raises(LoadError, match="no text"):
        read([None, {}, []], "x.json")
    assert read(["\ud800\0x", "A" * 5000, "b"], "x.json").text == "\ufffdx\nb"
    assert_linear(
        lambda size: read([{"title": f"t{n}", "text": "word " * 20} for n in range(size)], "x.json"), 2_500
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["title", "id", "text", "", "名称", "messages", "cells", "source"]) | st.text(max_size=3), inner),
    max_leaves=30,
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(JSON, st.sampled_from(["x.json", "x.jsonl", "x.ipynb"]))
def test_any_json_loads_or_is_refused(value: Any, name: str) -> None:
    try:
        source = read(json.dumps(value), name)
    except LoadError:
        return
    starts = [mark.start for mark in source.marks]
    assert starts == sorted(starts) and all(0 <= start < len(source.text) for start in starts)
    assert all(mark.label and 1 <= mark.level <= 6 for mark in source.marks)


# Code


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.py", "import x\n\n@d\nclass A:\n    def f(self):\n        '''\n        def no(): 1\n        '''\n\nasync def g(): pass\n", [(1, "class A"), (2, "def f"), (1, "def g")]),
        ("a.py", "def f(:\n  pass\nclass A(x)\n", [(1, "def f"), (1, "class A")]),
        ("a.js", "export class A extends B {\n  run(x) {\n    if (x) {\n    }\n  }\n}\nconst f = async (a) => {\n};\nfunction g() {}\n", [(1, "class A"), (2, "run"), (1, "const f"), (1, "function g")]),
        ("a.ts", "export interface P { x: number }\nexport type T = A | B;\nenum E {\n", [(1, "interface P"), (1, "type T"), (1, "enum E")]),
        ("A.java", "public final class A {\n    private int f(int x) {\n        return g(x);\n    }\n}\n", [(1, "class A"), (2, "f")]),
        ("a.c", "#define MAX(a, b) a\nstruct p {\n  int x;\n};\nint main(int n, char **v)\n{\n  printf(x);\n  return f(x);\n}\n", [(1, "define MAX"), (1, "struct p"), (1, "main")]),
        ("a.go", "type P struct {\n}\nfunc (p *P) Run() error {\n\treturn nil\n}\n", [(1, "type P"), (1, "func Run")]),
        ("a.rs", "pub struct P;\nimpl<T> Q for P {\n    pub async fn run() {}\n}\n", [(1, "struct P"), (1, "impl Q for P"), (2, "fn run")]),
        ("a.rb", "module M\n  class A\n    def run?\n", [(1, "module M"), (2, "class A"), (3, "def run?")]),
        ("a.kt", "data class P(val x: Int)\nfun <T> run(x: T) {\n", [(1, "class P"), (1, "fun run")]),
        ("a.swift", "struct P {\n    mutating func run() {\n", [(1, "struct P"), (2, "func run")]),
        ("a.php", "<?php\nclass A {\n  public static function run() {\n", [(1, "class A"), (2, "function run")]),
        ("a.sh", "run() {\n  echo x\n}\nfunction go {\n", [(1, "run"), (1, "function go")]),
        ("a.sql", "CREATE TABLE IF NOT EXISTS p (\n  x int\n);\n", [(1, "CREATE TABLE p")]),
        ("a.r", "f <- function(x) x\n", [(1, "f")]),
        ("a.lua", "local function run()\n", [(1, "function run")]),
        ("a.ex", "defmodule A do\n  def run(x) do\n", [(1, "defmodule A"), (2, "def run")]),
        ("a.toml", "[tool]\nx = 1\n[[a.b]]  # c\n", [(1, "tool"), (1, "a.b")]),
        ("a.yml", "name: x\non:\n  push:\njobs: # c\n", [(1, "on"), (1, "jobs")]),
        ("a.css", ".a > b {\n  color: red;\n}\n", [(1, ".a > b")]),
        ("a.tex", "\\section{A \\emph{b}}\nText.\n\\subsection*{B}\n", [(2, "A b"), (3, "B")]),
        ("a.bib", "@article{key2020,\n  title = {x}\n}\n", [(1, "article key2020")]),
        ("a.proto", "message P {\n  string x = 1;\n}\n", [(1, "message P")]),
        ("a.graphql", "type P {\n  x: Int\n}\n", [(1, "type P")]),
    ],
)  # fmt: skip
def test_definitions(name: str, text: str, expected: list[tuple[int, str]]) -> None:
    source = read(text, name)
    assert headings(source) == expected
    assert source.text == text and source.lines is None and source.title == name and source.format == "code"
    assert all(mark.start == 0 or text[mark.start - 1] == "\n" for mark in source.marks)


def test_files_known_by_name(tmp_path: Path) -> None:
    for name, suffix in (("Makefile", ".mk"), ("Dockerfile", ".docker"), ("README", ""), ("x.txt", "")):
        assert code_suffix(Path(name)) == suffix
    path = tmp_path / "Makefile"
    path.write_text("all: x\n\tdo it\n\nVAR := 1\n")
    assert headings(load(path)[0]) == [(1, "all")]


def test_code_is_cut_at_lines() -> None:
    text = "def f():\n" + "    x = some_name(1) if y else other. name\n" * 100
    source = read(text, "a.py")
    ends = [text[chunk.end] for chunk in split(source)[:-1]]
    assert len(ends) > 2 and set(ends) == {"\n"}
    assert split(source)[1].heading == "def f"
    fenced = read("```\n" + "a. B c? D\n" * 300 + "```\n", "a.md")
    assert {fenced.text[chunk.end] for chunk in split(fenced)[:-1]} == {"\n"}


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["a.py", "a.c", "a.js", "a.tex", "a.hs", "a.yml", "a.rs"]), st.lists(st.sampled_from(["def f(", "class A", "\n", "    ", "{", "}", "int ", "main", "(", ")", "\\section{", "x::", "impl<", "fn ", "a b ", ":", "=>", "\f", "\t", "函数", "'''", "const x = "]), max_size=60).map("".join))  # fmt: skip
def test_any_code_loads_or_is_refused(name: str, text: str) -> None:
    try:
        source = read(text, name)
    except LoadError:
        return
    starts = [mark.start for mark in source.marks]
    assert starts == sorted(starts) and all(0 <= start < len(text) for start in starts)


@pytest.mark.parametrize(
    "piece", ["a ", "int a ", "int *", "(", "public ", "a::", "<a", "const x = (", "fn(", "[", "{ "]
)
def test_long_lines_of_code_take_no_long_time(piece: str) -> None:
    started = time.thread_time()
    for name in ("a.c", "a.js", "a.rs", "a.kt", "a.tex", "a.ts", "a.sql"):
        read("x\n" + (piece * (390 // len(piece)) + "\n") * 5, name)
    assert time.thread_time() - started < 5


# Markdown


def test_markdown_metadata() -> None:
    text = (
        "---\ntitle: 计划\ndate: 2024-3-12T10:00:00\ntags: [project/x, '想法']\n---\n# See [[other note|the note]] #plan { #anchor }\n\n"
        "Text #urgent, not#this, [a](b#c), `#no`, #12 and #ffe0aa。\n\n```\n#code\n```\n（#中文标签）\n"
    )
    source = read(text, "x.md")
    assert source.date == "2024-03-12" and source.title == "计划"
    assert source.tags == ("project/x", "想法", "plan", "urgent", "中文标签")
    assert source.marks[0].label == "See the note #plan"
    assert split(source)[0].start == text.index("# See")


@pytest.mark.parametrize(
    "line", ["tags: a, b", "tags:\n  - a\n  - b", 'tags: [a, "b"]', "keywords: a, b", "标签：a、b"]
)
def test_tags_of_front_matter(line: str) -> None:
    text = f"---\ntitle: x\n{line.replace('：', ': ')}\n---\nText.\n"
    assert read(text, "x.md").tags == ("a", "b")


def test_tables_stay_whole() -> None:
    table = "| a | b |\n|---|---|\n" + "| 1. One. Two | 二。三 |\n" * 12
    source = read(f"Before. {'Word. ' * 100}\n\n{table}\nAfter.\n", "x.md")
    assert any(table.strip() in source.text[chunk.start : chunk.end] for chunk in split(source))


def test_parsers_wait_until_they_are_needed() -> None:
    code = "import sys, retrieval.load; print([m for m in ('icalendar', 'email', 'dateutil', 'charset_normalizer') if m in sys.modules])"
    done = python(code)
    assert done.stdout.strip() == "[]", done.stderr
