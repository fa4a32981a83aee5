"""Words of a question that say where to look, not what for: "what did Anna write", "in my mails", 三月份.

Such words are only read where the library has such a sender, speaker or kind of document, so that "What did
Caesar write in 44 BC?" asks encyclopedias as ever. A date counts beside one of them only: alone it is
part of what is asked. It reads wordings, not meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agent.filters import CALLED
from retrieval.filters import Filter, covers, matching_names
from retrieval.store import Store
from retrieval.tokens import CJK
from tools.patterns import compiled
from tools.periods import Period, find_periods, in_year

NAME_TOKENS = 4  # of a name, at most
SHORTEST_NAME = 2  # letters or characters

_SAY = (
    r"(?:say|said|says|write|wrote|writes|written|tell|told|tells|mention|mentioned|mentions|ask|asked|asks|report"
    r"|reported|suggest|suggested|suggests|propose|proposed|reply|replied|answer|answered|send|sent|post|posted"
    r"|claim|claimed|think|thinks|thought|promise|promised|announce|announced|recommend|recommended|text|texted"
    r"|email|emailed|complain|complained|believe|believes|believed|argue|argues|argued|predict|predicts|predicted)"
)
_SEE = (
    r"(?:see|view|feel|regard|judge|assess|expect|consider|make)"  # "how does Anna see it": not "Anna saw it"
)
_VIEW = (
    r"(?:(?:view|opinion|thought|idea)s?(?: (?:on|of|about|regarding|towards?))?"
    r"|(?:take|stance|position|attitude|assessment|feelings) (?:on|of|about|regarding|towards?))"
)
_NAME = r"[^\W\d_][\w.'’@+-]*(?:[ ,]+[\w.@+<>'’-]+){0,3}?"
_MAIL, _ANY = r"e-?mails?|mails?|letters?", r"messages?|posts?|texts?"
_WHO_EN = (
    rf"\b(?:did|does|do|has|have|had) (?P<name>{_NAME}) (?P<verb>{_SAY}|{_SEE})\b",
    rf"\b(?P<before>(?:[\w.+@-]+ ){{0,3}}[\w.+@-]+)(?P<verb>['’]s {_VIEW})\b",
    rf"(?P<before>(?:[\w.'’@+-]+ ){{1,3}})(?P<verb>{_SAY.replace('|email|', '|')})\b",
    rf"(?P<verb>\baccording to) (?P<after>{_NAME}(?=[\s,.?!]|$))",
    rf"\b(?P<verb>(?:(?P<mail>{_MAIL})|{_ANY})(?: that)?(?: (?:came|were|was|are|is|sent|written))* (?:from|by)) (?P<after>(?:[\w.'’@+-]+[ ?.!,]*){{1,4}})",
    rf"\b(?P<verb>{_SAY} by) (?P<after>(?:[\w.'’@+-]+[ ?.!,]*){{1,4}})",
    rf"\b(?P<before>(?:[\w.+@-]+ ){{0,3}}[\w.+@-]+)(?P<verb>['’]s (?:(?:(?:latest|last|first) )?(?:(?P<mail>{_MAIL})|{_ANY})))\b",
)
_KIND_EN = (
    r"(?P<kind>e-?mails?|mails|inbox|mailbox|chats?|(?:wechat|weixin|whatsapp|telegram|slack|discord|qq)"
    r"|pdfs?|slides|spreadsheets?|calendars?|subtitles)"
)
_IN_EN = (
    rf"\b(?:in|from|among|across|through|on) (?:all )?(?:of )?(?:my|our|the|these|those|any|all) {_KIND_EN}(?: (?:messages?|chats?|groups?|history|files?))?\b",
    r"\b(?:in|on|from|over|via) (?P<kind>wechat|weixin|whatsapp|telegram|slack|discord|e-?mail)(?: (?:messages?|chats?|groups?|history))?\b",
    r"\b(?:which|what|any|find|show me|list) (?:of )?(?:my |our |the |all )*(?P<kind>e-?mails|mails|chats|pdfs)\b",
)
_NO_NAME = frozenset(
    """
    the a an this that these those my our your his her their its it he she they you i we who what which when where
    why how one people anyone anybody everyone everybody somebody someone nobody there and or all any each every
    some most many few be been not also ever really just
    """.split()
)
_SAY_ZH = (
    "(?:说|說|写|寫|讲|講|提到|提及|提过|提過|提[了起出]|谈到|談到|谈了|談了|发了|發了|发过|發過|发来|發來|发的|發的"
    "|回复|回覆|表示|建议|建議|通知|问了|問了|问过|問過|告诉|告訴|认为|認為|答应|答應"
    "|觉得|覺得|主张|主張|指出|强调|強調|预测|預測)"
)
_HOW_ZH = "(?:是|会|會)?(?:怎么|怎麼|怎么样|怎样|怎樣|如何)(?:看待?|评价|評價|理解|回应|回應|想)(?:的|待的)?"
_VIEW_ZH = "(?:看法|观点|觀點|意见|意見|态度|態度|立场|立場|主张|主張|评价|評價|判断|判斷)"
_TO_ZH = "(?:[给給对對跟向](?:我们?|我們|大家|他|她)|在群里|在群裡|都|还|還|也|曾经?|曾經|到底|究竟|主要|具体|具體|怎么|怎麼|是|有没有|有沒有)"
_RUN_ZH = rf"[{CJK}·A-Za-z][{CJK}·A-Za-z .'’-]{{0,24}}?"
_LETTER_ZH = "(?:(?P<mail>邮件|郵件|来信|來信|信件|信(?![息用任心号號]))|消息|短信|微信|留言|聊天记录|聊天記錄|发言|發言)"
_WHO_ZH = (
    rf"(?P<before>{_RUN_ZH})\s*(?P<verb>{_TO_ZH}*{_SAY_ZH}(?:到|过|過|了|给我|給我)?)",
    rf"(?P<before>{_RUN_ZH})\s*(?P<verb>{_HOW_ZH}|的{_VIEW_ZH})",
    rf"(?P<before>{_RUN_ZH})\s*(?:对|對|关于|關於)[^，,。？?]{{1,40}}?(?P<verb>{_HOW_ZH}|(?:有|持|是)?(?:什么|什麼|何|怎样)?样?的?{_VIEW_ZH})",
    rf"(?P<before>{_RUN_ZH})\s*(?P<verb>(?:[发發寄写寫](?:来|來|给我|給我|送|出)?)?的{_LETTER_ZH})",
)
_IN_ZH = (
    r"(?:在|从|從)?(?:我们?|我們)?的?(?:所有|全部)?"
    r"(?P<kind>邮件|郵件|邮箱|郵箱|微信|聊天|群聊|QQ|qq|PDF|pdf|幻灯片|表格|日历|字幕)"
    r"(?:聊天)?(?:群|记录|記錄|消息|文件)?(?:里面?|裡面?|中间?|上|內|内)",
)
_KINDS: Mapping[str, tuple[str, ...]] = {
    **CALLED,
    **dict.fromkeys("inbox mailbox 邮箱 郵箱".split(), ("mail",)),
    **dict.fromkeys("chat 群聊".split(), ("chat",)),
    **dict.fromkeys("spreadsheet spreadsheets".split(), ("xlsx", "ods", "csv")),
    **dict.fromkeys("pdf pdfs".split(), ("pdf",)),
    **dict.fromkeys("calendar calendars".split(), ("calendar",)),
    "subtitles": ("subtitles",),
}


@dataclass(frozen=True)
class Aside:
    """Words at question[start:end], and what a passage has that they speak of."""

    start: int
    end: int
    where: Filter


def find_asides(question: str, today: date, store: Store) -> list[Aside]:
    """What a question says of whose, what kind of and how old the documents are that it asks, in its order."""
    senders = store.senders()
    asides = [*_who(question, senders, store)] if senders else []
    asides += [one for one in _kinds(question, store.formats()) if not _meets(one, asides)]
    if asides:
        who = [name for one in asides for name in one.where.get("who", [])]
        asides += [one for one in _times(question, asides, who, today, store) if not _meets(one, asides)]
    return sorted(asides, key=lambda one: one.start)


def filter_of(asides: Sequence[Aside]) -> Filter:
    """What all of them together restrict a search to."""
    where: Filter = {}
    for one in asides:
        who, formats = one.where.get("who", []), one.where.get("formats", [])
        if who:
            where["who"] = list(dict.fromkeys([*where.get("who", []), *who]))
        if formats:
            where["formats"] = list(dict.fromkeys([*where.get("formats", []), *formats]))
        if one.where.get("since"):
            where["since"] = one.where["since"]
        if one.where.get("until"):
            where["until"] = one.where["until"]
    return where


def holds(aside: Aside, who: Sequence[str], when: str, format_: str) -> bool:
    """Whether a passage of these senders, of this time and format is what the words speak of."""
    where = aside.where
    if where.get("who") and not (who and set(who) <= set(where["who"])):
        return False
    if where.get("formats") and format_ not in where["formats"]:
        return False
    return not (where.get("since") or where.get("until")) or covers(where, when)


def without_asides(question: str, asides: Sequence[Aside]) -> str:
    """The question with spaces in the place of some of its asides."""
    for one in asides:
        question = question[: one.start] + " " * (one.end - one.start) + question[one.end :]
    return question


def _meets(one: Aside, others: Sequence[Aside]) -> bool:
    return any(one.start < other.end and other.start < one.end for other in others)


# --- whose ------------------------------------------------------------------------------------------------


def _who(question: str, senders: Sequence[str], store: Store) -> Iterator[Aside]:
    """The words that name a sender or a speaker of the library with those that say that he says it."""
    masked = _masked(question)
    chinese = re.search(f"[{CJK}]", question)
    for pattern in _WHO_ZH if chinese else _WHO_EN:
        for match in re.finditer(pattern, masked, re.IGNORECASE):
            found = _named(match, senders)
            if not found:
                continue
            start, end, who = found
            verb = match.span("verb")
            where: Filter = {"who": who}
            if "mail" in match.re.groupindex and match["mail"] and "mail" in store.formats():
                where["formats"] = ["mail"]
            if min(end, verb[1]) >= max(start, verb[0]) - 1:  # they stand side by side
                yield Aside(min(start, verb[0]), max(end, verb[1]), where)
            else:
                yield Aside(start, end, where)
                yield Aside(*verb, where)
            return


def _masked(question: str) -> str:
    """The question with spaces for what says when, and in what, so that a Chinese name and its verb meet."""
    spans = [(one.start, one.end) for one in find_periods(question, date.today())]
    if re.search(f"[{CJK}]", question):
        spans += [match.span() for pattern in _IN_ZH for match in re.finditer(pattern, question)]
        for start, end in spans:
            question = question[:start] + " " * (end - start) + question[end:]
    return question


def _named(match: re.Match[str], senders: Sequence[str]) -> tuple[int, int, list[str]] | None:
    """Where the name stands, and the senders whose it is."""
    groups = match.re.groupindex
    for group in ("name", "before", "after"):
        if group in groups and match[group]:
            place, text = match.start(group), match[group]
            for start, end in _parts(text, group):
                name = text[start:end]
                if len(name) >= SHORTEST_NAME and (who := matching_names(name, senders, whole=True)):
                    return place + start, place + end, who
    return None


def _parts(text: str, group: str) -> Iterator[tuple[int, int]]:
    """Spans of a text that may be the name: its ends or its beginnings, the longest first."""
    if re.search(f"[{CJK}]", text):
        end = len(text.rstrip())
        yield from ((start, end) for start in range(max(0, end - 12), end - 1) if not text[start].isspace())
        return
    tokens = [match.span() for match in re.finditer(r"[\w@+](?:[\w.'’@+-]*[\w@])?", text)][-12:]
    words = [re.sub("['’]s$", "", text[a:b]).lower() for a, b in tokens]
    if group == "name" and words and words[0] in _NO_NAME:
        return  # "did the report say"
    for size in range(min(NAME_TOKENS, len(tokens)), 0, -1):
        first = 0 if group == "after" else len(tokens) - size
        if words[first] in _NO_NAME or (group == "before" and first and words[first - 1] in ("the", "a")):
            continue
        last = first + size - 1
        yield tokens[first][0], tokens[first][0] + len(text[tokens[first][0] : tokens[last][1]])


# --- of what kind, and when ---------------------------------------------------------------------------------


def _kinds(question: str, formats: set[str]) -> Iterator[Aside]:
    """The words that name a kind of document that the library has."""
    for pattern in (*_IN_EN, *_IN_ZH):
        for match in compiled(f"(?i){pattern}").finditer(question):
            kind = match["kind"].lower()
            there = [one for one in _KINDS.get(kind) or _KINDS.get(kind + "s", ()) if one in formats]
            if there:
                yield Aside(*match.span(), {"formats": there})
                return


def _times(
    question: str, asides: Sequence[Aside], who: Sequence[str], today: date, store: Store
) -> Iterator[Aside]:
    """When it was written: the time that stands where a sentence says that, not what lies ahead."""
    for one in find_periods(question, today):
        if one.month:
            year = store.last_year_of(one.month, who)
            one = in_year(one, year) if year and 1 <= year <= today.year else one
        if (one.first and one.first > today) or not _says_when(question, one, asides):
            continue
        where: Filter = {}
        if one.first:
            where["since"] = one.first.isoformat()
        if one.last:
            where["until"] = one.last.isoformat()
        yield Aside(one.start, one.end, where)
        return


def _says_when(question: str, one: Period, asides: Sequence[Aside]) -> bool:
    """Whether a time is that of writing: before the verb, right after what it belongs to, or in the end.

    "about the meeting on 5 May" says which meeting: a day that ends a sentence does not count.
    """
    before = question[: one.start].strip(" ,，")
    last = max(aside.end for aside in asides)
    if not before or one.start < last:
        return True
    if not question[last : one.start].strip(" ,，"):
        return True
    chinese = re.search(f"[{CJK}]", question)
    ends = not re.search(r"\w", question[one.end :])
    return bool(ends and not chinese and not (one.first and one.first == one.last))


def borne_out(asides: Sequence[Aside], item: Mapping[str, Any]) -> list[Aside]:
    """Those of some asides that a passage bears out."""
    who, when, format_ = item.get("who", []), item.get("when", ""), item.get("format", "")
    return [one for one in asides if holds(one, who, when, format_)]
