"""Filters as a user gives them: read from options, checked, and said again in words.

What a filter is and what passes it is in `retrieval.filters`; what a question's own words restrict is in
`agent.asides`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from agent.error_words import worded
from agent.errors import SettingsError
from agent.state import Lang, State
from retrieval.addresses import page_name
from retrieval.filters import FORMATS, Filter
from retrieval.load.source import name_of
from retrieval.store import Store
from tools.periods import read_period

# What one may call a format; a name may stand for several.
CALLED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys("email emails mails e-mail eml mbox 邮件 郵件".split(), ("mail",)),
    **dict.fromkeys("chats wechat weixin whatsapp telegram slack discord qq 聊天 微信".split(), ("chat",)),
    **dict.fromkeys("md markdown 笔记 筆記".split(), ("markdown",)),
    **dict.fromkeys("txt plain".split(), ("text",)),
    **dict.fromkeys("htm web".split(), ("html",)),
    **dict.fromkeys("word doc".split(), ("docx", "odt", "rtf")),
    **dict.fromkeys("excel sheet table 表格".split(), ("xlsx", "ods", "csv")),
    **dict.fromkeys("slides powerpoint ppt 幻灯片".split(), ("pptx", "odp")),
    **dict.fromkeys("tsv".split(), ("csv",)),
    **dict.fromkeys("book ebook 书".split(), ("epub",)),
    **dict.fromkeys("ics ical 日历".split(), ("calendar",)),
    **dict.fromkeys("srt vtt 字幕".split(), ("subtitles",)),
    **dict.fromkeys("ipynb jupyter".split(), ("notebook",)),
    **dict.fromkeys("jsonl ndjson".split(), ("json",)),
}
LISTED = 8  # names given where none fits
_FLAGS = {"who": "--from", "formats": "--type", "tags": "--tag", "paths": "--in", "title": "--title"}
_TEXTS = {"en": ("no document matches {}", "; {}: {}"), "zh": ("没有符合 {} 的文档", "；{}：{}")}
_THERE = {
    "en": {"who": "senders and speakers", "formats": "types", "tags": "tags"},
    "zh": {"who": "发件人和说话人", "formats": "类型", "tags": "标签"},
}


def read_options(
    who: Sequence[str] = (),
    since: str = "",
    until: str = "",
    types: Sequence[str] = (),
    tags: Sequence[str] = (),
    paths: Sequence[str] = (),
    title: str = "",
    today: date | None = None,
) -> Filter:
    """The filter that options ask for. Lists may be written with commas, but for names and paths.

    `since` and `until`: what `tools.periods` reads; a month means all of it. Raises `SettingsError`.
    """
    today = today or date.today()
    where: Filter = {}
    if names := _filled(who, "--from"):
        where["who"] = names
    if since:
        where["since"] = _edge(since, "--since", today)
    if until:
        where["until"] = _edge(until, "--until", today)
    if where.get("until") and where.get("since", "") > where["until"] + "-99-99":
        raise worded(SettingsError, "since after until", since, until)
    if kinds := _filled(_split(types), "--type"):
        where["formats"] = list(dict.fromkeys(kind for one in kinds for kind in _formats(one)))
    if named := _filled(_split(tags), "--tag"):
        where["tags"] = [tag.lstrip("#＃") for tag in named]
    if places := _filled(paths, "--in"):
        where["paths"] = [_place(one) for one in places]
    if title.strip():
        where["title"] = title.strip()
    return where


def checked(where: Mapping[str, Any] | None, today: date | None = None) -> Filter:
    """A filter from a Python caller, with its dates and names in their proper form.

    Raises `SettingsError` for an unknown key or a value that cannot be read.
    """
    given = dict(where or {})
    documents = [int(one) for one in given.pop("documents", [])]
    unknown = sorted(set(given) - set(Filter.__annotations__))
    if unknown:
        raise SettingsError(f"a filter has no {unknown[0]!r}: {', '.join(sorted(Filter.__annotations__))}")
    read = read_options(
        who=_listed(given.get("who")),
        since=str(given.get("since") or ""),
        until=str(given.get("until") or ""),
        types=_listed(given.get("formats")),
        tags=_listed(given.get("tags")),
        paths=_listed(given.get("paths")),
        title=str(given.get("title") or ""),
        today=today,
    )
    return {"documents": documents, **read} if documents else read


def merged(left: Filter, right: Filter) -> Filter:
    """What passes both, as far as one filter can say it: on what both restrict, `left` decides.

    Of two times the part that they share is left.
    """
    both: Filter = {**right, **left}
    since = max(left.get("since", ""), right.get("since", ""))
    until = min((one for one in (left.get("until"), right.get("until")) if one), default="")
    if since:
        both["since"] = since
    if until:
        both["until"] = until
    return both


def widens(state: State) -> bool:
    """Whether later rounds search more than the first."""
    return state["plan"]["where"] != state.get("where", {})


def by_message(where: Filter) -> bool:
    """Whether it is messages that a filter chooses, and kinds of them, and not whole documents."""
    return any(where.get(key) for key in ("who", "since", "until"))


def unnamed(where: Filter, only: Filter) -> Filter:
    """A filter without the documents that a question names: those are looked for by their names."""
    return {**where, "documents": only.get("documents", [])}


def said(where: Filter) -> str:
    """A filter as the options that ask for it."""
    parts = [f"{_FLAGS['who']} {name_of(one)}" for one in where.get("who", [])]
    if where.get("since"):
        parts.append(f"--since {where['since']}")
    if where.get("until"):
        parts.append(f"--until {where['until']}")
    for key, values in (("formats", where.get("formats", [])), ("tags", where.get("tags", []))):
        if values:
            parts.append(f"{_FLAGS[key]} {','.join(values)}")
    parts += [f"--in {one}" for one in where.get("paths", [])]
    if where.get("title"):
        parts.append(f"--title {where['title']!r}")
    if where.get("documents"):
        parts.append(f"{len(where['documents'])} named")
    return " ".join(parts)


def nothing_passes(where: Filter, store: Store, lang: Lang = "en") -> str:
    """One line for a filter that nothing passes, with what there is; "" where something passes."""
    if not where or store.selected(where):
        return ""
    whole, one = _TEXTS[lang]
    line = whole.format(said(where))
    there: dict[str, Iterable[str]] = {
        "who": dict.fromkeys(name_of(name) for name in store.senders()),
        "formats": sorted(store.formats()),
        "tags": store.tags(),
    }
    for key, names in there.items():
        alone: Any = {key: where.get(key)}
        if where.get(key) and not store.selected(alone):
            line += one.format(_THERE[lang][key], _some(list(names), lang))
    return line


def _some(names: Sequence[str], lang: Lang) -> str:
    listed = ("、" if lang == "zh" else ", ").join(names[:LISTED])
    return (listed + (" …" if len(names) > LISTED else "")) or ("无" if lang == "zh" else "none")


def _edge(text: str, flag: str, today: date) -> str:
    """The first day of a period for --since, its last for --until."""
    period = read_period(text, today)
    day = period and (period.first if flag == "--since" else period.last)
    if not day:
        raise worded(SettingsError, "no date", flag, text)
    return day.isoformat()


def _formats(kind: str) -> tuple[str, ...]:
    kind = kind.lower().lstrip(".")
    if kind in FORMATS:
        return (kind,)
    if kind not in CALLED:
        raise worded(SettingsError, "no type", kind, ", ".join(sorted(FORMATS)))
    return CALLED[kind]


def _place(path: str) -> str:
    """A path as it is compared: absolute where it is there or says so itself, else found at any depth."""
    if page := page_name(path):
        return page
    path = os.path.expanduser(path)
    here = path.startswith((".", "~")) or Path(path).exists()
    return os.path.abspath(path) if here and not os.path.isabs(path) else path


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]


def _split(values: Iterable[str]) -> list[str]:
    return [part for value in values for part in value.replace("，", ",").split(",")]


def _filled(values: Iterable[str], flag: str) -> list[str]:
    """The values without white space around them. Raises `SettingsError` where one is given that is empty."""
    found = [value.strip() for value in values]
    if found and not all(found):
        raise worded(SettingsError, "empty option", flag)
    return found
