"""Read exported chats: WhatsApp, Telegram, Slack, Discord, and logs of the WeChat and QQ kind.

Whatever the export, the text is the same: a line with the day, then a line for each message,
"[18:05] Anna: text". Each message is a mark that says who wrote it and when. Pictures, calls and joinings
are left out, as far as they can be told; nothing is fetched.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from retrieval.load.draft import Draft, clean
from retrieval.load.source import Source, label_of

ENOUGH = 3  # messages that make a chat
LOOKED_AT = 400  # lines in which a chat must show itself
LEVEL = 6
NAMELESS = "?"


class Message(NamedTuple):
    """`when` is ISO 8601 to the second or minute, or ""; `line` is that of the file, from 1, or None."""

    who: str
    when: str
    text: str
    line: int | None


_DAY = r"(\d{1,4})[./年-](\d{1,2})[./月-](\d{1,4})日?"
_HOUR = r"(?P<early>上午|下午|中午|凌晨|早上|晚上|AM |PM )?\s?(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?P<late>\s?[AaPp]\.?\s?[Mm]\.?)?"
_WHATSAPP = re.compile(
    rf"\u200e?\[?{_DAY},?\s(?:at |um |à )?{_HOUR}(?:\]|\s-)\s(?:(?P<who>[^:\n]{{1,60}}?):(?:\s|$))?(?P<text>.*)$"
)
_LOG = re.compile(rf"{_DAY}\s+{_HOUR}\s+(?P<who>\S[^\n]{{0,40}}?)\s*$")
_LOG_AFTER = re.compile(rf"(?P<who>\S[^\n]{{0,40}}?)\s+{_DAY}\s+{_HOUR}\s*$")
_LEVELS = frozenset("info error warn warning debug trace fatal critical notice".split())
_NO_NAME = re.compile(r"[。！？，；!?;,]|\.$|[:：=]")
_QQ_NUMBER = re.compile(r"\s*[(（<][\w.@-]{4,40}[)）>]$")
_NOT_SAID = re.compile(
    r"\u200e?(?:(?:图片|圖片|视频|影片|音频|語音|贴图|貼圖|文件)已(?:忽略|略過|省略)|<[^<>]*(?:omitted|attached|忽略|省略)[^<>]*>|(?:image|video|audio|sticker|GIF|document|Contact card) omitted"
    r"|\[(?:图片|圖片|表情|动画表情|視頻|视频|语音|語音|文件|貼圖|贴图|photo|sticker|file)\]|This message was deleted\.?|You deleted this message\.?|\u200e?已刪除|此消息已删除)$",
    re.IGNORECASE,
)
_MARKS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\u202f\u00a0]")
_AFTERNOON = ("下午", "晚上", "p")


class _Stamp(NamedTuple):
    numbers: tuple[int, int, int]  # the three numbers of the day, as they stand
    hour: int
    minute: int
    second: int
    written: str  # "/", "." or "-", or "12" where hours are counted to twelve


class _Raw(NamedTuple):
    stamp: _Stamp
    who: str
    text: str
    line: int


def chat_of_text(text: str) -> tuple[list[Message], list[str]]:
    """The messages of an exported chat and notes on them; none where `text` is no such thing."""
    lines = [_MARKS.sub(_plain_mark, line) for line in text.split("\n")]
    for pattern, alone in ((_WHATSAPP, False), (_LOG, True), (_LOG_AFTER, True)):
        if _shows(lines, pattern, alone=alone):
            return _dated(list(_raw(lines, pattern)))
    return [], []


def _plain_mark(match: re.Match[str]) -> str:
    return " " if match[0] in "\u202f\u00a0" else ""


def _shows(lines: list[str], pattern: re.Pattern[str], *, alone: bool) -> bool:
    """Whether the first lines are those of a chat. `alone`: names stand on lines of their own."""
    head = [line for line in lines if line.strip()][:LOOKED_AT]
    found = [(n, match) for n, line in enumerate(head) if (match := _match(pattern, line))]
    named = [(n, match) for n, match in found if match["who"]]
    if len(named) < ENOUGH or found[0][0] > 10:
        return False
    names = Counter(match["who"] for _, match in named)
    if any(name.strip("[] ").lower() in _LEVELS for name in names):
        return False
    if not alone:
        return len(names) <= max(2, len(named) * 2 // 3) or len(head) < 12
    if any(_NO_NAME.search(_QQ_NUMBER.sub("", name)) for name in names):
        return False
    said = {n for n, _ in found}
    answered = sum(n + 1 < len(head) and n + 1 not in said for n, _ in named)
    again = sum(count for count in names.values() if count > 1)
    return answered >= 0.8 * len(named) and again >= 0.5 * len(named)


def _match(pattern: re.Pattern[str], line: str) -> re.Match[str] | None:
    return pattern.match(line) if len(line) < 5000 else None


def _raw(lines: list[str], pattern: re.Pattern[str]) -> Iterator[_Raw]:
    who, stamp, held, first = "", None, [""], 0
    for number, line in enumerate(lines, 1):
        match = _match(pattern, line)
        found = _stamp(match) if match else None
        if match is None or found is None:
            held.append(line)
            continue
        if stamp:
            yield _Raw(stamp, who, "\n".join(held).strip(), first)
        who, stamp, first = _QQ_NUMBER.sub("", match["who"] or "").strip(' ~"'), found, number
        held = [match["text"]] if "text" in pattern.groupindex else []
    if stamp:
        yield _Raw(stamp, who, "\n".join(held).strip(), first)


def _stamp(match: re.Match[str]) -> _Stamp | None:
    numbers = [group for group in match.groups() if group and group.isdigit()]
    if len(numbers) < 5 or len(numbers[0]) == 3 or len(numbers[2]) == 3:
        return None
    hour, minute = int(numbers[3]), int(numbers[4])
    second = int(numbers[5]) if len(numbers) > 5 else 0
    half = ((match["early"] or "") + (match["late"] or "")).strip().lower()
    if half.startswith(_AFTERNOON) and hour < 12:
        hour += 12
    elif half.startswith(("a", "上午", "凌晨")) and hour == 12:
        hour = 0
    if hour > 23 or minute > 59 or second > 59:
        return None
    written = "12" if half.startswith(("a", "p")) else next((c for c in match[0] if c in "./-年"), "")
    return _Stamp((int(numbers[0]), int(numbers[1]), int(numbers[2])), hour, minute, second, written)


def _dated(raw: list[_Raw]) -> tuple[list[Message], list[str]]:
    order, sure = _order([one.stamp for one in raw])
    messages = [
        Message(one.who, when, one.text, one.line)
        for one in raw
        if (when := _iso(one.stamp, order)) is not None
    ]
    guess = "day before month" if order == "dmy" else "month before day"
    return messages, [] if sure else [f"the order of days and months is not sure: read as {guess}"]


def _order(stamps: list[_Stamp]) -> tuple[str, bool]:
    """ "ymd", "dmy" or "mdy", as the data show it, and whether they do.

    A number over 12 tells; else the order in which the days ascend; else how the day is written.
    """
    days = [stamp.numbers for stamp in stamps]
    if any(first > 31 for first, _, _ in days) or any(stamp.written == "年" for stamp in stamps):
        return "ymd", True
    first_high, second_high = (sum(day[n] > 12 for day in days) for n in (0, 1))
    if first_high != second_high:
        return ("dmy", True) if first_high > second_high else ("mdy", True)
    falls = {
        order: sum(right < left for left, right in pairwise(dated))
        for order in ("dmy", "mdy")
        if (dated := [_sortable(day, order) for day in days])
    }
    if falls and falls["dmy"] != falls["mdy"]:
        return min(falls, key=lambda order: falls[order]), True
    return ("mdy" if any(stamp.written == "12" for stamp in stamps) else "dmy"), len(set(days)) < 1


def _sortable(day: tuple[int, int, int], order: str) -> tuple[int, int, int]:
    first, second, year = day
    return (year, second, first) if order == "dmy" else (year, first, second)


def _iso(stamp: _Stamp, order: str) -> str | None:
    year, month, day = stamp.numbers if order == "ymd" else _sortable(stamp.numbers, order)
    year += 2000 if year < 100 else 0
    try:
        return datetime(year, month, day, stamp.hour, stamp.minute, stamp.second).isoformat()
    except ValueError:
        return None


def write_chat(messages: Iterable[Message], title: str, notes: Iterable[str], encoding: str) -> Source:
    """A chat as a Source. Raises LoadError where nothing is said in it."""
    draft = Draft()
    draft.notes += notes
    day, left_out, first_day = "", 0, ""
    for message in messages:
        text = _blank_out(message.text)
        if not text:
            left_out += 1
            continue
        start = -1
        if message.when[:10] != day:
            day = message.when[:10]
            first_day = first_day or day
            draft.gap()
            start = draft.add(day, message.line) if day else -1
        hour = f"[{message.when[11:16]}] " if len(message.when) > 15 else ""
        who = label_of(message.who)
        at = draft.add(f"{hour}{who + ': ' if who else ''}{text}", message.line)
        draft.mark(start if start >= 0 else at, "message", who or NAMELESS, LEVEL, who, message.when)
    if left_out:
        draft.notes.append(f"{left_out} messages without text were left out")
    return draft.source(title, "chat", encoding, empty="no messages with text in this chat", date=first_day)


def _blank_out(text: str) -> str:
    """The words of a message, without blank lines; "" where it is only a picture and the like."""
    lines = (line.strip() for line in clean(text).split("\n"))
    return "\n".join(line for line in lines if line and not _NOT_SAID.match(line))


# Exports in JSON


def chats_of_json(value: Any) -> Iterator[tuple[str, list[Message]]]:
    """The name and messages of each chat in decoded JSON; nothing where it is no chat."""
    if isinstance(value, dict):
        nested = value.get("chats")
        chats = nested.get("list") if isinstance(nested, dict) else None
        for one in chats if isinstance(chats, list) else [value]:
            if isinstance(one, dict) and isinstance(one.get("messages"), list):
                yield from _chat(_name_of(one), one["messages"])
    elif isinstance(value, list):
        nested = [one for one in value if isinstance(one, dict) and isinstance(one.get("messages"), list)]
        if nested and len(nested) == len(value):
            for one in nested:
                yield from _chat(_name_of(one), one["messages"])
        else:
            yield from _chat("", value)


def _chat(name: str, items: list[Any]) -> Iterator[tuple[str, list[Message]]]:
    """A chat, if most of `items` are messages."""
    some = [one for one in items[:200] if isinstance(one, dict)]
    timed = [one for one in some if _time(one) or isinstance(one.get("role"), str)]
    told = [one for one in timed if _who(one) and _said(one) is not None]
    if not told or len(told) < 0.5 * len(some) or len(some) < 0.9 * len(items[:200]):
        return
    people = _people(items)
    messages = [
        Message(people.get(_who(one), _who(one)), _time(one), _naming(_said(one) or "", people), None)
        for one in items
        if isinstance(one, dict)
    ]
    if messages and messages[0].when > messages[-1].when:  # the latest first, as some programs write it
        messages.reverse()
    yield name, messages


def _naming(text: str, people: dict[str, str]) -> str:
    """Slack's "<@U1>" as "@Anna", where it is known who that is."""
    return re.sub(r"<@(\w{2,20})>", lambda match: f"@{people.get(match[1], match[1])}", text)


def _name_of(chat: dict[str, Any]) -> str:
    for key in ("name", "title"):
        if isinstance(chat.get(key), str):
            return str(chat[key])
    channel = chat.get("channel")
    return str(channel.get("name", "")) if isinstance(channel, dict) else ""


def _people(items: list[Any]) -> dict[str, str]:
    """Names of Slack's users by their ids, from the profiles that some messages carry."""
    names = {}
    for one in items:
        profile = one.get("user_profile") if isinstance(one, dict) else None
        if isinstance(profile, dict) and isinstance(one.get("user"), str):
            name = profile.get("real_name") or profile.get("display_name") or profile.get("name")
            if isinstance(name, str):
                names[one["user"]] = name
    return names


def _who(item: dict[str, Any]) -> str:
    for key in (
        "from",
        "author",
        "sender",
        "sender_name",
        "user",
        "username",
        "user_name",
        "nickname",
        "actor",
        "role",
        "talker",
    ):
        value = item.get(key)
        if isinstance(value, dict):
            value = next(
                (
                    value[k]
                    for k in ("nickname", "global_name", "display_name", "real_name", "name", "username")
                    if value.get(k)
                ),
                None,
            )
        if isinstance(value, str) and value.strip():
            return label_of(value)
    return ""


def _time(item: dict[str, Any]) -> str:
    for key in (
        "date",
        "timestamp",
        "ts",
        "time",
        "created_at",
        "timestamp_ms",
        "sent_at",
        "createTime",
        "datetime",
    ):
        value = item.get(key)
        if value is not None and (found := _iso_time(value)):
            return found
    return ""


def _iso_time(value: object) -> str:
    """A time in ISO 8601; seconds and milliseconds since 1970 come as UTC."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, str) and not re.fullmatch(r"\d{9,13}(?:\.\d+)?", value):
        try:
            return datetime.fromisoformat(value.strip()[:40]).isoformat(timespec="seconds")
        except ValueError:
            return ""
    try:
        seconds = float(value)  # type: ignore[arg-type]
        seconds = seconds / 1000 if seconds > 1e11 else seconds
        if not 1e8 < seconds < 1e10:
            return ""
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def _said(item: dict[str, Any]) -> str | None:
    """The words of a message; None where it has no field for them."""
    for key in ("text", "content", "message", "body", "msg", "StrContent"):
        if key in item:
            return _joined(item[key])
    return None


def _joined(value: object) -> str:
    """Words that are a string, or pieces of them (Telegram), or a value with a text in it."""
    if isinstance(value, list):
        return "".join(_joined(one) for one in value)
    if isinstance(value, dict):
        return _joined(value.get("text", value.get("content", "")))
    return value if isinstance(value, str) else ""
