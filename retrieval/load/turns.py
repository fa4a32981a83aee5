"""Find the speakers of a transcript by the labels of its turns ("Anna: ...", "张三：...").

Only labels that are regular count: several turns, of speakers who come again, in a text made mostly of
them. So a form or a glossary ("Name: ...", "Date: ...") has no speakers. It knows no voices, and a label
that is wrong in the text is wrong here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from retrieval.load.source import Mark, label_of

Span = tuple[int, int]

TURNS = 4  # fewer are no transcript
SPEAKERS = 60
LEVEL = 6  # deeper than a heading can be but the last

_TIME = r"[\[(（]?\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?[\])）]?"
_LETTER = r"[^\W\d_]"
_LABEL = re.compile(
    rf"^[ \t]*(?P<item>[-*•][ \t]+)?(?:\*\*|__)?(?:{_TIME}[ \t]*(?:[-–—][ \t]*)?)?(?:\*\*|__)?"
    rf"(?P<name>{_LETTER}[\w.'’·&-]*(?:[ ][\w.'’·&-]+){{0,3}})(?:\*\*|__)?[ \t]*"
    rf"(?:[(（][^()（）\n:：]{{1,20}}[)）][ \t]*)?(?:{_TIME})?(?:\*\*|__)?[ \t]*[:：](?:\*\*|__)?(?!//)(?=\s|[^\s\d/]|\d)",
    re.MULTILINE,
)
_NO_SPEAKER = frozenset(
    """
    note notes date time to from cc bcc subject re title abstract text license author authors doi source sources example
    examples warning tip tips info important caution danger figure table step url keywords background methods results
    conclusion conclusions introduction summary references version status tags tag see but and or if input output usage
    default name address phone email tel fax place location where when what who why how price type size color colour
    description details instructions ingredients directions total amount id key value category categories todo done
    error debug trace fatal http https file path return returns args arguments parameters param raises yields attachments
    present absent attendees apologies agenda minutes decision decisions action actions result
    pros cons hint answerable monday tuesday wednesday thursday friday saturday sunday start end due with
    注 注意 日期 时间 時間 来源 來源 标题 標題 作者 摘要 说明 說明 例如 比如 备注 備註 提示 警告 地址 电话 電話 其中 总结 總結
    内容 內容 地点 地點 主题 主題 姓名 名称 名稱 类型 類型 价格 價格 数量 數量 编号 編號 结论 結論 目的 方法 结果 結果 背景 参加者 出席 缺席
    与会者 與會者 定义 定義 原因 特点 特點 优点 優點 缺点 缺點 步骤 步驟 示例 用法 参数 參數 返回 关键词 關鍵詞 链接 連結 发件人 收件人 寄件者
    """.split()
)
_ROLES = re.compile(
    r"[QA]\d{0,2}|(?:speaker|spk|host|guest|interviewer|interviewee|moderator|presenter|caller)[ _-]?\w{0,2}"
    r"|[问答問]|(?:主持人|主持|嘉宾|嘉賓|记者|記者|发言人|發言人|说话人|說話人|观众|觀眾|听众|聽眾|提问者|提問者|学生|學生|老师|老師)\s?\w{0,2}",
    re.IGNORECASE,
)
# "Anna Lind  0:03" alone on its line, as programs write it that put speech into text.
_TIMED = re.compile(
    rf"^[ \t]*(?P<item>)(?P<name>{_LETTER}[\w.'’·&-]*(?:[ ][\w.'’·&-]+){{0,3}}?)[ \t]+{_TIME}[ \t]*$",
    re.MULTILINE,
)
_BESIDE = re.compile(r"[ \t]*\n?[ \t]*\S")  # words beside the label, or on the line below it
_SENTENCE = re.compile(r"[.?!。？！…][\"'”’」』)）]*$")
_PARTICLES = frozenset("de da del der den di la le van von of the al bin ibn y e".split())
# Common surnames, and what familiar names begin with.
_SURNAMES = frozenset(
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾萧肖田董袁潘于蒋蔣蔡余杜叶葉程苏蘇魏吕呂"
    "丁任沈姚卢盧姜崔钟鍾谭譚陆陸汪范金石廖贾賈夏韦韋付方白邹鄒孟熊秦邱江尹薛闫段雷侯龙龍史陶黎贺賀顾顧毛郝龚龔邵万萬钱錢严嚴覃武戴莫孔向汤湯"
    "欧歐司小阿老大"
)
_CJK = re.compile("[\u3400-\u9fff]")
_FUNCTION = re.compile(
    "[的了是在和與与及或把被从從对對这這那哪什么為为]|如何|怎么|关于|關於|第[一二三四五六七八九十]"
)


def turns(text: str, begin: int = 0, skipped: Sequence[Span] = ()) -> tuple[Mark, ...]:
    """A message mark for each turn of a transcript, in order; none where the text is no transcript.

    `begin`: where the text proper begins; `skipped`: spans in which no label counts, such as code.
    """
    bare = _blanked(text, skipped)
    found = [
        (match.start() + len(match[0]) - len(match[0].lstrip()), match.end(), _name(match["name"]))
        for pattern in (_LABEL, _TIMED)
        for match in pattern.finditer(bare, begin)
        if not match["item"] or _CJK.search(match["name"])  # "- Anna: ..." is as likely a task of hers
    ]
    found = sorted(one for one in found if one[2])
    counts = Counter(name for _, _, name in found)
    kept = [one for one in found if counts[one[2]] > 1 or _looks_like_a_person(one[2])]
    people = {(start, name) for start, _, name in kept}
    if not _regular([name for _, _, name in kept], counts) or not _spoken(bare, kept):
        return ()
    # In a transcript a label that comes once is a speaker too: better so than his words under another's name.
    said = [
        (start, name)
        for start, _, name in found
        if (start, name) in people or (start > kept[0][0] and _is_brief(name))
    ]
    return tuple(Mark(start, "message", name, LEVEL, name) for start, name in said)


def _is_brief(name: str) -> bool:
    return len(name) <= 4 if _CJK.search(name) else len(name.split()) <= 3


def _blanked(text: str, skipped: Sequence[Span]) -> str:
    """`text` with spaces in place of what is skipped, so that offsets stay."""
    parts, at = [], 0
    for start, end in skipped:
        parts += [text[at:start], "\n" * (end > start), " " * (end - start - 1)]
        at = max(at, end)
    return "".join([*parts, text[at:]])


def _regular(names: list[str], counts: Counter[str]) -> bool:
    """Whether there are several turns of several speakers, most of whom come again."""
    if len(names) < TURNS or not 2 <= len(set(names)) <= SPEAKERS or _is_form(names):
        return False
    chinese = [name for name in set(names) if _CJK.search(name)]
    if sum(name[0] in _SURNAMES or bool(_ROLES.fullmatch(name)) for name in chinese) < 0.5 * len(chinese):
        return False
    return sum(counts[name] > 1 for name in names) >= 0.6 * len(names)


def _spoken(text: str, kept: list[tuple[int, int, str]]) -> bool:
    """Whether what stands between the labels reads like speech, and makes up the text."""
    stops = [*(start for start, _, _ in kept[1:]), len(text)]
    beside = sum(bool(_BESIDE.match(text, end)) for _, end, _ in kept)
    said = [text[end:stop].strip() for (_, end, _), stop in zip(kept, stops, strict=True)]
    sentences = sum(bool(_SENTENCE.search(one[-20:])) or len(one) > 60 for one in said)
    lines = text.count("\n", kept[0][0]) + 1
    most = 2 * sum(map(len, said)) >= kept[0][0]
    return most and beside >= 0.7 * len(kept) and sentences >= 0.4 * len(said) and lines <= 40 * len(said)


def _is_form(names: list[str]) -> bool:
    """Whether three labels or more come in the same order again and again, as fields of records do."""
    different = list(dict.fromkeys(names))
    size = len(different)
    return size > 2 and all(name == different[n % size] for n, name in enumerate(names))


def _name(raw: str) -> str:
    """A label as a speaker's name; "" where it can be none."""
    name = label_of(raw).strip("*_ ")
    if not name or name.lower() in _NO_SPEAKER or len(name) > 40:
        return ""
    if _ROLES.fullmatch(name):
        return name
    if _CJK.search(name):
        long = len(_CJK.findall(name)) > 8 or re.search(r"\d", name)
        return "" if long or _FUNCTION.search(name) else name
    words = name.split()
    named = words[0][0].isupper() and all(word[0].isupper() or word in _PARTICLES for word in words)
    return name if named else ""


def _looks_like_a_person(name: str) -> bool:
    if _ROLES.fullmatch(name):
        return True
    if _CJK.search(name):
        return 2 <= len(name) <= 4
    parts = name.split()
    return 2 <= len(parts) <= 3 and all(part[0].isupper() for part in parts)


def headed(marks: Sequence[Mark], turned: Sequence[Mark]) -> tuple[Mark, ...]:
    """Headings and turns together, in order; where both begin at one place the heading comes first."""
    return tuple(sorted([*marks, *turned], key=lambda mark: (mark.start, mark.kind == "message")))
