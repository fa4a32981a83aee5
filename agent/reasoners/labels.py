"""Things told apart by a mark alone: Plan B, Room 12, World War II, GPT-4, 甲公司, 3号楼, 第二章, 方案B.

Words and vectors hardly differ between "Plan A" and "Plan B", so what is said of the one passes for what was
asked of the other. `of_another` says where that is so. A mark is only read beside a noun; what the noun means
is not known, and names that are words ("Team Blue") are not its business.
"""

from __future__ import annotations

import re
from functools import lru_cache

from retrieval.tokens import CJK, STOP_WORDS, fold, has_cjk, simplified, stem
from tools.numbers import parse_chinese

Label = tuple[str, str]
"""The noun, folded, and its mark: a number or a letter."""

_STEMS = "甲乙丙丁戊己庚辛壬癸"
_DIGITS_ZH = "一二三四五六七八九十百"
_MARK_ZH = rf"(?:[0-9]{{1,4}}|[{_DIGITS_ZH}]{{1,4}}|[A-Za-z](?![A-Za-z])|[{_STEMS}])"
# Nouns that a mark makes a name of. With a number before them some are counted (三组数据), which is why a
# mark only ever excludes another mark of the same noun.
_PARTY = (
    "公司|方案|方|组|队|班|厂|店|校|区|楼|座|栋|幢|室|级|型|类|款|线|期|院"
    "|仓|库|房|村|镇|单位|客户|项目|产品|部门|银行|车间|地块|标段|单元"
)
_HEAD = (
    "方案|计划|附件|附录|附表|图|表|版本|类型|选项|案例|实验|试验|样品"
    "|样本|房间|会议室|阶段|步骤|任务|模块|机组|项目|教室"
)
_PARTS = "章节条款项届期季部集卷册回版代层楼页段轮场组队班级营团师军中小"  # the second of these is no other
_CHINESE = re.compile(
    rf"第(?P<nth>[0-9]{{1,4}}|[{_DIGITS_ZH}]{{1,4}})(?P<of>[{_PARTS}])"
    rf"|(?P<no>[0-9]{{1,4}}|[{_DIGITS_ZH}]{{1,4}})号(?P<which>[{CJK}])"
    rf"|(?<!哪)(?P<mark>{_MARK_ZH})(?P<party>{_PARTY})"
    rf"|(?P<head>{_HEAD})(?P<after>{_MARK_ZH})(?![0-9.％%个])"
)
# What is told apart by a number or a letter. Any capitalised noun is, too (Apollo 11, World War II); other
# words before a number mostly count ("won 3 titles").
_NOUNS = frozenset(
    "account act annex apartment appendix article batch block book box branch building bus case"
    " category chapter class clause component contract course customer day department district dose drug"
    " episode exercise exhibit experiment figure file flat flight floor folder gate grade group hall"
    " hepatitis house invoice issue item lab layer lesson level line lot machine method model module"
    " node office option order page paragraph part participant party patient phase plan plant platform"
    " plot point policy problem product project quarter question region release room round route rule"
    " sample scenario scene schedule school season section sector sensor series server shift site sprint"
    " stage station step strategy study subject suite table task team terminal test ticket tier track"
    " train treatment trial type unit variant vehicle version vitamin volume war ward warehouse week"
    " wing year zone".split()
)
_NO_NOUNS = frozenset(
    "january february march april may june july august september october november december jan feb mar"
    " apr jun jul aug sep sept oct nov dec spring summer autumn fall winter".split()
)
_ENGLISH = re.compile(
    r"(?<![\w'’-])(?P<noun>[A-Za-z][A-Za-z-]{2,}) (?:(?:no\.?|number) |#)?"
    r"(?P<mark>[0-9]{1,4}(?:\.[0-9]+)*(?!\w|%|[,./:-]\w)|[IVX]{2,6}\b|[A-Zb-hj-z](?![\w'’.&-]))"
)
_MODEL = re.compile(r"(?<![A-Za-z0-9])(?P<noun>[A-Za-z]{2,})-?(?P<mark>[0-9]{1,4}(?:\.[0-9]+)*)(?![0-9])")
_PRONOUN = re.compile(
    r"\W*(?:(?:it|he|she|they|this|that|these|its|his|her|their)\b|[它他她牠其该該此这這])", re.I
)
_ROMAN = {"I": 1, "V": 5, "X": 10}


def of_another(question: str, sentence: str, context: str = "") -> bool:
    """Whether a sentence speaks of a thing that bears another mark than the one the question names.

    `context`: what stands over or around it. Where either has a mark that is asked for, it is not another's,
    nor where the sentence begins with a pronoun: it may only compare.
    """
    asked = labels_of(question)
    if not asked or _PRONOUN.match(sentence):
        return False
    said = labels_of(sentence)
    around = said | labels_of(context) if context else said
    marks = {mark for _, mark in around}  # with any noun: Win 10 is Windows 10, vol. 3 volume 3
    nouns = {noun for noun, _ in said or around}
    return any(noun in nouns for noun, _ in asked) and not any(mark in marks for _, mark in asked)


@lru_cache(4096)  # the sentences of a run's passages are read for the draft, the critic and every round
def labels_of(text: str) -> frozenset[Label]:
    """The marked things that a text names."""
    found: set[Label] = set()
    if has_cjk(text):
        found.update(map(_of_chinese, _CHINESE.finditer(fold(text).replace(" ", ""))))
    for match in _ENGLISH.finditer(text):
        noun = match["noun"].lower()
        if noun in _NOUNS or (match["noun"] != noun and noun not in _NO_NOUNS and noun not in STOP_WORDS):
            found.add((stem(noun), _english_mark(match["mark"])))
    found.update((match["noun"].lower(), match["mark"]) for match in _MODEL.finditer(text))
    return frozenset(found)


def same_noun(text: str, label: str) -> tuple[int, int] | None:
    """Where a text names the like of a label that stands alone: 甲公司 for 乙公司, "Plan A" for "plan b"."""
    wanted = labels_of(label)
    if len(wanted) != 1 or label not in [label[a:b] for a, b in _spans(label)]:
        return None
    (noun, mark), *_ = wanted
    for start, end in _spans(text):
        if any(other == noun and own != mark for other, own in labels_of(text[start:end])):
            return start, end
    return None


def _spans(text: str) -> list[tuple[int, int]]:
    patterns = (_CHINESE, _ENGLISH, _MODEL)
    return sorted(match.span() for one in patterns for match in one.finditer(simplified(text)))


def _of_chinese(match: re.Match[str]) -> Label:
    noun = match["of"] or match["which"] or match["party"] or match["head"]
    mark = match["nth"] or match["no"] or match["mark"] or match["after"]
    value = parse_chinese(mark) if mark[0] in _DIGITS_ZH else None
    return noun, str(value) if value is not None else mark.lower()


def _english_mark(mark: str) -> str:
    """A number as it is, a Roman one as a number, a letter folded."""
    return str(_roman(mark)) if set(mark) <= set(_ROMAN) else mark.lower()


def _roman(mark: str) -> int:
    values = [_ROMAN[char] for char in mark]
    return sum(-v if v < later else v for v, later in zip(values, [*values[1:], 0], strict=True))
