"""Mail: headers and bodies in any encoding, mailboxes, what is quoted, and what is attached."""

from __future__ import annotations

from base64 import b64encode
from email.header import Header
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.load import LoadError, Source, load, place, suffix_of
from retrieval.load.mail import load_mail, load_mbox, mail_suffix
from retrieval.load.walk import walk
from retrieval.split import split

PLAIN = """Received: from somewhere
From: "Lind, Anna" <anna@example.org>
To: Bob Li <bob@example.org>, carol@example.org
Subject: Dinner on
 Friday
Date: Mon, 3 Mar 2025 10:15:00 +0800

Shall we meet at seven?
"""


def mail(text: str | bytes) -> Source:
    return load_mail(text.encode() if isinstance(text, str) else text, Path("x.eml"))


def said_by(source: Source, words: str) -> str:
    """The last breadcrumb part of the place where `words` stand."""
    return place(source.marks, source.text.index(words))[0].split(" > ")[-1]


def test_a_message_reads_as_in_a_mail_program() -> None:
    source = mail(PLAIN)
    assert source.text == (
        "From: Lind, Anna <anna@example.org>\nTo: Bob Li <bob@example.org>, carol@example.org\n"
        "Date: Mon, 3 Mar 2025 10:15:00 +0800\nSubject: Dinner on Friday\n\nShall we meet at seven?"
    )
    (mark,) = source.marks
    assert (mark.kind, mark.label, mark.who) == (
        "message",
        "Dinner on Friday",
        "Lind, Anna <anna@example.org>",
    )
    assert mark.when == "2025-03-03T10:15:00+08:00" and source.date == "2025-03-03"
    assert place(source.marks, 9) == ("Dinner on Friday — Lind, Anna, 2025-03-03", None)
    (chunk,) = split(source)
    assert chunk.who == (mark.who,) and chunk.when == mark.when


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("gb2312", "会议改到星期五下午三点，请回复。"),
        ("big5", "會議改到星期五下午三點，請回覆。"),
        ("shift_jis", "会議は金曜日の三時に変わりました。"),
        ("utf-8", "会议改到星期五。"),
    ],
)
@pytest.mark.parametrize("declared", [True, False])
def test_charsets(charset: str, text: str, declared: bool) -> None:
    body = text.encode(charset)
    name = Header(text[:4], charset).encode()
    kind = f"text/plain; charset={charset}" if declared else "text/plain"
    head = (
        f"From: {name} <a@x.org>\nSubject: {name}\nContent-Type: {kind}\nContent-Transfer-Encoding: 8bit\n\n"
    )
    source = mail(head.encode() + body)
    assert text in source.text and source.title == text[:4]
    assert source.marks[0].who == f"{text[:4]} <a@x.org>"


def test_raw_bytes_in_headers() -> None:
    source = mail("From: 张三 <z@x.cn>\nSubject: 关于明年的预算\n\n好的。\n".encode("gbk"))
    assert (
        source.title == "关于明年的预算"
        and source.marks[0].who == "张三 <z@x.cn>"
        and "好的。" in source.text
    )


def test_broken_headers() -> None:
    source = mail(
        "From: <<>@@\nDate: yesterday\nSubject: =?utf-8?b?!!!?= =?no-such?q?x=41?=\nTo: \n\nThe body.\n"
    )
    assert "The body." in source.text and source.marks[0].when == "" and source.date == ""


def test_plain_is_preferred_and_html_is_read() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "a@x.org", "Both"
    message.set_content("The plain part.")
    message.add_alternative("<p>The <b>rich</b> part.</p>", subtype="html")
    assert mail(message.as_bytes()).text.endswith("Both\n\nThe plain part.")
    message = EmailMessage()
    message.set_content("<p>Only <b>rich</b>.</p>", subtype="html")
    assert mail(message.as_bytes()).text == "Only rich."


def test_attachments() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "Anna <a@x.org>", "Files"
    message.set_content("See below.")
    message.add_attachment(
        b"# Plan\n\nFirst we dig.\n", maintype="application", subtype="octet-stream", filename="计划.md"
    )
    message.add_attachment(b"\x89PNG....", maintype="image", subtype="png", filename="photo.png")
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "Carol <c@x.org>", "Old"
    inner.set_content("What Carol wrote.")
    message.add_attachment(inner)
    source = mail(message.as_bytes())
    assert "Attachments: 计划.md, photo.png" in source.text
    assert source.notes == ("attachments not read: photo.png",)
    assert place(source.marks, source.text.index("First we dig"))[0] == "Files — Anna > 计划.md > Plan"
    assert said_by(source, "What Carol wrote") == "Old — Carol"


def test_quoted_words_are_not_the_senders() -> None:
    source = mail(
        PLAIN.replace(
            "Shall we meet at seven?",
            "Seven is fine.\n\nOn Sun, 2 Mar 2025 at 09:00, Bob Li <bob@example.org>\nwrote:\n\n"
            "> Is seven too late?\n>\n> On Sat, Carol wrote:\n>> Six would do.\n> I doubt it.\n\nSee you there.",
        )
    )
    assert "\n>" not in source.text and "See you there" in source.text
    assert said_by(source, "Seven is fine").startswith("Dinner on Friday — Lind")
    assert said_by(source, "too late") == said_by(source, "doubt") == "Bob Li"
    assert said_by(source, "Six would do") == "Carol"
    assert said_by(source, "See you").startswith("Dinner on Friday — Lind")
    assert [len(chunk.who) for chunk in split(source)] == [1] * 5


@pytest.mark.parametrize(
    ("lead", "who"),
    [
        ("在 2025年3月2日，张三 <z@x.cn> 写道：", "张三"),
        ("张三 <z@x.cn> 于2025年3月2日周日 18:05写道：", "张三"),
        ("張三 <z@x.cn> 於 2025年3月2日 週日 下午6:05 寫道：", "張三"),
        ("On 2025-03-02 18:05, Bob wrote:", "Bob"),
        ("Bob Li <b@x.org> wrote:", "Bob Li"),
        ("", "quoted"),
    ],
)
def test_attributions(lead: str, who: str) -> None:
    source = mail(f"From: a@x.org\nSubject: S\n\n好的，同意。\n\n{lead}\n> 你同意吗？\n")
    assert said_by(source, "你同意吗") == who


@pytest.mark.parametrize(
    "history",
    [
        "-----Original Message-----\nFrom: Bob Li <b@x.org>\nSent: Monday\nSubject: x\n\nThe old words.",
        "From: Bob Li <b@x.org>\nSent: Monday\nTo: a@x.org\n\nThe old words.",
        "---------- Forwarded message ---------\nFrom: Bob Li <b@x.org>\nDate: x\n\nThe old words.",
        '------------------ 原始邮件 ------------------\n发件人: "Bob Li" <b@x.org>\n发送时间: 今天\n\nThe old words.',
    ],
)
def test_history_below_a_reply(history: str) -> None:
    source = mail(f"From: a@x.org\nSubject: S\n\nI agree.\n\n{history}\n")
    assert said_by(source, "I agree") == "S — a@x.org"
    assert said_by(source, "The old words") == "Bob Li"


def test_html_has_no_signs_of_quoting() -> None:
    page = "<p>I agree.</p><p>On Sun, 2 Mar 2025, Bob Li &lt;b@x.org&gt; wrote:</p><blockquote>Old words.</blockquote>"
    source = mail(f"From: a@x.org\nSubject: S\nContent-Type: text/html\n\n{page}")
    assert said_by(source, "I agree") == "S — a@x.org" and said_by(source, "Old words") == "Bob Li"
    source = mail("From: a@x.org\nSubject: S\n\nAs Bob wrote:\n\nIt is so.\n")
    assert len(source.marks) == 1


def test_mailbox() -> None:
    data = f"From a Mon Mar  3 10:00:00 2025\n{PLAIN}>From here on it is easy.\n\nFrom b Mon Mar  3\nFrom: Bob <b@x.org>\nSubject: Re: Dinner\n\nYes.\n"
    source = load_mbox(data.encode(), Path("box.mbox"))
    assert [mark.label for mark in source.marks] == ["Dinner on Friday", "Re: Dinner"]
    assert "\nFrom here on it is easy." in source.text and source.title == "box"
    assert [chunk.who for chunk in split(source)] == [("Lind, Anna <anna@example.org>",), ("Bob <b@x.org>",)]
    assert source.lines and [line for _, line in source.lines] == [2, 13]


def test_the_senders_words_after_a_part_that_ends_in_a_quotation() -> None:
    message = EmailMessage()
    message["From"], message["Subject"] = "Anna <a@x.org>", "S"
    message.set_content("One.\n\nBob wrote:\n> Two.\n")
    message.make_mixed()
    more = EmailMessage()
    more.set_content("Three.\nFrom here on:\nX: all is mine.")
    message.attach(more)
    source = mail(message.as_bytes())
    assert (
        said_by(source, "Two") == "Bob" and said_by(source, "Three") == said_by(source, "mine") == "S — Anna"
    )
    box = load_mbox(b"From a Mon\n" + message.as_bytes(), Path("b.mbox"))
    assert box.text == source.text


def test_a_long_mailbox_takes_no_long_time() -> None:
    one = "From a Mon\nFrom: Anna <a@x.org>\nSubject: {}\n\nA short text.\n\n"
    source = load_mbox("".join(one.format(n) for n in range(3000)).encode(), Path("b.mbox"))
    assert len(source.marks) == 3000 == len(split(source))


def test_files_without_a_suffix(tmp_path: Path) -> None:
    assert mail_suffix(PLAIN.encode()) == ".eml"
    assert mail_suffix(PLAIN.replace("\n", "\r\n").encode()) == ".eml"
    assert mail_suffix(b"From a Mon\n" + PLAIN.encode()) == ".mbox"
    for text in (
        "Name: x\nDate: y\n\nz",
        "From here to there.\nTo: x",
        "# Notes\n",
        "Subject: x\nDate: y\n\n",
    ):
        assert mail_suffix(text.encode()) == ""
    box = tmp_path / "cur"
    box.mkdir()
    for name in ("1741000000.M1P1.host:2,S", "1741000001.M2.myhost", "1741000002.7.org"):
        (box / name).write_text(PLAIN)
        assert suffix_of(box / name) == "" and load(box / name)[0].format == "mail"
    assert [why for _, why in walk([tmp_path])] == [None] * 3


def test_apple_mail(tmp_path: Path) -> None:
    path = tmp_path / "1.emlx"
    path.write_text(f"{len(PLAIN)}\n{PLAIN}<?xml version='1.0'?>")
    assert load(path)[0].title == "Dinner on Friday"


def test_nested_messages_come_to_an_end() -> None:
    data = b"From: a@x.org\nSubject: S\n\nThe end.\n"
    for _ in range(60):
        data = b"From: a@x.org\nSubject: S\nContent-Type: message/rfc822\n\n" + data
    assert mail(data).text
    data = b"From: a@x.org\nSubject: S\n\nThe end.\n"
    for _ in range(5):
        data = (
            b'From: a@x.org\nSubject: S\nContent-Disposition: attachment; filename="x.eml"\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n'
            + b64encode(data)
        )
    assert "attachments not read: x.eml" in mail(data).notes


PIECES = st.sampled_from(
    [
        b"From: ",
        b"Subject: ",
        b"Date: ",
        b"=?gbk?b?",
        b"=?utf-8?q?",
        b"?=",
        b"\n",
        b"\n\n",
        b"> ",
        b"From x\n",
        b"Content-Type: ",
        b"multipart/mixed; boundary=b",
        b"text/html; charset=x",
        b"message/rfc822",
        b"--b\n",
        b"--b--",
        b"Content-Transfer-Encoding: base64\n",
        b"\xd6\xd0",
        b"wrote:\n",
        "写道：\n".encode(),
        b"<a@b>",
        b",",
        b'"',
        b"name*=x''%ff",
        b"\0",
        b"\r",
    ]
)


@settings(deadline=None, max_examples=150)
@given(st.lists(PIECES, max_size=40).map(b"".join))
def test_any_mail_loads_or_is_refused(data: bytes) -> None:
    for loader in (load_mail, load_mbox):
        try:
            source = loader(data, Path("x"))
        except LoadError:
            continue
        assert all(0 <= mark.start < len(source.text) and mark.label for mark in source.marks)
        source.text.encode()
