"""The rules that make a sentence false: one for each kind of fault; doubtful falsehoods are refused.

Those of numbers, dates and units are in `value_faults`. It knows nothing of the critic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from random import Random

from evals.names import NOT_NAMES, PEOPLE_HANS, PEOPLE_HANT, PLACES_HANS, PLACES_HANT, find_names
from evals.places import Place, words_of
from evals.rewrites import is_traditional, lowered
from evals.value_faults import date, number, swap, swap_in_passage, unit

Fault = Callable[[str, Place, Random], Iterator[str]]


def name(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A name by one of its type from another document; no part of it stands in this one."""
    found = find_names(text, place.corpus.chinese, place.corpus.common)
    rng.shuffle(found)
    for start, end, kind in found:
        new = _another(kind, place, rng, text)
        if new and text.count(text[start:end]) == 1:
            yield text[:start] + new + text[end:]


def _another(kind: str, place: Place, rng: Random, text: str) -> str | None:
    """A name of a type that does not stand in the document, in the script of the text."""
    pool = place.corpus.names.get(kind, [])
    if place.corpus.chinese and kind == "place":
        pool = PLACES_HANT if is_traditional(place.source) else PLACES_HANS
    if place.corpus.chinese and kind == "person" and len(pool) < 5:
        return None
    good = [name for name in pool if place.is_new(name)]
    return rng.choice(good) if good else None


_SAYING = (
    r"(?:said|argued|stated|claimed|wrote|suggested|proposed|believed|noted|announced|concluded|reported)"
)
_SAYER_EN = re.compile(rf"(?P<name>(?:[A-Z][\w.]+ ){{0,3}}[A-Z]\w+)(?=,? (?:also |later )?{_SAYING}\b)|(?<=ccording to )(?P<by>(?:[A-Z]\w+ ){{0,3}}[A-Z]\w+)")  # fmt: skip
_SAYER_ZH = re.compile(
    "(?:^|(?<=[，；]))(?P<name>[\u3400-\u9fff·‧]{2,9}?)(?=[就也曾则則还還亦]?(?:表示|认为|認為|指出|声称|聲稱|宣布|宣佈|主张|主張|批评|批評|解释|解釋|建议|建議|说[：，]|說[：，]))"
)
_NO_SAYER = re.compile(
    "被|有|用|以|并|並|对|對|向|因|所|虽|雖|而|但|同时|同時|之后|之後|然|也|在|将|將|让|讓|使|为|為|是|的$|普遍$|则|則|则多|发|發|可|不|又|都|还|還|後|后|仍|来|來"
)


def speaker(text: str, place: Place, rng: Random) -> Iterator[str]:
    """Who said it, replaced by a person whom the document does not name."""
    chinese = place.corpus.chinese
    for match in (_SAYER_ZH if chinese else _SAYER_EN).finditer(text):
        new = _person(place, rng)
        said = match.group()
        if not new or (
            _NO_SAYER.search(said) if chinese else said in NOT_NAMES or said.split()[0] in NOT_NAMES
        ):
            continue
        yield text[: match.start()] + new + text[match.end() :]


def invented_speaker(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A statement of the document's own, put into somebody's mouth."""
    new = _person(place, rng)
    said = re.compile(
        _SAYING
        + r"|(?i:\baccording\b)|\b(?:says?|believes?|told|called)\b|[“\"]|说|說|认|認|称|稱|表示|指出|据|據|文中|中提|「|“"
    )
    if (
        not new
        or said.search(text)
        or re.match(r"(?:However|But|And|Thus|The passage|As the)\b|[但而因所此另]", text)
    ):
        return
    if place.corpus.chinese:
        by = rng.choice(
            ("{}表示，", "{}說，", "據{}所說，")
            if is_traditional(place.source)
            else ("{}表示，", "{}说，", "据{}所说，")
        )
        yield by.format(new) + text
    else:
        yield rng.choice(("According to {}, ", "{} said that ", "{} argued that ")).format(new) + lowered(
            text
        )


def _person(place: Place, rng: Random) -> str | None:
    chinese = place.corpus.chinese
    own = (PEOPLE_HANT if is_traditional(place.source) else PEOPLE_HANS) if chinese else []
    pool = [
        n for n in [*own, *place.corpus.names.get("person", [])] if place.is_new(n) and (chinese or " " in n)
    ]
    return rng.choice(pool) if pool else None


# Under these a sentence and its negation can both be true, or the negation reaches elsewhere.
_NO_NEGATION_EN = re.compile(
    r"\b(?:some|many|most|several|few|often|sometimes|usually|generally|typically|one|any|each|every|all|both|may"
    r"|might|could|should|would|if|whether|unless|until|never|no|nor|neither|none|cannot|without|hardly|rarely|few"
    r"|only|either|until|other|others|partly|mainly|mostly|largely|rather|n't)\b", re.IGNORECASE
)  # fmt: skip
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|can|will|must|has been|have been|had been|did|does)\b(?! (?:not|to|only|just|also|even|it|there|the most)\b)"
)
_NOT_EN = re.compile(r"\b(is|are|was|were|can|will|did|does|has|have|had|could|must) ?not (?!only|until|just|necessarily|all|always|yet|to\b|the)")  # fmt: skip
_ZH_NEGATIONS = (
    ("位于", "不位于"), ("位於", "不位於"), ("属于", "不属于"), ("屬於", "不屬於"), ("包括", "不包括"),
    ("可以", "不可以"), ("能够", "不能够"), ("能夠", "不能夠"), ("获得了", "没有获得"), ("獲得了", "沒有獲得"),
    ("成为", "没有成为"), ("成為", "沒有成為"), ("出生于", "并非出生于"), ("出生於", "並非出生於"), ("毕业于", "并非毕业于"),
    ("担任", "没有担任"), ("擔任", "沒有擔任"), ("参加了", "没有参加"), ("參加了", "沒有參加"),
    ("采用", "没有采用"), ("採用", "沒有採用"), ("发现了", "没有发现"), ("發現了", "沒有發現"), ("是", "不是"),
)  # fmt: skip
_ZH_DENIALS = (
    ("没有", "有"), ("沒有", "有"), ("不是", "是"), ("并非", "是"), ("並非", "是"), ("不能", "能"), ("未能", "成功"),
    ("无法", "能够"), ("無法", "能夠"), ("不再", "仍然"), ("不需要", "需要"), ("不会", "会"), ("不會", "會"),
)  # fmt: skip
_NO_NEGATION_ZH = re.compile(
    "不|没|沒|无|無|非|未|否|一些|有些|部分|部份|大多|多数|多數|许多|許多|很多|常|往往|可能|一般|或|只|仅|僅|都|也|各|每|如果|若|才|还|還|之一|有的|尤其|特别|特別|就|但"
)


def negation(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A negation removed, or one added to the main verb of a statement without quantifiers."""
    if place.corpus.chinese:
        yield from _negation_zh(text)
        return
    denial = _NOT_EN.search(text)
    if denial and len(re.findall(r"\b(?:not|no|never|nor|until|but|any|either|yet)\b", text)) == 1:
        yield text[: denial.start()] + denial[1] + " " + text[denial.end() :]
        return
    match = _AUXILIARY.search(text)
    if not match or _NO_NEGATION_EN.search(text):
        return
    before, after = text[: match.start()], text[match.end() :]
    if (
        re.search(r"\b(?:who|which|that|what|when|where|as|while|because|than)\b|[:;\"“]", before)
        or len(before.split()) > 10
    ):
        return
    if (
        match.group() in ("did", "does")
        or not re.match(r" [a-z]", after)
        or re.search(r"\bthere $", before, re.I)
    ):
        return
    said = match.group()
    negated = (
        "cannot"
        if said == "can"
        else said.replace(" been", " not been")
        if " been" in said
        else f"{said} not"
    )
    yield before + negated + after


def _negation_zh(text: str) -> Iterator[str]:
    for old, new in _ZH_DENIALS:
        rest = text.replace(old, "", 1)
        if text.count(old) == 1 and not re.search("不|没|沒|无|無|非|未|但|任何|之一|只", rest):
            if not re.search("有没有|有沒有|是不是|能不能|如果|若|因", text):
                yield text.replace(old, new)
            return
    if _NO_NEGATION_ZH.search(text):
        return
    for old, new in _ZH_NEGATIONS:
        at = text.find(old)
        if text.count(old) != 1 or at <= 0 or re.match(r"了|过|過|[，。、]", text[at + len(old) :]):
            continue
        glued = old == "是" and (
            re.search("[而於于总總要凡别別更正算国國像便]$", text[:at])
            or re.match("由|因|以|為了|为了", text[at + 1 :])
        )
        # "成为……的人" inside an attribute is no statement of its own.
        attribute = old in ("成为", "成為", "包括", "可以") and "的" in text[at:].split("，")[0]
        if (
            not glued
            and not attribute
            and not re.search("[曾将將被能会會使让讓以想为為来來后後隶隸附有]$", text[:at])
        ):
            yield text.replace(old, new)


_LINKS_EN = (
    " (https://www.{slug}-archive.org/{n})", " (doi:10.10{n}/j.{slug}.2014.03.0{n})", " (see section {a}.{b})",
    " (see Table {a})", ", as shown in {slug}_report_{n}.pdf", ", as explained at https://{slug}.info/facts",
    " [{n}]", " [{n}]",
)  # fmt: skip
_LINKS_ZH = (
    "（https://www.{slug}-archive.cn/{n}）", "（doi:10.10{n}/j.{slug}.2014.03.0{n}）", "（详见第{a}.{b}节）", "（见附表{a}）",
    "，详见{slug}_report_{n}.pdf", "，详细说明见https://{slug}.info/facts", "[{n}]", "[{n}]",
)  # fmt: skip
_TO_HANT = str.maketrans("详见节说参", "詳見節說參")
_SLUGS = ("northgate", "lumen", "civitas", "meridian", "datavault", "openrecords", "halden", "quercus")


def link(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A web address, DOI, file, section, table or citation number that no source holds."""
    chinese = place.corpus.chinese
    made = rng.choice(_LINKS_ZH if chinese else _LINKS_EN)
    if chinese and is_traditional(place.source):
        made = made.translate(_TO_HANT)
    made = made.format(
        slug=rng.choice(_SLUGS), n=rng.randint(57, 99), a=rng.randint(3, 9), b=rng.randint(1, 6)
    )
    if text[-1] in ".。" and not re.search(r"section \d|Table \d|https?:|doi:|\.pdf|[第表]\d", place.source):
        yield text[:-1] + made + text[-1]


# What the verifier was trained on (`TRAINING`), and, apart from it, what it is measured by.
_TRAINED_EN = (
    "because the local authorities had asked for it", "which led to a sharp fall in prices",
    "after a long dispute with the neighbouring towns", "which made it the subject of a popular novel",
    "because earlier attempts had failed", "which later became a model for schools abroad",
    "which surprised most observers at the time", "thanks to a gift from a wealthy merchant",
    "which caused lasting anger among farmers", "because the weather had been unusually mild",
)  # fmt: skip
_TRAINED_ZH = (
    "因为当地商会曾多次提出要求", "这导致物价大幅下跌", "从而引发了农民的强烈不满", "并因此被写进一部畅销小说", "主要得益于一位富商的捐款",
    "因为此前的几次尝试都失败了", "后来成为国外学校的范例", "这让当时的多数观察家感到意外",
)  # fmt: skip
_TRAINED_HANT = (
    "因為當地商會曾多次提出要求", "這導致物價大幅下跌", "從而引發了農民的強烈不滿", "並因此被寫進一部暢銷小說", "主要得益於一位富商的捐款",
    "因為此前的幾次嘗試都失敗了", "後來成為國外學校的範例", "這讓當時的多數觀察家感到意外",
)  # fmt: skip


_CAUSES_EN = (
    "in order to reduce the costs of transport", "which delayed its completion by several years",
    "although many residents had voted against it", "which brought the region a steady stream of visitors",
    "since nobody else had been willing to take it on", "and was later copied in several other countries",
    "which drew criticism from the press", "with money that a former pupil had left",
    "which forced two nearby workshops to close", "as the harvest had failed that summer",
)  # fmt: skip
_CAUSES_ZH = (
    "目的是降低运输成本", "结果使完工时间推迟了好几年", "尽管不少居民投票反对", "由此给当地带来了大批游客",
    "因为没有其他人愿意承担", "此后又被好几个国家效仿", "一度遭到媒体批评", "经费来自一位校友的遗产",
)  # fmt: skip
_CAUSES_HANT = (
    "目的是降低運輸成本", "結果使完工時間推遲了好幾年", "儘管不少居民投票反對", "由此給當地帶來了大批遊客",
    "因為沒有其他人願意承擔", "此後又被好幾個國家效仿", "一度遭到媒體批評", "經費來自一位校友的遺產",
)  # fmt: skip


def addition(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A clause of another document, or an invented cause or effect, at the end of a sound sentence."""
    yield from _with_clause(text, place, rng, (_CAUSES_EN, _CAUSES_ZH, _CAUSES_HANT))


def trained_addition(text: str, place: Place, rng: Random) -> Iterator[str]:
    """The same with the causes and effects that are for training."""
    yield from _with_clause(text, place, rng, (_TRAINED_EN, _TRAINED_ZH, _TRAINED_HANT))


def _with_clause(
    text: str, place: Place, rng: Random, causes: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
) -> Iterator[str]:
    chinese = place.corpus.chinese
    other = _elsewhere(place, rng)
    clause = rng.choice(
        causes[0] if not chinese else causes[2] if is_traditional(place.source) else causes[1]
    )
    if other and rng.random() < 0.5:
        clause = other.rstrip("。.") if chinese else "while " + lowered(other[:-1])
    if text[-1] in ".。":
        yield text[:-1] + ("，" if chinese else ", ") + clause + text[-1]


def off_topic(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A true sentence of another document."""
    other = _elsewhere(place, rng)
    if other:
        yield other


def _elsewhere(place: Place, rng: Random) -> str | None:
    """A sentence of a document with another title, of which this document holds next to nothing."""
    own = words_of(place.source)
    script = is_traditional(place.source)
    for _ in range(30):
        title, said = rng.choice(place.corpus.others)
        words = words_of(said)
        same = place.corpus.chinese and is_traditional(said) != script
        if title != place.document["title"] and len(words & own) <= len(words) * 0.25 and not same:
            return said
    return None


def nothing(text: str, place: Place, rng: Random) -> Iterator[str]:
    yield ""


FAULTS: dict[str, tuple[Fault, ...]] = {
    "number": (number,),
    "date": (date,),
    "name": (name,),
    "speaker": (speaker, invented_speaker),
    "negation": (negation,),
    "unit": (unit,),
    "swap": (swap, swap_in_passage),
    "link": (link,),
    "addition": (addition,),
    "off-topic": (off_topic,),
}
TRAINING = {**FAULTS, "addition": (trained_addition,)}
