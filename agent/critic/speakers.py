"""Who said it: the speakers that reporting verbs and turn labels name, in both languages.

It reads names beside reporting verbs and the label of a turn in a transcript. It does not resolve pronouns.
"""

from __future__ import annotations

import re

from agent.critic.facts import chinese_names
from agent.persons import AFTER_NAME, AFTER_SENTENCE, BEFORE_NAME, SAYS_EN, SAYS_ZH, any_of
from retrieval.tokens import CJK

_NAME = r"[A-Z][\w'’.-]*(?:[ ](?:(?:of|de|von|van|der|the|al)[ ])?[A-Z][\w'’.-]*)*"
_EN = (
    re.compile(
        rf"\b({_NAME})(?:,[^,.;]{{1,40}},)?[ ](?:has[ ]|had[ ]|have[ ]|also[ ]|later[ ]|then[ ])?{SAYS_EN}\b"
    ),
    re.compile(
        r"\b(?:[Aa]ccording to|[Ii]n the (?:words|view|opinion) of"
        rf"|[Aa]s (?:said|stated|argued|claimed|reported|noted) by)[ ]({_NAME})"
    ),
    re.compile(rf"[,”\"][ ]?{SAYS_EN}[ ]({_NAME})"),
)
_ZH_VERBS = any_of(
    f"""
    {SAYS_ZH} 宣布 声称 聲稱 回忆 回憶 主张 主張 承认 承認 称赞 稱讚 批评 批評 提到 告诉 告訴 答道 介绍 介紹
    说(?![法明服话书唱不]) 說(?![法明服話書唱不])
    """
)
_NAME_ZH = rf"[{CJK}A-Za-z·• .]"
_ZH = (
    re.compile(
        rf"(?:^|[，,。；;：:！？!?\n“”「」（）()、 ])({_NAME_ZH}{{2,14}}?)(?:先生|女士|教授|博士)?"
        rf"(?:还|也|还|又|则|曾|在[{CJK}]{{2,10}}[中上里时])?{_ZH_VERBS}"
    ),
    re.compile(
        rf"(?:据|根据|据|按照|按)([{CJK}A-Za-z·• ]{{2,10}}?)的?"
        + any_of("说法 說法 介绍 介紹 看法 观点 報道 报道 報導 统计 所说 所說 说 說 称 稱")
    ),
)
_TURN = re.compile(
    rf"(?:^|\n|{AFTER_SENTENCE})\s*{BEFORE_NAME}"
    rf"(?P<name>[{CJK}·]{{2,6}}|[A-Z][\w'’.-]*(?: [A-Z][\w'’.-]*){{0,2}}|(?:Speaker|发言人|說話人|说话人)\s*\w{{1,3}})"
    rf"{AFTER_NAME}"
)
_ASKED = (
    re.compile(rf"[Ww]hat (?:did|does|has|have) (?P<name>{_NAME}) (?:say|said|tell us|told us)\s*\?*"),
    re.compile(
        rf"(?P<name>[{CJK}·A-Za-z .]{{2,14}}?)(?:都|还|還|也|曾经?|曾經|到底|究竟|主要|具体|具體)*"
        r"(?:说|說|讲|講|谈|談)(?:了|过|過|到)*(?:些|哪些)?(?:什么|什麼|啥)(?:话|話|内容|內容)?\s*[？?]*"
    ),
)
_NO_NAME = re.compile("[的在是于於了不这這那有为為并並我你]")
_NOBODY = re.compile(
    r"^(?:The|This|That|It|He|She|They|We|I|You|There|Who|Which|One|Some|Many|Others?|People|Researchers|Subject|From|To|Cc|Date|Note|Title|Abstract|Summary|Warning|Example|Source|Figure|Table|Question|Answer|Scientists|However|But|And"
    r"|主题|时间|地点|日期|注意|注|例如|问|答|标题|摘要|来源|[他她它我你][们們]?|有人|人们|人們|据|文章|文中|作者|研究|报告|報告|报道|報道|媒体|媒體|专家|專家|学者|學者)$"
)


def speakers_of(text: str) -> list[str]:
    """Names of those whose words a text reports, by its verbs or by the label that opens a turn."""
    found = [match.group(1) for pattern in (*_EN, *_ZH) for match in pattern.finditer(text)]
    found += [match["name"] for match in _TURN.finditer(text)]
    cleaned = (name.strip(" .'’•·").removesuffix("'s") for name in found)
    return list(
        dict.fromkeys(
            name
            for name in cleaned
            if len(name) > 1 and not _NOBODY.match(name) and not _NO_NAME.search(name)
        )
    )


def asked_speaker(question: str) -> str:
    """The person whose words a question asks for, and nothing else: "What did Ada say?", 王小川说了什么？; or ""."""
    matches = [pattern.fullmatch(question.strip()) for pattern in _ASKED]
    name = next((match["name"].strip() for match in matches if match), "")
    # The segmenter may leave the surname out.
    return name if name.isascii() or any(known in name for known in chinese_names(question)) else ""


def turn_of(text: str, start: int, end: int) -> list[str]:
    """The label of the turn that `text[start:end]` belongs to, in a transcript; empty where there is none."""
    labels = [match["name"].strip() for match in _TURN.finditer(text, 0, end)]
    return labels[-1:]
