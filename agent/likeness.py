"""Whether two questions ask the same, or are like each other. Pure functions of their words.

`key_of` is strict, as an answer is given again by it: the words and their order, but for politeness, articles
and punctuation. `alike` is looser: what is known of one is worth looking at for the other. Neither understands
a question.
"""

from __future__ import annotations

import hashlib
import re

from agent.reasoners.features import stems
from agent.reasoners.language import answer_type_of
from retrieval.tokens import CJK, STOP_WORDS, fold, query_terms
from tools.numbers import find_numbers

SAME_WORDS = 0.8  # Jaccard overlap of the words of two questions that are alike
_POLITE = re.compile(
    r"^(?:please|kindly|so|ok(?:ay)?|hey|hi|hello|and)\b[ ,]*|\b(?:can|could|would|will) you (?:please )?tell me\b[ ,]*"
    r"|^(?:please )?tell me\b[ ,]*|[ ,]*\b(?:please|thanks|thank you)\W*$|^(?:请问|请|那么|你好|麻烦|告诉我|[，, ])+|谢谢\W*$"
)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SPACES = re.compile(r"\s+")
_MARKS = re.compile(r"[?!,;:\"“”‘’「」『』《》()、。，；：？！…]|\.(?=\s|$)|[吗呢吧啊呀](?=\W*$)")
_GAP = re.compile(rf"(?<=[{CJK}])\s+|\s+(?=[{CJK}])")
_DENIED = re.compile(
    r"\b(?:not|no|never|without|cannot|none|nobody|nothing)\b|n['’]t\b|没(?!有没)|不(?!是不|能不)|無|无|未"
)
_UNDENIED = re.compile(r"有没有|是不是|能不能|会不会|可不可以|要不要|有無")


def key_of(question: str) -> str:
    """What questions that ask the same in the same words have in common, a digest; "" where nothing is left."""
    text = fold(question)
    while (shorter := _POLITE.sub(" ", text).strip()) != text:
        text = shorter
    text = _MARKS.sub(" ", _THOUSANDS.sub("", text))
    text = _GAP.sub("", _SPACES.sub(" ", _ARTICLE.sub(" ", text))).strip()
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if text else ""


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


def _asks(question: str) -> tuple[str, frozenset[object], bool]:
    """The kind of answer, the numbers, and whether it denies."""
    folded = fold(question)
    numbers = frozenset((number.value, number.unit) for number in find_numbers(question))
    return answer_type_of(question), numbers, bool(_DENIED.search(_UNDENIED.sub("", folded)))
