"""The wordings of whole-document questions, each beside a question that it knows.

A wording is a regular expression in which `<name>` stands for a fragment below. Questions come with single
spaces. What is asked for is read from its groups: `object` (what is summed up), `subject` (what is listed),
`topic` and `speaker`. It does not decide which kind of question one is, nor which document it means: `agent.sweep` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.persons import PEOPLE_EN, PEOPLE_ZH, any_of

_EN = {
    "people": PEOPLE_EN,
    # What one calls a document.
    "noun": r"(?:documents?|docs?|files?|articles?|papers?|reports?|texts?|transcripts?|transcriptions?|interviews?"
    r"|talks?|meetings?|notes|minutes|chapters?|podcasts?|episodes?|essays?|posts?|pages?|letters?|e-?mails?"
    r"|contracts?|presentations?|slides|memos?|conversations?|discussions?|debates?|lectures?|speech|panel"
    r"|round[ -]?table|pdf|manual|guide|readme|story|book)",
    # One that is only pointed at: "this", "the whole report".
    "this": r"(?:this|that|it|these|those|(?:the|this|that|my|our|these|those) (?:(?:whole|entire|full) )?<noun>)",
    # One that is pointed at or named: "my notes of the talk", notes.md, lease-2024, "Title".
    "meant": r"(?:<this>|(?:the|this|that|my|our) (?:[\w'’.-]+ ){1,6}?<noun>|\S+\.[a-z]{2,8}|\w+(?:[-_]\w+)+"
    r"|[\"“《][^\"”》]+[\"”》])",
    "polite": r"^\W*(?:(?:please|kindly|can you|could you|would you|will you|help me(?: to)?|i need you to"
    r"|i(?:'d| would) like you to|now|ok(?:ay)?|so),? )*",
    "brief": r"(?:(?:short|brief|quick|concise|general|high[- ]level|one[- ]\w+|\w+[- ]sentence|detailed|good|rough) )?",
    "summary": r"(?:summary|overview|synopsis|recap|gist|outline|abstract|tl;?dr)",
    "main": r"(?:main|key|central|major|most important|principal)",
    "takeaways": r"(?:<main> (?:points?|take-?aways?)|take-?aways)",
    "ideas": r"<main> (?:ideas?|findings?|arguments?|messages?|topics?|themes?|conclusions?|results?|claims?)",
    "what are": r"^\W*(?:(?:what (?:are|were|is|was)|give me|tell me|list|show me) )?(?:the )?",
    "every": r"(?:every(?: single)?|all|each)\b(?: of)?",
    "happens": r"(?:mentioned|listed|named|discussed|cited|described|referenced|covered|referred to|talked about"
    r"|brought up|quoted|defined)",
    "which": r"\b(?:what|which) (?P<subject>(?!is\b|are\b|was\b|were\b|does\b|do\b)[\w' -]+?)",
    "each": r"(?:each|every|all(?: of)?(?: the)?|the (?:different|various|individual))",
    "views": r"(?:views?|opinions?|positions?|points?|arguments?|statements?|contributions?)",
    "says": r"(?:say|said|think|argue|claim|suggest|believe|talk|discuss|propose)",
}
_ZH = {
    "people": PEOPLE_ZH,
    "noun": any_of(
        """
        文章 文件 文档 文檔 文本 论文 論文 报告 報告 资料 資料 材料 笔记 筆記 纪要 紀要 记录 記錄 转录 轉錄 文字稿
        逐字稿 稿子 文稿 访谈 訪談 采访 採訪 对话 對話 播客 节目 節目 合同 邮件 郵件 讲座 講座 演讲 演講 会议 會議
        圆桌 圓桌 讨论会 討論會 讨论 討論 报道 報道 報導 帖子 录音 錄音 夜聊
        """
    ),
    "this": "(?:(?:[这那這该該本此上]一?(?:篇|份|期|次|场|場|段|封|部|则|則|些|个|個)?)?<noun>"
    "|[这那這本此该該]一?(?:篇|份|期|集)|[本全原]文|文[中里裡内內]|[这這那](?=主要|[讲講说說]))",
    "meant": r"(?:<this>|《[^》]+》|“[^”]+”|[A-Za-z0-9][A-Za-z0-9_.-]+\s*(?:[这這][篇份])?<noun>?\s*|\S+\.[A-Za-z]{2,8}"
    r"|[^\s，。？?、的]{1,20}?<noun>)",
    "in": "(?:[中里裡内內上]面?|里面|裡面)?",
    "polite": r"^[\W_]*(?:请|請|麻烦|麻煩|帮忙|幫忙|帮我|幫我|给我|給我|替我|你|您|能否|能不能|可否|可以|能"
    r"|简要|簡要|简单|簡單|简短|簡短|大致|快速|用?[一二三四五六七八九十\d几幾]+[句点點段条條]话?[話]?)*",
    "sum up": "(?:总结|總結|概括|概述|归纳|歸納|小结|小結|梳理|提炼|提煉)",
    "summary": "(?:<sum up>|摘要|概要|综述|綜述)",
    "gist": any_of(
        """
        主要内容 主要內容 内容 內容 大意 主旨 要点 要點 重点 重點 主要观点 主要觀點 核心观点 核心觀點 中心思想 主要信息
        主要结论 主要結論
        """
    ),
    "tells": "(?:主要|大概|大致|都|到底|究竟)?在?(?:讲|講|说|說|谈|談|写|寫|介绍|介紹|讨论|討論)",
    "what": "(?:什么|什麼|啥)",
    "every": "(?:所有|全部|一切|每一?[个個条條项項位种種处處]|各[个個种種项項位]?)",
    "list": "(?:列出|列举|列舉|罗列|羅列|找出|提取|汇总|彙總)",
    "happens": "(?:都|一共|总共|總共|分别|分別|共)?(?:提到|提及|出现|出現|列出|介绍|介紹|讲到|講到|谈到|談到|说到|說到"
    "|涉及|包含|包括|引用|讨论|討論|列举|列舉)[了过過]?的?",
    "count": "(?:哪[几幾][个個種种位])",
    "view": "(?:说|說|讲|講|谈|談|表达|表達|提出|观点|觀點|看法|意见|意見|态度|態度|立场|立場|发言|發言|主张|主張"
    "|怎么看|怎麼看|认为|認為)",
    "each": "(?:都|分别|分別)",
}


def _filled(template: str, fragments: Mapping[str, str]) -> str:
    """A wording with its fragments, and theirs, in place of their names."""
    while (text := re.sub(r"(?<!\?P)<([a-z ]+)>", lambda name: fragments[name[1]], template)) != template:
        template = text
    return template


def english(template: str) -> re.Pattern[str]:
    return re.compile(_filled(template, _EN), re.IGNORECASE)


def chinese(template: str) -> re.Pattern[str]:
    return re.compile(_filled(template, _ZH))


# The first two of each language come before those of lists: "summarise all ..." wants no list.
SUMMARY_EN = {
    "Please summarise notes.md briefly": r"<polite>(?:(?:briefly|quickly) )?(?:summari[sz]e|sum up|recap)"
    r"(?: (?:for me|briefly))?(?P<object>\b.*)",
    "Give me a short overview of notes.md": r"<polite>(?:(?:give|write|show|get)(?: me)?|i(?: need| want|'d like)|make"
    r"|provide|what(?:'s| is| would be)|produce|create|prepare) (?:an?|the) <brief><summary>\b"
    r"(?P<object> (?:of|for)\b.*|[.?! ]*)$",
    "Summary of notes.md": r"^\W*(?:an? |the )?(?:short |brief )?(?:summary|overview|synopsis|recap|gist)\b"
    r"(?P<object> (?:of|for)\b.*|[.?! ]*)$",
    "tl;dr": r"\btl;?\s?dr\b(?P<object>.*)",
    "What is this report about?": r"\bwhat(?:'s| is| was| are| were) (?P<object><meant>) (?:all |mainly |really )?about\b[?. ]*$",
    "What does this report say?": r"\bwhat (?:does|do|did) (?P<object><meant>) "
    r"(?:say|talk about|discuss|cover|deal with|contain)[?. ]*$",
    "What are the key takeaways?": r"<what are><takeaways>\b(?P<object>.*)",
    "the main ideas of this talk": r"<what are><ideas> (?:of|in|from|made in) (?P<object><meant>)\W*$",
}
LIST_EN = {
    "List every deadline": r"<polite>(?:list|enumerate)(?: me| out| up)* (?:<every>|(?:the|any)\b(?: of)?)(?P<subject>.*)",
    "Find all names": r"<polite>(?:find|show|give|collect|extract|name|tell|get|pull out|write down|gather)(?: me)? "
    r"<every>(?P<subject>.*)",
    "Make a list of all tools": r"<polite>(?:make|give me|write|compile|create|i need|i want) (?:me )?a "
    r"(?:full |complete )?list of (?:every|all)?(?P<subject>.*)",
    "What are all the tools?": r"\bwhat (?:are|were) all(?: of)?\b(?P<subject>.*)",
    "Which tools are mentioned in this talk?": r"<which> (?:are|were|is|get|gets) <happens> (?:in|by|throughout) <meant>\W*$",
    "Which tools does this talk mention?": r"<which> (?:does|do|did) <meant> "
    r"(?:mention|list|name|discuss|cite|describe|contain|cover|include)\W*$",
}
SPEAKERS_EN = {
    "Who said what?": r"\bwho (?:said|says|argued|claimed|thought|thinks) what\b(?P<topic>.*)",
    "Who are the speakers?": r"\bwho (?:are|were) (?:all )?the (?:speakers|panel?lists|discussants|interviewees)\b(?P<topic>.*)",
    "Who is speaking?": r"\bwho (?:is|was|are) (?:speaking|talking)\b(?P<topic> (?:in|on)\b.*|\W*)$",
    "What did each speaker say?": r"\bwhat (?:did|does|do|has|have) (?:<each>|the) (?:of the )?<people> (?:each )?<says>\b"
    r"(?P<topic>.*)",
    "Each speaker's main views": r"\b(?:each|every) <people>(?:['’]s) (?:main |key )?<views>\b(?P<topic>.*)",
    "the views of each speaker": r"\b(?:views?|opinions?|positions?|arguments?|statements?) of <each> <people>\b(?P<topic>.*)",
    "What did Ann say about it in this talk?": r"\bwhat (?:did|does|has|do) (?P<speaker>[\w.'’ ·-]+?) "
    r"(?:say|said|think|argue|claim|suggest|talk about|tell us)\b(?P<topic>.*?)\s*\b(?:in|on|at|during) <meant>\W*$",
}
SUMMARY_ZH = {
    "请总结一下这篇文章": "<polite><sum up>(?![了过過出])(?P<object>.*)",
    "把这篇文章总结一下": r"<polite>(?:把|将|將|对|對|给|給|为|為)(?P<object>.*?)(?:进行|進行|做|作|写|寫|来|來)?"
    r"(?:一?[个個份段下点點])?(?:<summary>|简介)(?:一下|下|出来|出來)?[。！!？?吧吗嗎\s]*$",
    "写一份会议纪要的摘要": r"<polite>(?:写|寫|做|来|來|生成|给出|給出)?一?[个個份段]?(?P<object><meant>?)的?<summary>[。！!？?吧\s]*$",
    "这篇文章主要讲了什么？": r"^(?P<object><meant>)<in><tells>的?(?:了|的)?是?(?:些|一些)?"
    r"(?:<what>|哪些(?:内容|內容|东西|東西|事))(?:内容|內容|东西|東西|呢|事)?[？?。\s]*$",
    "这篇文章的要点有哪些？": r"^(?:(?P<object><meant>)<in>的?)?有?<gist>(?:是|有|包括)?"
    r"(?:<what>|哪些|哪几[个点]|哪幾[個點])[？?呢。\s]*$",
    "这篇文章是关于什么的？": r"^(?P<object><this>)<in>是?(?:关于|關於)<what>的?[？?\s]*$",
    "讲讲这篇文章的主要内容": r"<polite>(?:告诉我|說說|说说|讲讲|講講)?(?P<object><meant>)<in>的?<gist>[。！!？?\s]*$",
}
LIST_ZH = {
    "列出所有的日期": r"<polite>(?:一一)?(?:<list>|整理出?|提取出?|摘出|标出|標出|给出|給出|列)(?:一下|来|來)?(?P<subject>.*<every>.*)",
    "把所有日期都列出来": r"<polite>(?:把|将|將)(?P<subject>.*?(?:所有|全部|每).*?)(?:都|全部|全都|一一)?"
    r"(?:<list>|整理|摘出|列)(?:来|來|出来|出來|一下)*[。！!\s]*$",
    "列出合同里的日期": "<polite><list>(?P<subject><meant>.*)",
    "文中提到了哪些公司？": "^在?<meant><in><happens>了?(?:哪些|什么样?的?|<count>)(?P<subject>.*)",
    "文中提到的公司有哪些？": r"^在?<meant><in><happens>(?P<subject>[^是？?]*?)<each>?有哪些[？?\s]*$",
    "有哪些公司在文中被提到？": r"^有?哪些(?P<subject>[^，。？?]*?)在?<meant><in>(?:被|有)?<happens>[？?\s]*$",
    "这份合同里的全部日期是什么？": r"^<meant>[中里裡内內]面?的?(?P<subject>(?:所有|全部).*?)都?(?:有哪些|是<what>|是哪些)[？?\s]*$",
}
SPEAKERS_ZH = {
    "谁说了什么？": "[谁誰](?:在.{1,20}?[里裡中上])?<each>?(?:说|說|讲|講)[了过過]?(?:些|哪些)?<what>(?P<topic>.*)",
    "每位嘉宾的观点": "(?:每一?[位个個名]|各位?|各个|各個|几位|幾位|所有|不同)<people>(?:们|們)?(?P<topic>.*?<view>.*)",
    "嘉宾们对开源分别怎么看": "<people>(?:们|們)?(?P<topic>[^，。]{0,24}?(?:<each>|各自)<view>.*)",
    "每个人都说了什么": "(?:每个人|每個人|每人|各人|大家)(?:<each>|各自)*(?P<topic><view>.*)",
    "他们分别怎么看开源": "(?:他们|他們|大家)(?:分别|分別|各自)都?(?P<topic>.*?<view>.*)",
    "播客里嘉宾说了什么": "^在?<meant><in>的?<people>(?:们|們)?(?P<topic>[^，。]{0,24}?<view>[了过過]?(?:些|哪些)?<what>.*)",
    "有哪些嘉宾？": r"(?:有哪[些几幾][位个個]?<people>|(?<![位名])(?!作者|老[师師])<people>(?:们|們)?<each>?"
    r"(?:是谁|是誰|有谁|有誰|有哪[些几幾]位?|是哪[些几幾]位?))(?P<topic>)[？?呢\s]*$",
    "张奇在访谈中说了什么？": r"^(?P<speaker>[^，。？?、]{2,16}?)(?:老师|老師|教授|先生|女士)?在<meant><in>"
    r"(?P<topic>(?:对|對|关于|關於|就).{1,20}?)?(?:都|主要)?(?:说|說|讲|講|谈|談|提|表达|表達)(?:了|到了?|过|過)?"
    r"(?:些|哪些)?<what>(?:观点|看法)?[？?\s]*$",
}
# --- what is read from the groups -------------------------------------------------------------------------

# "... with a focus on agents"; 关于开源的内容
FOCUS_EN = english(
    r"\b(?:with (?:a )?focus on|focus(?:s?ing|s?ed)? on|with regard to|regarding|concerning|about|in terms of)\s+"
    r"(?P<topic>.+?)[?.! ]*$"
)
FOCUS_ZH = chinese(
    "(?:关于|關於|有关|有關|针对|針對|对于|對於|对|對|就)(?P<topic>[^，。？?]{1,30}?)"
    "(?:的|问题|問題|方面|分别|分別|各自|都)*(?=<view>|<sum up>|内容|內容|部分|[，。？?]|$)"
)
# "deadlines that are mentioned in the contract": what follows the subject.
TAIL_EN = english(
    r"(?:\s*\b(?:that|which)\b)?(?:\s*\b(?:are|is|were|was)\b)?\s*(?:\b<happens>\s+)?"
    r"(?:\b(?:in|from|of|throughout|by|on|at)\s+<meant>)?\W*$"
)
# 合同里提到的所有日期有哪些: what stands around the subject.
SUBJECT_ZH = chinese(
    r"^(?:了|一下|出)*(?:[中里裡内內]的)?(?:在?<meant><in>)?的?(?:<happens>)?的?(?:<every>)?(?:被?<happens>)?的?"
    r"(?P<subject>.*?)<each>?(?:有哪些|是<what>|是哪些|出来|出來)?[。！!？?\s]*$"
)
THIS_EN, THIS_ZH, NOUN_EN, NOUN_ZH = (
    english("<this>"),
    chinese("<this>"),
    english("<noun>"),
    chinese("<noun>"),
)
SUM_ZH = chinese("<sum up>")
MEANT_LAST_EN = english(r"\b(?:in|of|from|on|at|during|by)\s+(<meant>)\W*$")
THE_NOUN_EN = english(r"\b(?:this|that|the)\s+<noun>\b")
