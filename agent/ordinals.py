"""Follow-ups that name an item of an answer before by its place: "the second one", 第二个呢, the latter. Pure functions.

The items are the lines of a list, or what a sentence enumerates. A place that the latest such answer does not
have leaves the question as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.state import Turn
from retrieval.tokens import simplified

_ORDINALS = {
    **{word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth".split())},
    **{f"{n}{end}": n - 1 for n, end in zip(range(1, 9), "st nd rd th th th th th".split(), strict=True)},
    "last": -1,
    **{char: n for n, char in enumerate("一二三四五六七八")},
    **{str(n): n - 1 for n in range(1, 9)},
}
_WORDS = "first|second|third|fourth|fifth|sixth|seventh|eighth|last"
# What may follow "the second" where it stands for an item; before a noun it does not.
_ALONE = (
    r"(?=\W*$|['’]s\b|[,;:]| (?:is|was|are|were|has|had|have|does|did|do|can|could|will|would|should|must|may"
    r"|costs?|lives?|works?|starts?|begins?|ends?|needs?|comes?|pays?|gets?|says?|means?|takes?|lasts?|opens?|closes?)\b)"
)
_OF_ZH = "[个個项項条條点點种種位辆輛本名款家部件间間套台张張]"
_PLACE = re.compile(
    rf"\b(?:the )?(?P<en>{_WORDS}|[1-8](?:st|nd|rd|th)) (?:one|item|point|option|thing)\b"
    rf"|(?<!\bon )(?<!\bby )(?<!until )\bthe (?P<alone>{_WORDS}){_ALONE}|\bthe (?P<two>former|latter)(?: one\b|{_ALONE})"
    rf"|(?:那么?|那麼)?(?P<back>倒[数數])?第(?P<zh>[一二三四五六七八1-8]){_OF_ZH}"
    rf"|(?:那么?|那麼)?(?P<end>最[后後]一){_OF_ZH}"
    "|(?:那么?|那麼)?(?P<pair>前者|[后後]者)",
    re.IGNORECASE,
)
# What the first is of stands behind the second.
_BESIDE = re.compile("第[一二三四五六七八1-8][和与與、及跟]第")
_NOUNS = ("月", "星期", "礼拜", "禮拜", "合同")  # what the segmenter calls otherwise
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
    """A question with the item in place of "the second one", of the latest answer that has items."""
    places = [match for match in _PLACE.finditer(question) if not _goes_on(match, question)]
    if not places or _BESIDE.search(question):
        return question
    items = next((found for turn in reversed(turns) if (found := items_of(turn["answer"]))), [])
    if any(not -len(items) <= _place(match) < len(items) for match in places):
        return question
    for match in reversed(places):
        question = question[: match.start()] + items[_place(match)] + question[match.end() :]
    return question


def _goes_on(match: re.Match[str], question: str) -> bool:
    """Whether a Chinese place is one of something that is named after it: 第二个月."""
    if not (match["zh"] or match["end"]):
        return False
    import rjieba  # its dictionary takes 0.15 s to load: only when there is such a place

    rest = simplified(question[match.end() :])
    word, tag = next(iter(rjieba.tag(rest)), ("", ""))
    return tag.startswith("n") or word in _NOUNS


def _place(match: re.Match[str]) -> int:
    if match["end"]:
        return -1
    if match["two"] or match["pair"]:
        return 0 if (match["two"] or match["pair"]).lower() in ("former", "前者") else -1
    place = _ORDINALS[(match["en"] or match["alone"] or match["zh"]).lower()]
    return -1 - place if match["back"] else place
