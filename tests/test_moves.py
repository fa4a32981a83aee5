"""The moves of reformulation: what each makes of a failure, and that each is silent where it does not apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.moves import (
    BRIDGE_NAMES,
    BRIDGE_PASSAGES,
    FEEDBACK_TERMS,
    MAX_QUERIES,
    MOVES,
    VARIANTS,
    Failure,
    bridge,
    edits,
    feedback,
    gloss,
    narrow,
    near_words,
    new_query,
    propose,
    respelt,
    spelling,
    widen,
)
from agent.reasoners.features import ask
from agent.state import Evidence
from retrieval.tokens import lexical_tokens, query_terms
from tests.test_features import passage

VOCABULARY = {
    "refractor": 9,
    "refracting": 2,
    "refraction": 3,
    "refract": 1,
    "lens": 5,
    "lenses": 2,
    "lent": 7,
}
REAL = {"listen", "carry", "hope"}


def flat(terms: Iterable[str]) -> Mapping[str, float]:
    return dict.fromkeys(terms, 1.0)


def failure(
    question: str,
    *passages: Evidence,
    missing: Sequence[str] = (),
    counts: Mapping[str, int] | None = None,
    known: Mapping[str, int] = VOCABULARY,
) -> Failure:
    """A failure over made-up passages; `counts` for terms that do not occur once."""
    every = {**dict.fromkeys(query_terms(question), 1), **(counts or {})}

    def near(prefix: str) -> Mapping[str, int]:
        return {term: count for term, count in known.items() if term.startswith(prefix)}

    def ending(char: str) -> Mapping[str, int]:
        return {term: count for term, count in known.items() if len(term) == 2 and term[1] == char}

    def phrases(asked: Sequence[str]) -> Mapping[str, int]:
        texts = {phrase: phrase[:2] + "".join(pair[1:] for pair in phrase.split(" ")[1:]) for phrase in asked}
        return {phrase: sum(n for term, n in known.items() if text in term) for phrase, text in texts.items()}

    return Failure(
        ask(question, flat), passages, missing, every, flat, near, ending, phrases, lambda word: word in REAL
    )


def texts(move: str, left: Failure) -> list[str]:
    found = MOVES[move](left)
    assert all(query["move"] == move and query["text"].strip() for query in found)
    return [query["text"] for query in found]


# --- spelling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "unknown", "known", "repaired"),
    [
        ("Who built the refarctor?", "refarctor", VOCABULARY, "Who built the refractor?"),
        ("Who built the REFRACKTER?", "refrackter", VOCABULARY, "Who built the REFRACTOR?"),
        ("Whose lems is it?", "lems", VOCABULARY, "Whose lens is it?"),
        ("谁造了这台Refarctor望远镜？", "refarctor", VOCABULARY, "谁造了这台Refractor望远镜？"),
        ("Where is Façede street?", "facede", {"facade": 1}, "Where is Facade street?"),
        ("马格利特画了什么？", "马格利", {"马格丽": 2, "马格": 9}, "马格丽特画了什么？"),
        ("《羅米歐與朱麗葉》是誰寫的？", "罗米欧", {"罗密欧": 2}, "《罗密欧與朱麗葉》是誰寫的？"),
    ],
)
def test_spelling_takes_the_nearest_known_word(
    question: str, unknown: str, known: dict[str, int], repaired: str
) -> None:
    pairs = {term: 0 for term in query_terms(question) if len(term) == 2 and term in unknown}
    assert texts("spelling", failure(question, counts={unknown: 0, **pairs}, known=known)) == [repaired]


@pytest.mark.parametrize(
    ("question", "mended", "read"),
    [
        ("Who built the refarctor?", "Who built the refractor?", True),
        ("谁造了这台Refarctor望远镜？", "谁造了这台Refractor望远镜？", True),
        ("李惠珍的首部作品是什么？", "李时珍的首部作品是什么？", False),
    ],
)
def test_a_question_is_read_as_respelt_in_latin_words(question: str, mended: str, read: bool) -> None:
    queries = [new_query(f"{question} tube", "feedback"), new_query(mended, "spelling")]
    assert respelt(question, queries) == (mended if read else "")
    assert respelt(question, queries[:1]) == ""


def test_spelling_is_mended_though_it_was_asked_before() -> None:
    left = failure("Who built the refarctor?", counts={"refarctor": 0}, known={**VOCABULARY, "refarctor": 1})
    assert texts("spelling", left) == ["Who built the refractor?"]


def test_spelling_takes_the_commonest_among_equals() -> None:
    left = failure("Whose lenx is it?", counts={"lenx": 0})
    assert texts("spelling", left) == ["Whose lent is it?"]


@pytest.mark.parametrize(
    ("question", "unknown", "known"),
    [
        ("Who built the refractor?", [], VOCABULARY),  # all is known
        ("Who built the telescope?", ["telescope"], VOCABULARY),  # nothing is near
        ("Whose lms is it?", ["lms"], VOCABULARY),  # too short to tell
        ("Where is B2B4?", ["b2b4"], {"b2b5": 3}),  # not a word
        ("读书会的会费", ["读书会"], {"读书人": 3}),  # its pairs are known: segmented otherwise
        ("读书会的会费", ["读书会", "书会"], {"读书": 30, "读书会员": 2}),  # never cut short
    ],
)
def test_spelling_leaves_alone(question: str, unknown: list[str], known: dict[str, int]) -> None:
    assert spelling(failure(question, counts=dict.fromkeys(unknown, 0), known=known)) == []


@pytest.mark.parametrize(
    ("question", "text", "repaired"),
    [
        ("贸亿协定何时签署？", "贸易协定", "贸易协定何时签署？"),
        ("冒易协定何时签署？", "贸易协定", "贸易协定何时签署？"),  # the first character
        ("这份贸易协锭是谁签的？", "贸易协定", "这份贸易协定是谁签的？"),  # the last one
        ("《論証的運甬》是誰寫的？", "论证的运用", ""),  # 的 parts it: two characters tell nothing
        ("史蒂芬圖爾抿的模型", "史蒂芬图尔敏", "史蒂芬圖爾敏的模型"),
        ("会计年渡报告在哪里？", "会计年度报告", "会计年度报告在哪里？"),
        ("上海大学在哪里？", "上海小学", ""),  # a word of its own
        ("火星什么时候发射？", "火车", ""),  # too little is left to tell
        ("贸易协定何时签署？", "贸易协定", ""),  # all is known
    ],
)
def test_a_wrong_character_is_mended_by_its_neighbours(question: str, text: str, repaired: str) -> None:
    known = {text: 2, **dict.fromkeys(lexical_tokens(text), 2)}
    counts = {term: known.get(term, 0) for term in query_terms(question)}
    assert texts("spelling", failure(question, counts=counts, known=known)) == (
        [repaired] if repaired else []
    )


@pytest.mark.parametrize(
    ("unknown", "known"),
    [
        ("listen", {"listed": 3}),  # a word that is rare here
        ("listens", {"listed": 3}),
        ("carried", {"married": 2, "carrier": 4}),
        ("hoping", {"hopping": 2}),
        ("refractors", {"refractor": 9}),  # another form, not a misspelling
    ],
)
def test_a_real_word_is_not_repaired(unknown: str, known: dict[str, int]) -> None:
    assert spelling(failure(f"Who {unknown} there?", counts={unknown: 0}, known=known)) == []


# --- near words -----------------------------------------------------------------------------------------


def test_near_words_are_other_forms_from_the_library() -> None:
    left = failure("Which refractors are there?", counts={"refractors": 0})
    [text] = texts("near", left)
    assert text.startswith("Which refractors are there? ")
    added = text.removeprefix("Which refractors are there? ").split()
    assert added == ["refractor"] and len(added) <= VARIANTS


def test_near_words_of_what_nothing_cited_covers() -> None:
    assert texts("near", failure("Who ground the Lenses?", missing=["Lenses"])) == [
        "Who ground the Lenses? lens"
    ]


@pytest.mark.parametrize(
    ("question", "missing", "unknown"),
    [
        ("Who ground the lenses?", [], []),  # nothing is missing
        ("Who saw the comet?", ["comet"], ["comet"]),  # the library has no form of it
        ("谁磨了镜片？", ["镜片"], ["镜片"]),  # Chinese words have no forms
    ],
)
def test_near_words_are_none(question: str, missing: list[str], unknown: list[str]) -> None:
    assert near_words(failure(question, missing=missing, counts=dict.fromkeys(unknown, 0))) == []


# --- gloss ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "text", "other"),
    [
        ("图尔敏是谁？", "斯蒂芬·图尔敏（Stephen Toulmin）是哲学家。", "Stephen Toulmin"),
        ("“保证”是什么？", "他称之为“保证”（warrant），与支援不同。", "warrant"),
        ("哥德爾是誰？", "邏輯學家哥德爾(Gödel, 1906)。", "Gödel"),
        ("图尔敏是谁？", "The philosopher (1922) Stephen Toulmin (图尔敏) died in 2009.", "Stephen Toulmin"),
        ("Who was Toulmin?", "另见图尔敏（Toulmin）的论证模型。", "另见图尔敏"),
        ("Who was Stephen Toulmin?", "Stephen Toulmin (图尔敏) wrote it.", "图尔敏"),
        ("What is a WARRANT?", "其中，保证（warrant）最容易被忽略。", "保证"),
        ("What is a warrant?", "Warrant（保證；理由）is one of six.", "保證"),
    ],
)
def test_gloss_gives_the_word_of_the_other_language(question: str, text: str, other: str) -> None:
    assert texts("gloss", failure(question, passage(text))) == [other]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("图尔敏是谁？", "图尔敏（1922年出生）是哲学家。"),
        ("图尔敏是谁？", "杜威（Dewey）是哲学家。"),
        ("Who was Toulmin?", "Toulmin (born 1922) was a philosopher."),
        ("What is art?", "一部smart（聪明）的书。"),
        ("谁写了会歌？", "何佳（He Jia）和（某人）。"),
        ("What is C++ (the language)?", "C+++（语言）"),
        ("Who was Toulmin?", ""),
    ],
)
def test_gloss_is_none(question: str, text: str) -> None:
    assert gloss(failure(question, passage(text))) == []


# --- bridge ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "title", "text", "name", "left_open"),
    [
        (
            "Where was the director of Polish-Russian War born?",
            "Polish-Russian War",
            "Polish-Russian War is a film. Its director is Xawery Zulawski.",
            "Xawery Zulawski",
            "born",
        ),
        (
            "《论证的运用》的作者哪一年去世？",
            "论证的运用",
            "《论证的运用》的作者写过《人类的理解》。",
            "人类的理解",
            "去世",
        ),
        ("《論證的運用》的作者哪一年去世？", "圖爾敏", "《論證的運用》的作者是他。", "圖爾敏", "去世"),
        ("Where did the owner of Stanford Hall die?", "", "The owner is Ford.", "Ford", "Stanford Hall die"),
    ],
)
def test_bridge_joins_a_name_to_what_its_passage_leaves_open(
    question: str, title: str, text: str, name: str, left_open: str
) -> None:
    found = bridge(failure(question, passage(text, title=title)))
    [query] = [query for query in found if query["name"] == name]
    assert query["text"] == f"{name} {left_open}" and query["rank"] == 0
    assert 0 < query["cover"] < 1
    own = frozenset(term for term in query_terms(left_open))
    assert own <= {*query["open"], *lexical_tokens(left_open)}
    assert all(query["name"].lower() not in question.lower().split() for query in found)


def test_bridge_is_bounded_and_tells_from_where() -> None:
    names = [f"Ada Fischer{chr(97 + n)}" for n in range(BRIDGE_NAMES + 4)]
    items = [passage(f"We saw {', '.join(names)}.", n) for n in range(1, BRIDGE_PASSAGES + 3)]
    found = bridge(failure("Who owns the mill?", *items))
    assert len(found) == BRIDGE_NAMES * BRIDGE_PASSAGES
    assert {query["rank"] for query in found} == set(range(BRIDGE_PASSAGES))


def test_names_beside_the_words_of_the_question_come_first() -> None:
    text = "It was seen by Ann Far on a hill. Nobody came. The mill was bought by Joan Near."
    found = bridge(failure("Where was the buyer of the old mill born?", passage(text, title="Hill End")))
    assert [query["name"] for query in found] == ["Hill End", "Joan Near", "Ann Far"]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Where was Ada Fischer born?", "the mill of Ada Fischer is old."),
        ("Where was she born?", "the mill is old."),
        ("《论证的运用》出版于哪一年？", "《论证的运用》出版于1958年。"),
        ("会费是多少？", "会费每年120元。"),
    ],
)
def test_bridge_needs_a_name_that_the_question_lacks(question: str, text: str) -> None:
    assert bridge(failure(question, passage(text))) == []
    assert bridge(failure(question)) == []


# --- feedback, narrow, widen ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "text", "telling"),
    [
        ("Who ground the lens?", "The refractor of the observatory: a refractor with a lens.", "refractor"),
        ("会费是多少？", "会费由何佳收取。何佳是会计。", "何佳"),
    ],
)
def test_feedback_adds_the_most_telling_words(question: str, text: str, telling: str) -> None:
    [found] = texts("feedback", failure(question, passage(text)))
    assert found.startswith(f"{question} ")
    added = found.removeprefix(f"{question} ").split()
    assert added[0] == telling and len(added) <= FEEDBACK_TERMS
    assert not set(added) & set(query_terms(question))


@pytest.mark.parametrize(
    ("question", "text"), [("Who ground the lens?", "Who ground the lens?"), ("谁？", "")]
)
def test_feedback_is_none_where_the_passages_say_nothing_else(question: str, text: str) -> None:
    assert feedback(failure(question)) == []
    assert feedback(failure(question, passage(text))) == []


@pytest.mark.parametrize(
    ("question", "missing", "expected"),
    [
        ("When did Ada Fischer sign?", ["sign"], ["Ada Fischer", "Ada Fischer sign"]),
        (
            "Did Ada Fischer meet Daniel Weber?",
            [],
            ["Ada Fischer", "Daniel Weber", "Ada Fischer", "Daniel Weber"],
        ),
        ("Did Ada Fischer make art in Martin County?", ["art"], ["Ada Fischer", "Martin County"]),
        ("《论证的运用》出版于哪一年？", ["出版"], ["论证的运用", "论证的运用 出版"]),
    ],
)
def test_narrow_takes_the_names_alone_and_with_what_is_open(
    question: str, missing: list[str], expected: list[str]
) -> None:
    found = texts("narrow", failure(question, missing=missing))
    assert found[: len(expected)] == expected
    assert all(set(missing) <= set(text.split()) for text in found[len(found) // 2 :])


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("When was it signed?", ["signed"]),
        ("会费是多少？", ["会费"]),
        ("Who is Ada Fischer?", ["Ada", "Fischer"]),
    ],
)
def test_narrow_needs_names_and_something_beside_them(question: str, missing: list[str]) -> None:
    assert narrow(failure(question, missing=missing)) == []


@pytest.mark.parametrize(
    ("question", "counts", "expected"),
    [
        ("Who ground the aplanatic lens of the refractor?", {"aplanatic": 0}, "ground lens refractor"),
        ("读书会 会费 几何", {"几何": 0}, "读书会 会费"),
    ],
)
def test_widen_leaves_out_the_rarest_words(question: str, counts: dict[str, int], expected: str) -> None:
    common = dict.fromkeys(query_terms(question), 5)
    assert texts("widen", failure(question, counts={**common, **counts})) == [expected]


@pytest.mark.parametrize("question", ["Who is Toulmin?", "What lens?", "会费？", "Who ground lenses?"])
def test_widen_needs_words_to_spare(question: str) -> None:
    assert widen(failure(question)) == []


# --- proposing ------------------------------------------------------------------------------------------

QUESTION = "Who ground the lens of Ada Fischer's telescop?"
RICH = failure(
    QUESTION,
    passage(
        "The refractor (折射镜) of the observatory was ground by Margaret Oduya.", title="Observatory Hill"
    ),
    missing=["ground", "lens"],
    counts={"telescop": 0},
    known={**VOCABULARY, "telescope": 4},
)


def test_moves_are_asked_in_order_and_nothing_is_proposed_twice() -> None:
    found = propose(RICH, tuple(MOVES), [QUESTION])
    moves = list(dict.fromkeys(query["move"] for query in found))
    assert moves == [name for name in MOVES if name in moves]
    assert {"spelling", "bridge", "feedback"} <= set(moves)
    words = [frozenset(query_terms(query["text"])) for query in found]
    assert len(set(words)) == len(words) and frozenset(query_terms(QUESTION)) not in words
    backward = [query["move"] for query in propose(RICH, tuple(reversed(MOVES)), [QUESTION])]
    assert list(dict.fromkeys(backward)) == [name for name in reversed(MOVES) if name in backward]


def test_what_was_tried_is_never_proposed_again() -> None:
    first = propose(RICH, tuple(MOVES), [QUESTION])
    for query in first:
        # The same words in another order, case and spacing are the same search.
        said = " ".join(reversed(query["text"].lower().split()))
        again = propose(RICH, tuple(MOVES), [QUESTION, said])
        assert query["text"] not in [other["text"] for other in again]
    assert propose(RICH, tuple(MOVES), [QUESTION, *(query["text"] for query in first)]) == []
    assert propose(RICH, (), [QUESTION]) == []


def test_no_more_queries_than_a_round_may_hold() -> None:
    names = " ".join(f"We saw Ada Fischer{chr(97 + n)} there." for n in range(20))
    items = [
        passage(names.replace("Ada", first), n) for n, first in enumerate(("Ann", "Bea", "Cid", "Dan"), 1)
    ]
    missing = ["mill", "owns"]
    both = ", ".join(f"Mr. Zed{chr(97 + n)} Young{chr(97 + n)}" for n in range(9))
    left = failure(f"Who owns the mill of {both}?", *items, missing=missing)
    assert sum(len(MOVES[name](left)) for name in MOVES) > MAX_QUERIES
    assert len(propose(left, tuple(MOVES), [])) == MAX_QUERIES


TEXT = st.text(
    alphabet=st.sampled_from("ab lensLENS Ada.!?，。？《》()（）[]*+\\|^$0123456789\n'’é图尔敏讀書會的"),
    max_size=80,
)


@given(TEXT, TEXT, TEXT, st.lists(TEXT, max_size=3))
@bounds(max_examples=150, deadline=None)
def test_no_text_breaks_a_move(question: str, title: str, text: str, missing: list[str]) -> None:
    counts = dict.fromkeys(query_terms(question), 0)
    left = failure(question, passage(text, title=title), missing=missing, counts=counts)
    found = propose(left, tuple(MOVES), [question])
    assert len(found) <= MAX_QUERIES and all(query_terms(query["text"]) for query in found)
    for query in found:
        assert 0 <= query["cover"] <= 1 and set(query["open"]) <= set(left.asked.terms)


# --- distance -------------------------------------------------------------------------------------------

WORDS = st.text(alphabet="ab图尔", max_size=8)


@given(WORDS, WORDS)
def test_edits_are_a_symmetric_count_bounded_by_the_lengths(left: str, right: str) -> None:
    distance = edits(left, right)
    assert distance == edits(right, left)
    assert (distance == 0) == (left == right)
    assert abs(len(left) - len(right)) <= distance <= max(len(left), len(right))
    assert edits(left[::-1], right[::-1]) == distance


@given(WORDS, st.integers(0, 7), st.sampled_from("ab图c"))
def test_one_edit_costs_one(word: str, place: int, letter: str) -> None:
    place = min(place, len(word))
    assert edits(word, word[:place] + letter + word[place:]) == 1
    assert edits(word, word[:place] + letter + word[place + 1 :]) <= 1
    swapped = word[:place] + word[place : place + 2][::-1] + word[place + 2 :]
    assert edits(word, swapped) == int(word != swapped)


def test_edits_restrict_the_alignment() -> None:
    assert edits("ca", "abc") == 3, "no letter is edited twice, so it is no metric"
