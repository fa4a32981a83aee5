"""When a number, date, name or link of a claim is one of its source's. Pure functions.

Units are not converted, and nothing is looked up: a city is not known to lie in a country.
"""

from __future__ import annotations

import re
from decimal import Decimal

from agent.critic.facts import Token
from tools.dates import DateSpan
from tools.numbers import Number

ROUNDING = Decimal("0.05")  # relative difference allowed to a number that says "about"
BEYOND = Decimal("0.1")  # how far "more than N" may lie below the figure, "nearly N" above it

# These must stand beside the number that they loosen.
_ABOUT_BEFORE = re.compile(
    r"(?:\b(?:about|around|roughly|approximately|some|circa|ca\.?|nearly|almost|close to|estimated)|[约約近]|大[约約概致]|接近|将近|將近|差不多|估[计計])\s*(?:at |to be )?[$€£¥]?$",
    re.I,
)
_ABOUT_AFTER = re.compile(r"\s*(?:or so\b|左右|上下|[多余餘几幾])", re.I)
_OVER_BEFORE = re.compile(
    r"(?:\b(?:more than|over|above|at least|exceed(?:s|ed|ing)?|upwards? of|greater than|(?:no|not) (?:less|fewer) than|not below|in excess of|minimum of)|超[过過]|[多大高][于於]|至少|不少[于於]|不低[于於]|逾|上)\s*[$€£¥]?$",
    re.I,
)
_OVER_AFTER = re.compile(r"\s*(?:or more\b|\+|以上|[多余餘])", re.I)
_UNDER_BEFORE = re.compile(
    r"(?:\b(?:(?<!no )(?<!not )(?:less|fewer) than|under|(?<!not )below|at most|up to|nearly|almost|no more than|not more than|lower than|maximum of|within)|不[到足]|不超[过過]|(?<!不)[少低][于於]|至多|最多|小[于於]|近|将近|將近|接近)\s*[$€£¥]?$",
    re.I,
)
_UNDER_AFTER = re.compile(r"\s*(?:or (?:less|fewer)\b|以下|以内|以內)", re.I)


def is_about(text: str, number: Number) -> bool:
    """Whether a number is written as a rounded one."""
    before, after = _beside(text, number)
    return bool(_ABOUT_BEFORE.search(before) or _ABOUT_AFTER.match(after))


def bound_of(text: str, number: Number) -> int:
    """1 where a number is a lower bound ("more than"), -1 for an upper one, 0 for neither."""
    before, after = _beside(text, number)
    if _UNDER_BEFORE.search(before) or _UNDER_AFTER.match(after):
        return -1
    if _OVER_BEFORE.search(before) or _OVER_AFTER.match(after):
        return 1
    return 0


def is_firm_bound(text: str, number: Number) -> bool:
    """Whether the bound is one of words that mean nothing else; "nearly" and 近 round."""
    before, after = _beside(text, number)
    rounds = _ABOUT_BEFORE.search(before) or re.match(r"\s*[多余餘]", after)
    return bound_of(text, number) != 0 and not rounds


def _beside(text: str, number: Number) -> tuple[str, str]:
    return text[max(0, number.start - 24) : number.start], text[number.end : number.end + 9]


def same_number(said: Number, claim: str, known: Number, source: str) -> bool:
    """Whether a number of the source says what one of the claim says; a unit missing on one side passes."""
    if said.unit and known.unit and said.unit != known.unit:
        return False
    if said.value == known.value:
        return True
    rounded = is_about(claim, said)
    if rounded and is_about(source, known):  # what is rounded already is not rounded again, unless coarser
        rounded = _digits(said.value) < _digits(known.value)
    if rounded and abs(said.value - known.value) <= abs(known.value) * ROUNDING:
        return True
    bound = bound_of(claim, said)
    coarser = _digits(said.value) < _digits(known.value)
    distance = (known.value - said.value) * bound
    return bound != 0 and coarser and 0 < distance <= abs(known.value) * BEYOND


def _digits(value: Decimal) -> int:
    """Significant digits, without trailing zeros."""
    return len(value.normalize().as_tuple().digits)


def same_date(said: DateSpan, known: DateSpan, *, strict: bool = True) -> bool:
    """Whether the known date says all that the claim says; not `strict`: whether they agree where both speak."""
    pairs = ((said.year, known.year), (said.month, known.month), (said.day, known.day))
    agree = any(a is not None and a == b for a, b in pairs)
    return agree and all(a is None or a == b or (b is None and not strict) for a, b in pairs)


_RANKS = frozenset(
    """president prime minister king queen prince princess pope emperor empress sir lord lady dr doctor professor
    prof mr mrs ms miss general captain colonel senator governor mayor chairman director saint st cardinal bishop
    judge justice chief secretary ambassador duke earl count baron the republic river mount lake city""".split()
)
_ADJECTIVE = re.compile(r"(?:ian|ean|an|ese|ish|ic|i|n|s|ians|ans)$")
_IRREGULAR = {
    "french": "france", "dutch": "netherlands", "spanish": "spain", "greek": "greece", "danish": "denmark",
    "swiss": "switzerland", "welsh": "wales", "scottish": "scotland", "irish": "ireland", "english": "england",
    "british": "britain", "polish": "poland", "turkish": "turkey", "norwegian": "norway", "german": "germany",
    "belgian": "belgium", "portuguese": "portugal", "peruvian": "peru", "thai": "thailand", "norman": "normandy",
    "parisian": "paris", "european": "europe", "ukrainian": "ukraine", "chinese": "china", "swedish": "sweden",
    "finnish": "finland", "mexican": "mexico", "hungarian": "hungary", "italian": "italy", "uk": "britain",
}  # fmt: skip


def same_name(said: Token, known: Token) -> bool:
    """Whether two names can be one: one holds the other's words, but for ranks, or is its short form."""
    own, other = said.value - _RANKS or said.value, known.value - _RANKS or known.value
    if own <= other or other <= own:
        return True
    if not said.key.isascii():
        return said.key in known.key or known.key in said.key
    if all(any(akin(word, source) for source in other) for word in own):
        return True
    return is_initials(said.key, known.key) or is_initials(known.key, said.key)


def akin(said: str, known: str) -> bool:
    """America, American and Americans; France and French."""
    if said == known or _IRREGULAR.get(said) == known or _IRREGULAR.get(known) == said:
        return True
    short, long = sorted((said, known), key=len)
    root = re.sub(r"(?:ia|a|y|e|o)$", "", short)
    return (
        len(root) >= 4
        and long.startswith(root)
        and bool(_ADJECTIVE.fullmatch(long[len(root) :]) or long == short + "s")
    )


def is_initials(short: str, long: str) -> bool:
    """UN for United Nations."""
    words = [word for word in long.split() if word not in ("of", "the", "and", "for", "de")]
    return len(words) > 1 and short.replace(".", "") == "".join(word[0] for word in words)


def same_link(said: str, known: str) -> bool:
    return said == known or known.endswith("/" + said) or (len(said) > 8 and known.startswith(said + "/"))
