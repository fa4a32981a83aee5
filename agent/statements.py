"""What a user tells rather than asks: "my deadline is 12 May", 我对花生过敏; and which of it answers a question.

Read by rule: a sentence of the first person that asks nothing, or one that asks to be remembered. It is kept
verbatim and given again as a quotation of the user's own, never as a fact of the files. It reads wordings, not
meaning: what is told in other words is a question like any other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.likeness import key_of, terms_of
from agent.reasoners.language import answer_type_of, has_answer_of_type
from agent.state import Lang
from retrieval.records import Record
from retrieval.tokens import has_cjk, is_chinese, simplified

MAX_CHARS = 500  # of a statement
COVERED: dict[Lang, float] = {"en": 1.0, "zh": 0.6}  # share of a question's words; Chinese pairs overlap

_ASKS = re.compile(
    r"[?？]|[吗嗎呢][。.!！]?\s*$|什么|什麼|怎么|怎麼|怎样|多少|哪|谁|誰|几[个点时号]|是否|是不是|有没有"
    r"|^\s*(?:what|when|where|who|whom|whose|which|why|how|is|are|was|were|do|does|did|can|could|will|would"
    r"|should|may|tell|list|show|give|find|explain|describe|summari[sz]e|compare)\b",
    re.IGNORECASE,
)
_REMEMBER = re.compile(
    r"^\W*(?:please |kindly )?(?:remember|note|keep in mind)(?: that)?[:,]? +(?P<said>.+)$"
    r"|^\W*(?:请|請|麻烦|帮我)?(?:你)?(?:记住|記住|记一下|記一下|记得|記得|备注|備註)[：:，, ]*(?P<zh>.+)$",
    re.IGNORECASE | re.DOTALL,
)
# What holds one value at a time: a later one takes its place. The value is not part of the subject.
_SUBJECT = re.compile(
    r"^\W*(?P<my>(?:my|our) [\w'’ -]{2,60}?) (?:is|are|was|were|will be|has been|ends|expires|starts|begins)\b"
    r"|^\W*(?P<i>(?:i|we) (?:live|work|study|was born|were born)) "
    r"|^\W*(?P<zh>我们?的?[^，。是为為]{1,20}?)(?:是|为|為|改到|改成|改为|定在)(?!不是)"
    r"|^\W*(?P<zi>我们?(?:现在|目前)?(?:住在?|工作在?|就读于?|叫|姓))",
    re.IGNORECASE,
)
_FIRST = re.compile(
    r"^\W*(?:my|our) [\w'’ -]{2,60}? (?:is|are|was|were|will be|has been|ends|expires|starts|begins) \S"
    r"|^\W*(?:i am|i['’]m|we are|we['’]re) (?:allergic|vegetarian|vegan|married|born|\w+ years old|from|based|called|an? \w)"
    r"|^\W*(?:i|we) (?:don['’]t |do not |never |usually |always |really )?(?:like|love|prefer|hate|dislike|enjoy|live|work|study|speak"
    r"|own|drive|eat|drink|take|was born|were born|moved|bought|booked|paid) \S"
    r"|^\W*i have (?:an?|two|three|four|\d+) (?!question|problem)\w"
    r"|^\W*我们?的[^，。？?]{1,30}?(?:是|为|為|在|有|改到|改成|定在)\S"
    r"|^\W*我们?(?:现在|目前|平时|一直|从不|不|最|很|也)?(?:对[^，。]{1,20}过敏|住|喜欢|喜歡|讨厌|討厭|爱|愛|偏好|叫|姓|今年|属|吃素|不吃|养|養|会说|會說|出生"
    r"|在[^，。]{1,20}(?:工作|上班|上学|读书)|买了|買了|订了|訂了|有[一两三四五六七八九十\d]+)\S?",
    re.IGNORECASE,
)
_OWN = re.compile(r"\b(?:my|mine|i|me|our|we|us)\b|我", re.IGNORECASE)


@dataclass(frozen=True)
class Stated:
    """A user's own words, verbatim, and what they are of where there can be one value only, or ""."""

    text: str
    subject: str


def stated(message: str) -> Stated | None:
    """What a message tells, or None where it asks or may do so."""
    text = message.strip()
    if not text or len(text) > MAX_CHARS:
        return None
    asked_to = _REMEMBER.match(text)
    if asked_to:
        text = (asked_to["said"] or asked_to["zh"]).strip()
    plain = simplified(text)
    if _ASKS.search(plain) or not (asked_to or _FIRST.search(plain)):
        return None
    return Stated(text, subject_of(text))


def subject_of(text: str) -> str:
    """What a statement gives the value of, "my deadline"; "" where several may hold at once."""
    match = _SUBJECT.match(simplified(text))
    return next((text[slice(*match.span(n))].strip() for n in range(1, 5) if match[n]), "") if match else ""


def key_of_subject(text: str) -> str:
    """What two statements of the same subject have in common, or ""."""
    subject = subject_of(text)
    return key_of(re.sub(r"^我们?的?", "我的", subject)) if subject else ""


def answering(question: str, statements: Sequence[Record]) -> Record | None:
    """The newest statement that answers a question of the user about himself; None where none does.

    It holds all that the question asks about, and something of the kind that it asks for.
    """
    wanted = terms_of(_without_own(question))
    if not wanted or not _OWN.search(question):
        return None
    kind = answer_type_of(question)
    share = COVERED["zh" if is_chinese(question) else "en"]
    fitting = [
        one
        for one in statements
        if len(wanted & terms_of(_without_own(one.text))) >= share * len(wanted)
        and has_answer_of_type(kind, one.text, question) > 0
    ]
    return max(fitting, key=lambda one: one.created_s, default=None)


def _without_own(text: str) -> str:
    """A text without its words for the one who speaks."""
    return re.sub("我们?的?", " ", text) if has_cjk(text) else text


def quoted(words: str, at_s: float, lang: Lang) -> str:
    """A user's words as a sentence that says whose they are, and of which day."""
    day, words = datetime.fromtimestamp(at_s), words.rstrip(".。 ")
    if lang == "zh":
        return f"你在{day.year}年{day.month}月{day.day}日说过：“{words}”。"
    return f"You said on {day.day} {day:%B} {day.year}: “{words}”."


def noted(words: str, lang: Lang) -> str:
    """What a user is told when he told something."""
    words = words.rstrip(".。 ")
    return f"记下了：“{words}”。" if lang == "zh" else f"Noted: “{words}”."
