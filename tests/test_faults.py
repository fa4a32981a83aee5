"""The cases of the repair bench: sound sentences are sound, faulty ones are not, and the suite runs."""

from __future__ import annotations

import doctest
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals import __main__ as command
from evals import faults, rewrites
from evals.cases import KINDS, Case, cases
from evals.data import SMALL_DATA, read_rows
from evals.names import find_names
from evals.places import Corpus, Place
from evals.suites.repair import Script, holding
from evals.value_faults import in_one_list
from tools.numbers import find_numbers


@cache
def made(lang: str) -> list[Case]:
    return list(
        cases(read_rows(SMALL_DATA / f"qa_{lang}.jsonl")[:30], read_rows(SMALL_DATA / f"corpus_{lang}.jsonl"))
    )


@cache
def source(lang: str, doc_id: str) -> str:
    return next(
        str(row["text"]) for row in read_rows(SMALL_DATA / f"corpus_{lang}.jsonl") if row["doc_id"] == doc_id
    )


def test_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(rewrites).failed == 0


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_kind_is_there_and_each_case_is_whole(lang: str) -> None:
    found = made(lang)
    assert set(KINDS) == {case.kind for case in found}
    assert len({case.id for case in found}) == len(found)
    for case in found:
        text = source(lang, case.doc_id)
        assert text[case.start : case.end] == case.gold
        assert case.sound and len(case.sound) == len(case.varieties) == len(case.origins)
        assert all(origin in text for origin in case.origins)
        assert (case.faulty == "") == (case.kind == "none")
        assert case.faulty != case.replaced or not case.faulty
        assert case.faulty not in case.sound


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_changed_number_or_name_is_nowhere_in_the_document(lang: str) -> None:
    for case in made(lang):
        text = source(lang, case.doc_id)
        if case.kind == "number":
            new = {n.value for n in find_numbers(case.faulty)} - {
                n.value for n in find_numbers(case.replaced)
            }
            assert not new & {n.value for n in find_numbers(text)}
        if case.kind in ("date", "name", "speaker", "link"):
            assert case.faulty not in text


def test_the_same_seed_gives_the_same_cases() -> None:
    rows = read_rows(SMALL_DATA / "qa_zh.jsonl")[:4], read_rows(SMALL_DATA / "corpus_zh.jsonl")
    assert list(cases(*rows, seed=3)) == list(cases(*rows, seed=3)) != list(cases(*rows, seed=4))


@pytest.mark.parametrize(
    ("text", "variety", "said"),
    [
        (
            "The hall cost 1,835 pounds in the end.",
            "number rewritten",
            "The hall cost 1835 pounds in the end.",
        ),
        ("The hall cost 1,835 pounds in the end.", "rounded", "The hall cost about 1,800 pounds in the end."),
        ("It opened on 5 May 1998 in Oslo.", "date rewritten", "It opened on May 5, 1998 in Oslo."),
        ("However, the hall was never used again.", "trimmed", "The hall was never used again."),
        ("The hall (built late) stands in Oslo.", "trimmed", "The hall stands in Oslo."),
        ("该馆于1998年5月5日开放。", "date rewritten", "该馆于1998-05-05开放。"),
        ("其中百分之七的人同意。", "number rewritten", "其中7%的人同意。"),
        ("馆内共有12,000件藏品。", "number rewritten", "馆内共有12000件藏品。"),
        ("該館（舊館）位於臺北。", "trimmed", "該館位於臺北。"),
    ],
)
def test_rewritings(text: str, variety: str, said: str) -> None:
    assert (variety, said) in rewrites.rewritings(text)


@pytest.mark.parametrize(
    "text",
    ["About 300 people came.", "Apollo 11 landed.", "In the 1950s it grew.", "约300人到场。", "第11届开幕。"],
)
def test_what_is_no_exact_number_is_not_rounded(text: str) -> None:
    assert list(rewrites.rounded(text)) == []


@given(st.integers(1, 9999))
def test_chinese_numerals_are_read_back(value: int) -> None:
    assert [n.value for n in find_numbers(rewrites.chinese_numeral(value) + "公里")] == [value]


@given(st.text(alphabet="The ran in 1998, 12%（）()7五百万年月日公里。.;；is有是不 Oslo《》", max_size=60))
def test_rewriting_takes_any_text(text: str) -> None:
    assert all(said for _, said in rewrites.rewritings(text or "x"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("negation", "Some of the members are elected."),  # that some are not changes nothing
        ("negation", "有些成员是选举产生的。"),
        ("unit", "The road is more than 3 billion metres long."),
        ("swap", "Oslo and Bergen were founded early."),
        ("swap", "这里有日本、中国的船。"),
        ("date", "It was finished before 1998."),
        ("number", "Over 300 people live there."),
    ],
)
def test_doubtful_faults_are_refused(kind: str, text: str) -> None:
    row = {"doc_id": "d", "title": "", "text": text}
    corpus = Corpus(any(c > "\u3400" for c in text), frozenset())
    place = Place({}, row, [(0, len(text))], 0, corpus)
    assert [said for fault in faults.FAULTS[kind] for said in fault(text, place, Random(0))] == []


def test_no_cause_that_is_trained_on_is_measured_by() -> None:
    for trained, measured in (
        (faults._TRAINED_EN, faults._CAUSES_EN),
        (faults._TRAINED_ZH, faults._CAUSES_ZH),
        (faults._TRAINED_HANT, faults._CAUSES_HANT),
    ):
        assert trained and measured and not set(trained) & set(measured)
    assert faults.TRAINING["addition"] != faults.FAULTS["addition"]


def test_names_and_lists() -> None:
    assert [kind for _, _, kind in find_names("He met Albert Einstein in Oslo.", False)] == [
        "person",
        "place",
    ]
    assert [kind for _, _, kind in find_names("他去了法国，写了《远行》。", True)] == ["place", "work"]
    assert in_one_list(", Bergen and ") and in_one_list("、挪威和")
    assert not in_one_list(" was taken by ")


def test_the_script_cites_the_passage_that_holds_the_sentence() -> None:
    assert holding([(1, "Other."), (4, "It rose. It fell.")], "It fell.") == 4
    assert holding([(1, "Other.")], "It fell.") is None
    assert Script(made("en")[0]).drafts == 0


def first_rows(folder: Path, count: int) -> Path:
    """So many questions of each language, and the documents that answer them."""
    folder.mkdir()
    for lang in ("en", "zh"):
        asked = read_rows(SMALL_DATA / f"qa_{lang}.jsonl")[:count]
        wanted = {row["doc_id"] for row in asked}
        corpus = [row for row in read_rows(SMALL_DATA / f"corpus_{lang}.jsonl") if row["doc_id"] in wanted]
        for name, rows in (("qa", asked), ("corpus", corpus)):
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"{name}_{lang}.jsonl").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("limit", [2, pytest.param(11, marks=pytest.mark.slow)])
def test_the_suite_reports_each_kind(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_folder: Path
) -> None:
    home = tmp_path / "evals"
    home.mkdir()
    (home / "cache").symlink_to(cache_folder)
    monkeypatch.setenv("AGENT_HOME", str(home))
    out = tmp_path / "repair.json"
    data = SMALL_DATA if limit >= len(KINDS) else first_rows(tmp_path / "data", 6)
    arguments = ["evals", "repair", "--data", str(data), "--limit", str(limit), "--json", str(out)]
    monkeypatch.setattr("sys.argv", arguments)
    command.main()
    result = json.loads(out.read_text(encoding="utf-8"))
    metrics = result["metrics"]
    once = Counter(row["lang"] for row in result["rows"] if row["pass"] == "one round")
    assert once == {"en": limit, "zh": limit}
    if limit >= len(KINDS):
        assert set(metrics["caught"]) == set(KINDS) - {"none"}
        assert metrics["deterministic_caught"][0] + metrics["not retrieved"] >= 14
    assert {"removed", "sound_removed", "second round"} <= set(metrics)
    assert all(re.match(r"\w+", row["id"]) for row in result["rows"])
