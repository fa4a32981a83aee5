"""Things enumerated beside the word for their kind: "tools such as A and B", A、B等工具. Pure: spans.

It reads one enumeration next to the word, and does not know whether what is listed there is of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from retrieval.split import Span, weight
from retrieval.tokens import is_chinese, stem

MOST_WEIGHT = 45.0  # Latin-character equivalents of one item
_ITEM_EN = r"[\w“\"'‘(][^,;:.!?\n()]*?(?:\.\w+)*"
_AND_EN = r"(?:\s*,\s*(?:and|or)\s+|\s+(?:and|or)\s+|\s*,\s*)"
_AFTER_EN = re.compile(
    r"\s*(?:,?\s*(?:such as|including|like|namely|for example|e\.g\.),?|:|are|were)\s+"
    rf"(?P<items>{_ITEM_EN}(?:{_AND_EN}{_ITEM_EN})*)"
    r"(?=[.;:!?\n)]|,\s+(?:which|who|that|but|while)|$)"
)
_BEFORE_EN = re.compile(
    rf"(?P<items>{_ITEM_EN}(?:\s*,\s*{_ITEM_EN})*)\s*,?\s+(?:and|or)\s+other\s+(?:\w+\s+){{0,2}}$"
)
_SPLIT_EN = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or)\s+")
_ITEM_ZH = r"[^，。、；：:！？\n（）()]+?"
_AFTER_ZH = re.compile(
    rf"[^，。、；：:！？\n]{{0,4}}?(?:包括了?|例如|比如说?|譬如|如|像|分别是|分別是|主要有|有|是|[:：])[:：]?\s*"
    rf"(?P<items>{_ITEM_ZH}(?:、{_ITEM_ZH})*(?:[、，]?(?:和|及|以及|与|與|或){_ITEM_ZH})?)(?:等[^，。；]{{0,6}})?(?=[，。；！？\n（(]|$)"
)
_BEFORE_ZH = re.compile(
    rf"(?P<items>{_ITEM_ZH}(?:、{_ITEM_ZH})*(?:[、]?(?:和|及|以及|与|與|或){_ITEM_ZH})?)等(?:等)?[^，。、；：:！？\n]{{0,8}}?$"
)
_SPLIT_ZH = re.compile("、|以及|和|及|与|與|或")
# What stands before the first item: a verb, or a preposition.
_LEADS_ZH = re.compile(
    ".*(?:使用|常用|用|包括|例如|比如|如|像|有|是|以|于|于|在|对|對|把|将|將|从|從|由|通过|通過|涉及|提到|推出|发布|發布|支持|当|當|给|給)"
)


def enumerated(sentence: str, wanted: Sequence[str]) -> list[Span]:
    """The items listed beside one of the wanted words (stems, or words of Chinese); none without a list."""
    after, before, split = (
        (_AFTER_ZH, _BEFORE_ZH, _SPLIT_ZH) if is_chinese(sentence) else (_AFTER_EN, _BEFORE_EN, _SPLIT_EN)
    )
    for begin, end in _places(sentence, wanted):
        for match in (before.search(sentence, 0, begin), after.match(sentence, end)):
            found = list(_items(sentence, match.span("items"), split)) if match else []
            if len(found) > 1 and re.search("[,、]", sentence[found[0][0] : found[-1][1]]):
                return found
    return []


def _places(sentence: str, wanted: Sequence[str]) -> Iterator[Span]:
    """Where the words for the kind of thing stand."""
    for word in reversed(wanted):
        if is_chinese(word):
            yield from (match.span() for match in re.finditer(re.escape(word), sentence))
            continue
        for match in re.finditer(r"[A-Za-z][\w-]*", sentence):
            if stem(match.group().lower()) == word:
                yield match.span()


def _items(sentence: str, span: Span, split: re.Pattern[str]) -> Iterator[Span]:
    """The pieces of a list; all or none: a long piece shows that it is no list."""
    start, end = span
    cuts = [start]
    for match in split.finditer(sentence, start, end):
        cuts += [match.start(), match.end()]
    cuts.append(end)
    found = []
    for a, b in zip(cuts[::2], cuts[1::2], strict=True):
        piece = sentence[a:b]
        a, b = a + len(piece) - len(piece.lstrip(" \n\"“'")), b - len(piece) + len(piece.rstrip(" \n\"”'"))
        if a < b:
            found.append((a, b))
    if found and is_chinese(sentence) and (lead := _LEADS_ZH.match(sentence, *found[0])):
        found[0] = (lead.end(), found[0][1])
    found = [(a, b) for a, b in found if a < b]
    if all(weight(sentence[a:b]) <= MOST_WEIGHT for a, b in found):
        yield from found
