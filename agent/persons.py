"""How people are named and how their words are reported, in both languages: words, and what reads them.

`agent.speakers`, `agent.sweep`, `agent.listing` and `agent.critic.speakers` build their patterns from these.
It reads surface forms: it knows no person, and a name like a word (高兴) may be missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.reasoners.language import names_in
from retrieval.split import Span
from retrieval.tokens import CJK, is_chinese


def any_of(words: str) -> str:
    """A pattern for any of some words separated by white space, longest first; `_` stands for a space."""
    ordered = sorted(words.split(), key=len, reverse=True)
    return "(?:" + "|".join(word.replace("_", r"\ ") for word in ordered) + ")"


# --- how words are reported -------------------------------------------------------------------------------

SAYS_EN = any_of(
    """
    said says argued argues claimed claims stated states noted notes wrote writes explained explains told tells
    believed believes announced announces suggested suggests reported reports added adds replied replies asked
    asks pointed_out concluded concludes emphasised emphasises emphasized emphasizes insisted insists maintained
    maintains observed observes remarked declared described proposed proposes warned warns mentioned mentions
    confirmed confirms thinks thought
    """
)
SAYS_ZH = """
    表示 认为 認為 指出 强调 強調 透露 提出 解释 解釋 补充 補充 建议 建議 写道 寫道 说道 說道 坦言 问道 問道 回答
"""

# --- the label of a turn ----------------------------------------------------------------------------------

TIME = r"[\[(（]?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?[\])）]?"
_BOLD = r"(?:\*\*|__)?"
# Before a name: "- ", "**", "[00:01:02]"; after it: "**", "(CTO)", "(10:23)", ":".
BEFORE_NAME = rf"[^\S\n]*(?:[-*+•>]\s+)?{_BOLD}(?:(?P<before>{TIME})[^\S\n]*[-–—]?[^\S\n]*)?{_BOLD}"
AFTER_NAME = rf"{_BOLD}[^\S\n]*(?P<role>[(（][^)）\n:：]{{1,20}}[)）])?[^\S\n]*(?P<after>{TIME})?{_BOLD}[^\S\n]*[:：]{_BOLD}"
AFTER_SENTENCE = r"(?<=[。！？.!?”\"])[^\S\n]+"  # where a turn begins within a line

# --- who speaks -------------------------------------------------------------------------------------------

ROLES_EN = any_of("speaker spk host guest interviewer interviewee moderator presenter caller chair")
ROLES_ZH = any_of(
    """
    主持人 主持 嘉宾 嘉賓 记者 記者 发言人 發言人 说话人 說話人 观众 觀眾 听众 聽眾 提问者 提問者 学生
    學生 老师 老師
    """
)
PEOPLE_EN = (
    r"(?:speakers?|participants?|guests?|panel(?:l?ists?)?|experts?|interviewees?|discussants?|authors?|persons?"
    r"|people|one|of them)"
)
PEOPLE_ZH = any_of(
    """
    嘉宾 嘉賓 发言人 發言人 发言者 發言者 与会者 與會者 专家 專家 讲者 講者 参与者 參與者 说话人 說話人
    说话者 對談者 对谈者 受访者 受訪者 主讲人 主講人 参会者 讨论者 討論者 作者 老师 老師
    """
)

ROLE = re.compile(
    rf"(?:Q|A|question|answer|{ROLES_EN}[ _-]?\w{{0,2}}|问|答|問|{ROLES_ZH}\s?[\dA-Za-z一二三四五六]{{0,2}})",
    re.IGNORECASE,
)

# --- names ------------------------------------------------------------------------------------------------

TITLES_ZH = any_of("主持人 主持 教授 老师 老師 先生 女士 博士 院士 记者 总工程师")
TITLES_EN = r"(?:Dr|Mr|Mrs|Ms|Prof)\.?"
TITLES = re.compile(rf"(?:{TITLES_ZH}|[(（].*)$|^{TITLES_EN} ", re.IGNORECASE)
FUNCTION = re.compile(  # no name holds these
    "[的了是在和与與及或把被从從对對这這那哪什么為为]|如何|怎么|关于|關於|第[一二三四五]"
)
_NO_NAMES = frozenset(
    "白领 蓝领 金领 金字塔 毛利 马克 高峰 高潮 黄金 马路 方程 石油 万能 龙头 史诗 江湖 金融 任何".split()
)
SURNAMES = frozenset(
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾萧肖田董袁潘于蒋蔣"
    "蔡余杜叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鍾谭譚陆陸汪范金石廖贾賈夏韦韋付方白邹鄒孟熊秦邱江尹薛闫段雷侯龙龍史陶黎"
    "贺賀顾顧毛郝龚龔邵万萬钱錢严嚴覃武戴莫孔向汤湯"
)
_TRANSLITERATED = re.compile(f"[{CJK}]{{1,6}}(?:[·•・][{CJK}]{{1,8}})+")  # 山姆·阿尔特曼
_LATIN_NAME = re.compile(
    rf"(?P<title>{TITLES_EN}\s+)?"
    r"(?P<name>[A-Z][\w'’.-]+(?:[ \n](?:(?:de|von|van|der|la|al)[ \n])?[A-Z][\w'’.-]*){0,3})"
)
_NAME_WORD = re.compile(
    r"(?:Mc|Mac|[OD]['’])?[A-Z](?:[^\W\d_A-Z]+(?:-[A-Z][^\W\d_A-Z]+)*)?(?:['’]s)?|de|von|van|der|la|al"
)
# In a name of two words or more, these say that it is nobody's.
_NOT_PERSONS = frozenset(
    """
    university institute college school street road avenue square park river lake mount mountain island
    city town bridge north south east west new united states kingdom republic company corporation corp
    inc ltd bank group agency committee council commission department ministry office association
    society union party court act law agreement treaty project programme program award prize war day
    week month year january february march april may june july august september october november
    december monday tuesday wednesday thursday friday saturday sunday section chapter table figure
    appendix page part article museum library church hotel hospital press news times journal conference
    centre center foundation the this that these those dear read see model models learning data service
    services system systems street house hall station airport lane los san saint chapters
    transcript one two three four five
    """.split()
)


def people_in(sentence: str) -> Iterator[Span]:
    """Where names of people stand in a sentence: of full form in English, known or likely ones in Chinese."""
    if is_chinese(sentence):
        yield from _people_zh(sentence)
    else:
        yield from _people_en(sentence)


def _people_zh(sentence: str) -> Iterator[Span]:
    import rjieba

    dotted = [_bare(sentence, *match.span()) for match in _TRANSLITERATED.finditer(sentence)]
    yield from dotted
    at = 0
    for word, tag in rjieba.tag(sentence):
        at, start = at + len(word), at
        inside = any(a <= start < b for a, b in dotted)
        counted = word[0] == "张" and re.search(r"[\d一二两三四五六七八九十百千万几少]\s*$", sentence[:start])
        likely = 2 <= len(word) <= 4 and word[0] in SURNAMES and word not in _NO_NAMES
        if tag == "nr" and likely and not inside and not counted:
            yield start, at


def _bare(sentence: str, start: int, end: int) -> Span:
    """A transliterated name without the words around it, which no space parts from it."""
    import rjieba

    first, last = re.split("[·•・]", sentence[start:end])[:: len(re.findall("[·•・]", sentence[start:end]))]
    words: list[str] = rjieba.cut(first)
    kept = ""
    for word, tag in rjieba.tag(last):
        if kept and tag[0] in "vdpcury":
            break
        kept += word
    return start + len(first) - len(words[-1]), end - len(last) + len(kept)


def _people_en(sentence: str) -> Iterator[Span]:
    known = set(names_in("x " + sentence))
    for match in _LATIN_NAME.finditer(sentence):
        words = [word.rstrip(".'’-") for word in match["name"].split()]
        odd = any(word.lower() in _NOT_PERSONS or not _NAME_WORD.fullmatch(word) for word in words)
        full = len(words) > 1 and any(" ".join(words) in name for name in known)
        if not odd and (match["title"] or full):
            yield match.start("name"), match.start("name") + len(match["name"].rstrip(".'’-"))
