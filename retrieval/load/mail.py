"""Load mail: single messages (.eml, .emlx, Maildir files) and mailboxes (.mbox).

Each message is a mark with its subject, sender and time; its text is the headers that a mail program
shows, then the body, then what is attached. The plain part of a body is preferred to its HTML.
Quoted text is kept without its > signs, under marks of its own that name who is quoted as far as an
attribution line says so ("On ... Bob wrote:"): it is not the sender's. The sender's mark comes again
where his own words go on. Nothing is deciphered, and no remote content is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from retrieval.load.draft import Draft, clean, some, tidy
from retrieval.load.source import LoadError, Source, label_of, name_of
from retrieval.load.text import decode_declared

if TYPE_CHECKING:
    from email.message import Message

MESSAGES = 100_000  # of one mailbox
DEEPEST = 5  # messages within messages, and parts within parts
ATTACHMENTS = 20  # read of one message
ATTACHED_BYTES = 20_000_000  # of one attachment that is read
PARTS = 200  # looked at in one message

_KNOWN = rb"from|to|cc|date|subject|received|message-id|return-path|mime-version|delivered-to|reply-to|sender"
_FIELD = rb"[!-9;-~]{1,70}:[^\n]*\n(?:[ \t][^\n]*\n)*"
_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?((?:" + _FIELD + rb"){2,}?)(?=\r?\n|\Z|[^!-9;-~])")
_KNOWN_FIELD = re.compile(rb"^(" + _KNOWN + rb")\s*:", re.IGNORECASE | re.MULTILINE)
_FROM = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n(?=[!-9;-~]{1,70}:)")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_APPLE = re.compile(rb"\d{1,12}[ \t]*\r?\n")
_NOT_READ = frozenset({".eml", ".emlx", ".mbox", ".zip", ".gz", ".tar", ".tgz", ".bz2", ".xz", ".7z", ".rar"})

_QUOTED = re.compile(r"[ \t]?((?:>[ \t]?)+)")
_ADDRESS = r"(?:[<\[(（][^<>\n]{3,80}[>\])）])?"
_WROTE = (
    re.compile(rf"(?P<name>[^,，<>\d:：\n]{{2,60}}?)\s*{_ADDRESS}\s+(?:wrote|writes|a écrit)\s*[:：]$"),
    re.compile(rf"(?:schrieb|escribió)\s+(?P<name>[^<>\n]{{2,60}}?)\s*{_ADDRESS}\s*[:：]$"),
    re.compile(
        rf"(?P<name>[^\s,，:：<>\d][^,，:：<>\d\n]{{0,40}}?)\s*{_ADDRESS}\s*(?:写道|寫道|[於于在].{{6,50}}[写寫]道)\s*[:：]$"
    ),
)
_ATTRIBUTION = re.compile(
    r"^(?![ \t]*>).{0,250}(?:wrote|writes|a écrit|写道|寫道|(?:schrieb|escribió) .{2,80})[ \t]*[:：][ \t]*$",
    re.MULTILINE,
)
# From here on, all of the part is another message, quoted as a whole.
_HISTORY = re.compile(
    r"^[ \t]*(?:-{3,} ?(?:Original Message|Forwarded message|Original-Nachricht|原始邮件|原始郵件|转发邮件信息|轉寄的郵件|回复的邮件|回復的郵件) ?-{3,}"
    r"|Begin forwarded message:|开始转发的邮件：|_{20,}(?=\s+(?:From|发件人|寄件者)))"
    r"|^(?:\*?From:\*? .*\n\*?(?:Sent|Date):\*? |(?:发件人|寄件者|寄件人)[:：].*\n(?:发送时间|發送時間|日期|寄件日期|傳送時間)[:：])",
    re.MULTILINE,
)
_HISTORY_FROM = re.compile(
    r"^\W{0,3}(?:From|Von|De|发件人|寄件者|寄件人)\W{0,3}[:：]\W{0,3}(\S.{1,100})$", re.MULTILINE
)


class _Head(NamedTuple):
    subject: str
    who: str
    when: str
    shown: str


def load_mail(data: bytes, path: Path) -> Source:
    """One message as a Source; its title is its subject. Raises LoadError where it holds no text."""
    apple = _APPLE.match(data) if path.suffix.lower() == ".emlx" else None
    start = apple.end() if apple else 0
    envelope = _FROM.match(data[start : start + 2000])
    draft = Draft()
    head = _message(draft, data[start + (envelope.end() if envelope else 0) :])
    return draft.source(
        head.subject or path.stem, "mail", empty="no text in this message", date=head.when[:10]
    )


def load_mbox(data: bytes, path: Path) -> Source:
    """A mailbox as a Source, message by message, in the order of the file. Raises LoadError without any."""
    draft = Draft()
    line, at = 1, 0
    for number, (start, end) in enumerate(_spans(data)):
        if number >= MESSAGES or draft.full:
            draft.notes.append(f"only the first {number} messages were read")
            break
        line += data.count(b"\n", at, start)
        at = start
        _message(draft, _ESCAPED.sub(rb"\1", data[start:end]), line)
    return draft.source(path.stem, "mail", empty="no messages with text in this mailbox")


def mail_suffix(data: bytes) -> str:
    """ ".eml" or ".mbox" where a file without a suffix plainly is mail, else ""."""
    start = data[:65_536]
    envelope = _FROM.match(start)
    head = _HEAD.match(start, envelope.end() if envelope else 0)
    fields = {match[1].lower() for match in _KNOWN_FIELD.finditer(head[1])} if head else set()
    if len(fields) < 2 or not fields & {b"from", b"received", b"message-id", b"return-path"}:
        return ""
    return ".mbox" if envelope else ".eml"


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where each message of a mailbox begins, after its "From " line, and ends."""
    begin = -1
    for match in _FROM.finditer(data):
        if begin >= 0:
            yield begin, match.start()
        begin = match.end()
    if begin >= 0:
        yield begin, len(data)
    elif data.strip():
        yield 0, len(data)


def _message(draft: Draft, data: bytes, line: int | None = None, depth: int = 1) -> _Head:
    """Append a message, with its mark, to a draft."""
    from email import message_from_bytes
    from email.policy import compat32  # the newer policy raises on headers that are broken

    try:
        message = message_from_bytes(data, policy=compat32)
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError):
        draft.notes.append("a message was left out: its parts cannot be told apart")
        return _Head("", "", "", "")
    return _append(draft, message, line, depth)


def _append(draft: Draft, message: Message, line: int | None, depth: int) -> _Head:
    """Append a parsed message. `depth` counts from 1 for a message that is not within another."""
    head = _head(message)
    parts = _Parts()
    _sort(message, parts, 0)
    names = [_file_name(part) for part in parts.attached]
    shown = head.shown + (f"\nAttachments: {some(names)}" if names else "")
    draft.gap()
    if not shown.strip() and not parts.bodies:
        return head
    start = draft.add(shown.strip(), line)
    label = head.subject or name_of(head.who) or "message"
    level = min(depth, 5)
    before = len(draft.marks)
    if shown.strip():
        draft.mark(start, "message", label, level, head.who, head.when)
    for body in parts.bodies:
        draft.gap()
        marked = len(draft.marks) > before and draft.marks[-1].level == level
        _write_body(draft, body, label, level, head, marked=marked)
    for inner in parts.messages:
        if depth >= DEEPEST:
            draft.notes.append("messages within messages were left out below a depth of 5")
            break
        _append(draft, inner, None, depth + 1)
    _attachments(draft, parts.attached, names, level + 1)
    draft.gap()
    return head


def _head(message: Message) -> _Head:
    who, to, cc = (_people(message, name) for name in ("From", "To", "Cc"))
    subject, date = label_of(_field(message, "Subject")), label_of(_field(message, "Date"))
    who = who or _people(message, "Sender")
    fields = (("From", who), ("To", to), ("Cc", cc), ("Date", date), ("Subject", subject))
    return _Head(subject, who, _iso(date), "\n".join(f"{name}: {value}" for name, value in fields if value))


def _field(message: Message, name: str) -> str:
    raw = _raw(message, name)
    return _decoded(raw[0]) if raw else ""


def _raw(message: Message, name: str) -> list[str]:
    """The values of a header as they stand in the file, unfolded."""
    return [
        re.sub(r"\s*[\r\n]+\s*", " ", str(value))
        for key, value in message.raw_items()
        if key.lower() == name.lower()
    ]


def _people(message: Message, name: str) -> str:
    """A list of addresses as "Name <addr>, Name <addr>"; cut to the first 20."""
    from email.utils import getaddresses

    try:
        pairs = getaddresses([one[:20_000] for one in _raw(message, name)[:5]])
    except (ValueError, TypeError, IndexError, AttributeError):
        pairs = []
    if not any(address for _, address in pairs):
        return label_of(_field(message, name))
    people = [_person(_decoded(shown), _decoded(address)) for shown, address in pairs if shown or address]
    return some(people, 20)


def _person(name: str, address: str) -> str:
    name = label_of(name).strip("\"' ")
    return f"{name} <{address}>" if name and address and name != address else name or address


def _decoded(raw: str) -> str:
    """A header's text: RFC 2047 words, and bytes beyond ASCII, in whatever encoding."""
    from email.errors import HeaderParseError
    from email.header import decode_header

    if any("\udc80" <= char <= "\udcff" for char in raw):
        raw = _guessed(raw.encode("ascii", "surrogateescape" if not _beyond(raw) else "replace"), None)
    if "=?" not in raw:
        return clean(raw).strip()
    try:
        pieces = decode_header(raw)
    except (HeaderParseError, ValueError, LookupError):
        return clean(raw).strip()
    return clean(
        "".join(
            piece if isinstance(piece, str) else _guessed(piece, charset or "ascii")
            for piece, charset in pieces
        )
    ).strip()


def _beyond(raw: str) -> bool:
    return any(char > "\x7f" and not "\udc80" <= char <= "\udcff" for char in raw)


def _guessed(data: bytes, charset: str | None) -> str:
    """Bytes as text: in the declared charset if that works, else in the likeliest. Never raises."""
    try:
        return decode_declared(data, charset)[0]
    except LoadError:
        return data.decode("utf-8", "replace") if data.strip() else " " * bool(data)


def _iso(date: str) -> str:
    """A Date header in ISO 8601, as far as it can be read."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        found = re.search(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})", date)
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}" if found else ""


class _Parts:
    """What a message is made of: texts to show, messages within it, and files."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.messages: list[Message] = []
        self.attached: list[Message] = []
        self.seen = 0


def _sort(part: Message, parts: _Parts, depth: int) -> None:
    """Sort a part, and those within it, into `parts`."""
    parts.seen += 1
    if parts.seen > PARTS or depth > 4 * DEEPEST:
        return
    kind = part.get_content_type()
    inner = part.get_payload() if part.is_multipart() else None
    if isinstance(inner, list):
        whole = [one for one in inner if not isinstance(one, str)]
        if kind.startswith("message/"):
            parts.messages += whole if kind == "message/rfc822" else []
        elif kind == "multipart/alternative":
            _sort(_preferred(whole), parts, depth + 1) if whole else None
        else:
            for one in whole:
                _sort(one, parts, depth + 1)
    elif kind in ("text/plain", "text/html") and not _is_file(part):
        text = _text_of(part, kind)
        if text:
            parts.bodies.append(text)
    elif kind not in ("application/pgp-signature", "application/pkcs7-signature", "text/x-amp-html"):
        parts.attached.append(part)


def _is_file(part: Message) -> bool:
    disposition = str(part.get("Content-Disposition", "")).strip().lower()
    return disposition.startswith("attachment") or bool(_raw_name(part))


def _preferred(alternatives: list[Message]) -> Message:
    """The plain alternative unless it is empty, else the HTML one, or what holds it."""
    kinds = ("text/plain", "multipart/mixed", "multipart/related", "multipart/alternative", "text/html")
    for kind in kinds:
        for part in alternatives:
            if part.get_content_type() == kind and (kind != "text/plain" or _text_of(part, kind)):
                return part
    return alternatives[-1]


def _payload(part: Message) -> bytes:
    try:
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, TypeError, AssertionError):
        data = None
    return data if isinstance(data, bytes) else b""


def _text_of(part: Message, kind: str) -> str:
    """The text of a part; that of HTML as our own loader reads it."""
    from retrieval.load.html import load_html

    data = _payload(part)
    if not data.strip():
        return ""
    try:
        charset = part.get_content_charset()
    except (ValueError, LookupError, UnicodeError):
        charset = None
    if kind == "text/plain" and not data[:100].lstrip().lower().startswith((b"<html", b"<!doctype")):
        return tidy(_guessed(data, charset))
    try:
        markup = _guessed(data, charset).encode("utf-8", "replace")
        return tidy(load_html(markup, Path("mail.html")).text)
    except LoadError:
        return ""


def _write_body(draft: Draft, body: str, label: str, level: int, head: _Head, *, marked: bool) -> None:
    """Append a body, with a mark wherever it turns from the sender's words to quoted ones or back."""
    end = _history(body)
    now = 0 if marked else -1
    known: dict[int, str] = {}  # who is quoted at each depth
    for depth, (text, attribution) in _runs(body[:end]):
        if attribution:
            known[depth] = _quoted_name(attribution)
        if now >= 0:
            draft.gap()
        start = draft.add(f"{attribution}\n{text}" if attribution else text)
        if depth != now:
            who = known.get(depth, "") if depth else head.who
            own = (label, level, who, head.when)
            draft.mark(start, "message", *(own if not depth else (who or "quoted", level + depth, who)))
        now = depth
    quoted = body[end:]
    if quoted:
        draft.gap()
        who = _history_name(quoted)
        start = draft.add("\n".join(line.lstrip("> ") for line in quoted.split("\n")))
        draft.mark(start, "message", name_of(who) or "quoted", level + 1, who)


def _history(body: str) -> int:
    """Where a body turns into an earlier message that is quoted to its end; its length where it does not.

    That is at a line such as "-----Original Message-----", or at an attribution with a day or an address
    and no > signs after it, as in HTML.
    """
    found = _HISTORY.search(body)
    end = found.start() if found else len(body)
    for line in _ATTRIBUTION.finditer(body, 0, end):
        after = body[line.end() :].lstrip()[:1]
        if after and after != ">" and re.search(r"\d|@", line[0]) and _quoted_name(line[0]):
            return line.start()
    return end


def _history_name(quoted: str) -> str:
    head = quoted[:1500]
    if named := _HISTORY_FROM.search(head):
        return label_of(re.sub(r"[\"*]", "", named[1]))
    first = _ATTRIBUTION.match(head)
    return _quoted_name(first[0]) if first else ""


def _runs(body: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """(depth of quoting, (text without > signs, attribution line before it)) for each run of lines."""
    runs: list[tuple[int, list[str]]] = []
    for line in body.split("\n"):
        quoted = _QUOTED.match(line)
        depth = quoted[1].count(">") if quoted else 0
        bare = line[quoted.end() :] if quoted else line
        if runs and (runs[-1][0] == depth or (not bare.strip() and not quoted)):
            runs[-1][1].append(bare)
        else:
            runs.append((depth, [bare]))
    attribution = ""
    for number, (depth, lines) in enumerate(runs):
        deeper = number + 1 < len(runs) and runs[number + 1][0] > depth
        before, attribution = attribution, ""
        if deeper:
            lines, attribution = _without_attribution(lines)
        text = "\n".join(lines).strip("\n")
        if text.strip() or before:
            yield depth, (text, before)


def _without_attribution(lines: list[str]) -> tuple[list[str], str]:
    """Lines without the "On ... Bob wrote:" at their end, and that as one line; "" where there is none."""
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    for size in (1, 2):
        joined = " ".join(line.strip() for line in lines[max(0, end - size) : end])
        if end >= size and len(joined) < 300 and _quoted_name(joined):
            # A name alone may be the end of a longer line, "On Monday," before it.
            above = lines[end - 2].strip() if size == 1 and end > 1 else ""
            if above.startswith(("On ", "Am ", "Le ", "El ", "在 ")) and not above.endswith((".", "。")):
                continue
            return lines[: end - size], joined
    return lines, ""


def _quoted_name(line: str) -> str:
    for pattern in _WROTE:
        if match := pattern.search(line.strip()):
            return label_of(re.sub(r"^(?:On|在|于|於|at|um)\s+", "", match["name"]).strip(" \"'“”*"))
    return ""


def _raw_name(part: Message) -> str:
    try:
        return part.get_filename() or ""
    except (ValueError, LookupError, TypeError, UnicodeError):
        return ""


def _file_name(part: Message) -> str:
    name = label_of(_decoded(_raw_name(part))).replace("\\", "/").rpartition("/")[2]
    return name or f"an unnamed part ({part.get_content_type()})"


def _attachments(draft: Draft, attached: list[Message], names: list[str], level: int) -> None:
    """Append the attachments that can be read, each under its name; the others are named in a note."""
    left_out = []
    for number, (part, name) in enumerate(zip(attached, names, strict=True)):
        source = _attached(part, name) if number < ATTACHMENTS else None
        if source is None:
            left_out.append(name)
            continue
        draft.gap()
        start = draft.add(name)
        draft.mark(start, "heading", name, level)
        draft.gap()
        draft.include(source, level)
    if left_out and len(draft.notes) < 20:
        draft.notes.append(f"attachments not read: {some(left_out)}")


def _attached(part: Message, name: str) -> Source | None:
    """An attachment as its own loader reads it; None where none does."""
    from retrieval.load import LOADERS, sniff, suffix_of

    suffix = suffix_of(Path(name)) or {"text/calendar": ".ics"}.get(part.get_content_type(), "")
    data = _payload(part) if suffix in LOADERS and suffix and suffix not in _NOT_READ else b""
    if not 0 < len(data) <= ATTACHED_BYTES:
        return None
    try:
        return LOADERS[sniff(data, suffix)](data, Path(name))
    except Exception:  # whatever a parser does with one attachment, the message is still read
        return None
