"""Bilingual lexical tokens: what the full-text index holds and what a query is turned into.

Latin text becomes folded words, Chinese text becomes character bigrams and longer segmented words, of
simplified characters whatever the script. The same function serves documents and queries. `stem` is for
comparing words, not for the index (evals/LOG.md). Stop words stay in documents, and words that one region
alone uses (軟體, 软件) stay different words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

TOKENS_VERSION = "2"  # of what `lexical_tokens` gives; a library with another one is tokenised again

# Han ideographs (with extension A and compatibility forms), kana and bopomofo: scripts without spaces.
CJK = "\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK_CHAR = re.compile(f"[{CJK}]")
_HAN = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00))  # of these, what has a simplified form
_PIECE = re.compile(
    f"(?P<cjk>[{CJK}]+)"
    # A number, unless a Latin letter follows ("3rd" is a word); a Chinese one may ("1958年").
    # Commas belong to it only between groups of three: "14,4" are two cells of a table.
    rf"|(?P<number>(?:\d{{1,3}}(?:,\d{{3}})++(?!\d)|\d++)(?:\.\d++)*+(?!(?![{CJK}])[^\W\d_]))"
    f"|(?P<word>(?:(?![{CJK}])\\w)+(?:['’](?:(?![{CJK}_])\\w)+)?)"
)
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

ENGLISH_STOP_WORDS = frozenset(
    """
    a about after all also am an and any are as at be been being both but by can could did do does doing
    during each for from further had has have having he her here hers him his how i if in into is it its
    itself just me more most my no nor not now of off on once only or other our out over own same she
    should so some such than that the their them then there these they this those through to too under
    until up very was we were what when where which while who whom why will with would you your s t d ll
    re ve
    """.split()
)
# Question words and particles; as bigrams they also keep 什么/多少 and the like out of a query.
CHINESE_STOP_WORDS = frozenset(
    """
    的 了 是 在 和 与 與 及 或 也 都 而 之 其 这 那 這 哪 谁 誰 吗 嗎 呢 吧 啊 有 被 把 对 對
    于 於 以 为 為 从 從 到 什么 什麼 甚么 甚麼 怎么 怎麼 怎样 怎樣 为什 為什 么样 麼樣 何时 何時 何地
    何人 哪里 哪裡 哪裏 哪儿 哪个 哪個 哪些 哪年 哪位 哪种 哪種 多少 几个 幾個 如何 为何 為何 是谁 是誰
    是什 的是 是在 请问 請問 一个 一個 可以 我们 我們 他们 他們 这个 這個 那个 那個 为什么 為什麼 什么样
    什麼樣 是什么 是什麼 怎么样 怎麼樣
    """.split()
)
# Cut out of a query before it is cut into bigrams, so that none reaches over into its neighbours.
_CHINESE_ASKING = re.compile(
    "请问|請問|为什么|為什麼|为什麽|什么时候|什麼時候|什么样的?|什麼樣的?|什么|什麼|甚么|甚麼|怎么样|怎麼樣|怎么|怎麼|怎样|怎樣|"
    "何时|何時|何地|何人|何处|何處|为何|為何|如何|哪里|哪裡|哪裏|哪儿|哪[一个個些年位种種]|谁|誰|百分之[几幾多]少?|多少|"
    "[几幾][个個成]|"
    "是不是|有没有|有沒有|能不能|可不可以|[吗嗎呢吧](?=[^\\w]|$)|[？?]"
)
_ENGLISH_ASKING = re.compile(
    r"\bhow (?:many|much|long|far|old|tall|high|large|big|often|fast|deep|wide|heavy)\b", re.IGNORECASE
)
STOP_WORDS = ENGLISH_STOP_WORDS | CHINESE_STOP_WORDS


_ACCENTS = re.compile("[\u0300-\u036f]+")


def cjk_share(text: str) -> float:
    """Share of CJK characters among letters and digits, in [0, 1]; 0 for a text without either."""
    if text.isascii():
        return 0.0
    letters = sum(map(str.isalnum, text))
    return len(_CJK_CHAR.findall(text)) / letters if letters else 0.0


def has_cjk(text: str) -> bool:
    """Whether a text has any CJK character."""
    return bool(_CJK_CHAR.search(text))


def is_chinese(text: str) -> bool:
    """Whether a text is to be treated as Chinese: a fifth of its letters suffice, as names are Latin."""
    return cjk_share(text) >= 0.2


def fold(text: str) -> str:
    """Width, case, diacritics and Chinese script folded. Offsets are not kept."""
    text = unicodedata.normalize("NFKC", text).casefold()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    stripped = _ACCENTS.sub("", decomposed)
    return simplified(unicodedata.normalize("NFC", stripped))


def simplified(text: str) -> str:
    """Traditional characters as simplified ones, each on its own: the length and all offsets stay."""
    return text.translate(_simpler()) if _CJK_CHAR.search(text) else text


@cache
def _simpler() -> dict[int, str]:
    """Simplified characters by code point of the traditional ones, from OpenCC's tables.

    A character on a line of its own has no neighbours that its reading could depend on.
    """
    import opencc  # 0.02 s: only when there is Chinese

    chars = [chr(code) for first, last in _HAN for code in range(first, last)]
    found = opencc.OpenCC("t2s").convert("\n".join(chars)).split("\n")
    pairs = zip(chars, found, strict=True)
    simpler = {ord(a): b for a, b in pairs if a != b and _CJK_CHAR.fullmatch(b)}
    return {code: char.translate(simpler) for code, char in simpler.items()}  # 薴 by way of 苧


def lexical_tokens(text: str) -> list[str]:
    """Tokens of a document or a query, in order, with repeats.

    "getUserName" gives itself and its parts, "1,024" gives "1024", a Chinese run gives its bigrams (a
    single character: itself) and the segmented words longer than two characters.
    """
    return list(_tokens(text))


def query_terms(text: str) -> list[str]:
    """Distinct tokens of a query without stop words and words that only ask; with them if none is left."""
    asking = _ENGLISH_ASKING.sub(" ", _CHINESE_ASKING.sub(" ", unicodedata.normalize("NFKC", text)))
    tokens = list(dict.fromkeys(_tokens(asking)))
    return [t for t in tokens if t not in STOP_WORDS] or tokens or list(dict.fromkeys(_tokens(text)))


def query_words(text: str) -> list[tuple[str, ...]]:
    """The words of a query, each as the terms that all have to be there for it to be there.

    A Latin word is one term. A Chinese one is the bigrams within it: those that reach over into the next word
    tell nothing. Where there is no such word, each of `query_terms` is one.
    """
    terms = query_terms(text)
    known = set(terms)
    words: list[tuple[str, ...]] = []
    for match in _PIECE.finditer(_CHINESE_ASKING.sub(" ", unicodedata.normalize("NFKC", text))):
        piece = match.group()
        if match.lastgroup != "cjk":
            words += [(token,) for token in _tokens(piece)]
            continue
        run = fold(piece)
        for start, end in segments(run):
            if run[start:end] not in STOP_WORDS:
                words.append(tuple(dict.fromkeys(a + b for a, b in pairwise(run[start:end]))))
    kept = [word for word in dict.fromkeys(words) if word and known.issuperset(word)]
    return kept or [(term,) for term in terms]


def words_of(text: str, terms: Sequence[str]) -> list[str]:
    """Terms or stems of a text as a person would read them; Chinese bigrams joined to the words they make."""
    wanted = set(terms)
    words = []
    for match in _PIECE.finditer(text):
        own = list(_tokens(match.group())) if match.lastgroup != "cjk" else []
        if own and all({token, stem(token)} & wanted for token in own):
            words.append(match.group())
        if match.lastgroup == "cjk" and any(_CJK_CHAR.match(term) for term in terms):
            words += _chinese_words_of(match.group(), wanted)
    return list(dict.fromkeys(words))


def _chinese_words_of(run: str, wanted: set[str]) -> Iterator[str]:
    for start, end in segments(run):
        pairs = set(_chinese(run[start:end])) if end - start > 1 else set()
        if pairs and pairs <= wanted and run[start:end] not in STOP_WORDS:
            yield run[start:end]


def segments(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the words of a Chinese text, which are cut alike in either script."""
    import rjieba  # its dictionary takes 0.15 s to load: only when there is Chinese

    start = 0
    for word in rjieba.cut(simplified(text)):
        yield start, start + len(word)
        start += len(word)


def place_of(piece: str, text: str) -> tuple[int, int]:
    """Where a piece first stands in a text, not within a Latin word or number; (0, 0) where it does not.

    >>> place_of("11", "In 1911 it killed 11."), place_of("91", "1911")
    ((18, 20), (0, 0))
    """
    start = text.find(piece) if piece else -1
    while start >= 0:
        end = start + len(piece)
        if not within_word(text, start) and not within_word(text, end):
            return start, end
        start = text.find(piece, start + 1)
    return 0, 0


def within_word(text: str, at: int) -> bool:
    """Whether a place lies within a Latin word or a number."""
    return 0 < at < len(text) and all(
        char.isalnum() and not _CJK_CHAR.match(char) for char in text[at - 1 : at + 1]
    )


def _tokens(text: str) -> Iterator[str]:
    text = unicodedata.normalize("NFKC", text)
    for match in _PIECE.finditer(text):
        piece = match.group()
        if match.lastgroup == "cjk":
            yield from _chinese(piece)
        elif match.lastgroup == "number":
            yield fold(piece).replace(",", "")
        else:
            yield from _word(piece)


@lru_cache(16_384)  # few words are most of a text
def _word(piece: str) -> tuple[str, ...]:
    """A word, without a possessive 's; an identifier whole and in its parts."""
    piece = piece.replace("’", "'").removesuffix("'s")
    whole = fold(piece)
    if "_" not in piece and (piece.islower() or piece.istitle() or piece.isupper()):
        return (whole,)
    parts = [fold(part) for part in _CAMEL.findall(piece)]
    return (whole, *(part for part in parts if part != whole)) if len(parts) > 1 else (whole,)


def is_common_word(text: str) -> bool:
    """Whether the segmenter's dictionary of Chinese has a text as a word that is no name."""
    import rjieba

    text = simplified(text)
    return bool(rjieba.has_word(text)) and not rjieba.tag(text)[0][1].startswith(_NAME_TAGS)


def telling_tokens(text: str) -> frozenset[str]:
    """The tokens of a text that may state a fact by themselves: numbers, negations, dates, names.

    A Latin word is taken for a name where it begins with a capital. A Chinese word is taken for one unless
    the dictionary has it as a common word, as names are what it lacks.
    """
    found: set[str] = set()
    text = unicodedata.normalize("NFKC", text)
    for match in _PIECE.finditer(text):
        piece = match.group()
        if match.lastgroup == "cjk":
            found.update(_chinese_facts(fold(piece)))
        elif piece[0].isupper():
            found.update(token for token in _word(piece) if token not in ENGLISH_STOP_WORDS)
    return frozenset(found | {token for token in _tokens(text) if _NUMBER_OR_NOT.search(token)})


_NUMBER_OR_NOT = re.compile(r"\d|^(?:not?|never|none|nor|without|cannot|\w+n't)$|[不没未无非]")
# Tags of the segmenter for names, numerals, times, foreign words and what it does not know.
_NAME_TAGS = ("nr", "ns", "nt", "nz")
_FACT_TAGS = (*_NAME_TAGS, "m", "t", "eng", "x")
_FUNCTION_TAGS = ("p", "u", "c", "f", "y")  # of single characters; any other may be part of a name


def _chinese_facts(run: str) -> Iterator[str]:
    """The tokens of a run that hold a character of a name, a number or a date."""
    import rjieba

    facts: set[int] = set()
    start = 0
    for word, tag in rjieba.tag(run):
        known = len(word) > 1 and rjieba.has_word(word) and not tag.startswith(_FACT_TAGS)
        common = known or (len(word) == 1 and tag.startswith(_FUNCTION_TAGS))
        if not common and word not in STOP_WORDS:
            facts.update(range(start, start + len(word)))
        start += len(word)
    for place in facts:
        yield run[place] if len(run) == 1 else run[place : place + 2]
        yield run[max(0, place - 1) : place + 1]
    telling = {run[place] for place in facts}
    yield from (word for word in _chinese(run) if len(word) > 2 and telling & set(word))


@lru_cache(16_384)
def stem(word: str) -> str:
    """Porter2 stem of a folded English word; stop words, short words and those with digits stay whole."""
    if len(word) < 4 or word in ENGLISH_STOP_WORDS or not (word.isascii() and word.isalpha()):
        return word
    stemmed: str = _stemmer().stemWord(word)
    return stemmed


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english", 0)


def _chinese(run: str) -> Iterator[str]:
    run = fold(run)
    if len(run) == 1:
        yield run
        return
    for left, right in pairwise(run):
        yield left + right
    if len(run) > 2:
        import rjieba  # its dictionary takes 0.15 s to load: only when there is Chinese

        yield from (word for word in rjieba.cut(run) if len(word) > 2)
