"""Cuts a document into parts and picks the sentences that tell most of it. Pure: a text in, spans out.

Sentences are ranked by centrality (LexRank: Erkan & Radev 2004, section 3.3, without its threshold) and picked
so that they cover different parts and words (Lin & Bilmes 2011, section 4; redundancy as in MMR). It quotes and
never rewrites, and reads words, not meaning.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from agent.state import Lang
from agent.wrapped import ENDS, between_words, on_words, whole_sentences
from retrieval.split import Span, weight
from retrieval.tokens import STOP_WORDS, is_chinese, lexical_tokens, stem

DAMPING = 0.15  # of the random walk, as in LexRank
STEPS = 12  # of the power iteration; more change no rank that matters
LEAST_WEIGHT, GOOD_WEIGHT, MOST_WEIGHT = 30.0, 90.0, 420.0  # Latin-character equivalents of a sentence
CLAUSE_WEIGHT = 110.0  # speech without punctuation is cut before connectives into pieces of about this
SAME_SHARE = 0.6  # cosine from which two sentences say the same

_HEADING = re.compile(r"^ {0,3}#{1,6}\s+\S.*$", re.MULTILINE)
_CUTS = (  # a part begins after these, best first
    re.compile(r"\n(?= {0,3}#{1,6}\s)"),
    re.compile(r"\n[^\S\n]*\n\s*"),
    re.compile(r"[。！？]|[.!?](?=\s)|\n"),
    re.compile(r"[\s，,；;、]"),
)
SKIPPED = re.compile(
    r"\A---\n(?s:.*?)\n---[^\S\n]*(?:\n|\Z)|^ {0,3}(?P<f>```+|~~~+)(?s:.*?)(?:^ {0,3}(?P=f)[^\S\n]*$|\Z)"
    r"|<(?P<t>style|script)\b(?s:.*?)</(?P=t)>|^[^\S\n]*\|.*\|[^\S\n]*$|^(?: {4}|\t)(?![-*+\d]).*[;{}=()\[\]].*$"
    r"|^\W*(?:references|bibliography|acknowledge?ments?|参考文献|參考文獻|致谢|致謝)\W*$(?s:.*)\Z",
    re.MULTILINE | re.IGNORECASE,
)
_LEAD = re.compile(r"(?:[-*+•·●>▪–—]+\s+|#{1,6}\s+|[(（]?\d{1,3}[.)、）]\s*|[一二三四五六七八九十]{1,3}、)+")
_FILLER_START = re.compile(
    "(?:嗯|呃|啊|哦|对+|對+|是的|没错|好的?|然后|然後|所以|但是|其实|其實|就是说?|那么?|那麼|而且|不过|不過|包括|呢|吧|的话|[,，、 ])+"
    r"|(?:(?:um+|uh+|well|yeah|yes|right|okay|ok|so|and|but|you know|i mean|like)\b[,\s]*)+",
    re.IGNORECASE,
)
_LEANS = re.compile(
    r"(?:it|its|this|that|these|those|they|their|he|she|his|her|such|however|but|and|so|also|thus|therefore|moreover"
    r"|furthermore|then|here|there|hence|additionally|similarly|conversely|instead|otherwise|the (?:latter|former))\b"
    "|[它他她其此该該]|[这那這]|以上|因此|然而|同时|同時|另外|此外|例如|比如|举个例子|与其|与此|换句话说|也就是",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"^[A-Z][\w-]+, [A-Z]\.(?: ?[A-Z]\.)*,? (?:et al|&|and\b|[A-Z(])|https?://|\bdoi\b|©|copyright|all rights reserved|\blicen[cs]ed?\b|\bcookies?\b|subscribe|conflicts? of interest"
    r"|\bfunded by\b|supported by (?:the )?grants?|informed consent|author contributions|supplementary|\b(?:fig|figure|table)s?\.? ?s?\d"
    "|点击次数|添加时间|版权|转载|轉載|内容链接|点赞|關注|订阅|訂閱|shownotes|听众|聽眾|下期再见|感谢(?:您|大家)|谢谢|謝謝|哈喽|大家好|欢迎(?:来到|收听)|小编|扫码",
    re.IGNORECASE,
)
_FILLER = re.compile(
    "然后|然後|这个|這個|那个|那個|就是|其实|其實|的话|对吧|對吧|嗯|呃|特别特别|我觉得|非常非常|不好意思|您|咱们|我自己|聊"
    r"|\b(?:um|uh|you know|i mean|kind of|sort of|thanks?|welcome|hello|guys|gonna|yeah)\b",
    re.IGNORECASE,
)
_CONNECTIVE = re.compile(
    "然后|然後|但是|所以|因为|因為|其实|其實|如果|比如说|比如說|我觉得|我覺得|第[一二三四]个|那么|另外|而且|不过|不過|对于|就是说"
)
_QUESTION = re.compile(r"[?？][\"'”’)\]」』）*]*$")
_KEY = re.compile(r"^[\w ]{1,24}[:：]\s*\S{0,80}$")


def parts(text: str, limit: int = 24, least_chars: int = 2000) -> list[Span]:
    """Contiguous parts that cover a text wholly: at most `limit`, each of `least_chars` or more but a lone one.

    They are cut at headings, else at paragraphs, ends of sentences and pauses. Raises `ValueError` for a
    limit or a length below 1.
    """
    if limit < 1 or least_chars < 1:
        raise ValueError("limit and least_chars must be at least 1")
    spans: list[Span] = []
    start = 0
    for left in range(limit, 0, -1):
        rest = len(text) - start
        if not rest:
            break
        size = max(least_chars, math.ceil(rest / left))
        if left == 1 or rest < 2 * least_chars or rest <= 1.2 * size:
            spans.append((start, len(text)))
            break
        low = start + max(least_chars, int(0.7 * size))
        cut = _cut(text, low, start + size, min(start + int(1.3 * size), len(text) - least_chars))
        spans.append((start, cut))
        start = cut
    return spans


def _cut(text: str, low: int, ideal: int, high: int) -> int:
    """The best place for a cut in [low, high]: of the best kind there is, the one nearest to the ideal."""
    for pattern in _CUTS:
        places = [
            match.end() for match in pattern.finditer(text, low - 1, high) if low <= match.end() <= high
        ]
        if places:
            return min(places, key=lambda place: abs(place - ideal))
    return max(low, min(ideal, high))


def summarise(text: str, lang: Lang, sentences: int, focus: str = "") -> list[Span]:
    """Spans of at most so many sentences, in document order; none when nothing speaks of the `focus`."""
    found = tellable(text, 0, len(text))
    wanted = set(words(focus)) if focus else set()
    if wanted:
        found = [span for span in found if wanted & set(words(text[slice(*span)]))]
    regions = [start for start, _ in parts(text, limit=max(1, sentences), least_chars=200)]
    return sorted(pick(text, found, sentences, focus, regions))


def tellable(text: str, start: int, end: int, cut: Sequence[Span] | None = None) -> list[Span]:
    """The sentences of a stretch that could stand in a summary: no headings, code, questions or fragments.

    `cut`: the sentences of the whole text, where a stretch is too short to show how its lines are wrapped.
    """
    found: list[Span] = []
    place = start
    for match in [*SKIPPED.finditer(text, start, end), None]:
        stop = match.start() if match else end
        for span in whole_sentences(text, place, stop) if cut is None else clipped(cut, place, stop):
            found += _clauses(text, span)
        place = match.end() if match else end
    ended = sum(bool(ENDS.search(text[a:b])) for a, b in found)
    punctuated = ended >= 0.4 * len(found)
    trimmed = [_without_lead(text, span) for span in found]
    kept: dict[str, Span] = {}
    for span in trimmed:
        sentence = text[slice(*span)]
        if _tells(text, span, punctuated):
            kept.setdefault("".join(sentence.split()), span)
    return list(kept.values())


def clipped(spans: Sequence[Span], start: int, end: int) -> list[Span]:
    """The parts of spans, in order, that lie in a stretch."""
    first = bisect_right(spans, start, key=lambda span: span[1])
    last = bisect_right(spans, end - 1, key=lambda span: span[0])
    return [(max(a, start), min(b, end)) for a, b in spans[first:last]]


def _clauses(text: str, span: Span) -> list[Span]:
    """A long stretch of speech without punctuation in pieces that begin at connectives; else the sentence."""
    start, end = span
    body = text[start:end]
    if weight(body) <= 1.5 * CLAUSE_WEIGHT or re.search("[，。；,;！？]", body) or not is_chinese(body):
        return [span]
    cuts = [start]
    for match in _CONNECTIVE.finditer(text, start, end):
        if weight(text[cuts[-1] : match.start()]) >= 0.6 * CLAUSE_WEIGHT:
            cuts.append(match.start())
    return list(pairwise([*cuts, end]))


def _without_lead(text: str, span: Span) -> Span:
    """Without list marks and words that only link, which a quotation does not need; no word is cut."""
    start, end = on_words(text, span)
    for pattern in (_LEAD, _FILLER_START):
        match = pattern.match(text, start, end)
        if match and between_words(text, match.end()):
            start = match.end()
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return (start, end) if start < end else span


def _tells(text: str, span: Span, punctuated: bool) -> bool:
    sentence = text[slice(*span)]
    size = weight(sentence)
    line = text[text.rfind("\n", 0, span[0]) + 1 : span[0]]
    if (
        not LEAST_WEIGHT <= size <= MOST_WEIGHT
        or "#" in line[:6]
        or sentence.lstrip("*_ ").startswith(("#", "<", "|"))
    ):
        return False
    if _QUESTION.search(sentence) or _KEY.match(sentence) or sentence.count("\n") > 12:
        return False
    if punctuated and not ENDS.search(sentence):
        return False
    if not is_chinese(sentence) and (sentence[0].islower() or len(sentence.split()) < 6):
        return False
    letters = sum(char.isalpha() or char.isspace() for char in sentence)
    return letters >= 0.7 * len(sentence)


def words(text: str) -> list[str]:
    """Stems and Chinese bigrams and words of a text, without stop words."""
    return [stem(token) for token in lexical_tokens(text) if token not in STOP_WORDS]


def pick(
    text: str, spans: Sequence[Span], count: int, focus: str = "", regions: Sequence[int] = ()
) -> list[Span]:
    """The most telling spans, best first, no two of which say the same.

    `focus` biases the ranks toward its words; each region (its start) yields less with every span taken of it.
    """
    import numpy as np

    if not spans or count < 1:
        return []
    bags = [Counter(words(text[slice(*span)])) for span in spans]
    frequency = Counter(term for bag in bags for term in bag)
    numbers = {term: n for n, term in enumerate(frequency)}
    idf = {term: math.log(1 + len(bags) / n) for term, n in frequency.items()}
    entries = [
        (r, numbers[t], (1 + math.log(n)) * idf[t]) for r, bag in enumerate(bags) for t, n in bag.items()
    ]
    if not entries:
        return []
    row, column = np.array([e[0] for e in entries]), np.array([e[1] for e in entries])
    value = np.array([e[2] for e in entries])
    value /= np.sqrt(np.bincount(row, value * value, len(bags)))[row]

    def similar(p: np.ndarray) -> np.ndarray:
        """The cosine matrix times a vector, in time linear in the words."""
        return np.bincount(row, value * np.bincount(column, value * p[row], len(numbers))[column], len(bags))

    degree = np.maximum(similar(np.ones(len(bags))), 1e-9)
    wanted = set(words(focus))
    bias = np.array([sum(idf[t] for t in wanted & set(bag)) for bag in bags]) + (0 if wanted else 1)
    bias = bias / bias.sum() if bias.sum() else np.full(len(bags), 1 / len(bags))
    damping = 0.6 if wanted else DAMPING
    rank = bias.copy()
    for _ in range(STEPS):
        rank = damping * bias + (1 - damping) * similar(rank / degree)
    quality = rank / rank.max() * np.array([_stands_alone(text, span) for span in spans])
    region = np.array([bisect_right(regions, start) for start, _ in spans])
    taken, chosen = Counter[int](), list[int]()
    nearest = np.zeros(len(bags))
    for _ in range(min(count, len(spans))):
        gains = quality * (1 - nearest) * np.array([1 / (1 + taken[r]) ** 1.5 for r in region.tolist()])
        gains[nearest >= SAME_SHARE] = 0
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        taken[int(region[best])] += 1
        one = np.zeros(len(bags))
        one[best] = 1
        nearest = np.maximum(nearest, similar(one))
        nearest[best] = 1
    return [spans[n] for n in chosen]


def _stands_alone(text: str, span: Span) -> float:
    """How well a sentence reads by itself, in (0, 1]: length, what it leans on, filler, boilerplate."""
    sentence = text[slice(*span)]
    size = weight(sentence)
    score = min(1.0, size / GOOD_WEIGHT) * min(1.0, 300 / size)
    if _LEANS.match(sentence.lstrip("\"“‘'*_ ")):
        score *= 0.4
    if _BOILERPLATE.search(sentence):
        score *= 0.15
    if sentence[-1] in ":：":
        score *= 0.3
    return score * math.exp(-60 * len(_FILLER.findall(sentence)) / size)
