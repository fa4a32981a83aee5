"""The words, in English and Chinese, by which the checks know negation, doubt, opposites and lead-ins."""

from __future__ import annotations

import re

NEGATION = re.compile(
    r"\b(?:not|no longer|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly|\w+n['’]t|fail(?:s|ed)? to|lack(?:s|ed|ing)?|unable|impossible)\b"
    r"|(?<![特分个各级区差无])(?:不(?!仅|僅|但|过|過|同|断|斷|少|久|管|论|論|只|禁|光|得不|约而同|足|到|超[过過]|低[于於]|列颠|列顛|丹|锈|鏽)|"
    r"没有?|沒有?|未(?![来來成])|无法|無法|并非|並非|从未|從未|毫无|毫無|绝非|絕非|尚未|禁止|从不|從不)",
    re.I,
)
# Narrower than NEGATION: two sources of which only one says "without", "failed to" or "not only" may both be
# right; of which only one says "not", they are not.
DENIAL_EN = re.compile(
    r"\b(?:not(?! only| just| merely)|no(?! doubt)|never|cannot|neither|nor|none)\b|n['’]t\b", re.I
)
DENIAL_ZH = re.compile(
    r"(?<![特分个各级区差无不])(?:并不|並不|不(?![仅僅但过過同断斷少久管论論只禁光得变變足锈鏽良利])|没有?|沒有?|未(?![来來])|无法|無法|并非|並非|尚未)"
)
HEDGE = re.compile(
    r"\b(?-i:may)\b(?! not\b)|\b(?:might|could|possibly|perhaps|probably|likely|suggests?|allegedly|reportedly|estimated|appears?|seems?)\b"
    r"|可能|也许|也許|或许|或許|大概|据说|據說|似乎|估计|估計|疑似|据称|據稱",
    re.I,
)
_FALSE_EN = "false|untrue|wrong|incorrect|mistaken(?:ly)?"
_FALSE_ZH = "错误|錯誤|不实|不實|有误|有誤"
FALSE = re.compile(rf"\b(?:{_FALSE_EN})\b|{_FALSE_ZH}", re.I)
# What a source does not state as a fact: false, hearsay, supposed, or an example.
UNREAL = re.compile(
    rf"\b(?:{_FALSE_EN}|myth|rumou?red|allegedly|supposedly|if|whether|might|could"
    r"|would|should have|hypothe\w+|suppose|assum\w+|for example|e\.g\.)\b"
    rf"|{_FALSE_ZH}|谣传|謠傳"
    r"|误传|誤傳|假如|假设|假設|如果|倘若|若是|例如|比如|可能|也许|也許|据说|據說|传说|傳說",
    re.I,
)
_LEAD_IN = re.compile(
    r"^\s*(?:(?:according to|based on|as (?:stated|described|noted|mentioned) in|in) (?:the|this|these|your) "
    r"(?:text|passages?|documents?|article|source|sources|context|files?|evidence|excerpts?|information|provided text|given text)"
    r"(?: provided| given| above)?\s*,\s*|(?:the|this) (?:text|passage|document|article|source) (?:says|states|notes|mentions|explains|indicates|reports)(?: that)?,?\s*"
    r"|(?:根据|根據|据|據|依据|依據|按照)(?:上述|以上|所给|所給|该|該|本|原|提供的)?(?:文中|文章|文本|资料|資料|文档|文件|材料|段落|原文|文)(?:中|内容|內容|所述|所说|所說|的描述|的记载|的記載|介绍|介紹|显示|顯示|记载|記載|提到)*\s*[，,：:]\s*"
    r"|(?:文中|原文|文章|资料|資料|文档)(?:中)?(?:提到|指出|说|說|写道|寫道|所述|显示|顯示|记载|記載)[，,：:]?\s*)",
    re.I,
)
# What may stand for a name.
GENERIC = re.compile(
    r"\b(?:he|she|it|they|him|her|them|his|its|their|hers|theirs|who|which|that|this|these|those|there|one|both|the|an?)\b"
    r"|[他她它牠祂其该該此这這那本我彼]|作者|前者|后者|後者|双方|雙方|当地|當地",
    re.I,
)
ANTONYMS = (
    ("increase rise rose risen grow grew grown gain up raise expand climb 增加 增长 增長 上升 上涨 上漲 提高 扩大 擴大 升高", "decrease fall fell fallen decline drop reduce down lower shrink 减少 減少 下降 下跌 降低 缩小 縮小"),
    ("before prior earlier precede 之前 以前 前", "after following later follow 之后 之後 以后 以後 后 後"),
    ("more most greater over above exceed 多于 多於 超过 超過 高于 高於 以上 多", "less least fewer fewest under below 少于 少於 不足 低于 低於 以下 少"),
    ("high higher highest 高 最高", "low lower lowest 低 最低"),
    ("large larger largest big bigger biggest great greatest 大 最大", "small smaller smallest little minor 小 最小"),
    ("first earliest begin began start open 最早 首次 开始 開始 第一", "last latest end ended finish close 最晚 最后 最後 结束 結束"),
    ("north northern 北", "south southern 南"), ("east eastern 东 東", "west western 西"),
    ("win won victory 胜 勝 赢 贏 战胜 戰勝", "lose lost defeat 败 敗 输 輸"),
    ("support favor favour approve accept agree allow permit 支持 同意 赞成 贊成 接受 批准 允许 允許 可以", "oppose reject deny refuse disagree prohibit forbid ban 反对 反對 拒绝 拒絕 否认 否認 禁止 不得"),
    ("always 总是 總是 一直", "never rarely seldom 从不 從不 从未 從未"), ("all every 全部 所有", "none no 没有 沒有"),
    ("most majority 多数 多數", "few minority 少数 少數"), ("maximum 最多 至多", "minimum 最少 至少"),
    ("old older oldest 旧 舊 老", "new newer newest young younger youngest 新"), ("long longer longest 长 長", "short shorter shortest 短"),
    ("male men man father son brother king he 男 父亲 父親 儿子 兒子 兄", "female women woman mother daughter sister queen she 女 母亲 母親 女儿 女兒 姐"),
    ("buy bought purchase 购买 購買 买 買", "sell sold 出售 卖 賣"), ("left 左", "right 右"), ("inside within 内 內", "outside 外"),
    ("possible able legal likely 可能 合法", "impossible unable illegal unlikely 不可能 非法"), ("success succeed successful 成功", "failure fail unsuccessful 失败 失敗"),
    ("import 进口 進口", "export 出口"), ("positive 正 阳性 陽性", "negative 负 負 阴性 陰性"), ("public 公立 公共", "private 私立 私人"),
    ("enter join arrive 加入 进入 進入 到达 到達", "leave depart exit 离开 離開 退出"), ("birth born 出生 生于 生於", "death die died 死亡 去世 逝世 卒于"),
    ("upper 上", "lower 下"), ("hot warm warmer 热 熱", "cold cool cooler 冷"), ("strong stronger 强 強", "weak weaker 弱"), ("rich richer 富", "poor poorer 贫 貧"),
)  # fmt: skip
# Units that measure: one cannot stand for another. The names of `tools.numbers` and stems of words it does not read.
MEASURES = frozenset(
    """% ‰ pp usd eur gbp cny jpy hkd km m cm mm mile foot inch m2 km2 ha kg g mg t lb l ml °c °f h min s day week
    month year page kwh kw mw gb mb kb acr knot gallon watt volt hertz byte tb ounc yard psi pascal calori decad
    centuri fathom furlong kelvin degre joul amper ohm lumen decibel bushel barrel carat stone pint quart rupe
    ruble rubl peso franc won mark lira shekel krona krone baht dirham riyal rand nanometr micromet nautical light
    point percentag second minut hour meter metr milligram microgram litr hz khz mhz ghz cent penc shill
    亩 畝 斤 里 海 节 節 度 瓦 伏 赫 卡 码 碼 尺 寸 两 兩 钱 錢 顷 頃 升 克 吨 噸 米 秒 分 时 時 天 周 月 年 岁 歲 倍 次 元""".split()
)


def strip_lead_in(text: str) -> str:
    """A claim without "According to the text," and its like."""
    return _LEAD_IN.sub("", text, count=1) or text


def denies_or_doubts(text: str) -> bool:
    """Whether a sentence negates, doubts or calls false what it says; nothing may be computed from it."""
    return bool(NEGATION.search(text) or HEDGE.search(text) or FALSE.search(text))
