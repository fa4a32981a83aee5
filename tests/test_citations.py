"""From claims to exact spans: marks, the nearest sentence, and a quote that must stand where it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.citations import cite, holds, nearest, parse_marks
from agent.reasoners.extractive import new_claim
from agent.state import Citation, Evidence

LEASE = (
    "Lease.\n\nThe contract was signed on 1 March 2026. The rent is $3,400. Notice must be given in writing."
)
FEES = "决定\n\n读书会每两周一次。会费每人每年120元，由何佳收取。周四晚上七点开始。"


def passage(source: str, start: int, number: int = 1, document_id: int = 1) -> Evidence:
    return {
        "number": number,
        "kind": "passage",
        "chunk_id": number,
        "document_id": document_id,
        "path": f"{document_id}.txt",
        "title": "",
        "heading": "decided",
        "page": 3,
        "start": start,
        "end": len(source),
        "text": source[start:],
        "score": 0.5,
        "cosine": 0.5,
        "query": "q",
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }


EVIDENCE = [passage(LEASE, 8), passage(FEES, 4, number=2, document_id=2)]
SOURCES = {1: LEASE, 2: FEES}


@pytest.mark.parametrize(
    ("text", "plain", "numbers"),
    [
        ("It was signed [1].", "It was signed.", [1]),
        ("It was signed. [1][3]", "It was signed.", [1, 3]),
        ("合同已签署【2，3】。", "合同已签署。", [2, 3]),
        ("合同已签署[1、2]。", "合同已签署。", [1, 2]),
        ("Twice [2, 2] and [2].", "Twice and.", [2]),
        ("An array a[i] and [note]", "An array a[i] and [note]", []),
        ("In [1958] it came, [2026] too", "In [1958] it came, [2026] too", []),
        ("", "", []),
    ],
)
def test_marks_are_read_and_taken_out(text: str, plain: str, numbers: list[int]) -> None:
    assert parse_marks(text) == (plain, numbers)


@given(st.text(alphabet="a1 2[]【】,，、年.", max_size=40))
@bounds(max_examples=100, deadline=None)
def test_marks_are_read_to_the_end(text: str) -> None:
    plain, numbers = parse_marks(text)
    assert len(numbers) == len(set(numbers)) and all(0 <= n <= 999 for n in numbers)
    assert len(plain) <= len(text)
    assert bool(numbers) <= (plain != text)


def test_own_spans_are_cited_exactly() -> None:
    start = LEASE.index("The rent")
    claim = new_claim("The rent is $3,400.", [1], [{"evidence": 1, "start": start, "end": start + 19}])
    [citation] = cite(claim, EVIDENCE)
    assert citation["quote"] == "The rent is $3,400." == LEASE[citation["start"] : citation["end"]]
    assert (citation["path"], citation["page"], citation["heading"]) == ("1.txt", 3, "decided")
    assert holds(citation, SOURCES)


@pytest.mark.parametrize(
    ("text", "number", "quote"),
    [
        ("Someone signed the contract in March.", 1, "The contract was signed on 1 March 2026."),
        ("The notice has to be in writing.", 1, "Notice must be given in writing."),
        ("每人每年的会费是120元。", 2, "会费每人每年120元，由何佳收取。"),
        ("周四晚上开始。", 2, "周四晚上七点开始。"),
    ],
)
def test_nearest_sentence_is_cited(text: str, number: int, quote: str) -> None:
    [citation] = cite(new_claim(text, [number]), EVIDENCE)
    assert citation["quote"] == quote
    assert holds(citation, SOURCES)


@pytest.mark.parametrize(
    ("text", "number", "parts"),
    [
        (
            "The contract was signed on 1 March 2026 and the monthly rent is $3,400.",
            1,
            ("signed on 1 March", "$3,400"),
        ),
        ("会费每人每年120元，读书会每两周一次。", 2, ("每两周一次", "120元")),
    ],
)
def test_neighbour_is_taken_in_when_it_adds_enough(text: str, number: int, parts: tuple[str, ...]) -> None:
    [citation] = cite(new_claim(text, [number]), EVIDENCE)
    assert all(part in citation["quote"] for part in parts)
    assert holds(citation, SOURCES)


def test_evidence_that_does_not_exist_gives_no_citation() -> None:
    assert cite(new_claim("The rent is $3,400.", [7]), EVIDENCE) == []
    assert cite(new_claim("租金", [0, 99], [{"evidence": 99, "start": 0, "end": 3}]), EVIDENCE) == []
    assert len(cite(new_claim("The rent is $3,400.", [7, 1]), EVIDENCE)) == 1


def test_tool_result_gives_no_citation() -> None:
    tool: Evidence = {**passage("72 days", 0), "kind": "tool", "number": 3}
    assert cite(new_claim("It is 72 days.", [3]), [tool]) == []


@given(st.text(max_size=60), st.text(min_size=1, max_size=80), st.integers(0, 40))
@bounds(max_examples=80, deadline=None)
def test_nearest_always_holds(text: str, source: str, skipped: int) -> None:
    assume(source[skipped:])
    citation = nearest(text, passage(source, skipped))
    assert holds(citation, {1: source})


@given(st.data(), st.sampled_from([LEASE, FEES]))
@bounds(max_examples=100, deadline=None)
def test_what_is_changed_never_holds(data: st.DataObject, source: str) -> None:
    start = data.draw(st.integers(0, len(source) - 1))
    end = data.draw(st.integers(start + 1, len(source)))
    quote = source[start:end]
    good: Citation = {
        "evidence": 1,
        "document_id": 1,
        "path": "1.txt",
        "start": start,
        "end": end,
        "quote": quote,
        "page": None,
        "heading": "",
    }
    assert holds(good, {1: source})
    shift = data.draw(st.integers(-200, 200).filter(bool))
    other = data.draw(st.text(max_size=len(quote) + 1).filter(lambda text: text != quote))
    changes: list[dict[str, Any]] = [{"quote": other}, {"document_id": 2}, {"end": start}]
    if end + shift < len(source):  # beyond the end of the source there is nothing to differ
        changes.append({"end": end + shift})
    if start + shift >= 0 and source[start + shift : end + shift] != quote:
        changes.append({"start": start + shift, "end": end + shift})
    for change in changes:
        changed: Citation = {**good, **change}  # type: ignore[typeddict-item]
        assert not holds(changed, {1: source}), change
    assert not holds(good, {1: source[:start] + "\0" + source[start + 1 :]})
    assert not holds(good, {})


def test_span_counted_from_the_end_and_empty_quote_do_not_hold() -> None:
    citation = nearest("writing", EVIDENCE[0])
    assert holds(citation, SOURCES)
    assert not holds({**citation, "start": citation["start"] - len(LEASE), "end": len(LEASE)}, SOURCES)
    assert not holds({**citation, "quote": "", "end": citation["start"]}, SOURCES)
