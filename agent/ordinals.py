"""Follow-ups that name an item of the answer before by its place: "the second one", 第二个呢. Pure functions.

The items are the lines of a list, or what a sentence enumerates. A place that the answer does not have, or an
answer without items, leaves the question as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.state import Turn
from retrieval.tokens import has_cjk

_ORDINALS = {
    **{word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth".split())},
    **{f"{n}{end}": n - 1 for n, end in zip(range(1, 9), "st nd rd th th th th th".split(), strict=True)},
    "last": -1,
    **{char: n for n, char in enumerate("一二三四五六七八")},
    **{str(n): n - 1 for n in range(1, 9)},
}
_PLACE = re.compile(
    r"\b(?:the )?(?P<en>first|second|third|fourth|fifth|sixth|seventh|eighth|last|[1-8](?:st|nd|rd|th)) (?:one|item|point|option|thing)\b"
    r"|(?:那么?|那麼)?第(?P<zh>[一二三四五六七八1-8])(?:个|個|项|項|条|條|点|點|种|種)(?![^呢是的有为為怎什在多，,？?\s])"
    r"|(?:那么?|那麼)?(?P<last>最后一)(?:个|個|项|項|条|條|点|點|种|種)",
    re.IGNORECASE,
)
_LINE = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)、])\s*(.+?)[.。;；]?\s*$", re.MULTILINE)
_RUN = re.compile(r"(?:[:：]|\b(?:are|include|includes)\b|有|包括|分别是|是)\s*([^.。:：]{3,400})")
_COMMAS = re.compile(r"\s*[,，;；、]\s*(?:and |or )?|\s+(?:and|or)\s+|和|以及")


def items_of(answer: str) -> list[str]:
    """The items that an answer lists, in order; none where it lists nothing."""
    lines = [match[1] for match in _LINE.finditer(answer)]
    if len(lines) > 1:
        return lines
    for match in _RUN.finditer(answer):
        parts = [part.strip(" “”\"'") for part in _COMMAS.split(match[1])]
        if len(parts) > 1 and all(0 < len(part) <= 80 for part in parts):
            return parts
    return []


def with_item(question: str, turns: Sequence[Turn]) -> str:
    """A question with the item in place of "the second one"."""
    match = _PLACE.search(question)
    items = items_of(turns[-1]["answer"]) if match and turns else []
    if match is None or not items:
        return question
    place = -1 if match["last"] else _ORDINALS[(match["en"] or match["zh"]).lower()]
    if place >= len(items):
        return question
    item = items[place]
    if not has_cjk(question[match.start() : match.end()]) and item[:1].isupper() is False:
        item = item.removeprefix("the ")
    return question[: match.start()] + item + question[match.end() :]
