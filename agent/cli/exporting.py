"""A thread as a Markdown document, for `/export`. Pure: it neither reads the library nor writes a file."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

from agent.cli.chat_words import WORDS, Lang, lang_of
from agent.cli.opening import citations_of
from agent.cli.render import visible
from agent.page_words import PAGE_WORDS

_SPECIAL = re.compile(r"([\\`*_<\[\]|])")
_FIRST = re.compile(r"^(\d*)([#>+=~]|-(?! )|(?<=\d)[.)])", re.MULTILINE)


def markdown(thread: str, asked: Sequence[dict[str, Any]], now_s: float, lang: Lang) -> str:
    """The questions of a thread, oldest first, each with its answer and its numbered citations.

    `asked`: as `Answer.to_json`, with `question`, and `created_s` where that is known.
    """
    when = WORDS[lang]["exported_on"].format(when=_minute(now_s))
    parts = [f"# {_safe(thread)}", when, *(_exchange(one, lang) for one in asked)]
    return "\n\n".join(parts) + "\n"


def _exchange(one: dict[str, Any], lang: Lang) -> str:
    spoken: Lang = lang_of(one["question"]) or lang
    cited = citations_of(one)
    outcome = PAGE_WORDS[spoken]["outcome"].get(one["outcome"], one["outcome"])
    tail = " · ".join(
        part for part in (outcome, _minute(one["created_s"]) if one.get("created_s") else "") if part
    )
    parts = [f"## {_safe(' '.join(one['question'].split()))}"]
    parts += [f"**{_safe(one['short'])}**"] if one.get("short") else []
    parts += [_answer(one, cited, spoken)]
    parts += [_safe(line) for line in one.get("disagreements", [])]
    parts += ["\n".join(_citation(n, c, spoken) for n, c in enumerate(cited, start=1))] if cited else []
    return "\n\n".join([*parts, f"*{tail}*"])


def _answer(one: dict[str, Any], cited: list[dict[str, Any]], lang: Lang) -> str:
    if not one["claims"]:
        return _safe(one["answer"])
    items, between = one["answer"].startswith("- "), " " if lang == "en" else ""
    lines = []
    for claim in one["claims"]:
        numbers = dict.fromkeys(cited.index(c) + 1 for c in claim["citations"])
        marks = "".join(f"{between}\\[{n}\\]" for n in numbers)
        lines.append(("- " if items else "") + _safe(claim["text"]) + marks)
    return ("\n" if items else between).join(lines)


def _citation(number: int, one: dict[str, Any], lang: Lang) -> str:
    if one["path"].startswith("memory:"):
        where = WORDS[lang]["said"]
    else:
        line = f":{one['line']}" if one.get("line") else ""
        page = f" p. {one['page']}" if one.get("page") else ""
        where = f"{_code(one['path'] + line)}{page}"
    heading = f" — {_safe(one['heading'])}" if one.get("heading") else ""
    return f"{number}. {where}{heading}\n   > {_safe(' '.join(one['quote'].split()))}"


def _code(text: str) -> str:
    """Text between as many backticks as it needs."""
    text = visible(text).replace("\n", " ")
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{ticks}{text}{ticks}" if ticks == "`" else f"{ticks} {text} {ticks}"


def _safe(text: str) -> str:
    """A text that Markdown shows as it is: no link, image or tag comes of it."""
    return _FIRST.sub(r"\1\\\2", _SPECIAL.sub(r"\\\1", visible(text)))


def _minute(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))
