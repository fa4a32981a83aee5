"""Drafts with one false sentence each, made by rule from question-answering data: the cases of `repair`.

A case holds sound sentences of a document, rewritten as a good chat model writes them (`rewrites`), and one
faulty sentence. A fault whose falsehood is doubtful is refused. It knows nothing of the critic, and it runs
no part of the agent. Deterministic for a seed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import zip_longest
from random import Random

from evals.data import Row
from evals.metrics import contains
from evals.rewrites import (
    MONTHS,
    chinese_numeral,
    digits_span,
    exact_numbers,
    is_traditional,
    is_vague,
    joined,
    led_in,
    lowered,
    rewritings,
    trimmed,
)
from retrieval.split import sentences
from retrieval.tokens import STOP_WORDS, is_chinese, lexical_tokens
from tools.dates import find_dates
from tools.numbers import find_numbers

DETERMINISTIC = ("number", "date", "name", "speaker", "negation", "unit", "swap", "link")
KINDS = (*DETERMINISTIC, "addition", "off-topic", "none")
PER_KIND = 120  # cases of one kind in one language, where the data allow it
SOUND = 2  # sound sentences beside the faulty one


@dataclass(frozen=True)
class Case:
    """One draft: `faulty`, made from the sound sentence `replaced`, and the sound ones beside it."""

    id: str
    lang: str
    kind: str
    question: str
    doc_id: str
    start: int
    end: int
    """Span in the document of the sentence that the faulty one was made from."""
    gold: str
    """The text of that span."""
    sound: tuple[str, ...]
    varieties: tuple[str, ...]
    """How each sound sentence was rewritten."""
    origins: tuple[str, ...]
    """The verbatim text that each sound sentence says."""
    faulty: str
    """Empty for a case of the kind "none". A mark such as [97] in it stands for its citation."""
    replaced: str


@dataclass(frozen=True)
class Place:
    """A sentence in its document, with what a fault may be made of."""

    row: Row
    document: Row
    spans: list[tuple[int, int]]
    at: int
    corpus: Corpus

    @cached_property
    def text(self) -> str:
        return self.said(self.at)

    @property
    def source(self) -> str:
        return str(self.document["text"])

    def said(self, n: int) -> str:
        return " ".join(self.source[slice(*self.spans[n])].split())

    def is_new(self, phrase: str) -> bool:
        """Whether none of the words of a phrase stands in the document (for Chinese: no two in a row)."""
        folded = f"{self.document['title']} {self.source}".casefold()
        if is_chinese(phrase):
            return not any(phrase[n : n + 2] in folded for n in range(max(1, len(phrase) - 1)))
        return not any(word in folded for word in re.findall(r"\w{3,}", phrase.casefold()))


@dataclass(frozen=True)
class Corpus:
    """All documents, and the names and sentences that faults borrow from them."""

    chinese: bool
    common: frozenset[str]
    """Words that stand in small letters somewhere."""
    names: dict[str, list[str]] = field(default_factory=dict)
    """Names by their type."""
    others: list[tuple[str, str]] = field(default_factory=list)
    """(title, sentence) of short sentences that stand on their own feet."""


Fault = Callable[[str, Place, Random], Iterator[str]]


def cases(questions: Sequence[Row], corpus: Sequence[Row], seed: int = 0) -> Iterator[Case]:
    """The cases of one language, the kinds taking turns. `questions`: unanswerable ones are left out."""
    rng = Random(seed)
    read = _read_corpus(corpus)
    documents = {row["doc_id"]: row for row in corpus}
    asked = [row for row in questions if row["answerable"] and row["doc_id"] in documents]
    rng.shuffle(asked)
    gold = [place for row in asked if (place := _gold(row, documents[row["doc_id"]], read))]
    near = [Place(p.row, p.document, p.spans, n, read) for p in gold for n in (p.at + 1, p.at - 1, p.at + 2)
            if 0 <= n < len(p.spans) and _whole(p.said(n))]  # fmt: skip
    used: set[tuple[str, int]] = set()
    made: dict[str, list[Case]] = {}
    # The kinds that fewest sentences allow choose first.
    for kind in ("unit", "speaker", "swap", "date", "negation", "number", "name", "link", "addition",
                 "off-topic", "none"):  # fmt: skip
        made[kind] = list(_of_kind(kind, gold + near, used, rng))
    for turn in zip_longest(*(made[kind] for kind in KINDS)):
        yield from (case for case in turn if case)


def _of_kind(kind: str, places: Sequence[Place], used: set[tuple[str, int]], rng: Random) -> Iterator[Case]:
    """Up to `PER_KIND` cases: fresh sentences first, and only if these do not suffice those used before."""
    count = 0
    own: set[tuple[str, int]] = set()
    faults: tuple[Fault, ...] = FAULTS.get(kind, ())
    for fresh, fault in ((fresh, fault) for fault in faults or (_nothing,) for fresh in (True, False)):
        for place in places:
            key = (place.document["doc_id"], place.at)
            if count == PER_KIND:
                return
            if key in own or (fresh and key in used):
                continue
            case = _case(kind, fault, place, rng)
            if case:
                own.add(key)
                used.add(key)
                count += 1
                yield case


def _case(kind: str, fault: Fault, place: Place, rng: Random) -> Case | None:
    base = place.text
    light = [*trimmed(base), *led_in(base)]
    if light and kind not in ("off-topic", "none") and rng.random() < 0.3:
        base = rng.choice(light)
    faulty = next((said for said in fault(base, place, rng) if said != base), None)
    if faulty is None:
        return None
    beside = _sound(place, rng, with_gold=kind == "none")
    if not beside:
        return None
    start, end = place.spans[place.at]
    return Case(
        id=f"{place.row['id']}:{place.at}:{kind}",
        lang="zh" if place.corpus.chinese else "en",
        kind=kind,
        question=place.row["question"],
        doc_id=place.document["doc_id"],
        start=start,
        end=end,
        gold=place.source[start:end],
        sound=tuple(said for _, said, _ in beside),
        varieties=tuple(variety for variety, _, _ in beside),
        origins=tuple(origin for _, _, origin in beside),
        faulty=faulty,
        replaced=base if faulty else "",
    )


def _sound(place: Place, rng: Random, with_gold: bool) -> list[tuple[str, str, str]]:
    """(variety, sentence, what it says) of neighbours of a sentence, and of itself where it is sound."""
    beside = [
        n for n in (place.at - 1, place.at + 1, place.at + 2, place.at - 2) if 0 <= n < len(place.spans)
    ]
    chosen = [n for n in beside if _whole(place.said(n))][:SOUND]
    if with_gold:
        chosen = [place.at, *chosen[:1]]
    found = []
    for n in chosen:
        start, end = place.spans[n]
        options = [(variety, said, place.source[start:end]) for variety, said in rewritings(place.said(n))]
        if n + 1 < len(place.spans) and n + 1 != place.at and n != place.at and _whole(place.said(n + 1)):
            both = place.source[start : place.spans[n + 1][1]]
            options += [("joined", said, both) for said in joined(place.said(n), place.said(n + 1))]
        by_variety: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
        for option in options:
            by_variety[option[0]].append(option)
        # A variety that seldom fits is taken where it does, so that each is seen often enough.
        rare = [v for v in by_variety if v not in ("verbatim", "lead-in", "joined")]
        pool = rare if rare and rng.random() < 0.7 else list(by_variety)
        found.append(rng.choice(by_variety[rng.choice(pool)]))
    return found


def _gold(row: Row, document: Row, corpus: Corpus) -> Place | None:
    """The sentence that holds a reference answer and shares most words with the question."""
    spans = sentences(document["text"])
    wanted = _words(row["question"])
    holding = [
        n for n, (start, end) in enumerate(spans) if contains(document["text"][start:end], row["answers"])
    ]
    if not holding:
        return None
    at = max(holding, key=lambda n: (len(wanted & _words(document["text"][slice(*spans[n])])), -n))
    place = Place(row, document, spans, at, corpus)
    return place if _whole(place.text) else None


@lru_cache(maxsize=1024)
def _words(text: str) -> frozenset[str]:
    return frozenset(token for token in lexical_tokens(text) if token not in STOP_WORDS)


def _whole(text: str) -> bool:
    """A sentence of ordinary length that begins and ends as one, with nothing open in it."""
    pairs = (("(", ")"), ("（", "）"), ("「", "」"), ("《", "》"), ("“", "”"))
    balanced = all(text.count(a) == text.count(b) for a, b in pairs) and text.count('"') % 2 == 0
    if is_chinese(text):
        return balanced and 10 <= len(text) <= 150 and text.endswith("。") and text[0] not in "，、）」"
    return balanced and 35 <= len(text) <= 330 and bool(re.match(r"[A-Z0-9]", text)) and text[-1] == "."


# --- names --------------------------------------------------------------------------------

_GIVEN = set(
    """
    John James William Robert Charles George Thomas Henry David Michael Richard Joseph Edward Paul Peter Mary
    Elizabeth Anne Margaret Alexander Louis Albert Frederick Francis Martin Nikola Ludwig Karl Johann Heinrich
    Jean Pierre Jacques Antoine Isaac Arthur Walter Frank Harry Jack Daniel Samuel Benjamin Andrew Stephen
    Philip Leonard Max Hans Otto Marie Victoria Helen Ruth Alice Steven Kevin Brian Mark Ronald Donald
    """.split()
)
_TITLES = r"(?:President|King|Queen|Emperor|Prince|Professor|General|Bishop|Sir|Lord|Minister)"
_NOT_NAMES = set(
    """
    The A An In On At It He She They We I This That These Those But And Or As By For From With However Although
    While When After Before During Since Many Most Some Other Both Each All There Their His Her Its One Two Three
    January February March April May June July August September October November December Monday Tuesday
    Wednesday Thursday Friday Saturday Sunday Though Whilst Once Where Also Such Because If To Of God Internet Roman Latin Greek Western Eastern Northern Southern Central Arab Great
    North South East West New Old St Mount Lake River First Second Third World Great Upper Lower Stage Article
    """.split()
) | set(MONTHS)
_DEMONYM = re.compile(
    r"^(?:French|German|English|British|Scottish|Polish|Chinese|American|Japanese|Spanish|Italian|Russian|Dutch"
    r"|European|African|Mongol|Norman|Huguenot|Catholic|Protestant|Christian|Jewish|Muslim|\w+(?:ian|ish|ese|ic|ans|ists?))s?$"
)
_NAME = re.compile(r"(?<!\w)[A-Z][a-zé]{2,}(?: (?:of (?:the )?)?[A-Z][a-zé]{2,}){0,3}")
_PLACES_HANS = (
    "中国 美国 英国 法国 德国 日本 韩国 俄罗斯 印度 意大利 西班牙 葡萄牙 荷兰 瑞典 挪威 芬兰 波兰 埃及 土耳其 伊朗 伊拉克 越南 泰国 "
    "澳大利亚 加拿大 墨西哥 巴西 阿根廷 北京 上海 天津 重庆 广州 深圳 香港 澳门 台湾 南京 杭州 武汉 成都 西安 沈阳 长沙 福州 厦门 "
    "山东 山西 河南 河北 湖南 湖北 广东 广西 四川 云南 贵州 浙江 江苏 安徽 江西 福建 东京 大阪 巴黎 伦敦 柏林 罗马 纽约 莫斯科 首尔"
).split()
_PLACES_HANT = (
    "中國 美國 英國 法國 德國 日本 韓國 俄羅斯 印度 義大利 西班牙 葡萄牙 荷蘭 瑞典 挪威 芬蘭 波蘭 埃及 土耳其 伊朗 伊拉克 越南 泰國 "
    "澳大利亞 加拿大 墨西哥 巴西 阿根廷 北京 上海 天津 重慶 廣州 深圳 香港 澳門 台灣 南京 杭州 武漢 成都 西安 瀋陽 長沙 福州 廈門 "
    "山東 山西 河南 河北 湖南 湖北 廣東 廣西 四川 雲南 貴州 浙江 江蘇 安徽 江西 福建 東京 大阪 巴黎 倫敦 柏林 羅馬 紐約 莫斯科 首爾"
).split()
_PLACE = re.compile("|".join(sorted({*_PLACES_HANS, *_PLACES_HANT}, key=len, reverse=True)))
# Characters that write foreign names; a run of them with a middle dot is one.
_SOUNDS = (
    "阿埃艾安奥奧巴贝貝比彼伯布查达達戴丹德邓迪蒂杜多厄恩尔爾法菲费費弗佛福盖蓋格戈古哈汉漢赫霍基吉加卡凯凱柯科克库庫拉莱萊兰蘭劳勞雷里理利林"
    "卢盧鲁魯罗羅洛马馬麦麥曼梅米蒙莫默姆穆纳納内內尼诺諾努欧歐帕佩皮普奇乔喬切琼瓊萨薩塞瑟森沙史斯司斯苏蘇索塔泰坦汤湯特提图圖托瓦威韦韋维維温溫沃乌烏西希锡錫夏肖谢謝休雅亚亞扬叶伊尤约約詹珍朱兹茲佐"
)
_FOREIGN = re.compile(f"[{_SOUNDS}]{{1,6}}(?:[·‧・•][{_SOUNDS}]{{1,7}})+")
_WORK = re.compile(r"《[^《》]{2,12}》")
_PEOPLE_HANS = "王建国 李明辉 张伟民 刘志强 陈晓东 赵文华 黄国栋 周永康 吴家豪 孙立群 胡志明 林美玲 何俊杰 罗文彬 梁淑芬".split()
_PEOPLE_HANT = "王建國 李明輝 張偉民 劉志強 陳曉東 趙文華 黃國棟 周永年 吳家豪 孫立群 胡志遠 林美玲 何俊傑 羅文彬 梁淑芬".split()


_NOT_A_PLACE = re.compile("[人文语語话話史軍军队隊大府政共产產籍式菜族省市縣县路洋海南方裔教]")
_PART_OF_A_PLACE = re.compile("[东東西南北中大小驻駐新亲親反抗留访訪全]$")
_BEFORE_A_PERSON = re.compile("(?:^|[^\u3400-\u9fff]|[和与與由的是員员手家師师授])$")
_AFTER_A_PERSON = re.compile("[^\u3400-\u9fff·‧・]|[的在和与與是於于曾說说及]|$")
_NAME_GOES_ON = re.compile(r"[-–’'/]|\s?&|\w|\.\w|\s\d|,? (?:Jr|II)| (?:de|von|van|da|di|of|[A-Z])")
_NAME_BEGAN_BEFORE = re.compile(r"(?:[-–’'/]|& |[A-Z]\.? |[A-Z][a-z]+\.? )$")


def find_names(text: str, chinese: bool, common: Set[str] = frozenset()) -> list[tuple[int, int, str]]:
    """(start, end, type) of the names of a sentence that can be told for sure; few, not all.

    `common`: words that the corpus also writes in small letters, so that alone they are no names.
    """
    return sorted(_names_zh(text)) if chinese else list(_names_en(text, common))


def _names_zh(text: str) -> Iterator[tuple[int, int, str]]:
    for match in _PLACE.finditer(text):
        if not _NOT_A_PLACE.match(text, match.end()) and not _PART_OF_A_PLACE.search(text[: match.start()]):
            yield match.start(), match.end(), "place"
    for match in _FOREIGN.finditer(text):
        if _BEFORE_A_PERSON.search(text[: match.start()]) and _AFTER_A_PERSON.match(text, match.end()):
            yield match.start(), match.end(), "person"
    for match in _WORK.finditer(text):
        yield match.start(), match.end(), "work"


def _names_en(text: str, common: Set[str]) -> Iterator[tuple[int, int, str]]:
    for match in _NAME.finditer(text):
        words, before = match.group().split(), text[: match.start()]
        plain = words[0] in _NOT_NAMES or (len(words) == 1 and words[0].lower() in common)
        if plain or not before or _DEMONYM.match(words[0]) or _DEMONYM.match(words[-1]):
            continue
        if _NAME_GOES_ON.match(text, match.end()) or _NAME_BEGAN_BEFORE.search(before):
            continue
        person = words[0] in _GIVEN and len(words) in (2, 3) and "of" not in words
        person = person or bool(re.search(rf"{_TITLES} $", before))
        placed = re.search(r"\b(?:in|from|near|at) $", before) and len(words) == 1
        yield (
            match.start(),
            match.end(),
            "person" if person else "place" if placed else f"name of {len(words)}",
        )


def _read_corpus(rows: Sequence[Row]) -> Corpus:
    chinese = sum(is_chinese(row["text"]) for row in rows) > len(rows) / 2
    common = set(re.findall(r"\b[a-z]+\b", " ".join(row["text"] for row in rows)))
    names: dict[str, dict[str, None]] = defaultdict(dict)
    others: list[tuple[str, str]] = []
    for row in rows:
        for start, end in sentences(row["text"]):
            text = " ".join(row["text"][start:end].split())
            for begin, stop, kind in find_names(text, chinese, common):
                names[kind].setdefault(text[begin:stop])
            if _whole(text) and len(text) <= (45 if chinese else 130) and not _LEANS.match(text):
                others.append((row["title"], text))
    return Corpus(chinese, frozenset(common), {kind: list(found) for kind, found in names.items()}, others)


_LEANS = re.compile(
    "(?:It|He|She|They|This|That|These|Those|His|Her|Their|Its|However|But|And|Also|Such|There|One|Another|For"
    "|In addition|Other|Both|Some|Moreover|Therefore|Thus|As)\\b|[他她它其此该該这這那但而并並也亦又同因所之另]|不过|不過|后来|後來|由于|由於"
)


def _another(kind: str, place: Place, rng: Random, text: str) -> str | None:
    """A name of a type that does not stand in the document, in the script of the text."""
    pool = place.corpus.names.get(kind, [])
    if place.corpus.chinese and kind == "place":
        pool = _PLACES_HANT if is_traditional(place.source) else _PLACES_HANS
    if place.corpus.chinese and kind == "person" and len(pool) < 5:
        return None
    good = [name for name in pool if place.is_new(name)]
    return rng.choice(good) if good else None


# --- faults -------------------------------------------------------------------------------


def name(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A name by one of its type from another document; no part of it stands in this one."""
    found = find_names(text, place.corpus.chinese, place.corpus.common)
    rng.shuffle(found)
    for start, end, kind in found:
        new = _another(kind, place, rng, text)
        if new and text.count(text[start:end]) == 1:
            yield text[:start] + new + text[end:]


def number(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A number by another value: next to it, its digits exchanged, tenfold, or another altogether."""
    known = {n.value for n in find_numbers(place.source)}
    found = exact_numbers(text)
    rng.shuffle(found)
    for one in found:
        if is_vague(text, one.start, one.end) or one.value != int(one.value) or one.value > 10**9:
            continue
        value = int(one.value)
        options = [
            value + 1,
            value - 1,
            value * 10,
            round(value * rng.choice((0.4, 0.6, 1.7, 2.6))),
            _exchanged(value),
        ]
        if one.unit == "%":
            options = [v for v in options if v <= 100]
        rng.shuffle(options)
        for new in options:
            if new > 1 and new != value and new not in known:
                written = _as_written(text, one.start, one.end, new)
                if written:
                    yield text[: one.start] + written + text[one.end :]


def _exchanged(value: int) -> int:
    digits = str(value)
    for n in range(len(digits) - 1):
        if digits[n] != digits[n + 1] and digits[n + 1] != "0":
            return int(digits[:n] + digits[n + 1] + digits[n] + digits[n + 2 :])
    return value + 3


_SMALL = "zero one two three four five six seven eight nine ten eleven twelve".split()


def _as_written(text: str, start: int, end: int, value: int) -> str | None:
    """A value in the notation of the number at text[start:end], its unit kept."""
    one = next(n for n in find_numbers(text) if n.start == start)
    said, span = text[start:end], digits_span(text, one)
    if span:
        digits = text[slice(*span)]
        new = (
            f"{value:,}"
            if "," in digits or (value >= 10000 > one.value and not is_chinese(text))
            else str(value)
        )
        if any("０" <= c <= "９" for c in digits):
            new = "".join(chr(ord(c) + 0xFEE0) if c.isdigit() else c for c in new)
        return said.replace(digits, new, 1)
    word = re.match(r"[a-z]+(?=\s|$)", said)
    if word and word.group() in _SMALL:
        return (_SMALL[value] if value < len(_SMALL) else str(value)) + said[word.end() :]
    numeral = re.match(r"[一二两兩三四五六七八九十百千零]+(?![万萬亿億分])", said)
    return chinese_numeral(value) + said[numeral.end() :] if numeral and value < 10000 else None


_BOUND = re.compile(r"(?:before|by|until|till|prior to|between|after|since|than|c\.|circa|around|about|mid-?|early|late)\W*(?:\w+ )?$", re.IGNORECASE)  # fmt: skip
_BOUND_AFTER = re.compile(r"\s?(?:s\b|年代|之?前|以前|之?后|之?後|以后|以後|以来|以來|左右|代|[-–—~至到])")


def date(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A day, month or year by another that the document does not name."""
    known = find_dates(place.source)
    found = find_dates(text)
    rng.shuffle(found)
    for one in found:
        if _BOUND.search(text[: one.start]) or _BOUND_AFTER.match(text, one.end):
            continue
        said = text[one.start : one.end]
        parts = [p for p in ("year", "month", "day") if getattr(one, p)]
        rng.shuffle(parts)
        for part in parts:
            new = _other_date(said, part, int(getattr(one, part)), rng)
            changed = text[: one.start] + (new or said) + text[one.end :]
            moved = [d for d in find_dates(changed) if d.start == one.start]
            if moved and all(getattr(moved[0], part) != getattr(d, part) for d in known):
                yield changed


def _other_date(said: str, part: str, value: int, rng: Random) -> str | None:
    step = rng.choice((-9, -4, -2, -1, 1, 2, 3, 6, 10))
    if part == "year":
        return said.replace(str(value), str(value + step), 1) if str(value) in said else None
    if part == "month":
        new = (value - 1 + step) % 12 + 1
        if MONTHS[value - 1] in said:
            return said.replace(MONTHS[value - 1], MONTHS[new - 1])
        return re.sub(rf"(?<!\d){value}(?=月)", str(new), said)
    new = (value - 1 + step) % 28 + 1
    return re.sub(rf"(?<!\d){value}(?=[日号號]|,| [A-Z]|$)", str(new), said)


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
            _NO_SAYER.search(said) if chinese else said in _NOT_NAMES or said.split()[0] in _NOT_NAMES
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
    own = (_PEOPLE_HANT if is_traditional(place.source) else _PEOPLE_HANS) if chinese else []
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


_UNITS_EN = {
    "kilometres": "miles", "kilometers": "miles", "km": "miles", "miles": "kilometres", "metres": "feet",
    "meters": "feet", "m": "feet", "feet": "metres", "ft": "m", "million": "billion", "billion": "million",
    "acres": "square miles", "hectares": "square miles", "square kilometres": "square miles", "square miles": "acres",
    "sq mi": "acres", "%": "‰", "percent": "per thousand", "per cent": "per thousand", "years": "months",
    "months": "years", "days": "weeks", "weeks": "days", "hours": "minutes", "minutes": "hours", "seconds": "minutes",
    "centuries": "decades", "decades": "centuries", "tons": "kilograms", "tonnes": "kilograms", "pounds": "tons",
    "inches": "feet", "°C": "°F", "°F": "°C", "MHz": "kHz", "mm": "cm", "cm": "mm", "kg": "tons", "dollars": "euros",
    "thousand": "million", "degrees Celsius": "degrees Fahrenheit",
}  # fmt: skip
_UNITS_ZH = {
    "平方公里": "平方米", "公里": "公尺", "千米": "米", "公尺": "公里", "米": "公里", "厘米": "米", "公顷": "平方公里",
    "公頃": "平方公里", "万": "亿", "亿": "万", "萬": "億", "億": "萬", "%": "‰", "％": "‰", "小时": "分钟", "小時": "分鐘",
    "分钟": "小时", "分鐘": "小時", "公斤": "吨", "吨": "公斤", "噸": "公斤", "美元": "欧元", "英镑": "美元", "日元": "美元",
    "天": "个月", "个月": "年", "個月": "年", "摄氏度": "华氏度", "毫米": "厘米", "英里": "公里", "英尺": "米", "岁": "个月",
    "世纪": "年代", "光年": "公里", "元": "万元",
}  # fmt: skip
del _UNITS_ZH["世纪"]
_MONEY = {"$": "£", "£": "€", "€": "$"}


def unit(text: str, place: Place, rng: Random) -> Iterator[str]:
    """The unit, the scale or the currency of a number by another; the number stays."""
    table = _UNITS_ZH if place.corpus.chinese else _UNITS_EN
    names = "|".join(map(re.escape, sorted(table, key=len, reverse=True)))
    digits = r"(?<![\w.,])[$€£]?(?P<value>\d[\d,.]*\d|\d|(?:two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty)|[二两兩三四五六七八九十百千]+)"
    if place.corpus.chinese:
        digits = r"(?<![数數几幾])(?P<value>[\d０-９][\d,.，．０-９]*|(?<![一二三四五六七八九十])[二两兩三四五六七八九十百千]{1,6})"
    found = list(
        re.finditer(
            rf"{digits}(?P<gap>[ -]?)(?P<unit>{names})(?![A-Za-z])(?![\d克分万萬亿億多余餘]|以上|方公|左右)",
            text,
        )
    )
    rng.shuffle(found)
    for match in found:
        if is_vague(text, match.start(), match.end()) or match["value"].strip("0.") == "":
            continue
        new = table[match["unit"]]
        if match["gap"] == "-" or f"{match['value']}{match['gap']}{new}" in place.source:
            continue
        written = text[: match.start("unit")] + new + text[match.end("unit") :]
        yield written if new[0] != "‰" or match["gap"] == "" else written.replace(" ‰", "‰")
    for match in re.finditer(r"[$£€](?=\d)", text):
        if not is_vague(text, match.start(), match.start()):
            yield text[: match.start()] + _MONEY[match.group()] + text[match.end() :]


_SYMMETRIC = re.compile(
    r"\bbetween\b|\bboth\b|\bmet\b|\bmarried|\bequal|\brespectively|\bsame\b|之间|之間|相互|互相|同时|分别|分別|邻|鄰|结婚|結婚|同",
    re.IGNORECASE,
)
_ALIAS = re.compile(r"known|called|named|alias|formerly|i\.e\.|\(|（|又|即|称|稱|简|簡|原名|也叫|别|別")


def swap(text: str, place: Place, rng: Random) -> Iterator[str]:
    """Two names, years or quantities of one type in the sentence, exchanged."""
    if _SYMMETRIC.search(text):
        return
    pairs = []
    for parts in _like_parts(text, place.corpus):
        pairs += [(a, b) for n, a in enumerate(parts) for b in parts[n + 1 :]]
    rng.shuffle(pairs)
    for (a, b), (c, d) in pairs:
        between, first, second = text[b:c], text[a:b], text[c:d]
        if b >= c or first == second or _ALIAS.search(between) or in_one_list(between):
            continue
        if text.count(first) == text.count(second) == 1 and not set(first.split()) & set(second.split()):
            yield text[:a] + second + between + first + text[d:]


def in_one_list(between: str) -> bool:
    """Whether two things with this text between them may be items of one list: exchanged, nothing changes."""
    if is_chinese(between):
        return len(between) < 4 or ("、" in between and not re.search("[，；。]", between))
    words = [
        w
        for w in re.findall(r"\b[a-z]+\b", between)
        if w not in ("and", "or", "the", "of", "a", "to", "as", "well", "am", "la", "le", "de")
    ]
    return len(words) < (2 if "," in between or " and " in between or " or " in between else 1)


def swap_in_passage(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A year or a quantity by another of its type from a different sentence of the same document."""
    elsewhere = [place.said(n) for n in range(len(place.spans)) if n != place.at]
    for found, others in zip(
        _values(text),
        zip(*(_values(said) for said in elsewhere), strict=True) if elsewhere else ((), ()),
        strict=True,
    ):
        pool = [said[a:b] for spans, said in zip(others, elsewhere, strict=True) for a, b in spans]
        for a, b in found:
            good = [value for value in pool if value not in text and _type(value) == _type(text[a:b])]
            bound = _BOUND.search(text[:a]) or _BOUND_AFTER.match(text, b) or is_vague(text, a, b)
            if good and not bound:
                yield text[:a] + rng.choice(good) + text[b:]


def _values(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Spans of the dates, and of the exact numbers with their units."""
    dates = [
        (d.start, d.end)
        for d in find_dates(text)
        if d.year
        and not re.search("[-–—~至到]$", text[: d.start])
        and not re.match("[-–—~至到]", text[d.end :])
    ]  # the ends of a range are told by their order
    return dates, [(n.start, n.end) for n in exact_numbers(text)]


def _type(value: str) -> str:
    """What of a value must be alike for it to stand in another's place: the parts of a date, or the unit."""
    dates = find_dates(value if "年" in value else f"in {value}")
    if dates and dates[0].year:
        return f"date {dates[0].month is None} {dates[0].day is None}"
    found = find_numbers(value)
    return (found[0].unit or "plain") + str(bool(re.match(r"\d", value))) if found else "none"


def _like_parts(text: str, corpus: Corpus) -> Iterator[list[tuple[int, int]]]:
    by_type: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for start, end, kind in find_names(text, corpus.chinese, corpus.common):
        by_type[kind].append((start, end))
    for spans in _values(text):
        for start, end in spans:
            by_type[_type(text[start:end])].append((start, end))
    yield from by_type.values()


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


_CAUSES_EN = (
    "because the local authorities had asked for it", "which led to a sharp fall in prices",
    "after a long dispute with the neighbouring towns", "which made it the subject of a popular novel",
    "because earlier attempts had failed", "which later became a model for schools abroad",
    "which surprised most observers at the time", "thanks to a gift from a wealthy merchant",
    "which caused lasting anger among farmers", "because the weather had been unusually mild",
)  # fmt: skip
_CAUSES_ZH = (
    "因为当地商会曾多次提出要求", "这导致物价大幅下跌", "从而引发了农民的强烈不满", "并因此被写进一部畅销小说", "主要得益于一位富商的捐款",
    "因为此前的几次尝试都失败了", "后来成为国外学校的范例", "这让当时的多数观察家感到意外",
)  # fmt: skip
_CAUSES_HANT = (
    "因為當地商會曾多次提出要求", "這導致物價大幅下跌", "從而引發了農民的強烈不滿", "並因此被寫進一部暢銷小說", "主要得益於一位富商的捐款",
    "因為此前的幾次嘗試都失敗了", "後來成為國外學校的範例", "這讓當時的多數觀察家感到意外",
)  # fmt: skip


def addition(text: str, place: Place, rng: Random) -> Iterator[str]:
    """A clause of another document, or an invented cause or effect, at the end of a sound sentence."""
    chinese = place.corpus.chinese
    other = _elsewhere(place, rng)
    invented = _CAUSES_EN if not chinese else _CAUSES_HANT if is_traditional(place.source) else _CAUSES_ZH
    clause = rng.choice(invented)
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
    own = _words(place.source)
    script = is_traditional(place.source)
    for _ in range(30):
        title, said = rng.choice(place.corpus.others)
        words = _words(said)
        same = place.corpus.chinese and is_traditional(said) != script
        if title != place.document["title"] and len(words & own) <= len(words) * 0.25 and not same:
            return said
    return None


def _nothing(text: str, place: Place, rng: Random) -> Iterator[str]:
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
