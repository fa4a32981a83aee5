"""Chats, transcripts and subtitles: who said what and when, in both languages, and what is none of these."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.load import LOADERS, LoadError, Mark, Source, line_of, place
from retrieval.load.turns import turns
from retrieval.split import BRIEF, sentences, split, weight


def read(text: str | Any, name: str = "chat.txt") -> Source:
    data = text if isinstance(text, str) else json.dumps(text)
    path = Path(name)
    return LOADERS[path.suffix](data.encode(), path)


def said(source: Source) -> list[tuple[str, str]]:
    return [(mark.who, mark.when) for mark in source.marks if mark.kind == "message"]


IOS = """[12.03.24, 18:05:11] Anna: \u200eMessages are end-to-end encrypted.
[12.03.24, 18:05:40] Anna: Shall we meet
on Friday?
[13.03.24, 09:00:02] Bob Li: Yes: at seven.
[13.03.24, 09:00:09] Bob Li: \u200eimage omitted
"""
ANDROID = """12/03/2024, 18:05 - Messages and calls are end-to-end encrypted.
12/03/2024, 18:05 - Anna: Shall we meet?
12/03/2024, 18:07 - Bob: <Media omitted>
13/03/2024, 09:00 - Bob: Yes.
13/03/2024, 09:01 - Anna: Good.
"""
CHINESE = """2024/3/12 下午6:05 - 张三: 星期五见面吗？
2024/3/12 下午6:07 - 李四: 可以，七点。
2024/3/13 上午9:00 - 张三: 好的。
"""
WECHAT = """2024-03-12 18:05:11 张三
星期五见面吗？

2024-03-12 18:07:02 李四(123456)
可以，
七点。

2024-03-12 18:08:00 张三
好的。
"""
AFTER = "张三 2024-03-12 18:05:11\n星期五见面吗？\n李四 2024-03-12 18:07:02\n可以。\n张三 2024-03-12 18:08:00\n好的。\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IOS, [("Anna", "2024-03-12T18:05:11"), ("Anna", "2024-03-12T18:05:40"), ("Bob Li", "2024-03-13T09:00:02")]),
        (ANDROID, [("", "2024-03-12T18:05:00"), ("Anna", "2024-03-12T18:05:00"), ("Bob", "2024-03-13T09:00:00"), ("Anna", "2024-03-13T09:01:00")]),
        (CHINESE, [("张三", "2024-03-12T18:05:00"), ("李四", "2024-03-12T18:07:00"), ("张三", "2024-03-13T09:00:00")]),
        (WECHAT, [("张三", "2024-03-12T18:05:11"), ("李四", "2024-03-12T18:07:02"), ("张三", "2024-03-12T18:08:00")]),
        (AFTER, [("张三", "2024-03-12T18:05:11"), ("李四", "2024-03-12T18:07:02"), ("张三", "2024-03-12T18:08:00")]),
    ],
)  # fmt: skip
def test_exported_text(text: str, expected: list[tuple[str, str]]) -> None:
    source = read(text)
    assert source.format == "chat" and said(source) == expected and source.date == "2024-03-12"


def test_how_a_chat_reads() -> None:
    source = read(IOS)
    assert source.text.endswith("on Friday?\n\n2024-03-13\n[09:00] Bob Li: Yes: at seven.")
    assert [line_of(source, source.text.index(words)) for words in ("Shall", "Yes")] == [2, 4]
    assert place(source.marks, source.text.index("Yes")) == ("Bob Li, 2024-03-13", None)
    assert source.notes == ("1 messages without text were left out",)
    assert [chunk.who for chunk in split(source)] == [("Anna",), ("Bob Li",)]
    (chunk,) = split(read(WECHAT))
    assert chunk.who == ("张三", "李四") and chunk.heading == "张三, 李四, 2024-03-12"


@pytest.mark.parametrize(
    ("days", "months"),
    [
        (["3/12/24", "3/13/24", "3/14/24"], ["03-12", "03-13", "03-14"]),
        (["12/3/24", "13/3/24", "14/3/24"], ["03-12", "03-13", "03-14"]),
        (["1/3/24", "2/3/24", "1/4/24"], ["03-01", "03-02", "04-01"]),
        (["3/1/24", "3/2/24", "4/1/24"], ["03-01", "03-02", "04-01"]),
        (["1.3.24", "1.3.24", "1.3.24"], ["03-01", "03-01", "03-01"]),
    ],
)
def test_days_and_months_are_told_by_the_data(days: list[str], months: list[str]) -> None:
    source = read("".join(f"{day}, 18:05 - Anna: Well.\n" for day in days))
    assert [when[5:10] for _, when in said(source)] == months


def test_a_guessed_order_is_told() -> None:
    source = read("1/3/24, 6:05 PM - Anna: Well.\n1/3/24, 6:06 PM - Bob: Yes.\n1/3/24, 6:07 PM - Anna: No.\n")
    assert said(source)[0][1] == "2024-01-03T18:05:00"
    assert "read as month before day" in source.notes[0]


TELEGRAM = {
    "name": "Dinner",
    "messages": [
        {"id": 1, "type": "service", "date": "2024-03-12T18:00:00", "actor": "Anna", "action": "create_group", "text": ""},
        {"id": 2, "type": "message", "date": "2024-03-12T18:05:11", "from": "Anna", "text": ["See ", {"type": "link", "text": "x.org"}]},
        {"id": 3, "type": "message", "date": "2024-03-12T18:06:00", "from": "张三", "text": "好的。"},
    ],
}  # fmt: skip
SLACK = [
    {
        "type": "message",
        "user": "U1",
        "text": "See x.org",
        "ts": "1710266711.000200",
        "user_profile": {"real_name": "Anna"},
    },
    {
        "type": "message",
        "user": "U2",
        "text": "好的。",
        "ts": "1710266760.0",
        "user_profile": {"display_name": "张三", "real_name": ""},
    },
]
DISCORD = {
    "channel": {"name": "dinner"},
    "messages": [
        {"timestamp": "2024-03-12T18:05:11.000+00:00", "author": {"name": "anna9", "nickname": "Anna"}, "content": "See x.org"},
        {"timestamp": "2024-03-12T18:06:00.000+00:00", "author": {"name": "张三"}, "content": "好的。"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("value", [TELEGRAM, SLACK, DISCORD, {"chats": {"list": [TELEGRAM]}}])
def test_exported_json(value: Any) -> None:
    source = read(value, "result.json")
    assert source.format == "chat" and [who for who, _ in said(source)] == ["Anna", "张三"]
    assert source.text == "2024-03-12\n[18:05] Anna: See x.org\n[18:06] 张三: 好的。"


def test_conversations_without_times() -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "你好。"}]
    for value in (talk, {"messages": talk}, [{"messages": talk}]):
        assert read(value, "x.json").text == "user: Hi\nassistant: 你好。"


def test_messages_on_lines() -> None:
    lines = "\n".join(json.dumps(one) for one in SLACK)
    assert read(lines, "x.jsonl").text == read(SLACK, "x.json").text


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-12 18:05:11 - INFO: start\n" * 9,
        "2024-03-12 18:05:11 server started\nok\n2024-03-12 18:05:12 client joined\nok\n2024-03-12 18:05:13 x y\nok\n",
        "12/03/2024, 18:05 - we met.\nThen we left.\n",
        "Notes of 2024-03-12\n\nNothing else.\n",
    ],
)
def test_what_is_no_chat(text: str) -> None:
    source = read(text)
    assert source.format == "text" and source.text == text and source.marks == ()


# Transcripts

INTERVIEW = """The interview of May

Anna Lind: How did it begin? I have always wondered.

Bob: It began in a shed, with two friends.

Anna Lind: And then?

Bob: Then we moved.
"""
ZH = "圆桌对话\n\n张三：这件事是怎么开始的？\n李四：从一间小屋开始的。\n张三：后来呢？\n李四：后来我们搬家了。\n"


@pytest.mark.parametrize("name", ["x.txt", "x.md"])
@pytest.mark.parametrize(("text", "people"), [(INTERVIEW, ["Anna Lind", "Bob"]), (ZH, ["张三", "李四"])])
def test_transcripts(text: str, people: list[str], name: str) -> None:
    source = read(text, name)
    assert source.text == text and [mark.label for mark in source.marks] == people * 2
    assert all(text[mark.start :].startswith(mark.who) for mark in source.marks)
    assert place(source.marks, len(text) - 3)[0] == people[1]


@pytest.mark.parametrize(
    "label",
    ["{}:", "{}：", "**{}**:", "**{}:**", "[00:01:02] {}:", "{} (10:23):", "{}（清华大学）："],
)
@pytest.mark.parametrize(
    "names", [("Anna", "Bob"), ("张三", "李四"), ("Speaker 1", "Speaker 2"), ("问", "答")]
)
def test_labels(label: str, names: tuple[str, str]) -> None:
    text = "".join(f"{label.format(names[n % 2])} We said this, and no more.\n\n" for n in range(6))
    assert [mark.who for mark in turns(text)] == list(names) * 3


@pytest.mark.parametrize(
    "text",
    [
        "Name: Anna\nAge: 3\nTown: Bath.\n\nName: Bob\nAge: 4\nTown: York.\n",
        "时间：星期五\n地点：二楼\n参加者：张三\n\n时间：星期六\n地点：三楼\n",
        "Note: one.\nNote: two.\nWarning: three.\nWarning: four.\n",
        "He said this: a.\nThen that: b.\n" * 4,
        "- Good: one.\n- Bad: two.\n" * 4,
        "原因 1：一。\n原因 2：二。\n" * 4,
        "http://x.org\nhttp://y.org\n" * 4,
        "# Anna\n\nA text with one Anna: and one Bob: in it.\n",
    ],
)
def test_what_is_no_transcript(text: str) -> None:
    assert turns(text) == ()


def test_a_speaker_who_speaks_once() -> None:
    text = "Place: Bath\n\nAnna: One.\nBob: Two.\nAnna: Three.\nCarol: Four.\nBob: Five.\n"
    assert [mark.who for mark in turns(text)] == ["Anna", "Bob", "Anna", "Carol", "Bob"]


@pytest.mark.parametrize("label", ["{}  0:03", "{} 00:00:03", "{}:", "{}："])
@pytest.mark.parametrize("names", [("Anna Lind", "Bob"), ("张三", "李四"), ("说话人 1", "说话人 2")])
def test_labels_above_the_words(label: str, names: tuple[str, str]) -> None:
    text = "".join(f"{label.format(names[n % 2])}\nWe said this.\n\n" for n in range(6))
    assert [mark.who for mark in turns(text)] == list(names) * 3


def test_turns_under_headings() -> None:
    source = read(f"---\nA: b\n---\n# Talk\n\n{ZH}\n```\nAnna: x\n```\n## End\n\nText.\n", "x.md")
    assert place(source.marks, source.text.index("后来呢"))[0] == "Talk > 张三"
    assert place(source.marks, source.text.index("Text"))[0] == "Talk > End"
    assert "Anna" not in {mark.who for mark in source.marks}


# Subtitles

VTT = """WEBVTT
Kind: captions

STYLE
::cue { color: white }

NOTE not spoken

1
00:00:01.000 --> 00:00:03.000 align:start
<v Anna>It began <i>in a shed</i>,

2
00:00:03.000 --> 00:00:05.500
<v Anna>with two friends.

01:02:03.000 --> 01:02:05.000
<v Bob>Then we moved.
"""
SRT = "\ufeff1\n00:00:01,000 --> 00:00:02,000\n{\\an8}从一间小屋开始的。\n\n2\n00:12:31,500 --> 00:12:33,000\n后来呢？\n"


def test_subtitles() -> None:
    source = read(VTT, "x.vtt")
    assert source.text == "Anna: It began in a shed,\nwith two friends.\n\nBob: Then we moved."
    assert [(mark.label, mark.who) for mark in source.marks] == [("00:00:01", "Anna"), ("01:02:03", "Bob")]
    assert place(source.marks, 30)[0] == "00:00:01 — Anna"
    assert [line_of(source, source.text.index(words)) for words in ("It", "with", "Then")] == [11, 15, 18]
    source = read(SRT, "x.srt")
    assert source.text == "从一间小屋开始的。\n\n后来呢？"
    assert [(mark.start, mark.label) for mark in source.marks] == [(0, "00:00:01"), (11, "00:12:31")]


def test_rolling_captions_come_once() -> None:
    cues = [("It began", 1), ("It began\nin a shed.", 2), ("in a shed.\nThen we", 3), ("Then we\nmoved.", 4)]
    text = "".join(f"00:00:0{n}.000 --> 00:00:0{n + 1}.000\n{words}\n\n" for words, n in cues)
    assert " ".join(read(text, "x.vtt").text.split()) == "It began in a shed. Then we moved."


def test_speakers_in_subtitles() -> None:
    cues = ["ANNA: Why?", "I wonder.", "BOB: Because: it was so.", "Note: no one."]
    text = "".join(f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{words}\n\n" for n, words in enumerate(cues))
    source = read(text, "x.srt")
    assert [mark.who for mark in source.marks] == ["ANNA", "", "BOB", ""]
    assert source.text.count("ANNA") == 1


def test_lyrics() -> None:
    source = read(
        "[ti:渡口]\n[ar:某人]\n[00:12.50][01:02.00]让我与你握别\n[00:20.00]再轻轻抽出我的手\n", "x.lrc"
    )
    assert source.title == "渡口 — 某人"
    assert source.text.split() == ["让我与你握别", "再轻轻抽出我的手", "让我与你握别"]
    assert source.marks[-1].label == "00:01:02"


@pytest.mark.parametrize("name", ["x.srt", "x.lrc"])
def test_no_cues(name: str) -> None:
    with pytest.raises(LoadError, match="no timed lines"):
        read("Only text.\n", name)


# What the splitter makes of messages

WORDS = st.sampled_from(["Yes. ", "好的。", "a long word " * 9, "很长的话" * 30, "First.\n\nSecond. "])
TALK = st.lists(st.tuples(st.sampled_from(["Anna", "张三", ""]), st.sampled_from(["2024-03-12T10:00", "2024-03-13T09:00", ""]), WORDS, st.sampled_from([1, 6])), min_size=1, max_size=25)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(TALK)
def test_a_chunk_knows_its_speakers(talk: list[tuple[str, str, str, int]]) -> None:
    text, marks = "", []
    for who, when, words, level in talk:
        marks.append(Mark(len(text), "message", who or "?", level, who, when))
        text += words + "\n"
    chunks = split(Source(text, "t", tuple(marks), "chat", None, "utf-8"))
    assert "".join("".join(text[c.start : c.end].split()) for c in chunks) == "".join(text.split())
    assert all(left.end <= right.start for left, right in pairwise(chunks))
    for chunk in chunks:
        inside = [
            m
            for n, m in enumerate(marks)
            if m.start < chunk.end and (marks[n + 1].start if n + 1 < len(marks) else len(text)) > chunk.start
        ]
        assert chunk.who == tuple(dict.fromkeys(m.who for m in inside if m.who))
        if len(inside) > 1:
            assert len({m.when[:10] for m in inside}) == 1 and all(m.level == 6 for m in inside)
            ends = [*[m.start for m in inside[1:]], chunk.end]
            assert all(
                weight(text[m.start : end].strip()) <= BRIEF for m, end in zip(inside, ends, strict=True)
            )


def test_lines_of_a_chat_are_sentences_of_their_own() -> None:
    text = "[18:05] Anna: a message that goes on for quite some time without a full stop\n[18:06] Bob: yes"
    assert len(sentences(text)) == 2


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([".txt", ".vtt", ".lrc", ".json", ".jsonl"]), st.lists(st.sampled_from([*IOS.splitlines(True), *CHINESE.splitlines(True), *WECHAT.splitlines(True), *ZH.splitlines(True), *VTT.splitlines(True), *SRT.splitlines(True), json.dumps(TELEGRAM), json.dumps(SLACK), "[00:01.0]a", "\n", "[", "{", "<v ", "99/99/99, 77:77 - A: b\n", "1\n", "-->", "\0"]), max_size=30).map("".join))  # fmt: skip
def test_any_talk_loads_or_is_refused(suffix: str, text: str) -> None:
    try:
        source = read(text, f"x{suffix}")
    except LoadError:
        return
    starts = [mark.start for mark in source.marks]
    assert starts == sorted(starts) and all(0 <= start < len(source.text) for start in starts)
    assert all(chunk.start < chunk.end for chunk in split(source))
