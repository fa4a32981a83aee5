"""Bilingual lexical tokens: what the full-text index holds and what a query is turned into.

Latin text becomes folded words, Chinese text becomes character bigrams and longer segmented words. The same
function serves documents and queries. `stem` is for comparing words, not for the index (evals/LOG.md). Stop
words stay in documents, and traditional characters are not mapped to simplified ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

# Han ideographs (with extension A and compatibility forms), kana and bopomofo: scripts without spaces.
CJK = "\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK_CHAR = re.compile(f"[{CJK}]")
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
    "何时|何時|何地|何人|何处|何處|为何|為何|如何|哪里|哪裡|哪裏|哪儿|哪[一个個些年位种種]|谁|誰|多少|几[个個]|幾[個]|"
    "是不是|有没有|有沒有|能不能|可不可以|[吗嗎呢吧](?=[^\\w]|$)|[？?]"
)
_ENGLISH_ASKING = re.compile(
    r"\bhow (?:many|much|long|far|old|tall|high|large|big|often|fast|deep|wide|heavy)\b", re.IGNORECASE
)
STOP_WORDS = ENGLISH_STOP_WORDS | CHINESE_STOP_WORDS


def cjk_share(text: str) -> float:
    """Share of CJK characters among letters and digits, in [0, 1]; 0 for a text without either."""
    letters = sum(char.isalnum() for char in text)
    return len(_CJK_CHAR.findall(text)) / letters if letters else 0.0


def is_chinese(text: str) -> bool:
    """Whether a text is to be treated as Chinese: a fifth of its letters suffice, as names are Latin."""
    return cjk_share(text) >= 0.2


def fold(text: str) -> str:
    """Width, case and diacritics folded. Offsets are not kept."""
    text = unicodedata.normalize("NFKC", text).casefold()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    stripped = "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f")
    return unicodedata.normalize("NFC", stripped)


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


def words_of(text: str, terms: Sequence[str]) -> list[str]:
    """Terms or stems of a text as a person would read them; Chinese bigrams joined to the words they make."""
    wanted = set(terms)
    words = []
    for match in _PIECE.finditer(text):
        own = list(_tokens(match.group())) if match.lastgroup != "cjk" else []
        if own and all({token, stem(token)} & wanted for token in own):
            words.append(match.group())
    if any(_CJK_CHAR.match(term) for term in terms):
        import rjieba

        for word in rjieba.cut(fold(text)):
            pairs = set(_chinese(word)) if _CJK_CHAR.match(word) and len(word) > 1 else set()
            if pairs and pairs <= wanted and word not in STOP_WORDS:
                words.append(word)
    return list(dict.fromkeys(words))


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


def _word(piece: str) -> Iterator[str]:
    """A word, without a possessive 's; an identifier whole and in its parts."""
    piece = re.sub("'s$", "", piece.replace("’", "'"))
    whole = fold(piece)
    yield whole
    if "_" not in piece and (piece.islower() or piece.istitle() or piece.isupper()):
        return
    parts = [fold(part) for part in _CAMEL.findall(piece)]
    if len(parts) > 1:
        yield from (part for part in parts if part != whole)


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
