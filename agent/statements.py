"""What a user's statement gives the value of, and which statement answers a question: "my deadline is 12 May".

It is kept verbatim and given again as a quotation of the user's own, never as a fact of the files. Read by rule:
wordings, not meaning. Which messages are statements is for `agent.telling`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from agent.likeness import denies, key_of, terms_of
from agent.reasoners.language import answer_type_of, has_answer_of_type
from agent.state import AnswerType, Lang
from agent.telling import DOES, MEASURED_ZH
from retrieval.records import Record
from retrieval.tokens import fold, has_cjk, is_chinese, simplified
from tools.dates import find_dates
from tools.numbers import find_numbers

_OWN = re.compile(r"\b(?:my|mine|i|me|our|we|us)\b|我", re.IGNORECASE)

# --- what a statement is of -------------------------------------------------------------------------------

_MY = re.compile(
    r"^\W*(?P<of>(?:my|our) [\w'’ -]{2,60}?) (?P<verb>is|are|was|were|will be|has been|(?:has )?(?:moved|changed) to"
    rf"|{DOES})\b *",
    re.IGNORECASE,
)
_I = re.compile(
    r"^\W*(?:i|we)(?: am| are| was| were|['’]m|['’]re|['’]ve| have)? (?:now |currently )?(?P<verb>live|work|study|moved(?= (?:house )?to)|born|called|named)\b"
    r" *(?=(?:house )?(?P<place>in|at|on|near|to|for|with|as)?\b)|^\W*(?:i am|i['’]m) (?=(?P<age>\w+ years old))",
    re.IGNORECASE,
)
# What is said of a thing beside its value: the rent that "is due on day 1" is not "1".
_PREDICATE = re.compile(
    r"(?:(?:usually|always|never|often|too|very|so|quite|still|already) )*"
    r"(?P<word>due|late|early|paid|(?!located|parked|based|stored|scheduled|planned|fixed|booked)\w+ed)\b",
    re.IGNORECASE,
)
_NEARER = re.compile(r" (?:for|that|which|at|in|on|with|from|to|about)\b", re.IGNORECASE)
_OLD = re.compile(r"\bhow old\b|\b\w+ years old\b", re.IGNORECASE)
_CALLED = re.compile(r"\b(?:called|named)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:was|were|did|had)\b", re.IGNORECASE)
_TWICE = re.compile(r"\b([\w-]+)['’]s \1\b", re.IGNORECASE)  # "my boss's boss"
# What only asks for the user's own words: "do you remember my deadline", "what did I say my deadline was".
_FRAME = re.compile(
    r"^\W*(?:(?:please |kindly |(?:can|could) you )*(?:tell|remind) me (?:of |about )?|(?:do|can) you (?:still )?(?:remember|recall|know) )"
    r"|\bdid i (?:say|tell you|mention)(?: that)?\b",
    re.IGNORECASE,
)
_KINDS: dict[str, frozenset[str]] = {  # words of a question that only say what kind of thing is asked for
    kind: terms_of(words)
    for kind, words in {
        "date": "date day year month time",
        "place": "city town country place",
        "number": "number amount",
    }.items()
}
_WHEN = re.compile(
    r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|\b(?:today|tomorrow|tonight|next (?:week|month|year))\b"
    r"|\b(?:19|20)\d\d\b|周[一二三四五六日天末]|星期[一二三四五六日天]|[今明后]天|[下本]个?[周月]|[今明后]年|(?:19|20)\d\d年"
    r"|\b\d{1,2}:\d\d\b|\b\d{1,2} ?[ap]m\b|[\d一二三四五六七八九十]+[点时]|\bday \d+\b|\b\d+(?:st|nd|rd|th)\b|\bevery (?:day|week|month|year)\b|[\d一二三四五六七八九十][号日]|每[天周月年]",
    re.IGNORECASE,
)
_AT = re.compile(r"(?:in|at|on|near|to) (?:the )?[A-Z]|在")
_YEARS_ZH = r"[\d一二三四五六七八九十百零两]+"
_FORMS_ZH = [  # (what a sentence is of, beside what stands before it; the sentence)
    ("", re.compile(rf"(?P<of>{MEASURED_ZH})(?:现在)?[是为有：: ]*(?=[\dA-Za-z+一二三四五六七八九十两])")),
    ("年龄", re.compile(rf"(?P<of>.{{0,8}}?)(?:现在|今年)?(?:是|有)?(?={_YEARS_ZH}周?岁)")),
    ("出生", re.compile(r"(?P<of>.{0,8}?)是?出生[于在]?(?=.)")),
    ("住", re.compile(r"(?P<of>.{0,8}?)(?:现在|目前|已经|刚刚?|最近)?(?:住在?|搬到|搬去|搬进|搬家到)(?=.)")),
    ("属", re.compile(r"(?P<of>.{0,8}?)属(?=[^于])")),
    ("姓", re.compile(r"(?P<of>.{0,8}?)姓(?=[^名])")),
    ("名字", re.compile(r"(?P<of>[^，。是叫]{0,12}?)的?(?:名字)?(?:叫做?|是叫)(?=.)")),
    (
        "",
        re.compile(
            r"(?!觉得|认为|想|说|听说|知道|以为|希望|怀疑)(?P<of>[^，。是为有在]{1,20}?)(?:现在|已经)?(?:是|为|改[到成为]|定在|在)(?=.)"
        ),
    ),
]
_PREDICATE_ZH = re.compile("(?:交|付|缴|支付|到期|结束|开始|发|退)(?=的?了?$)")
_EMPTY_ZH = re.compile("现在|目前|今年|平时|一般|通常|[的了呢吗啊呀吧是在于]")
_SAME_ZH = [
    (re.compile("叫做?(?:什么|啥)(?:名字?)?|的?姓名|(?<=名字)叫(?:什么|啥)"), "名字"),
    (re.compile("^(?:今年|现在)?多大$|今年多大|多大(?:年纪|岁数|了)|几岁|多少岁|年纪|岁数"), "年龄"),
    (re.compile("搬到|搬去|居住"), "住"),
    (re.compile("上班"), "工作"),
]
_ASKED_ZH = re.compile(
    "什么(?:时候|时间|地方|日期)|什么|哪一?[年天日个位里儿些种月家所]|哪|谁|多少|几[年月号日天点]|几|怎么样?|多[长久远高重]|何[时地]"
    "|是不是|有没有|吗$"
)
_DENIAL_ZH = re.compile("[不没]")
_OPENING_ZH = re.compile("^(?:请问|请|那么?|告诉我|你?(?:还)?(?:知道|记得)|[，, ])+")


class _Value(NamedTuple):
    """The value that a statement gives of something."""

    of: frozenset[str]
    """The words for that: in Chinese one, without what stands between words."""
    mainly: frozenset[str]
    """Those of them that a question about it has at least: not those of "for the tax return"."""
    start: int
    """Where the value begins in the text."""
    kind: AnswerType


@lru_cache(2048)  # all statements are looked through for each question
def _value_in(text: str) -> _Value | None:
    return _value_zh(simplified(text)) if _is_zh(text) else _value_en(text)


def _is_zh(text: str) -> bool:
    """Whether words of the user are Chinese; a name in them does not tell."""
    own = _OWN.search(text)
    return has_cjk(own.group()) if own else is_chinese(text)


def _value_en(text: str) -> _Value | None:
    my, i = _MY.match(text), _I.match(text)
    if my:
        value, verb = text[my.end() :], my["verb"].lower()
        more = [verb] if re.fullmatch(DOES, verb) else []
        said = _PREDICATE.match(value)
        more += [said["word"]] if said and not _CALLED.match(said["word"]) else []
        more += ["age"] if _OLD.match(value) else ["name"] if _CALLED.match(value) else []
        of, mainly = (terms_of(f"{of} {' '.join(more)}") for of in (my["of"], _NEARER.split(my["of"])[0]))
        return _Value(of, mainly, my.end(), kind_of(value))
    if not i:
        return None
    verb = (
        "age" if i["age"] else {"moved": "live", "called": "name", "named": "name"}.get(i["verb"], i["verb"])
    )
    beside = {i["place"]} & {"with", "as"} if i["place"] else set()
    of = terms_of(verb) | beside
    return _Value(of, of, i.end(), kind_of(text[i.end() :]))


def _value_zh(text: str) -> _Value | None:
    own = re.match(r"\W*我们?的?", text)
    if own is None:
        return None
    for noun, form in _FORMS_ZH:
        if match := form.match(text, own.end()):
            value = text[match.end() :]
            said = _PREDICATE_ZH.search(value.rstrip("。.!！ "))
            of = frozenset([_core(match["of"]) + noun + (said.group() if said else "")])
            return _Value(of, of, match.end(), kind_of(value))
    return None


def kind_of(value: str) -> AnswerType:
    """What kind of thing a value is, as far as its wording tells."""
    if find_dates(value) or _WHEN.search(value):
        return "date"
    if find_numbers(value):
        return "number"
    return "place" if _AT.match(value) else "other"


def kind_told(text: str) -> AnswerType:
    """What kind of thing a statement gives the value of."""
    value = _value_in(text)
    return value.kind if value else "other"


def with_value(text: str, value: str) -> str:
    """A statement with another value, for finding it by; "" for the value leaves what it is of."""
    found = _value_in(text)
    return f"{text[: found.start]}{value}".strip() if found else f"{text.rstrip('.。 ')}: {value}"


def key_of_subject(text: str) -> str:
    """What two statements have in common of which the later takes the place of the earlier, or "".

    Of one thing there is one date, one number, one place; but my sister is Anna, and a doctor.
    """
    found = _value_in(text)
    single = found and found.of and (found.kind != "other" or found.of & {"住", "live"})
    return key_of(f"{' '.join(sorted(found.of))} {found.kind}") if found and single else ""


# --- what it answers --------------------------------------------------------------------------------------


def answering(question: str, statements: Sequence[Record]) -> Record | None:
    """The newest statement that answers a question of the user about himself; None where none does.

    It is of just what the question asks about, and has something of the kind that it asks for. One of "my
    deadline for the tax return" answers for "my deadline" where there is none of that alone.
    """
    if not _OWN.search(question):
        return None
    chinese = _is_zh(question)
    fits = _fits_zh if chinese else _fits_en
    alike = [one for one in statements if _is_zh(one.text) == chinese and fits(question, one.text)]
    fitting = [one for one in alike if _has_kind(question, one.text)]
    return max(fitting, key=lambda one: (not _is_narrower(question, one.text), one.created_s), default=None)


def _is_narrower(question: str, text: str) -> bool:
    found = _value_in(text)
    return bool(found and found.of != found.mainly and not found.of <= terms_of(question))


def _has_kind(question: str, text: str) -> bool:
    kind, found = answer_type_of(question), _value_in(text)
    if found and found.kind == kind:
        return True
    if found and found.kind == "other" and kind == "number" and re.search(r"\d", text[found.start :]):
        return True  # a number that has a letter: B12
    value = f"it {text[found.start :]}" if found and not _is_zh(text) else text
    return has_answer_of_type(kind, value, question) > 0


def _fits_en(question: str, text: str) -> bool:
    my = _MY.match(text)
    if (my and _PAST.fullmatch(my["verb"]) and not _PAST.search(question)) or (
        bool(_TWICE.search(question)) != bool(_TWICE.search(text))
    ):
        return False
    question = _FRAME.sub(" ", question)
    asked = _CALLED.sub("name", _OLD.sub("age", question))
    found = _value_in(text)
    own = found.mainly if found else frozenset[str]()
    wanted = terms_of(asked) | ({"with", "as"} & set(asked.lower().rstrip("?. ").split()) & _beside(own))
    held = terms_of(text) | (found.of if found else own)
    wanted -= _KINDS.get(answer_type_of(question), frozenset()) - held
    if not wanted or not wanted <= held or not own <= wanted:
        return False
    return _is_yes_or_no(question) or denies(question) == denies(text)


def _beside(own: frozenset[str]) -> set[str]:
    """Words that tell "who do I live with" from "where do I live"."""
    return {"with", "as"} if own & {"live", "work", "studi", "study"} else set()


def _fits_zh(question: str, text: str) -> bool:
    parts = _asked_parts(simplified(question))
    joined = "".join(parts)
    found = _value_in(text)
    if not joined:
        return False
    if found:
        [own] = found.of
        rest = joined.removeprefix(own)
        return joined == own or (joined.startswith(own) and rest in _core(simplified(text)[found.start :]))
    told = _core(_in_one_wording(re.sub(r"^\W*我们?的?", "", simplified(text))))
    if _is_yes_or_no(question):
        parts, told = [_DENIAL_ZH.sub("", part) for part in parts], _DENIAL_ZH.sub("", told)
    elif denies(question) != denies(text):
        return False
    return bool(re.match(".*".join(map(re.escape, parts)), told))


@lru_cache(16)
def _asked_parts(question: str) -> list[str]:
    """What stands before, between and after the words that ask."""
    text = re.sub("我们?的?", "", _OPENING_ZH.sub("", fold(question).strip(" ?？。!！")))
    return [_core(part) for part in _ASKED_ZH.split(_in_one_wording(text))]


def _in_one_wording(text: str) -> str:
    for pattern, word in _SAME_ZH:
        text = pattern.sub(word, text)
    return text


def _core(text: str) -> str:
    return "".join(char for char in _EMPTY_ZH.sub("", fold(text)) if char.isalnum())


def _is_yes_or_no(question: str) -> bool:
    return bool(
        re.match(
            r"\W*(?:is|are|was|were|am|do|does|did|can|have|has)\b|.*(?:吗|是不是|有没有)", question, re.I
        )
    )


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
