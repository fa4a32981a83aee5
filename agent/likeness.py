"""Whether two questions ask the same, or are like each other. Pure functions of their words.

`key_of` is strict, as an answer is given again by it: the words and their order, but for politeness, "the" and
punctuation. `same_words` is as strict but for the order, as a correction answers by it. `alike` is looser: what
is known of one is worth looking at for the other. None of them understands a question.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from agent.reasoners.features import stems
from agent.reasoners.language import answer_type_of
from retrieval.tokens import CJK, ENGLISH_STOP_WORDS, STOP_WORDS, fold, has_cjk, query_terms
from tools.numbers import find_numbers

SAME_WORDS = 0.8  # Jaccard overlap of the words of two questions that are alike
_POLITE = re.compile(
    r"^(?:please|kindly|so|ok(?:ay)?|hey|hi|hello|and)\b[ ,]*|\b(?:can|could|would|will) you (?:please )?tell me\b[ ,]*"
    r"|^(?:please )?tell me\b[ ,]*|[ ,]*\b(?:please|thanks|thank you)\W*$|^(?:请问|请|那么|你好|麻烦|告诉我|[，, ])+|谢谢\W*$"
)
# "A" may be a name, and typed small it is one still: "plan a", "vitamin a". So it stays.
_ARTICLE = re.compile(r"\b(?:(?i:the)|an)\b(?=\s+\w)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SPACES = re.compile(r"\s+")
_MARKS = re.compile(r"[?!,;:\"“”‘’「」『』《》()、。，；：？！…]|\.(?=\s|$)|[吗呢吧啊呀](?=\W*$)")
_GAP = re.compile(rf"(?<=[{CJK}])\s+|\s+(?=[{CJK}])")
_DENIED = re.compile(
    r"\b(?:not|no|never|without|cannot|none|nobody|nothing)\b|n['’]t\b|没(?!有没)|不(?!是不|能不)|無|无|未"
)
_UNDENIED = re.compile(r"有没有|是不是|能不能|会不会|可不可以|要不要|有無")
_LETTER = re.compile(r"(?<![\w'’])(?:[A-HJ-Z]|[b-hj-z]|a(?!\s+\w))(?!\w)")
_A = re.compile(r"\ba(?=\s+\w)")
# Small words that two wordings of a question may differ in; any other tells: "was" from "is", "my" from "his".
_LIGHT_EN = frozenset(
    "a an the it that this of is are am be do does has have s re t what which who whom when where why how".split()
)
_PLACING = frozenset("at by for from in into of off on out over through to under up until with".split())
# Characters that two wordings of a Chinese question may differ in: particles, and what only asks.
_LIGHT = frozenset("的了呢吗啊吧呀请问是要在和与谁什么哪几多少")
_PARTICLES = re.compile("[的了呢吗啊吧呀是]")


def key_of(question: str) -> str:
    """What questions that ask the same in the same words have in common, a digest; "" where nothing is left."""
    text = fold(_ARTICLE.sub(" ", question))
    while (shorter := _POLITE.sub(" ", text).strip()) != text:
        text = shorter
    text = _MARKS.sub(" ", _THOUSANDS.sub("", text))
    text = _GAP.sub("", _SPACES.sub(" ", text)).strip()
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if text else ""


@lru_cache(4096)  # the same question beside many records, and they beside the next
def terms_of(question: str) -> frozenset[str]:
    """The words of a question that are not only there to ask, stemmed."""
    return frozenset(stems(" ".join(query_terms(question)))) - STOP_WORDS


def alike(left: str, right: str) -> bool:
    """Whether two questions are like each other: most words, and what kind of thing they ask for.

    Not where they differ in a number, in a denial, in the kind of answer ("when" is not "who"), or in the
    order of what they share: "who beat France" is not "who did France beat".
    """
    own, other = query_terms(left), query_terms(right)
    shared = set(own) & set(other)
    if not own or len(shared) < SAME_WORDS * len({*own, *other}):
        return False
    if [term for term in own if term in shared] != [term for term in other if term in shared]:
        return False
    return _asks(left) == _asks(right)


def same_words(left: str, right: str) -> bool:
    """Whether two questions are alike, and neither has a word that the other has not.

    In Chinese no character: 甲公司 and 乙公司 differ in less than a word. Of small words neither has one that
    tells the time, the person or the place ("was", "his", "under the shed").
    """
    if has_cjk(left) or has_cjk(right):
        if _PARTICLES.sub("", _plain(left)) == _PARTICLES.sub("", _plain(right)):
            return _asks(left) == _asks(right)
        same = not ({*_plain(left)} ^ {*_plain(right)}) - _LIGHT
    else:
        same = terms_of(left) == terms_of(right) and _letters(left) == _letters(right)
        same = same and _small_words(left) == _small_words(right)
    return same and alike(left, right)


def _plain(question: str) -> str:
    return "".join(char for char in fold(_POLITE.sub(" ", question)) if char.isalnum())


def _small_words(question: str) -> set[tuple[str, str]]:
    """The small words that tell, those that place something with what they place: "to Anna"."""
    words = [one for one in re.findall(r"\w+", fold(_POLITE.sub(" ", question))) if one not in _LIGHT_EN]
    pairs = zip(words, [*words[1:], ""], strict=True)
    return {(one, behind if one in _PLACING else "") for one, behind in pairs if one in ENGLISH_STOP_WORDS}


def _letters(question: str) -> tuple[set[str], bool]:
    """What stands alone as a letter, as it may name a party or a plan; and whether an "a" may be an article."""
    return {letter.lower() for letter in _LETTER.findall(question)}, bool(_A.search(question))


def denies(text: str) -> bool:
    """Whether a text has a word that denies; 有没有 has none."""
    return bool(_DENIED.search(_UNDENIED.sub("", fold(text))))


def _asks(question: str) -> tuple[str, frozenset[object], bool]:
    """The kind of answer, the numbers, and whether it denies."""
    numbers = frozenset((number.value, number.unit) for number in find_numbers(question))
    return answer_type_of(question), numbers, denies(question)
