"""The date that a document says of itself: front matter, a labelled line, its name, or a line of its own.

It does not read file times, dates in running prose, or 10/2/2007, whose order differs between countries.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from retrieval.load.markdown import front_matter_end
from tools.dates import DateSpan, find_dates

HEAD_CHARS = 2000  # what is read of a text
HEAD_LINES = 10  # lines with something on them among which a line may be nothing but a date
VALUE_CHARS = 24  # a labelled date begins within this many characters of its label

_DATE_EN = (
    r"(?:date|dated|effective(?: date)?|(?:last|first|date)?[ _-]?(?:updated?|modified|edited|revised"
    r"|reviewed|published|posted|created)(?:[ _-]?(?:on|at|date))?|lastmod|pubdate|sent)"
)
_DATE_ZH = (
    r"(?:(?:最后|最後|最近|文档|文件)?(?:更新|修改|修订|修訂|编辑|編輯|发布|發布|發佈|发表|發表|创建|創建|建立|添加|印发|印發|生效|会议|會議)"
    r"(?:时间|時間|日期|于|於)|最[后後近](?:更新|修改|编辑|編輯)|日期|时间|時間)"
)
_FIELD = re.compile(rf"^[ \t]*(?:{_DATE_EN}|{_DATE_ZH})[ \t]*[:=：](.*)$", re.I | re.M)
_LABEL = re.compile(
    rf"^[ \t]*[*_>#（(\[-]*[ \t]*(?:{_DATE_EN}[*_ \t]*[:：]|last"
    r" (?:updated|modified|edited|revised)(?: on)?\b"
    rf"|{_DATE_ZH}[*_ \t]*[:：]|(?:更新|修改|编辑|編輯|发布|發布|發佈|发表|發表|创建"
    r"|創建|印发|印發)[于於])(?P<value>[^\n]*)$",
    re.I | re.M,
)
_FENCED = re.compile(r"^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)", re.M | re.S)
_LOOSE = re.compile(r"(?<=\d)\s*([-/.])\s*(?=\d)")  # 2023 - 03 - 19
_MONTH = re.compile(r"(?<!\d)([12]\d{3})[-/.](0?[1-9]|1[0-2])(?![\d])(?![-/.]\d)")
_COMPACT = re.compile(r"(?<!\d)((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")
# A year alone in a name; standards and products have years in their names too.
_NAME_YEAR = re.compile(
    r"(?<![^\W_])(?<!iso[ _-])(?<!rfc[ _-])(?<!cve[ _-])(?<!windows[ _-])"
    r"(?<!server[ _-])(?<!office[ _-])(?<!sql[ _-])"
    r"((?:19[89]|20\d)\d)(?![^\W_]|[ _.-]\d)",
    re.I,
)
_BESIDE = re.compile(
    r"[\s#*_>\-–—|,，.。:：()（）\[\]]|\d{1,2}:\d{2}(?::\d{2})?|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|星期[一二三四五六日天]|周[一二三四五六日]",
    re.I,
)
_KIND = re.compile(
    r"\b(?:minutes|notes|meeting|report|journal|diary|log|agenda|newsletter|memo)\b|纪要|紀要|会议|會議|日报|日報|周报|週報|月报|月報|日记|日記|笔记|筆記|记录|記錄|通知|公告",
    re.I,
)


def document_date(path: str, title: str, text: str) -> str:
    """YYYY, YYYY-MM or YYYY-MM-DD, or "" where the document says none of itself.

    In this order: the newest date of its front matter, the first labelled line near its top ("Last
    updated: ...", "日期：..."), the name of its file or folder, its title, a line that is only a date.
    """
    head = text[:HEAD_CHARS]
    front = front_matter_end(text) if text.startswith(("---", "+++")) else 0
    dates = [_first(match[1]) for match in _FIELD.finditer(text[: min(front, HEAD_CHARS)])]
    body = _FENCED.sub("", head[front:])
    return max(dates, default="") or _labelled(body) or _of_path(path) or _of_title(title) or _alone(body)


def _iso(span: DateSpan) -> str:
    return "" if span.year is None else span.iso


def _first(value: str) -> str:
    """The date with which a value begins, or ""."""
    value = _LOOSE.sub(r"\1", value)
    found = [(span.start, _iso(span)) for span in find_dates(value)]
    found += [(m.start(), f"{m[1]}-{int(m[2]):02d}") for m in _MONTH.finditer(value)]
    bare = value.strip(" \t\"'")
    if not found and re.fullmatch(r"(?:19|20)\d\d", bare):
        return bare
    start, iso = min(found, default=(0, ""))
    return iso if start <= VALUE_CHARS else ""


def _labelled(body: str) -> str:
    """The date of the first short line that is a label and a date."""
    for match in _LABEL.finditer(body):
        value = match["value"]
        if len(value) <= 80 and not re.search(r"[.。]\s*\S*[^\W\d]{3}", value) and (found := _first(value)):
            return found
    return ""


def _of_path(path: str) -> str:
    parts = PurePath(path.replace("\\", "/")).parts
    if not parts:
        return ""
    stem = PurePath(parts[-1]).stem
    nested = re.search(
        r"(?:^|/)((?:19|20)\d\d)/(0[1-9]|1[0-2])(?:/(0[1-9]|[12]\d|3[01]))?/[^/]*$", "/".join(parts)
    )
    by_folders = "-".join(filter(None, nested.groups())) if nested else ""
    folder = parts[-2] if len(parts) > 1 else ""
    return _of_name(stem) or by_folders or _of_name(folder)


def _of_name(name: str) -> str:
    """The date in a name, with a month if it has one."""
    if match := _COMPACT.search(name):
        return "-".join(match.groups())
    spaced = name.replace("_", "-")
    if full := next((_iso(span) for span in find_dates(spaced) if span.year and span.month), ""):
        return full
    if match := _MONTH.search(spaced):
        return f"{match[1]}-{int(match[2]):02d}"
    if match := re.search(r"((?:19|20)\d\d) ?年", name):
        return match[1]
    match = _NAME_YEAR.search(name)
    return match[1] if match else ""


def _of_title(title: str) -> str:
    """The date in the title of minutes, notes and the like; in another it may be what it is about."""
    full = [span for span in find_dates(title) if span.year and span.month]
    if len(full) != 1 or not (_KIND.search(title) or not _rest(title, full[0])):
        return ""
    return _iso(full[0])


def _alone(body: str) -> str:
    """The one date that stands on a line of its own among the first lines; "" where several do."""
    lines = [line for line in body.split("\n") if line.strip()][:HEAD_LINES]
    found = set()
    for line in lines:
        spans = find_dates(_LOOSE.sub(r"\1", line)) if len(line) <= 40 else []
        if (
            len(spans) == 1
            and spans[0].year
            and spans[0].month
            and not _rest(_LOOSE.sub(r"\1", line), spans[0])
        ):
            found.add(_iso(spans[0]))
    return found.pop() if len(found) == 1 else ""


def _rest(line: str, span: DateSpan) -> str:
    """What a line says beside a date, but for marks, weekdays and times of day."""
    return _BESIDE.sub("", line[: span.start] + " " + line[span.end :])
