"""Tells a question about a whole document from one about a fact, and finds the document that is meant.

Rules over the wording, in English and Chinese; pure functions. It reads no document: `agent/summary.py`,
`agent/listing.py` and `agent/speakers.py` do, once the document is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from agent.named import FILE, GENERIC, Document, matching
from agent.state import Lang
from retrieval.tokens import CJK, is_chinese

Kind = Literal["summary", "list", "speakers"]

THIS = "this"  # `Sweep.named` of a question that only points: "this document", 本文
MAX_CANDIDATES = 5
LIST_DOCUMENTS = 12  # a list question that names none may sweep as many documents,
LIST_CHARS = 400_000  # of as many characters together


@dataclass(frozen=True)
class Sweep:
    """What a question wants of a whole document."""

    kind: Kind
    lang: Lang
    subject: str = ""
    """Of a list: what is to be listed. Of a summary or of speakers: the topic asked about, if any."""
    named: str = ""
    """The file name or title that the question mentions; `THIS` where it only points; "" for neither."""
    speaker: str = ""


_NOUN_EN = (
    r"(?:documents?|docs?|files?|articles?|papers?|reports?|texts?|transcripts?|transcriptions?|interviews?|talks?"
    r"|meetings?|notes|minutes|chapters?|podcasts?|episodes?|essays?|posts?|pages?|letters?|e-?mails?|contracts?"
    r"|presentations?|slides|memos?|conversations?|discussions?|debates?|lectures?|speech|panel|round[ -]?table|pdf"
    r"|manual|guide|readme|story|book)"
)
_FILE_OR_STEM = re.compile(r"[\w.-]+\.\w{2,8}\b|\w+(?:[-_]\w+)+", re.ASCII)
_TITLE = re.compile(r"[《「『“\"]([^》」』”\"]{2,80})[》」』”\"]")
_THIS_EN = rf"(?:this|that|it|these|those|(?:the|this|that|my|our|these|those)\s+(?:whole\s+|entire\s+|full\s+)?{_NOUN_EN})"
_MEANT_EN = rf"(?:{_THIS_EN}|(?:the|this|that|my|our)\s+(?:[\w'’.-]+\s+){{1,6}}?{_NOUN_EN}|\S+\.[a-z]{{2,8}}|\w+(?:[-_]\w+)+|[\"“《][^\"”》]+[\"”》])"
_POLITE_EN = r"^\W*(?:(?:please|kindly|can you|could you|would you|will you|help me(?: to)?|i need you to|i(?:'d| would) like you to|now|ok(?:ay)?|so),?\s+)*"
_BRIEF_EN = r"(?:(?:short|brief|quick|concise|general|high[- ]level|one[- ]\w+|\w+[- ]sentence|detailed|good|rough)\s+)?"
_TAKEAWAYS_EN = r"(?:main|key|central|major|most important|principal)\s+(?:points?|take-?aways?)|take-?aways"
_IDEAS_EN = r"(?:main|key|central|major|most important|principal)\s+(?:ideas?|findings?|arguments?|messages?|topics?|themes?|conclusions?|results?|claims?)"
_SUMMARY_EN = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"{_POLITE_EN}(?:briefly\s+|quickly\s+)?(?:summari[sz]e|sum\s+up|recap)(?:\s+(?:for me|briefly))?(?P<object>\b.*)",
        rf"{_POLITE_EN}(?:(?:give|write|show|get)(?: me)?|i(?: need| want|'d like)|make|provide|what(?:'s| is| would be)|produce|create|prepare)\s+"
        rf"(?:an?|the)\s+{_BRIEF_EN}(?:summary|overview|synopsis|recap|gist|outline|abstract|tl;?dr)\b(?P<object>\s+(?:of|for)\b.*|[.?! ]*)$",
        r"^\W*(?:an?\s+|the\s+)?(?:short\s+|brief\s+)?(?:summary|overview|synopsis|recap|gist)\b(?P<object>\s+(?:of|for)\b.*|[.?! ]*)$",
        r"\btl;?\s?dr\b(?P<object>.*)",
        rf"\bwhat(?:'s|\s+is|\s+was|\s+are|\s+were)\s+(?P<object>{_MEANT_EN})\s+(?:all\s+|mainly\s+|really\s+)?about\b[?. ]*$",
        rf"\bwhat\s+(?:does|do|did)\s+(?P<object>{_MEANT_EN})\s+(?:say|talk about|discuss|cover|deal with|contain)[?. ]*$",
        rf"^\W*(?:(?:what\s+(?:are|were|is|was)|give me|tell me|list|show me)\s+)?(?:the\s+)?(?:{_TAKEAWAYS_EN})\b(?P<object>.*)",
        rf"^\W*(?:(?:what\s+(?:are|were|is|was)|give me|tell me|list|show me)\s+)?(?:the\s+)?{_IDEAS_EN}\s+(?:of|in|from|made in)\s+(?P<object>{_MEANT_EN})\W*$",
    )
)
_HAPPENS_EN = r"(?:mentioned|listed|named|discussed|cited|described|referenced|covered|referred to|talked about|brought up|quoted|defined)"
_LIST_EN = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"{_POLITE_EN}(?:list|enumerate)(?: me| out| up)*\s+(?:every(?: single)?|all|each|the|any)\b(?: of)?(?P<subject>.*)",
        rf"{_POLITE_EN}(?:find|show|give|collect|extract|name|tell|get|pull out|write down|gather)(?: me)?\s+(?:every(?: single)?|all|each)\b(?: of)?(?P<subject>.*)",
        rf"{_POLITE_EN}(?:make|give me|write|compile|create|i need|i want)\s+(?:me\s+)?a\s+(?:full\s+|complete\s+)?list\s+of\s+(?:every|all)?(?P<subject>.*)",
        r"\bwhat\s+(?:are|were)\s+all(?: of)?\b(?P<subject>.*)",
        rf"\b(?:what|which)\s+(?P<subject>(?!is\b|are\b|was\b|were\b|does\b|do\b)[\w' -]+?)\s+(?:are|were|is|get|gets)\s+{_HAPPENS_EN}\s+(?:in|by|throughout)\s+{_MEANT_EN}\W*$",
        rf"\b(?:what|which)\s+(?P<subject>(?!is\b|are\b|was\b|were\b|does\b|do\b)[\w' -]+?)\s+(?:does|do|did)\s+{_MEANT_EN}\s+(?:mention|list|name|discuss|cite|describe|contain|cover|include)\W*$",
    )
)
_PEOPLE_EN = r"(?:speakers?|participants?|guests?|panel(?:l?ists?)?|experts?|interviewees?|discussants?|authors?|persons?|people|one|of them)"
_SPEAKERS_EN = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\bwho\s+(?:said|says|argued|claimed|thought|thinks)\s+what\b(?P<topic>.*)",
        r"\bwho\s+(?:are|were)\s+(?:all\s+)?the\s+(?:speakers|panel?lists|discussants|interviewees)\b(?P<topic>.*)",
        r"\bwho\s+(?:is|was|are)\s+(?:speaking|talking)\b(?P<topic>\s+(?:in|on)\b.*|\W*)$",
        rf"\bwhat\s+(?:did|does|do|has|have)\s+(?:each|every|all(?: of)?(?: the)?|the (?:different|various|individual)|the)\s+(?:of the\s+)?{_PEOPLE_EN}\s+(?:each\s+)?(?:say|said|think|argue|claim|suggest|believe|talk|discuss|propose)\b(?P<topic>.*)",
        rf"\b(?:each|every)\s+(?:{_PEOPLE_EN})(?:['’]s)\s+(?:main\s+|key\s+)?(?:views?|opinions?|positions?|points?|arguments?|statements?|contributions?)\b(?P<topic>.*)",
        rf"\b(?:views?|opinions?|positions?|arguments?|statements?)\s+of\s+(?:each|every|all(?: of)?(?: the)?|the (?:different|various|individual))\s+(?:{_PEOPLE_EN})\b(?P<topic>.*)",
        rf"\bwhat\s+(?:did|does|has|do)\s+(?P<speaker>[\w.'’ ·-]+?)\s+(?:say|said|think|argue|claim|suggest|talk about|tell us)\b(?P<topic>.*?)\s*\b(?:in|on|at|during)\s+{_MEANT_EN}\W*$",
    )
)
_NOUN_ZH = (
    "(?:文章|文件|文档|文檔|文本|论文|論文|报告|報告|资料|資料|材料|笔记|筆記|纪要|紀要|记录|記錄|转录|轉錄|文字稿|逐字稿|稿子|文稿|访谈|訪談"
    "|采访|採訪|对话|對話|播客|节目|節目|合同|邮件|郵件|讲座|講座|演讲|演講|会议|會議|圆桌|圓桌|讨论会?|討論會?|报道|報道|報導|帖子|录音|錄音|夜聊)"
)
_THIS_ZH = (
    f"(?:(?:[这那這该該本此上][一]?(?:篇|份|期|次|场|場|段|封|部|则|則|些|个|個)?)?{_NOUN_ZH}"
    "|[这那這本此该該]一?(?:篇|份|期|集)|[本全原]文|文[中里裡内內]|[这這那](?=主要|[讲講说說]))"
)
_MEANT_ZH = rf"(?:{_THIS_ZH}|《[^》]+》|“[^”]+”|[A-Za-z0-9][A-Za-z0-9_.-]+\s*(?:[这這][篇份])?{_NOUN_ZH}?\s*|\S+\.[A-Za-z]{{2,8}}|[^\s，。？?、的]{{1,20}}?{_NOUN_ZH})"
_IN_ZH = "(?:[中里裡内內上]面?|里面|裡面)?"
_POLITE_ZH = "^[\\W_]*(?:请|請|麻烦|麻煩|帮忙|幫忙|帮我|幫我|给我|給我|替我|你|您|能否|能不能|可否|可以|能|简要|簡要|简单|簡單|简短|簡短|大致|快速|用?[一二三四五六七八九十\\d几幾]+[句点點段条條]话?[話]?)*"
_SUM_ZH = "(?:总结|總結|概括|概述|归纳|歸納|小结|小結|梳理|提炼|提煉)"
_GIST_ZH = "(?:主要内容|主要內容|内容|內容|大意|主旨|要点|要點|重点|重點|主要观点|主要觀點|核心观点|核心觀點|中心思想|主要信息|主要结论|主要結論)"
_TELL_ZH = "(?:主要|大概|大致|都|到底|究竟)?(?:在)?(?:讲|講|说|說|谈|談|写|寫|介绍|介紹|讨论|討論)"
_SUMMARY_ZH = tuple(
    re.compile(pattern)
    for pattern in (
        f"{_POLITE_ZH}{_SUM_ZH}(?![了过過出])(?P<object>.*)",
        f"{_POLITE_ZH}(?:把|将|將|对|對|给|給|为|為)(?P<object>.*?)(?:进行|進行|做|作|写|寫|来|來)?(?:一?[个個份段下点點])?(?:{_SUM_ZH}|摘要|概要|综述|綜述|简介)(?:一下|下|出来|出來)?[。！!？?吧吗嗎\\s]*$",
        f"{_POLITE_ZH}(?:写|寫|做|来|來|生成|给出|給出)?[一]?[个個份段]?(?P<object>{_MEANT_ZH}?)的?(?:{_SUM_ZH}|摘要|概要|综述|綜述)[。！!？?吧\\s]*$",
        f"^(?P<object>{_MEANT_ZH}){_IN_ZH}{_TELL_ZH}(?:的)?(?:了|的)?(?:是)?(?:些|一些)?(?:什么|什麼|啥|哪些(?:内容|內容|东西|東西|事))(?:内容|內容|东西|東西|呢|事)?[？?。\\s]*$",
        f"^(?:(?P<object>{_MEANT_ZH}){_IN_ZH}的?)?(?:有)?{_GIST_ZH}(?:是|有|包括)?(?:什么|什麼|啥|哪些|哪几[个点]|哪幾[個點])[？?呢。\\s]*$",
        f"^(?P<object>{_THIS_ZH}){_IN_ZH}(?:是)?(?:关于|關於)(?:什么|什麼|啥)的?[？?\\s]*$",
        f"{_POLITE_ZH}(?:告诉我|說說|说说|讲讲|講講)?(?P<object>{_MEANT_ZH}){_IN_ZH}的?{_GIST_ZH}[。！!？?\\s]*$",
    )
)
_EVERY_ZH = "(?:所有|全部|一切|每一?[个個条條项項位种種处處]|各[个個种種项項位]?)"
_SAID_ZH = "(?:都|一共|总共|總共|分别|分別|共)?(?:提到|提及|出现|出現|列出|介绍|介紹|讲到|講到|谈到|談到|说到|說到|涉及|包含|包括|引用|讨论|討論|列举|列舉)(?:了|过|過)?(?:的)?"
_WHICH_ZH = "(?:有)?(?:哪些|哪几[个種种位]|哪幾[個種位])"
_LIST_ZH = tuple(
    re.compile(pattern)
    for pattern in (
        f"{_POLITE_ZH}(?:一一)?(?:列出|列举|列舉|罗列|羅列|找出|整理出?|提取出?|摘出|汇总|彙總|标出|標出|给出|給出|列)(?:一下|来|來)?(?P<subject>.*{_EVERY_ZH}.*)",
        f"{_POLITE_ZH}(?:把|将|將)(?P<subject>.*?(?:所有|全部|每).*?)(?:都|全部|全都|一一)?(?:列出|列举|列舉|罗列|羅列|找出|整理|提取|摘出|汇总|彙總|列)(?:来|來|出来|出來|一下)*[。！!\\s]*$",
        f"{_POLITE_ZH}(?:列出|列举|列舉|罗列|羅列|找出|提取|汇总|彙總)(?P<subject>{_MEANT_ZH}.*)",
        f"^(?:在)?{_MEANT_ZH}{_IN_ZH}{_SAID_ZH}(?:了)?(?:哪些|什么样?的?|哪几[个種种位]|哪幾[個種位])(?P<subject>.*)",
        f"^(?:在)?{_MEANT_ZH}{_IN_ZH}{_SAID_ZH}(?P<subject>[^是？?]*?)(?:都|分别|分別)?有哪些[？?\\s]*$",
        f"^(?:有)?哪些(?P<subject>[^，。？?]*?)(?:在)?{_MEANT_ZH}{_IN_ZH}(?:被|有)?{_SAID_ZH}[？?\\s]*$",
        f"^{_MEANT_ZH}[中里裡内內](?:面)?的?(?P<subject>(?:所有|全部).*?)(?:都)?(?:有哪些|是什么|是什麼|是哪些)[？?\\s]*$",
    )
)
_PERSON_ZH = "(?:嘉宾|嘉賓|发言人|發言人|发言者|發言者|与会者|與會者|专家|專家|讲者|講者|参与者|參與者|说话人|說話人|说话者|對談者|对谈者|受访者|受訪者|主讲人|主講人|参会者|讨论者|討論者|作者|老师|老師)"
_VIEW_ZH = "(?:说|說|讲|講|谈|談|表达|表達|提出|观点|觀點|看法|意见|意見|态度|態度|立场|立場|发言|發言|主张|主張|怎么看|怎麼看|认为|認為)"
_SPEAKERS_ZH = tuple(
    re.compile(pattern)
    for pattern in (
        "[谁誰](?:在.{1,20}?[里裡中上])?(?:都|分别|分別)?(?:说|說|讲|講)(?:了|过|過)?(?:些|哪些)?(?:什么|什麼|啥)(?P<topic>.*)",
        f"(?:每一?[位个個名]|各位?|各个|各個|几位|幾位|所有|不同){_PERSON_ZH}(?:们|們)?(?P<topic>.*?{_VIEW_ZH}.*)",
        f"{_PERSON_ZH}(?:们|們)?(?P<topic>[^，。]{{0,24}}?(?:都|分别|分別|各自){_VIEW_ZH}.*)",
        f"(?:每个人|每個人|每人|各人|大家)(?:都|分别|分別|各自)*(?P<topic>{_VIEW_ZH}.*)",
        f"(?:他们|他們|大家)(?:分别|分別|各自)(?:都)?(?P<topic>.*?{_VIEW_ZH}.*)",
        f"^(?:在)?{_MEANT_ZH}{_IN_ZH}(?:的)?{_PERSON_ZH}(?:们|們)?(?P<topic>[^，。]{{0,24}}?{_VIEW_ZH}(?:了|过|過)?(?:些|哪些)?(?:什么|什麼|啥).*)",
        f"(?:有哪[些几幾][位个個]?{_PERSON_ZH}|(?<![位名])(?!作者|老[师師]){_PERSON_ZH}(?:们|們)?(?:都|分别|分別)?(?:是谁|是誰|有谁|有誰|有哪[些几幾]位?|是哪[些几幾]位?))(?P<topic>)[？?呢\\s]*$",
        f"^(?P<speaker>[^，。？?、]{{2,16}}?)(?:老师|老師|教授|先生|女士)?在{_MEANT_ZH}{_IN_ZH}(?P<topic>(?:对|對|关于|關於|就).{{1,20}}?)?(?:都|主要)?(?:说|說|讲|講|谈|談|提|表达|表達)(?:了|到了?|过|過)?(?:些|哪些)?(?:什么|什麼|啥)(?:观点|看法)?[？?\\s]*$",
    )
)
_FOCUS_EN = re.compile(
    r"\b(?:with (?:a )?focus on|focus(?:s?ing|s?ed)? on|with regard to|regarding|concerning|about|in terms of)\s+(?P<topic>.+?)[?.! ]*$",
    re.I,
)
_FOCUS_ZH = re.compile(
    f"(?:关于|關於|有关|有關|针对|針對|对于|對於|对|對|就)(?P<topic>[^，。？?]{{1,30}}?)(?:的|问题|問題|方面|分别|分別|各自|都)*(?={_VIEW_ZH}|{_SUM_ZH}|内容|內容|部分|[，。？?]|$)"
)
_TAIL_EN = re.compile(
    rf"(?:\s*\b(?:that|which)\b)?(?:\s*\b(?:are|is|were|was)\b)?\s*(?:\b{_HAPPENS_EN}\s+)?(?:\b(?:in|from|of|throughout|by|on|at)\s+{_MEANT_EN})?\W*$",
    re.I,
)
_SUBJECT_ZH = re.compile(
    f"^(?:了|一下|出)*(?:[中里裡内內]的)?(?:(?:在)?{_MEANT_ZH}{_IN_ZH})?(?:的)?(?:{_SAID_ZH})?的?(?:{_EVERY_ZH})?(?:被?{_SAID_ZH})?(?:的)?(?P<subject>.*?)(?:都|分别|分別)?(?:有哪些|是什么|是什麼|是哪些|出来|出來)?[。！!？?\\s]*$"
)


def sweep_of(question: str) -> Sweep | None:
    """What a whole-document question wants; `None` for an ordinary one."""
    text = " ".join(question.split())
    lang: Lang = "zh" if is_chinese(_FILE_OR_STEM.sub("", text)) else "en"
    speakers, lists, summaries = (
        (_SPEAKERS_ZH, _LIST_ZH, _SUMMARY_ZH) if lang == "zh" else (_SPEAKERS_EN, _LIST_EN, _SUMMARY_EN)
    )
    for pattern in speakers:
        if match := pattern.search(text):
            return _of_speakers(match, text, lang)
    for pattern in summaries[:2]:  # "list all key takeaways" wants the list, "summarise all" the summary
        if match := pattern.search(text):
            return _of_summary(match, text, lang)
    for pattern in lists:
        if match := pattern.search(text):
            subject = _subject(match.group("subject"), lang)
            return Sweep("list", lang, subject, _named(text, "", lang)) if subject else None
    for pattern in summaries[2:]:
        if match := pattern.search(text):
            return _of_summary(match, text, lang)
    return None


def _of_speakers(match: re.Match[str], text: str, lang: Lang) -> Sweep:
    groups = match.groupdict()
    topic = groups.get("topic") or ""
    if lang == "en":
        found = _FOCUS_EN.search(_TAIL_EN.sub("", topic) or topic) or re.search(
            r"^\s*on\s+(?P<topic>.+)", topic
        )
    else:
        found = _FOCUS_ZH.search(topic)
    subject = _without_document(found.group("topic"), lang) if found else ""
    return Sweep("speakers", lang, subject, _named(text, "", lang), (groups.get("speaker") or "").strip())


def _of_summary(match: re.Match[str], text: str, lang: Lang) -> Sweep | None:
    object_ = (match.groupdict().get("object") or "").strip(" ,，.。:：?？!！")
    focus = (_FOCUS_EN if lang == "en" else _FOCUS_ZH).search(object_)
    if focus:
        object_ = object_[: focus.start()] + (object_[focus.end() :] if lang == "zh" else "")
    subject = _without_document(focus.group("topic"), lang) if focus else ""
    return Sweep("summary", lang, subject, _named(text, object_, lang))


def _without_document(topic: str, lang: Lang) -> str:
    return (_TAIL_EN.sub("", topic) if lang == "en" else topic).strip(" ,，.。?？的")


def _subject(text: str, lang: Lang) -> str:
    text = text.strip(" ,，.。?？!！")
    if lang == "zh":
        text = re.sub("^[中里裡内內]的?", "", FILE.sub("", text).strip())
        match = _SUBJECT_ZH.match(text)
        return match.group("subject").strip(" ，。的") if match else text
    text = re.sub(r"^(?:the|of the|of|single)\s+", "", _TAIL_EN.sub("", text).strip(), flags=re.I)
    return text.strip(" ,.?!")


def _named(text: str, object_: str, lang: Lang) -> str:
    """What a question calls the document; `object_` is what it wants summarised, if that is known."""
    if file := FILE.search(text):
        name = file.group()
        name = re.sub(rf"^[{CJK}]+(?=[A-Za-z0-9])", "", name)
        return re.sub(f"^.*(?:{_SUM_ZH}|列[出举舉]|找出)(?:一下)?", "", name)
    if title := _TITLE.search(text):
        return title.group(1)
    if lang == "zh":
        return _named_zh(text)
    if object_:
        object_ = re.sub(
            r"^(?:of|for)\s+|\s+(?:in|to|as|using)\s+(?:\w+\s+){1,3}(?:sentences?|words?|bullets?|points?|me)\b.*$",
            "",
            object_,
        )
        object_ = re.sub(r"^(?:in|from)\s+|,?\s*please$", "", object_.strip())
        if re.fullmatch(_THIS_EN, object_, re.I) or not object_:
            return THIS if object_ else ""
        return re.sub(r"^(?:the|this|that|my|our)\s+", "", object_, flags=re.I)
    found = re.search(rf"\b(?:in|of|from|on|at|during|by)\s+({_MEANT_EN})\W*$", text, re.I)
    if found and not re.fullmatch(_THIS_EN, found.group(1), re.I):
        return re.sub(r"^(?:the|this|that|my|our)\s+", "", found.group(1), flags=re.I)
    return THIS if found or re.search(rf"\b(?:this|that|the)\s+{_NOUN_EN}\b", text, re.I) else ""


def _named_zh(text: str) -> str:
    if stem_ := re.match(r"[A-Za-z0-9][\w.]*[-_][A-Za-z0-9_.-]+", text):
        return stem_.group()
    found = re.search(
        f"(?:[这那這该該][一]?(?:篇|份|期|次|场|場|封)?)?([A-Za-z0-9{CJK}]*?)({_NOUN_ZH}+)", text
    )
    if found:
        words = re.sub(
            f"^.*(?:{_SUM_ZH}|列[出举舉]|找出|一下|[把将將对對给給在请請]|所有|全部)", "", found.group(1)
        )
        words = re.sub(r"^(?:[这那這该該本此上一篇份期次场個个]|关于|關於|的)+", "", words).rstrip("的")
        if words or (
            found.group(2) not in GENERIC and not re.search(f"[这那這本该該此].{{0,2}}{found.group(2)}", text)
        ):
            return words + found.group(2)
    return THIS if re.search(_THIS_ZH, text) else ""


def target_documents(
    sweep: Sweep,
    documents: Sequence[Document],
    recent: Sequence[int],
    chars: Mapping[int, int] | None = None,
) -> list[int] | str:
    """The ids of the documents meant, or a sentence asking the user to name one.

    An empty list when the name given fits no document and does not look like a file's: then the question may
    be an ordinary one. `recent`: ids cited before in the thread, latest first. `chars`: lengths of documents,
    which bound what a list question that names none may sweep.
    """
    if not documents:
        return "库中还没有文件。" if sweep.lang == "zh" else "There is no document in the library yet."
    known = {id_ for id_, _, _ in documents}
    latest = [id_ for id_ in recent if id_ in known]
    if sweep.named and sweep.named != THIS:
        best = matching(sweep.named, documents)
        if len(best) == 1:
            return best
        if best:
            return next(([id_] for id_ in latest if id_ in best), _ask(sweep.lang, documents, best))
        if FILE.fullmatch(sweep.named):
            return _unknown(sweep, documents)
        if len(known) > 1 or sweep.kind == "list":
            return []
    if len(known) == 1:
        return list(known)
    if sweep.kind == "list" and sweep.named != THIS:
        few = len(known) <= LIST_DOCUMENTS and sum((chars or {}).values()) <= LIST_CHARS
        return sorted(known) if few else _ask(sweep.lang, documents, latest)
    return latest[:1] or _ask(sweep.lang, documents, [])


def _ask(lang: Lang, documents: Sequence[Document], some: Sequence[int]) -> str:
    names = _examples(documents, some)
    if lang == "zh":
        return f"请说明是哪一份文件，例如：{'、'.join(names)}。"
    return f"Which document do you mean? Name one, for example: {', '.join(names)}."


def _unknown(sweep: Sweep, documents: Sequence[Document]) -> str:
    names = _examples(documents, [])
    if sweep.lang == "zh":
        return f"库中没有名为 {sweep.named} 的文件；有：{'、'.join(names)}。"
    return f"There is no document called {sweep.named}; there are, for example: {', '.join(names)}."


def _examples(documents: Sequence[Document], some: Sequence[int]) -> list[str]:
    by_id = {id_: PurePath(path).name or title for id_, path, title in documents}
    return [by_id[id_] for id_ in dict.fromkeys([*some, *by_id])][:MAX_CANDIDATES]
