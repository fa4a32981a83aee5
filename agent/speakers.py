"""Finds who said what in a transcript, an interview or a report: speakers with exact spans of their words.

Turns are read from their labels ("Name:", "**Name** (10:23):", "[00:01:02] Name:", "Q:", a name alone on its
line), else from prose ("X said ...", 某某表示). It knows no voices: a transcript without labels has no speakers,
and a text whose columns are out of order has its words under the label that stands before them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median_low

from agent.persons import (
    AFTER_NAME,
    AFTER_SENTENCE,
    BEFORE_NAME,
    FUNCTION,
    ROLE,
    SAYS_EN,
    SAYS_ZH,
    SURNAMES,
    TIME,
    TITLES,
    any_of,
)
from agent.reasoners.language import names_in
from agent.state import Lang
from agent.summary import SKIPPED, clipped, pick, tellable, words
from agent.wrapped import on_words, whole_sentences
from retrieval.split import Span, weight
from retrieval.tokens import CJK, fold, is_chinese

PER_SPEAKER = 2
LABEL_WEIGHT = 60.0  # Latin-character equivalents of the longest label
TOLD_WEIGHT = 30.0  # Latin-character equivalents of the shortest sentence that says something
RUN_ON_WEIGHT = 3000.0  # a last turn longer than this, and than most, ends at its paragraph

_NAME = r"(?:(?!\d)[\w.'’·&/-]+(?:[ ·/&\n]+[\w.'’·&/-]+){0,5}|[QA]\d{0,2})"
_LABEL = re.compile(
    rf"^{BEFORE_NAME}(?P<name>{_NAME}){AFTER_NAME}[^\S\n]*(?=\S|\n)",
    re.MULTILINE,
)
_INLINE = re.compile(
    rf"{AFTER_SENTENCE}(?P<name>[A-Z{CJK}][\w.'’·-]*(?: [A-Z][\w.'’-]*){{0,2}})[:：]\s*(?=\S)"
)
_ALONE = re.compile(
    rf"^[^\S\n]*(?:\*\*)?(?P<name>{_NAME})(?:\*\*)?[^\S\n]*(?P<after>{TIME})?[^\S\n]*\n(?=[^\n]{{15}})",
    re.MULTILINE,
)
_NO_NAME = frozenset(
    """
    note notes date to from cc subject title abstract text license authors author doi sha source sources example
    examples warning tip info important caution figure table step url keywords background methods results
    conclusion conclusions introduction summary references version status tags see but and output input usage default
    注 注意 日期 时间 時間 来源 來源 标题 標題 作者 摘要 说明 說明 例如 比如 备注 備註 提示 警告 地址 电话 其中 总结 内容 添加时间 点击次数
    """.split()
)
_SAY_ZH = any_of(f"{SAYS_ZH} 预测 預測 预估 預估 预计 預計 称 稱 阐释 闡釋 回应 回應 说 說")
_SAYS = re.compile(rf"{_SAY_ZH}$|\b(?:said|says|asked|wrote)$|^\d")
_BETWEEN_ZH = "(?:(?:接受|在)[^。！？“”\\n]{0,30}?[时時中上里後后]|还|還|也|则|則|曾|又|进一步|進一步|对此|對此|同时|同時|近日|日前|对[^。，“”\\n]{1,8})*"
_PROSE_EN = re.compile(
    r"(?P<name>\b[A-Z][\w'’.-]+(?: (?:(?:de|von|van|al) )?[A-Z][\w'’.-]+){0,3})(?:,[^,.\n]{3,60},)?\s+"
    rf"(?:(?:also|has|had|later|then|further|recently|once)\s+){{0,2}}{SAYS_EN}\b"
    r"|[,!?][\"”]\s+(?:said|says|asked|argued|added|explained|wrote|replied)\s+(?P<after>[A-Z][\w'’.-]+(?: [A-Z][\w'’.-]+){0,3})"
)


@dataclass(frozen=True)
class Turn:
    """What one speaker says in one go: `text[start:end]`, without the label."""

    speaker: str
    start: int
    end: int


def statements(text: str, lang: Lang, topic: str = "", speaker: str = "") -> list[tuple[str, Span]]:
    """Each speaker's most telling sentences, on a topic if one is given; speakers in order of appearance.

    `speaker` keeps those whose name holds it or is held by it. Empty where nobody is seen to speak.
    """
    by_speaker: dict[str, list[Turn]] = defaultdict(list)
    for turn in [*turns(text), *prose(text)]:
        by_speaker[turn.speaker].append(turn)
    cut = whole_sentences(text)
    found: list[tuple[str, Span]] = []
    for name, own in sorted(by_speaker.items(), key=lambda item: item[1][0].start):
        if not speaker or _same(name, speaker):
            found += [(name, span) for span in _telling(text, own, topic, cut)]
    return found


def _same(name: str, asked: str) -> bool:
    one, other = fold(TITLES.sub("", name) or name), fold(TITLES.sub("", asked) or asked)
    return one in other or other in one


def _telling(text: str, own: list[Turn], topic: str, cut: list[Span]) -> list[Span]:
    spans = [span for turn in own for span in tellable(text, turn.start, turn.end, cut)]
    if not spans:  # short or fragmentary speech is better than none
        spans = [span for turn in own for span in _trimmed(text, clipped(cut, turn.start, turn.end))]
        spans = spans[:PER_SPEAKER]
    if topic:
        wanted = set(words(topic))
        spans = [span for span in spans if wanted & set(words(text[slice(*span)]))]
    best = pick(text, spans, PER_SPEAKER, topic) or spans[:1]
    return sorted(best)


def _trimmed(text: str, spans: list[Span]) -> Iterator[Span]:
    for start, end in spans:
        own = text[start:end]
        if own.strip():
            bare = start + len(own) - len(own.lstrip()), end - len(own) + len(own.rstrip())
            yield on_words(text, bare)


def unlabelled(text: str) -> tuple[int, int]:
    """How many sentences are under nobody's label, and how many there are; (0, 0) without any label.

    Headings and other lines too short to say something are not counted.
    """
    said = [(turn.start, turn.end) for turn in turns(text)]
    told = [span for span in whole_sentences(text) if weight(text[slice(*span)]) >= TOLD_WEIGHT]
    return (sum(not clipped(said, *span) for span in told), len(told)) if said else (0, 0)


def naming(text: str, name: str, start: int, end: int | None = None) -> list[Span]:
    """Where a name stands in `text[start:end]`; a label may be broken over two lines."""
    pattern = re.compile(r"\s*".join(re.escape(char) for char in name if not char.isspace()))
    return [match.span() for match in pattern.finditer(text, start, len(text) if end is None else end)]


def turns(text: str) -> list[Turn]:
    """The labelled turns of a text, in order; none where its labels do not look like speakers'."""
    marks = _marks(text)
    found: list[Turn] = []
    for n, (_, begin, name) in enumerate(marks):
        stop = marks[n + 1][0] if n + 1 < len(marks) else len(text)
        heading = re.search(r"^#{1,6}\s", text[begin:stop], re.MULTILINE)
        found.append(Turn(name, begin, begin + heading.start() if heading else stop))
    usual = median_low([weight(text[turn.start : turn.end]) for turn in found] or [0.0])
    return [_ended(text, turn, max(RUN_ON_WEIGHT, 6 * usual)) for turn in found]


def _ended(text: str, turn: Turn, limit: float) -> Turn:
    """A turn that runs on far beyond the usual holds something else: it ends with its paragraph."""
    blank = re.compile(r"\n[^\S\n]*\n").search(text, turn.start, turn.end)
    if blank and weight(text[turn.start : turn.end]) > limit:
        return Turn(turn.speaker, turn.start, blank.start())
    return turn


def _marks(text: str) -> list[tuple[int, int, str]]:
    """Start and end of each speaker's label, and the speaker."""
    found: list[tuple[int, int, str, bool]] = []
    code = [match.span() for match in SKIPPED.finditer(text)]
    for match in _LABEL.finditer(text):
        if any(start <= match.start() < end for start, end in code):
            continue
        name, start = _label(text, match)
        if name:
            found.append((start, match.end(), name, bool(match["before"] or match["after"])))
    for match in _INLINE.finditer(text):
        found.append((match.start(), match.end(), match["name"], False))
    alone = Counter(match["name"].strip() for match in _ALONE.finditer(text))
    alone = Counter({name: n for name, n in alone.items() if "\n" not in name and _is_person(name)})
    dialogue = sum(alone.values()) > 2 and max(alone.values()) > 1
    for match in _ALONE.finditer(text):
        name = match["name"].strip()
        if (match["after"] or dialogue) and name in alone:
            found.append((match.start(), match.end(), name, bool(match["after"])))
    counts = Counter(name for _, _, name, _ in found)
    listed = {line.strip() for line in text.split("\n") if 1 < len(line.strip()) <= 20}
    # A name that also stands alone on a line is one of a list of people.
    people = {name for name in counts if _is_person(name) or (name in listed and not FUNCTION.search(name))}
    strong = {name for _, _, name, sure in found if sure}
    if (
        len([name for name, n in counts.items() if n > 1 and name in people | strong]) < 1
        and len(people | strong) < 2
    ):
        return []
    kept = people | strong
    if len(people) > 1 or strong:
        kept |= {
            name for name, n in counts.items() if n > 1 and weight(name) <= 20 and not FUNCTION.search(name)
        }
    one = {name: _plain_name(name, kept) for name in kept}
    return sorted({(start, end, one[name]) for start, end, name, _ in found if name in one})


def _label(text: str, match: re.Match[str]) -> tuple[str, int]:
    """The name in a label, "" if it can be none, and where the label begins."""
    name, start = match["name"], match.start()
    if "\n" in name and not is_chinese(name):  # only a wrapped column breaks a label
        cut = name.rindex("\n") + 1
        name, start = name[cut:], match.start("name") + cut
    if "\n" in name:
        first, last = name.rsplit("\n", 1)
        whole = len(last.strip()) < 2  # 高/鹏：broken over two lines
        line = first.rfind("\n") + 1
        start = match.start("name") + (line if whole else len(first) + 1)
        name = first[line:] + last if whole else last
    name = name.strip(" *_")
    if name.isascii() and not name[:1].isupper():
        return "", start  # keys of settings and code
    if not name or weight(name) > LABEL_WEIGHT or fold(name) in _NO_NAME or _SAYS.search(name):
        return "", start
    return name, start


def _plain_name(name: str, known: set[str]) -> str:
    """The name without a title where it is also used so."""
    bare = TITLES.sub("", name).strip()
    return bare if bare and bare in known else name


def _is_person(name: str) -> bool:
    if ROLE.fullmatch(name):
        return True
    if not is_chinese(name):
        parts = name.split()
        return 2 <= len(parts) <= 4 and all(re.fullmatch(r"[A-Z][\w.'’-]*", part) for part in parts)
    if FUNCTION.search(name):
        return False
    return bool(_chinese_name(name)) or _has_surname(name)


def _has_surname(name: str) -> bool:
    """Whether a short label reads as a name that the dictionary lacks: 张/善友."""
    import rjieba

    return 2 <= len(name) <= 3 and name[0] in SURNAMES and len(rjieba.cut(name)) > 1


def _chinese_name(text: str) -> str:
    """The personal name that a phrase ends with, "" for none."""
    import rjieba

    bare = TITLES.sub("", text).strip()
    if len(bare) == 1 and is_chinese(bare):
        return (
            text if text != bare and not FUNCTION.search(bare) and bare not in "您你我他她它该某" else ""
        )  # 张教授
    tagged: list[tuple[str, str]] = rjieba.tag(bare)
    name = ""
    for word, tag in reversed(tagged):
        if (
            tag.startswith("nr")
            or (tag == "x" and word.strip("·") == "")
            or (tag == "x" and 2 <= len(word) <= 4)
        ):
            name = word + name
        elif not name and len(word) == 1 and len(tagged) > 1 and is_chinese(word):
            name = word  # the last character of a name the dictionary lacks: 刘梁/剑
        else:
            break
    return name if 2 <= len(name) <= 12 and is_chinese(name) else ""


def prose(text: str) -> Iterator[Turn]:
    """Sentences that say who says what they say, outside labelled turns."""
    taken = turns(text)
    inside = sum(turn.end - turn.start for turn in taken)
    if inside > len(text) / 2:
        return
    found: list[Turn] = []
    for start, end in whole_sentences(text):
        if any(turn.start <= start < turn.end for turn in taken):
            continue
        name = _sayer(text[start:end])
        if name:
            found.append(Turn(name, start, end))
    full = {turn.speaker for turn in found}
    for turn in found:  # "Altman" is Sam Altman where only one is known
        longer = [name for name in full if name != turn.speaker and name.endswith(" " + turn.speaker)]
        yield Turn(longer[0] if len(longer) == 1 else turn.speaker, turn.start, turn.end)


def _sayer(sentence: str) -> str:
    if is_chinese(sentence):
        for match in re.finditer(_SAY_ZH, sentence):
            before = sentence[: match.start()]
            clause = re.split('[。！？“”"\n]', before)[-1]
            clause = re.sub(f"{_BETWEEN_ZH}$", "", clause)[-24:]
            name = _chinese_name(re.split("[，,；;、：:]", clause)[-1])
            if name:
                return name
        return ""
    said = _PROSE_EN.search(sentence)
    name = (said["name"] or said["after"]) if said else ""
    known = names_in("x " + name) if name else []
    return known[0] if known else ""
