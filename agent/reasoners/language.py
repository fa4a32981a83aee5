"""What can be read off a question by rule, in English and Chinese. Pure functions.

Language, answer type, small talk, names, and the rewriting of a follow-up. It knows nothing of evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.reasoners.labels import same_noun
from agent.state import AnswerType, Lang, Turn
from retrieval.tokens import CJK, ENGLISH_STOP_WORDS, STOP_WORDS, is_chinese, query_terms, simplified
from tools.dates import find_dates
from tools.numbers import find_numbers

MOSTLY = 0.6  # of the characters of a short answer: "9 euros", "on 1 March 2026"
_TIME = re.compile(
    r"(?<!\d)(?:1\d{3}|20\d\d)(?!\d)|世[纪紀]|century|周[一二三四五六日天末]|星期[一二三四五六日天]|礼拜|上午|下午|晚上|[点點]钟?|年代"
    r"|\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|\d\s*(?:am|pm|a\.m\.|p\.m\.|o'clock)\b",
    re.I,
)
_SMALL_TALK = re.compile(
    r"(?:hi|hello|hey|good (?:morning|afternoon|evening)|thanks?(?: you)?(?: (?:so|very) much)?|ok(?:ay)?|bye"
    r"|goodbye|who are you|what can you do|help|你好|您好|嗨|谢谢|謝謝|多谢|再见|再見|早上好|晚上好|你是谁|你是誰|你能做什么"
    r"|你會做什麼|好的)(?:[ ,，]*(?:there|toulmin|啊|呀|你|您))?[\s!！.。?？~]*",
    re.IGNORECASE,
)
# The first pattern that matches wins, so the order matters: "how many people" is a number, not a person.
_ANSWER_TYPES: tuple[tuple[AnswerType, re.Pattern[str]], ...] = (
    (
        "summary",
        re.compile(
            r"\b(summari[sz]e|summary|overview of|tl;?dr)\b|总结|總結|概括|概述|摘要|讲了什么|講了什麼", re.I
        ),
    ),
    (
        "date",
        re.compile(
            r"\bwhen\b|\b(what|which|in what|in which) (year|date|day|month|century|decade|time)\b"
            r"|何时|何時|什么时候|什麼時候|哪一?年|哪一?天|哪一?日|几月|幾月|哪个月|几号|什么时间|什麼時間|何年|年份"
            r"|日期|什么年代|哪个世纪",
            re.I,
        ),
    ),
    (
        "number",
        re.compile(
            r"\bhow (many|much|long|far|old|tall|high|large|big|often|fast|deep|wide|heavy)\b"
            r"|\bwhat (percent|percentage|number|amount|share|proportion|fraction|age|size|population)\b"
            r"|多少|几个|幾個|几名|几位|几次|几种|几条|几座|几人|多长|多長|多大|多高|多久|多远|多遠|多重|百分之几|几成|几岁"
            r"|幾[年歲種次名位座條人]|几年|第几|第幾",
            re.I,
        ),
    ),
    ("person", re.compile(r"\bwho(m|se)?\b|谁|誰|哪位|何人|哪个人|哪些人|什么人|什麼人", re.I)),
    (
        "place",
        re.compile(
            r"\bwhere\b|\b(what|which) (city|country|place|state|province|town|region|continent|river|county)\b"
            r"|哪里|哪裡|哪裏|哪儿|何地|何处|何處|什么地方|什麼地方|哪个城市|哪個城市|哪个国家|哪個國家|哪国|哪國|哪个省|位于",
            re.I,
        ),
    ),
    (
        "list",
        re.compile(
            r"^(list|name|enumerate)\b|\bwhat are\b|\bwhich (two|three|four)\b|列出|有哪些|哪几|哪幾|哪些",
            re.I,
        ),
    ),
    (
        "explanation",
        re.compile(
            r"\bwhy\b|\bhow (do|does|did|is|are|was|were|can|could|should|to|would)\b"
            r"|\b(explain|describe|difference between)\b"
            r"|为什么|為什麼|为何|為何|如何|怎么|怎麼|怎样|怎樣|解释|解釋|区别|區別|原因",
            re.I,
        ),
    ),
)
# Chinese characters are word characters too, and stand beside a Latin name without a space.
_CAPITALISED = rf"[A-Z](?:(?![{CJK}])[\w'’.-])*"
_NAME = re.compile(
    rf"(?<!(?![{CJK}])\w){_CAPITALISED}(?:[ \t]+(?:(?:of|the|de|von|van|and|&)[ \t]+)?{_CAPITALISED})*"
)
_QUOTED = re.compile(r"[\"“「『《]([^\"”」』》]{2,60})[\"”」』》]")
_QUESTION_OPENERS = frozenset(
    """
    what when where which who whom whose why how is are was were do does did can could in on at of for to from
    by the a an and or if has have had will would should tell name list give describe explain
    """.split()
)
_NOT_NAMES = _QUESTION_OPENERS | ENGLISH_STOP_WORDS
_PRONOUN_EN = re.compile(
    r"\b(?:it|its|he|his|him|she|her|hers|they|their|theirs|them)\b"
    # Bare demonstratives only: "the deposit that the tenant paid" and "on this page" lean on nothing.
    r"|\b(?:this|that|these|those)\b(?=\s*[?.!,]|\s*$|\s+(?:is|was|are|were|mean|means|happen|happened|work)\b)",
    re.IGNORECASE,
)
_FOLLOW_EN = re.compile(r"^\s*(?:and|but|so|also|then|what about|how about)\b", re.IGNORECASE)
_PRONOUN_ZH = re.compile(
    r"它们|他们|她们|牠们|它(?!们)|(?<!吉)他(?![们人乡])|她|牠"
    r"|[这那這](?![样样樣么麼种種儿])|(?<![尤极極何莫])其(?![他它中实實次余餘间間])"
)
_REPLACEABLE_ZH = re.compile(r"它们|他们|她们|牠们|它|他|她|牠|[这那這](?=[是呢有在会會能的])")
_PERSON = re.compile(r"\b(?:he|his|him|she|her)\b|(?<!吉)他(?![们人乡])|她(?!们)", re.IGNORECASE)
_PHRASE_EN = re.compile(
    r"\b(?:is|are|was|were|did|does|do|has|have|had|will|can|should)\s+"
    r"((?:the|a|an|my|our|your)\s+.+?)\s+(?:\w+(?:ed|own|ten|ven)|made|built|held|sold|sent|paid|found|born|lost|won)[?.! ]*$",
    re.IGNORECASE,
)
_DEFINITE_EN = re.compile(
    r"\b(?:the|my|our|your) [a-z][\w-]*(?: [a-z][\w-]*)??(?=[?.!,]|$| (?:of|in|on|at|for|with|to)\b)"
)
_END_EN = r"(?=[?.!,]|$| (?:on|in|at|to|for|from|with|by|into|as|using|when|if|so)\b)"
# "How do I build the documentation?", "how to install it": what is acted on; "Does the tool run on ...": what acts.
_OBJECT_EN = re.compile(
    r"\b(?:(?:do|can|could|should|must|may|will|would|did) (?:i|you|we|one)|how to) [a-z]+"
    rf" (?P<thing>(?:(?:the|a|an|my|our|your|this) )?[\w.'’-]+(?: [\w.'’-]+){{0,3}}?){_END_EN}",
    re.IGNORECASE,
)
_SUBJECT_EN = re.compile(
    r"\b(?:[Dd]o|[Dd]oes|[Dd]id|[Cc]an|[Ww]ill) (?P<thing>(?:(?:the|a|an|my|our|your) )?(?!(?:the|a|an|my|our|your) )[a-z][\w-]*)"
    r" [a-z]+\b(?! [a-z]+[?]?$)"
)
_FULL_NAME = re.compile(r"[A-Z][\w'’.-]*(?: [A-Z][\w'’.-]*){1,2}")
_THING = re.compile(r"\b(?:it|its|this|that)\b", re.IGNORECASE)
_ADDED = re.compile(r" \([^()]*\)\?$")  # the topic that an earlier follow-up was given
STANDS_ALONE = 3  # words of its own from which on what is asked about needs no topic
_YEAR = re.compile(r"(?<![\d.])(?:1\d|20)\d\d(?![\d.])")
_ELLIPSIS_EN = re.compile(
    r"\s*(?=and\b|but\b|so\b|then\b|or\b|what about\b|how about\b|(?:in|for|with|by)\b|\d)"
    r"(?:(?:and|but|so|then|or)\b[, ]*)?(?:(?:what|how) about\b)?\s*"
    r"(?:(?P<place>in|on|at|for|with|by|from|to|of)\s+)?(?P<what>[\w.'’&-]+(?: [\w.'’&-]+){0,3}?)[?.! ]*",
    re.IGNORECASE,
)
_COPULAR_EN = re.compile(
    r"(?P<ask>(?:what|how (?:much|many|long|old|large|big|high|far)|where|when|who) (?:is|are|was|were) )"
    r"(?:the|a|an|my|our|your) [\w-]+(?: (?!\w+ed\b)[\w-]+){0,2}[?. ]*",
    re.IGNORECASE,
)
_ELLIPSIS_ZH = re.compile(
    r"(?:那么|那麼|那|还有|還有|以及|至于|至於|而)?[，, ]*(?P<what>[^，。？?！!]{0,20}?)呢[？?。 ]*"
)
_BARE_ZH = re.compile("[它他她牠]们?|[这那這][个個]?|[它牠他她]們")
_COPULAR_ZH = re.compile(
    f"(?P<owner>[{CJK}\\w]{{1,20}}的)?[{CJK}]{{1,8}}?"
    "(?P<rest>(?:是|为|為|有|要)?(?:多少|什么|什麼|几|幾|哪|谁|誰)[^的]{0,6})"
)
_LOOSE_BACK = "是于於在和与與的为為说說有"  # what the segmenter sometimes takes into a person's name
_NAME_TAGS = ("nr", "ns", "nt", "nz")
_ZH_ASKING = re.compile(
    r"请问|請問|什么时候|什麼時候|什么|什麼|为什么|為什麼|怎么样|怎麼樣|怎么|怎麼|怎样|怎樣|如何|何时|何時|有?哪[一几幾两三四五六些]?[年天日个個位里些种種]|"
    r"哪裡|哪儿|谁|誰|多少|几[个年月号位次]|幾[個年月號位次]|是不是|有没有|[是在于於被由了呢吗嗎吧？?。]|签署|簽署|发生"
)


def language_of(text: str) -> Lang:
    return "zh" if is_chinese(text) else "en"


def is_small_talk(question: str) -> bool:
    return bool(_SMALL_TALK.fullmatch(question.strip()))


def answer_type_of(question: str) -> AnswerType:
    """What kind of thing would answer a question; "other" where its wording does not tell."""
    return next((kind for kind, pattern in _ANSWER_TYPES if pattern.search(question)), "other")


def names_in(text: str) -> list[str]:
    """Capitalised names and quoted titles, in order.

    A single capitalised word that opens a sentence is none: every first word is capitalised.
    """
    found = [match.group(1) for match in _QUOTED.finditer(text)]
    for match in _NAME.finditer(text):
        words = match.group().split()
        while words and words[0].lower() in _NOT_NAMES:
            words = words[1:]
        opens = match.start() == 0 or text[: match.start()].rstrip()[-1:] in ".!?。！？:："
        if words and not (opens and len(words) == 1 and words[0].isalpha() and not words[0].isupper()):
            found.append(" ".join(words).rstrip(".'’"))
    return list(dict.fromkeys(found))


def has_answer_of_type(kind: AnswerType, sentence: str, question: str) -> float:
    """Whether a sentence holds something of the wanted type that the question does not: 0, 0.5 or 1.

    0.5 where the type sets no condition on words, or where a rule cannot tell in that language.
    """
    if kind == "date":
        return float(
            bool(find_dates(sentence)) or bool(re.search(r"(?<!\d)1\d{3}|20\d\d|世纪|century", sentence))
        )
    if kind == "number":
        asked = {(n.value, n.unit) for n in find_numbers(question)}
        return float(any((n.value, n.unit) not in asked for n in find_numbers(sentence)))
    if kind in ("person", "place") and not is_chinese(sentence):
        known = question.lower()
        inner = sentence[1:]  # any first word is capitalised
        return float(any(name.lower() not in known for name in names_in(inner)))
    return 0.5


def is_of_another_kind(kind: AnswerType, answer: str) -> bool:
    """Whether a short answer is nothing but a date or a quantity, where a person or a place is asked for."""
    if kind not in ("person", "place") or not answer:
        return False
    spans = [(date.start, date.end) for date in find_dates(answer)]
    spans += [(number.start, number.end) for number in find_numbers(answer)]
    return len({place for start, end in spans for place in range(start, end)}) >= MOSTLY * len(answer)


def is_follow_up(question: str) -> bool:
    """Whether a question leans on the one before it: a pronoun, an opening "and", or no word of its own.

    A pronoun after a name of the question's own ("What did Toulmin say about his model?") leans on that.
    """
    text = question.strip()
    if is_small_talk(text):
        return False
    own = [term for term in query_terms(text) if term not in STOP_WORDS]
    if _is_chinese_follow_up(text):
        return bool(_PRONOUN_ZH.search(text)) or _ends_in_ne(text) or not own
    pronoun = _PRONOUN_EN.search(text)
    alone = pronoun and names_in(text[: pronoun.start()])
    return bool(_FOLLOW_EN.search(text) or (pronoun and not alone)) or not own or len(text.split()) == 1


def _is_chinese_follow_up(text: str) -> bool:
    return is_chinese(text) or _ends_in_ne(text)  # of "Orion呢" one character is Chinese


def _ends_in_ne(text: str) -> bool:
    return text.rstrip("?？。 ").endswith("呢")


def topic_of(question: str) -> str:
    """What a question is about: what is done or asked of, its names, else its words that do not only ask."""
    if is_chinese(question):
        quoted = _QUOTED.findall(question)
        if quoted:
            return str(quoted[0])
        pieces = [piece.strip("，, ：:、的") for piece in _ZH_ASKING.split(question)]
        return _without_verb(max(pieces, key=len, default=""))
    for pattern in (_OBJECT_EN, _SUBJECT_EN):
        thing = pattern.search(question)
        if thing and thing["thing"].lower() not in _NOT_NAMES:
            return thing["thing"]
    names = names_in(question)
    if names:
        return max(names, key=len)
    phrase = _PHRASE_EN.search(question)
    if phrase:
        return phrase.group(1)
    words = [word.strip("?,.!") for word in question.split()]
    terms = set(query_terms(question))
    return " ".join(word for word in words if set(query_terms(word)) & terms)


def _without_verb(phrase: str) -> str:
    """A Chinese phrase without the person who acts and the verb: of 张三创办读书会, 读书会."""
    tagged = _tagged(phrase)
    n = 0
    while n < len(tagged) and tagged[n][2].startswith("nr"):
        n += 1
    if n < len(tagged) - 1 and tagged[n][2] == "v":
        return phrase[tagged[n + 1][0] :]
    return phrase


def _tagged(text: str) -> list[tuple[int, int, str]]:
    """Start, end and the segmenter's tag of each word of a Chinese text."""
    import rjieba  # its dictionary takes 0.15 s to load: only when there is Chinese

    found, start = [], 0
    for word, tag in rjieba.tag(simplified(text)):
        own = len(word.rstrip(_LOOSE_BACK)) if tag.startswith("nr") else len(word)  # 张三是
        found += [(start, start + own, tag)] if own else []
        found += [(start + own, start + len(word), "x")] if own < len(word) else []
        start += len(word)
    return found


def _people(text: str) -> list[str]:
    """Names that may be a person's: of two or three plain words, in Chinese by the segmenter's tag."""
    if is_chinese(text):
        return [text[a:b] for a, b, tag in _tagged(text) if tag.startswith("nr") and b - a > 1]
    return [name for name in names_in(text) if _FULL_NAME.fullmatch(name)]


def standalone(question: str, turns: Sequence[Turn]) -> str:
    """A follow-up with what it leans on put in: pronouns replaced by the topic of the turn before.

    A question that leans on nothing comes back as it is. One that only names something else ("And Vega?") is
    the question before with that in the place of its like. The topic is that of the latest turn that was no
    small talk; a pronoun for a person takes a person, and "it" takes none where there is a thing.
    """
    if not turns or not is_follow_up(question):
        return question
    before = next((turn for turn in reversed(turns) if not is_small_talk(turn["question"])), None)
    if before is None:
        return question
    chinese = _is_chinese_follow_up(question)
    if chinese == is_chinese(before["standalone"]):
        again = (_again_zh if chinese else _again_en)(question, before["standalone"])
        if again:
            return again
    topic = re.sub("['’]s$", "", _meant(question, before))
    there = topic.lower() in question.lower() and not (topic.islower() and _PRONOUN_EN.search(question))
    if not topic or there:  # "package" in "package it" is the verb
        return question
    return _in_chinese(question, topic) if chinese else _in_english(question, topic)


def _meant(question: str, before: Turn) -> str:
    """What the pronoun of a follow-up stands for."""
    asked = _ADDED.sub("?", before["standalone"])
    topic, people = topic_of(asked), _people(asked)
    if _PERSON.search(question):
        said = [*_people(before["answer"]), *names_in(before["answer"])]
        new = [name for name in said if name.lower() not in asked.lower()]
        if answer_type_of(asked) == "person" and new:
            return new[0]
        return next(iter(people or ([] if names_in(asked) else new)), topic)
    if _THING.search(question) and topic in people:
        phrase = _DEFINITE_EN.search(asked)
        things = [name for name in names_in(asked) if name not in people]
        things += [phrase.group()] if phrase else []
        return next(iter(things), topic)
    return topic


def _again_en(question: str, before: str) -> str:
    """The question before, asked of what an elliptic one names ("And Vega?", "What about 2024?"), or ""."""
    match = _ELLIPSIS_EN.fullmatch(question)
    if match is None or _PRONOUN_EN.search(question) or match["what"].lower() in _NOT_NAMES:
        return ""
    what, place = match["what"], match["place"] or ""
    if span := same_noun(before, what):
        return before[: span[0]] + what + before[span[1] :]
    like = _values_in(before) if _values_in(what) == [(0, len(what))] else []
    words = what.split()
    if all(word[0].isupper() or word in ("of", "the", "and", "&") for word in words) and not like:
        like = _spans(
            before, [n for n in names_in(before) if bool(_FULL_NAME.fullmatch(n)) == (len(words) > 1)]
        )
        like = like or _spans(before, names_in(before))
    beside = [
        span for span in like if place and before[: span[0]].lower().rstrip().endswith(f" {place.lower()}")
    ]
    if like:
        start, end = (beside or like)[0]
        return before[:start] + what + before[end:]
    copular = _COPULAR_EN.fullmatch(before)
    if copular and not place and re.match("the|a|an|my|our|your", what, re.IGNORECASE):
        return f"{copular['ask']}{what}?"
    return ""


def _again_zh(question: str, before: str) -> str:
    match = _ELLIPSIS_ZH.fullmatch(question.strip())
    if match is None or _ZH_ASKING.search(match["what"]):
        return ""
    what = match["what"].strip("，, ")
    if not what or _BARE_ZH.fullmatch(what):
        return before
    if _PRONOUN_ZH.search(what):  # 它的价格呢 asks of it, not in its place
        return ""
    if span := same_noun(before, what):
        return before[: span[0]] + what + before[span[1] :]
    quoted, own = _QUOTED.fullmatch(what), _tagged(what)
    like: list[tuple[int, int]] = []
    if quoted:
        like = [match.span() for match in _QUOTED.finditer(before)]
    elif _values_in(what) == [(0, len(what))]:
        like = _values_in(before)
    elif names_in(f"x {what}") == [what]:
        like = _spans(before, names_in(f"x {before}"))
    elif len(own) == 1 and own[0][2].startswith(_NAME_TAGS):
        like = [(a, b) for a, b, tag in _tagged(before) if tag[:2] == own[0][2][:2]]
    if like:
        return before[: like[0][0]] + what + before[like[0][1] :]
    copular = _COPULAR_ZH.fullmatch(before)
    return f"{copular['owner'] or ''}{what}{copular['rest']}" if copular else ""


def _values_in(text: str) -> list[tuple[int, int]]:
    """Spans of the dates of a text, else of its numbers."""
    dates = [(d.start, d.end) for d in find_dates(text)]
    dates = dates or [match.span() for match in _YEAR.finditer(text)]
    return dates or [(n.start, n.end) for n in find_numbers(text)]


def _spans(text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    return [(text.index(name), text.index(name) + len(name)) for name in names if name in text]


def _in_english(question: str, topic: str) -> str:
    pronoun = _PRONOUN_EN.search(question)
    if pronoun is None and len(set(query_terms(question)) - STOP_WORDS) >= STANDS_ALONE:
        return question
    if pronoun is None:
        return f"{question.rstrip('?. ')} ({topic})?"
    before, after = question[: pronoun.start()], question[pronoun.end() :]
    owns = pronoun.group().lower() in ("its", "his", "their") or (
        pronoun.group().lower() == "her" and re.match(r"\s+\w", after)
    )
    return before + topic + ("'s" if owns else "") + after


def _in_chinese(question: str, topic: str) -> str:
    question = re.sub("^那么?(?=[它他她牠])", "", question)
    pronoun = _REPLACEABLE_ZH.search(question)
    if pronoun is None:
        return f"{topic}，{question}"
    return question[: pronoun.start()] + topic + question[pronoun.end() :]
