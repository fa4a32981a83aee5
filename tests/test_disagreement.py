"""Files that disagree with an answer, through whole runs: both sides are quoted, named and dated."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.answer import Answer
from agent.citations import cite
from agent.cli.render import console, print_answer
from agent.disagreement import (
    Said,
    conflict_sentence,
    contradicting,
    lines_of,
    newer,
    newest_first,
)
from agent.reasoners.extractive import new_claim
from agent.reasoners.features import ask
from agent.reasoners.scripted import ScriptedChat
from agent.state import Claim
from retrieval.embed import HashEmbedder
from retrieval.library import Library
from tests.conftest import ask_in, assert_cited
from tests.sample import drafted
from tests.test_conflicts import passage

FILES = {
    "prices-2023.md": "Date: 2023-04-01\n\nThe yearly fee of the rowing club is 200 euros.\n",
    "prices-2024.md": "Date: 2024-05-01\n\nThe yearly fee of the rowing club is 250 euros.\n",
    "copy.txt": "The yearly fee of the rowing club is 200 euros.\n",
    "kassel.txt": "The museum in Kassel was opened in 1913.\n",
    "旧章程.md": "日期：2023年4月1日\n\n读书会的会费每年120元。\n",
    "新章程.md": "日期：2024年5月1日\n\n读书会的会费每年150元。\n",
}
ASKED = {"en": "How much is the yearly fee of the rowing club?", "zh": "读书会的会费每年多少钱？"}
SIDES = {"en": ("200 euros", "250 euros"), "zh": ("120元", "150元")}
DATED = {
    "en": ("prices-2024.md (2024-05-01) says 250 euros", "prices-2023.md (2023-04-01) says 200 euros"),
    "zh": ("新章程.md（2024-05-01）写的是150元", "旧章程.md（2023-04-01）写的是120元"),
}
SAYS = {"en": "Your files disagree: ", "zh": "你的文件说法不一："}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("disagreement")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    with Library(folder / "library", HashEmbedder) as opened:
        opened.add([folder / name for name in FILES])
        yield opened


def asked(library: Library, question: str, **more: Any) -> Answer:
    answer = ask_in(library, question, max_rounds=0, **more)
    assert_cited(library, answer)
    return answer


def quotes(answer: Answer) -> str:
    return " ".join(one.quote for claim in answer.claims for one in claim.citations)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_both_sides_are_quoted_named_and_dated(library: Library, lang: str) -> None:
    answer = asked(library, ASKED[lang])
    assert answer.outcome == "verified"
    [line] = answer.disagreements
    assert line.startswith(SAYS[lang]) and answer.text.endswith(f"\n{line}")
    assert any(side in line for side in DATED[lang])
    for value in SIDES[lang]:
        assert value in line and value in quotes(answer)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_conflict_points_at_its_claim_and_its_sentence(library: Library, lang: str) -> None:
    answer = asked(library, ASKED[lang])
    numbers = {item["number"]: item for item in answer.evidence}
    assert answer.conflicts
    for conflict in answer.conflicts:
        item = numbers[conflict["evidence"]]
        source = library.store.source(item["document_id"])
        assert source is not None
        assert conflict["theirs"] in source.text[conflict["start"] : conflict["end"]]
        assert conflict["ours"] in answer.claims[conflict["claim"]].text
    told = json.loads(json.dumps(answer.to_json(), ensure_ascii=False))
    assert told["disagreements"] == list(answer.disagreements)
    assert told["conflicts"] == list(answer.conflicts)


NAMED_EN = (
    "Minutes of the yearly meeting of {}.\n\nAll members were there, and the accounts of the past year were read out "
    "and approved without a vote. The treasurer of the rowing club is {}. The boats must be cleaned and put away "
    "after every outing, and whoever is the last to leave the house has to lock the doors and the gate.\n"
)
NAMED_ZH = (
    "{}年度会议纪要。\n\n全体成员都出席了会议，会上宣读并一致通过了上一年度的账目。赛艇俱乐部的司库是{}。每次活动结束之后都必须把船只"
    "清洗干净并且放回原来的位置，最后离开的人要负责锁好所有的门窗，并把钥匙交给值班人员保管。\n"
)


@pytest.mark.parametrize(
    ("text", "question", "names", "heads"),
    [
        (
            NAMED_EN,
            "Who is the treasurer of the rowing club?",
            ("Anna Meyer", "Ben Okafor"),
            "Date: {}-05-01\n\n",
        ),
        (NAMED_ZH, "赛艇俱乐部的司库是谁？", ("王小明", "李建国"), "日期：{}年5月1日\n\n"),
    ],
)
def test_near_duplicates_that_differ_in_a_name_disagree(
    hashed: Library, tmp_path: Path, text: str, question: str, names: tuple[str, str], heads: str
) -> None:
    for name, year, who in (("a.md", 2023, names[0]), ("b.md", 2024, names[1])):
        whole = heads.format(year) + text.format("the club" if heads[0] == "D" else "俱乐部", who)
        (tmp_path / name).write_text(whole, encoding="utf-8")
    hashed.add([tmp_path / "a.md", tmp_path / "b.md"])
    answer = asked(hashed, question)
    [line] = answer.disagreements
    assert line.index("b.md") < line.index("a.md"), "the newest comes first"
    assert all(name in line and name in quotes(answer) for name in names)
    assert {Path(one.path).name for claim in answer.claims for one in claim.citations} == {"a.md", "b.md"}


@pytest.mark.parametrize("question", ["When was the museum in Kassel opened?", "Who rows in Peru?", "你好"])
def test_where_nothing_disagrees_nothing_is_said(library: Library, question: str) -> None:
    answer = asked(library, question)
    assert (answer.conflicts, answer.disagreements) == ((), ())
    assert not any(word in answer.text for word in SAYS.values())


def test_an_answer_that_a_model_wrote_is_held_against_the_files(library: Library) -> None:
    for lang, good in (
        ("en", "The yearly fee of the rowing club is 200 euros."),
        ("zh", "读书会的会费每年120元。"),
    ):
        found = asked(library, ASKED[lang]).evidence
        numbers = [item["number"] for item in found if SIDES[lang][0] in item["text"]]
        chat = ScriptedChat(replies=[drafted(good, passages=numbers)])
        answer = asked(library, ASKED[lang], chat=chat)
        assert answer.text.startswith(good) and SIDES[lang][1] in answer.disagreements[0]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_command_line_shows_the_disagreement_with_its_sources(library: Library, lang: str) -> None:
    answer, out = asked(library, ASKED[lang]), io.StringIO()
    print_answer(answer, console(out))
    shown = out.getvalue()
    assert shown.count(answer.disagreements[0]) == 1 and "\x1b" not in shown
    assert all(f"[{n}] " in shown for n in range(1, len(answer.claims) + 1))
    for claim in answer.claims:
        assert Path(claim.citations[0].path).name in shown and claim.text in shown


# --- the pieces -----------------------------------------------------------------------------------------


def supported(text: str, *spans: tuple[int, int, int]) -> Claim:
    own = [{"evidence": n, "start": start, "end": end} for n, start, end in spans]
    return {**new_claim(text, [], own), "verdict": "supported"}  # type: ignore[arg-type]


def test_a_line_names_the_document_in_which_the_value_stands() -> None:
    """The claim cites two documents; only the second one holds what is contradicted."""
    first, second = "The rowing club was founded by Ada.", "The yearly fee of the rowing club is 200 euros."
    other = "The yearly fee of the rowing club is 250 euros."
    evidence = [passage(text, n) for n, text in enumerate((first, second, other), 1)]
    claim = supported(f"{first} {second}", (1, 100, 100 + len(first)), (2, 100, 100 + len(second)))
    claim["citations"] = cite(claim, evidence)
    asking = ask(ASKED["en"], lambda terms: dict.fromkeys(terms, 3.0))
    sources = {n: " " * 100 + item["text"] for n, item in enumerate(evidence, 1)}
    [(conflict, quoting)] = contradicting(asking, [claim], evidence, sources)
    assert quoting["text"] == other and quoting["verdict"] == "undecided"
    [line] = lines_of(asking, [claim], [conflict], evidence, sources)
    assert line == "Your files disagree: 2.txt says 200 euros, 3.txt says 250 euros."


def test_each_value_has_a_line_of_its_own() -> None:
    evidence = [passage("It opened in 1990. It has 20 boats.", 1), passage("x", 2), passage("y", 3)]
    claim = supported("It opened in 1990 and has 20 boats.", (1, 100, 135))
    claim["citations"] = cite(claim, evidence)
    asking = ask("How big is it?", lambda terms: dict.fromkeys(terms, 3.0))
    found: list[Any] = [
        {
            "claim": 0,
            "evidence": 2,
            "start": 100,
            "end": 101,
            "what": "date",
            "ours": "1990",
            "theirs": "1991",
        },
        {"claim": 0, "evidence": 3, "start": 100, "end": 101, "what": "number", "ours": "20", "theirs": "30"},
    ]
    assert lines_of(asking, [claim], found, evidence, {}) == [
        "Your files disagree: 1.txt says 1990, 2.txt says 1991.",
        "Your files disagree: 1.txt says 20, 3.txt says 30.",
    ]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("2024-05-01", "2023", 1),
        ("2023", "2024-05-01", -1),
        ("2024", "2024-05-01", 0),
        ("2024-04", "2024-05-01", -1),
        ("", "2024", 0),
        ("2024", "2024", 0),
    ],
)
def test_newer(left: str, right: str, expected: int) -> None:
    assert newer(left, right) == expected
    assert newer(right, left) == -expected


def test_newest_first_only_where_known() -> None:
    old, new, unknown = Said("a.md", "2023", "1"), Said("b.md", "2024-05", "2"), Said("c.md", "", "3")
    assert newest_first([old, new]) == [new, old]
    assert newest_first([old, unknown, new]) == [old, unknown, new]
    assert newest_first([Said("d.md", "2024", "1"), new]) == [Said("d.md", "2024", "1"), new]


def test_the_sentence() -> None:
    said = [
        Said("prices-2023.md", "2023-04-01", "200 euros"),
        Said("prices-2024.md", "2024-05-01", "250 euros"),
    ]
    assert conflict_sentence("en", said) == (
        "Your files disagree: prices-2024.md (2024-05-01) says 250 euros, prices-2023.md (2023-04-01) says 200 euros."
    )
    assert conflict_sentence("zh", said) == (
        "你的文件说法不一：prices-2024.md（2024-05-01）写的是250 euros，prices-2023.md（2023-04-01）写的是200 euros。"
    )
    assert conflict_sentence(
        "en", [Said("a.md", "", "The pool is never open on any Sunday."), Said("b.md", "", "5")]
    ) == ("Your files disagree: a.md says “The pool is never open on any Sunday”, b.md says 5.")
