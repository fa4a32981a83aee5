"""A cited place in its surroundings, for `/open`. The text is the library's own copy, as it was indexed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rich.text import Text

from agent.cli.chat_words import WORDS, Lang
from agent.cli.render import place, visible

if TYPE_CHECKING:
    from rich.console import Console

    from retrieval.library import Library

AROUND_LINES = 4  # shown before and after a quotation
AROUND_CHARS = 400  # at most, on each side
QUOTE, WORD = "yellow", "bold underline"
MARKS = "»", "«"  # around the quotation where nothing can be coloured

_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]{2}|[^\W\u3400-\u9fff\uf900-\ufaff]+")
_CUT = re.compile(r"\s+|(?<=[。！？；，、])")


def citations_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The citations of an answer, as `Answer.to_json` has them, in the order in which they are numbered."""
    found: list[dict[str, Any]] = []
    for claim in answer["claims"]:
        found += [one for one in claim["citations"] if one not in found]
    return found


def surroundings(text: str, start: int, end: int) -> tuple[str, str, str]:
    """What stands before `text[start:end]`, that itself, and what stands behind it.

    Some lines at most, and not too long; "…" stands where a line is cut.
    """
    before = text[max(0, start - AROUND_CHARS) : start]
    lines = before.split("\n")
    if len(lines) > AROUND_LINES + 1:
        before = "\n".join(lines[-AROUND_LINES - 1 :])
    elif start > AROUND_CHARS and text[start - AROUND_CHARS - 1] != "\n":
        cut = _CUT.search(before)
        before = "…" + (before[cut.end() :] if cut else before)
    after = text[end : end + AROUND_CHARS]
    lines = after.split("\n")
    if len(lines) > AROUND_LINES + 1:
        after = "\n".join(lines[: AROUND_LINES + 1])
    elif len(text) > end + AROUND_CHARS and text[end + AROUND_CHARS] != "\n":
        cuts = list(_CUT.finditer(after))
        after = (after[: cuts[-1].start()] if cuts else after) + "…"
    return before.lstrip("\n"), text[start:end], after.rstrip()


def supporting(quote: str, claim: str) -> list[tuple[int, int]]:
    """Where in a quotation words of a claim stand; of Chinese, where two characters in a row do."""
    known = {match.group().casefold() for match in _pairs(claim)}
    return [match.span() for match in _pairs(quote) if match.group().casefold() in known]


def _pairs(text: str) -> list[re.Match[str]]:
    """Words, and every two Chinese characters in a row."""
    found, at = [], 0
    while match := _WORD.search(text, at):
        found.append(match)
        at = match.start() + 1 if match.group()[0] >= "\u3400" else match.end()
    return found


def print_place(answer: dict[str, Any], number: int, library: Library, lang: Lang, out: Console) -> None:
    """Print what stands around a citation of an answer, numbered from 1, with the quotation highlighted."""
    from agent.answer import file_change

    store, words, one = library.store, WORDS[lang], citations_of(answer)[number - 1]
    spoken = one["path"].startswith("memory:")
    head = Text(f"[{number}] ", style="cyan")
    head.append_text(Text(words["said"]) if spoken else place(one["path"], one.get("line"), one["page"], out))
    if one["heading"]:
        head.append(f"  {one['heading']}", style="dim")
    document_id = None if spoken else store.document_id(one["path"])
    if document_id and (changed := file_change(library, document_id)):
        head.append(f"  ({words[changed]})", style="red")
    out.print(head)
    text = store.source_texts([document_id]).get(document_id, "") if document_id else ""
    before, quote, after = "", one["quote"], ""
    if text[one["start"] : one["end"]] == one["quote"]:
        before, quote, after = surroundings(text, one["start"], one["end"])
    elif not spoken:
        out.print(Text(words["other_now" if document_id else "not_there"], style="yellow"))
    claim = " ".join(c["text"] for c in answer["claims"] if one in c["citations"])
    out.print(_highlighted(before, quote, after, claim, marked=not out.is_terminal or bool(out.no_color)))


def _highlighted(before: str, quote: str, after: str, claim: str, *, marked: bool) -> Text:
    quote, claim = visible(quote), visible(claim)  # as offsets count in what is shown
    shown = Text(quote, style=QUOTE)
    for start, end in supporting(quote, claim) if quote not in claim else []:
        shown.stylize(WORD, start, end)
    left, right = MARKS if marked else ("", "")
    return Text.assemble((before, "dim"), left, shown, right, (after, "dim"))
