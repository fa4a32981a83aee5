"""Load calendars (.ics): one heading for each event, task or journal entry, with its times in words.

Times are shown as the calendar gives them, with their weekday and time zone; none is converted.
Repetitions are told by rule, not unrolled. Alarms and free-busy times are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.load.draft import Draft, some, tidy
from retrieval.load.source import LoadError, Source, label_of
from retrieval.load.text import decode

if TYPE_CHECKING:
    from icalendar import Component

ENTRIES = 20_000  # of one file
ENTRY_CHARS = 200_000  # a longer entry carries files
ATTENDEES = 30

_ENTRY = re.compile(r"^BEGIN:(VEVENT|VTODO|VJOURNAL)[ \t]*$", re.MULTILINE | re.IGNORECASE)
_NAME = re.compile(r"^(?:X-WR-CALNAME|NAME)(?:;[^:\n]*)?:(.+(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
_CJK = re.compile(r"[\u4e00-\u9fff]")

# Characters that simplified Chinese does not use, and what the labels look like beside them.
_TRADITIONAL = re.compile(
    "[會議時間點開書師學這個們對來說後見電話國東車門問題過還週結組參與訂約醫診機場預總經業務產長員節圖飯課]"
)
_AS_TRADITIONAL = str.maketrans("开结复组织参态链个时", "開結複組織參態鏈個時")

_WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
_DAYS = {code: n for n, code in enumerate(("MO", "TU", "WE", "TH", "FR", "SA", "SU"))}
_WORDS = {
    "en": {
        "Start": "Start", "End": "End", "Due": "Due", "Where": "Where", "Repeats": "Repeats", "From": "Organiser",
        "With": "With", "Status": "Status", "Link": "Link", "colon": ": ",
    },
    "zh": {
        "Start": "开始", "End": "结束", "Due": "截止", "Where": "地点", "Repeats": "重复", "From": "组织者",
        "With": "参加者", "Status": "状态", "Link": "链接", "colon": "：",
    },
}  # fmt: skip
_EVERY = {
    "DAILY": ("day", "天"),
    "WEEKLY": ("week", "周"),
    "MONTHLY": ("month", "月"),
    "YEARLY": ("year", "年"),
    "HOURLY": ("hour", "小时"),
}
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last", -2: "second to last"}


def load_calendar(data: bytes, path: Path) -> Source:
    """A calendar as a Source, its entries in the order of the file. Raises LoadError without any."""
    text, encoding = decode(data)
    name = _NAME.search(text)
    title = label_of(re.sub(r"\n[ \t]", "", name[1])) if name else ""
    draft = Draft()
    broken = count = 0
    for line, block in _blocks(text):
        count += 1
        if count > ENTRIES or draft.full:
            draft.notes.append(f"only the first {count - 1} entries were read")
            break
        entry = _parsed(block)
        if entry is None:
            broken += 1
            continue
        _write(draft, entry, line)
    if broken:
        draft.notes.append(f"{broken} broken or oversized entries were left out")
    return draft.source(title or path.stem, "calendar", encoding, empty="no events in this calendar")


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Each entry, and the line of the file on which it begins."""
    line, at = 1, 0
    for match in _ENTRY.finditer(text):
        if match.start() < at:
            continue  # an entry within another
        ending = f"\nEND:{match[1].upper()}"
        end = text.find(ending, match.start())
        end = len(text) if end < 0 else end + len(ending)
        line += text.count("\n", at, match.start())
        at = match.start()
        yield line, text[match.start() : end]


def _parsed(block: str) -> Component | None:
    """An entry, without its alarms and files; None where it cannot be read."""
    from icalendar import Component

    block = re.sub(r"^BEGIN:VALARM\b.*?^END:VALARM[^\n]*\n?", "", block, flags=re.MULTILINE | re.DOTALL)
    block = re.sub(r"^ATTACH[;:].*(?:\n[ \t].*)*\n?", "", block, flags=re.MULTILINE)
    if len(block) > ENTRY_CHARS:
        return None
    try:
        return Component.from_ical(block.replace("\n", "\r\n"))
    except Exception:  # its own errors, and those of the dates and zones within
        return None


def _write(draft: Draft, entry: Component, line: int) -> None:
    summary, about, place = (_text(entry, key) for key in ("SUMMARY", "DESCRIPTION", "LOCATION"))
    lang = "zh" if len(_CJK.findall(summary + about + place)) * 5 > len(summary + about + place) else "en"
    words = _WORDS[lang]
    label = label_of(summary) or label_of(about)[:80]
    fields = [(words[key], value) for key, value in _fields(entry, lang, place) if value]
    shown = [f"{name}{words['colon']}{value}" for name, value in fields]
    if not label and not shown:
        return
    if lang == "zh" and _TRADITIONAL.search(summary + about + place):
        shown = [line.translate(_AS_TRADITIONAL) for line in shown]
    draft.gap()
    start = draft.add("\n".join([label_of(summary), *shown]) if summary else "\n".join(shown), line)
    draft.mark(start, "heading", label or shown[0], 1)
    if about:
        draft.gap()
        draft.add(tidy(_plain(about)))
    draft.gap()


def _fields(entry: Component, lang: str, place: str) -> Iterator[tuple[str, str]]:
    yield "Start", _when(entry, "DTSTART", lang)
    yield "End", _end(entry, lang)
    yield "Due", _when(entry, "DUE", lang)
    yield "Where", label_of(place)
    yield "Repeats", _repeats(entry, lang)
    yield "From", some([_person(one) for one in _all(entry, "ORGANIZER")])
    yield "With", some([_person(one) for one in _all(entry, "ATTENDEE")], ATTENDEES)
    status = _text(entry, "STATUS").lower()
    yield "Status", "" if status in ("confirmed", "") else status
    yield "Link", label_of(_text(entry, "URL"))


def _all(entry: Component, key: str) -> list[Any]:
    value = entry.get(key)
    return value if isinstance(value, list) else [] if value is None else [value]


def _part(value: Any, name: str) -> Any:
    """An attribute of a value, or None; a value that could not be parsed raises when it is asked."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


def _text(entry: Component, key: str) -> str:
    return str(_all(entry, key)[0]).strip() if _all(entry, key) else ""


def _plain(about: str) -> str:
    """A description without the HTML that some programs write into it."""
    if not re.search(r"<(?:br|p|div|html|ul|a)\b", about, re.IGNORECASE):
        return about
    from retrieval.load.html import load_html

    try:
        return load_html(about.replace("\n", "<br>").encode(), Path("event.html")).text
    except LoadError:
        return about


def _person(address: Any) -> str:
    parameters = _part(address, "params") or {}
    mail = re.sub(r"^mailto:", "", str(address), flags=re.IGNORECASE)
    name = label_of(str(parameters.get("CN", ""))).strip('"')
    return f"{name} <{mail}>" if name and name != mail and "@" in mail else name or mail


def _value(entry: Component, key: str) -> date | None:
    found = _all(entry, key)
    value = _part(found[0], "dt") if found else None
    return value if isinstance(value, date) else None


def _when(entry: Component, key: str, lang: str) -> str:
    """ "Tuesday 2024-03-12 18:00 (Europe/Berlin)", or "" where the entry has no such time."""
    value = _value(entry, key)
    return _shown(value, lang, _zone(entry, key, value)) if value else ""


def _shown(value: date, lang: str, zone: str = "") -> str:
    weekday = _WEEKDAYS[lang][value.weekday()]
    hour = f" {value:%H:%M}" if isinstance(value, datetime) else ""
    # strftime pads no year below 1000.
    day = f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
    if lang == "zh":
        return f"{day} {weekday}{hour}" + (f"（{zone}）" if zone else "")
    return f"{weekday} {day}{hour}" + (f" ({zone})" if zone else "")


def _zone(entry: Component, key: str, value: date) -> str:
    if not isinstance(value, datetime):
        return ""
    parameters = _part(_all(entry, key)[0], "params") or {}
    named = str(parameters.get("TZID", "")).strip('"/')
    return named or ("UTC" if value.tzinfo else "")


def _end(entry: Component, lang: str) -> str:
    """The end; for days without hours the last day, which the format does not count in."""
    start, end = _value(entry, "DTSTART"), _value(entry, "DTEND")
    duration = _part(_all(entry, "DURATION")[0], "dt") if _all(entry, "DURATION") else None
    try:
        if end is None and start and isinstance(duration, timedelta):
            end = start + duration
        if end and not isinstance(end, datetime):
            end = end - timedelta(days=1)
    except OverflowError:
        return ""
    if end is None or end == start or (start and type(end) is type(start) and _before(end, start)):
        return ""
    key = "DTEND" if _value(entry, "DTEND") else "DTSTART"
    return _shown(end, lang, _zone(entry, key, end))


def _before(end: date, start: date) -> bool:
    try:
        return end < start
    except TypeError:  # one has a time zone and the other none
        return False


def _repeats(entry: Component, lang: str) -> str:
    """A rule in words as far as it is simple; one that is not is given as it is written."""
    rules = _all(entry, "RRULE")
    if not rules:
        return ""
    rule = rules[0]
    try:
        told = _told({str(key).upper(): value for key, value in rule.items()}, lang)
        return told or rule.to_ical().decode("utf-8", "replace")
    except Exception:  # a rule that its own library cannot make sense of
        return ""


def _told(rule: dict[str, Any], lang: str) -> str:
    """ "" where the rule has parts that are not told."""
    if set(rule) - {"FREQ", "INTERVAL", "UNTIL", "COUNT", "BYDAY", "BYMONTHDAY", "BYMONTH", "WKST"}:
        return ""
    every, number = str(rule["FREQ"][0]).upper(), int(rule.get("INTERVAL", [1])[0])
    if every not in _EVERY:
        return ""
    days = [_day(str(one), lang) for one in rule.get("BYDAY", [])]
    dates = [str(one) for one in rule.get("BYMONTHDAY", [])]
    months = [str(one) for one in rule.get("BYMONTH", [])]
    until = rule.get("UNTIL", [None])[0]
    count = rule.get("COUNT", [None])[0]
    unit_en, unit_zh = _EVERY[every]
    if lang == "zh":
        told = (
            f"每{number}个{unit_zh}"
            if number > 1 and unit_zh == "月"
            else f"每{number if number > 1 else ''}{unit_zh}"
        )
        told += "".join(
            [f"{'、'.join(months)}月" * bool(months), "、".join(days), f"{'、'.join(dates)}日" * bool(dates)]
        )
        ends = [f"到{_shown(until, lang)}为止"] if isinstance(until, date) else []
        return "，".join([told, *ends, *([f"共{count}次"] if count else [])])
    told = f"every {number} {unit_en}s" if number > 1 else f"every {unit_en}"
    told += f" on {', '.join(days)}" if days else ""
    told += f" on day {', '.join(dates)}" if dates else ""
    told += f" in month {', '.join(months)}" if months else ""
    told += f" until {_shown(until, lang)}" if isinstance(until, date) else ""
    return told + (f", {count} times" if count else "")


def _day(code: str, lang: str) -> str:
    """ "TU" as Tuesday, "-1FR" as last Friday."""
    which = int(code[:-2] or 0)
    name = _WEEKDAYS[lang][_DAYS[code[-2:].upper()]]
    if not which:
        return name
    if lang == "zh":
        return f"{'倒数' if which < 0 else ''}第{abs(which)}个{name}"
    return f"the {_ORDINALS.get(which, str(which))} {name}"
