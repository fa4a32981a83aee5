"""Which messages tell something rather than ask: "my deadline is 12 May", 我对花生过敏.

Read by rule: a sentence of the first person that asks nothing, or one that asks to be remembered. It reads
wordings, not meaning: what is told in other words is a question like any other.
"""

from __future__ import annotations

import re

from retrieval.tokens import simplified

MAX_CHARS = 500  # of a statement
DOES = "ends|expires|starts|begins|leaves|departs|arrives|lands|lives?|works?"  # of what is mine
MEASURED_ZH = "血型|体重|身高|手机号码?|电话号码?|电话|邮箱|年龄"  # 我体重70公斤: nothing need stand between

_DO = r"summari[sz]e|list|show|tell|give|find|explain|describe|compare|translate|check|read|help"
_ASKS = re.compile(
    r"[?？]|[吗嗎呢][。.!！]?\s*$|\b(?:like|want|need|have) to know\b|\bdon['’]t know (?:why|how|what|where|when|who|if|whether)\b|想知道|想问|请看|看看|什么|什麼|怎么|怎麼|怎样|多少|哪|谁|誰|几[个点时号]|是否|是不是|有没有"
    r"|^\s*(?:what|when|where|who|whom|whose|which|why|how|is|are|was|were|do|does|did|can|could|will|would"
    rf"|should|may|{_DO})\b|[,.;:—–] *(?:(?:so|and|then|now|please|can you|could you) )*(?:{_DO})\b"
    r"|[,.;:—–] *(?:(?:so|and|then) )?(?:what|when|where|who|why|how|which) (?:is|are|was|were|do|does|did|can|could|will|would|should|must|may|many|much|long)\b"
    r"|[,.;:—–] *(?:so |and )?(?:is|are|does|do|did|can|could|should|must|may|will|would) (?:that|this|it|there|i|we|my)\b|(\w)不\1"
    r"|\b(?:is|are|am|['’]m|['’]re) (?:asking|wondering|looking for)\b"
    r"|[，,。；;：:] *(?:你|那就?|把它?)*(?:总结|概括|列出|解释|告诉我|翻译)"
    r"|[，,。；;：:] *(?:请|麻烦|帮我?|你)+(?:把它?)?(?:总结|概括|列出|解释|告诉|说明|翻译|比较|查|看|找|读)",
    re.IGNORECASE,
)
_REMEMBER = re.compile(
    r"^\W*(?:please |kindly )?(?:remember|note|keep in mind)(?: that)?[:,]? +(?P<said>.+)$"
    r"|^\W*(?:请|請|麻烦|帮我)?(?:你)?(?:记住|記住|记一下|記一下|记得|記得|备注|備註)[：:，, ]*(?P<zh>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_KIN = (
    "爸|妈|父|母|儿子|女儿|孩子|哥|姐|弟|妹|爷|奶|外公|外婆|姥|丈夫|老公|妻子|老婆|太太|先生|男朋友|女朋友|男友|女友|对象"
    "|老板|同事|朋友|室友|房东|家|公司|猫|狗|车"
)
_FIRST = re.compile(
    rf"^\W*(?:my|our) [\w'’ -]{{2,60}}? (?:is|are|was|were|will be|has been|(?:has )?(?:moved|changed) to|{DOES}) \S"
    r"|^\W*(?:i am|i['’]m|we are|we['’]re) (?:(?:not|no longer|also) )?(?:allergic|intolerant|lactose|diabetic|pregnant|vegetarian|vegan"
    r"|married|divorced|retired|left-handed|born|\w+ years old|\d+[.!]?$|from|based|called|an? \w)"
    r"|^\W*(?:i|we) (?:can['’]?t|cannot|must not|mustn['’]t|may not) (?:eat|drink|have|take|drive|swim|smoke) \S"
    r"|^\W*(?:i|we) (?:don['’]t |do not |never |usually |always |really |now |currently )?(?:like|love|prefer|hate|dislike|enjoy|live|work|study"
    r"|speak|own|drive|eat|drink|take|weigh|was born|were born|moved|bought|booked|paid|graduated) \S"
    r"|^\W*(?:i have|i['’]ve)(?: got)? (?:an?|two|three|four|\d+) \w|^\W*i['’]ve moved to \S"
    r"|^\W*我们?的[^，。？?]{1,30}?(?:是|为|在|有|叫|改到|改成|定在)\S"
    rf"|^\W*我们?(?:{_KIN})[^，。？?]{{0,12}}?(?:(?:是|叫|住|姓|属|今年)\S|[\d一二三四五六七八九十]+岁|对[^，。]{{1,20}}过敏)"
    r"|^\W*我们?(?:现在|目前)?是(?![说想问在怕来要不否])[^，,。？?]{1,12}[。.!！]?\s*$"
    r"|^\W*我们?(?:已经|刚刚?|上周|上个?月|最近|去年|今年)?搬[到去进家]\S"
    r"|^\W*我们?(?:现在|目前)?不(?:能|可以|会|敢)?(?:吃|喝|抽烟|吸烟|开车|骑车|游泳|做饭|说|碰)"
    r"|^\W*我们?是?[\d一二三四五六七八九零〇]{2,4}年[^，。？?]{0,8}出?生"
    r"|^\W*我们?(?:现在|目前|平时|一直|从不|不|最|很|也)?(?:对[^，。]{1,20}过敏|住|喜欢|讨厌|爱|偏好|叫|姓|今年|属|吃素|不吃|养|会说|出生"
    r"|在[^，。]{1,20}(?:工作|上班|上学|读书)|买了|订了|毕业于|有[一两三四五六七八九十\d]+|有[^，。]{1,8}[病症])\S?"
    rf"|^\W*我们?的?(?:{MEASURED_ZH})[是为：: ]*\S|^\W*我们?的[^，。]{{1,12}}?\d+月\d+[日号]\S",
    re.IGNORECASE,
)
# Of the first person, but of the talk itself, or of nothing that is worth keeping: "my question is about the rent".
_TALK = re.compile(
    r"^\W*(?:my|our) (?:\w+ )?(?:question|problem|point|guess|understanding|answer|doubt|issue|concern|suggestion|request|query|impression|bad) (?:is|was)\b"
    r"|^\W*(?:i have|i['’]ve)(?: got)? (?:an?|two|three|four|\d+) (?:\w+ )?(?:questions?|problems?|issues?|doubts?|quer(?:y|ies)|hunch|feeling|requests?|suggestions?|concerns?)\b"
    r"|^\W*(?:i|we) (?:(?:really|also) )?(?:like|love|hate|prefer|dislike|enjoy|take) (?:(?:it|that|this|these|those|your)\b|(?:the|an?) (?:\w+ )?(?:answer|question|idea|one)s?\b)"
    r"|^\W*(?:i am|i['’]m|we are|we['’]re) an? (?:bit|little|lot|tad)\b"
    r"|^\W*我们?(?:的|有[^，。]{0,3}?)(?:问题|疑问|意思|理解|猜测|观点|看法|意见|建议|要求|请求|回答)|^\W*我们?有一?点"
    r"|^\W*我们?(?:[也很最]|非常)?(?:喜欢|讨厌|爱)(?:[你这那它]|[。.!！]?$)|^\W*我们?叫[你他她它]|^\W*我们?不会?说了?[。.!！]?$|^\W*我们?住的",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^\W*(?:(?:hi|hello|hey|by the way|btw|fyi|actually|no|well|also|note)[,:;!. ]+|(?:你好|您好|顺便说一下|順便說一下|对了|對了|其实|其實|另外|不)[，,：:。！! ]+)+(?=(?:my|our|i|we)\b|我)",
    re.IGNORECASE,
)


def stated(message: str) -> str | None:
    """What a message tells, verbatim, or None where it asks or may do so."""
    text = message.strip()
    if not text or len(text) > MAX_CHARS:
        return None
    asked_to = _REMEMBER.match(text)
    if asked_to:
        text = (asked_to["said"] or asked_to["zh"]).strip()
    text = _OPENING.sub("", text)
    plain = simplified(text)
    told = asked_to or (_FIRST.search(plain) and not _TALK.search(plain))
    return text if told and not _ASKS.search(plain) else None
