"""The critic: what each check decides, in both languages, and that no failure ever comes out as support."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from agent.citations import cite
from agent.critic import CONFIDENCE, combine, critique_claims
from agent.critic.checks import CHECKS
from agent.critic.claims import split_claims
from agent.critic.values import bound_of
from agent.errors import ModelError
from agent.reasoners.extractive import Extractive, new_claim
from agent.reasoners.features import plain
from agent.state import Claim, Draft, Evidence, Verdict
from retrieval.library import Library
from tools.numbers import find_numbers


class Judge(Extractive):
    """The extractive reasoner with another judge: it returns what it is told, or raises it."""

    def __init__(self, library: Library, said: Any) -> None:
        super().__init__(library)
        self.said = said
        self.asked: list[Claim] = []

    def judge(
        self, question: str, claims: Sequence[Claim], evidence: Sequence[Evidence]
    ) -> list[tuple[Verdict, str]]:
        self.asked += claims
        if isinstance(self.said, BaseException):
            raise self.said
        given: list[tuple[Verdict, str]] = self.said(claims) if callable(self.said) else self.said
        return given


MakeJudge = Callable[[Any], Judge]


@pytest.fixture
def judging(hashed: Library) -> MakeJudge:
    return lambda said: Judge(hashed, said)


def passage(text: str, number: int = 1, title: str = "") -> Evidence:
    return {
        "number": number,
        "kind": "passage",
        "chunk_id": number,
        "document_id": number,
        "path": f"{number}.txt",
        "title": title,
        "heading": "",
        "page": None,
        "start": 0,
        "end": len(text),
        "text": text,
        "score": 0.5,
        "cosine": 0.5,
        "query": "q",
        "relevance": 1.0,
        "link": None,
        "round": 0,
        "rests_on": [],
    }


def say(check: str, text: str, source: str, title: str = "") -> Verdict:
    """What one check says of a claim that cites the whole of a source."""
    evidence = [passage(source, title=title)]
    whole = [{"evidence": 1, "start": 0, "end": len(source)}]
    claim = new_claim(text, [1], whole)  # type: ignore[arg-type]
    claim["citations"] = cite(claim, evidence)
    return CHECKS[check](claim, evidence, {1: source})[0]


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("7 % of them", "It is 7 percent.", "supported"),
        ("占 7 %", "占百分之七。", "supported"),
        ("占百分之七", "It is 7%.", "supported"),
        ("占７％", "It is 7%.", "supported"),
        ("1024 people came", "1,024 people came.", "supported"),
        ("共１，０２４人", "共1024人。", "supported"),
        ("the rent is 3,400 dollars", "The rent is $3,400.", "supported"),
        ("租金三千四百元", "租金3400元。", "supported"),
        ("five members", "There were 5 members.", "supported"),
        ("about 98 people", "100 people came.", "supported"),
        ("大约98人", "来了100人。", "supported"),
        ("about 90 people", "100 people came.", "unsupported"),
        ("大约90人", "来了100人。", "unsupported"),
        ("98 people", "100 people came.", "unsupported"),
        ("98人", "来了100人。", "unsupported"),
        ("8 % of them", "It is 7 percent.", "unsupported"),
        ("占百分之八", "占百分之七。", "unsupported"),
        ("9 dollars", "Adults pay 9 euros.", "unsupported"),
        ("5 km", "It weighs 5 kg.", "unsupported"),
        ("1.5 billion", "1.5 million", "unsupported"),
        ("120万元", "120元", "unsupported"),
        ("three months", "A deposit of two months was paid.", "unsupported"),
        ("-5 °C", "It was 5 °C.", "unsupported"),
        ("no figure at all", "It is 7 percent.", "supported"),
        ("当一个人善良", "当一\n\n个人善良", "supported"),  # wrapped in the middle of what it counts
        ("共有二十人", "共有二\n十人到场。", "supported"),
        ("共有十人", "共有二\n十人到场。", "unsupported"),
        ("signed on 1 March 2026", "Nothing is said of it.", "supported"),  # dates have a check of their own
    ],
)
def test_numbers(text: str, source: str, verdict: Verdict) -> None:
    assert say("numbers", text, source) == verdict


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("on 2026-03-01", "signed on 1 March 2026", "supported"),
        ("on March 1, 2026", "签署于2026年3月1日", "supported"),
        ("2026年3月1日签署", "signed on 1st of March 2026", "supported"),
        ("二〇二六年三月一日", "2026/3/1", "supported"),
        ("２０２６年３月１日", "2026.3.1", "supported"),
        ("in March 2026", "signed on 1 March 2026", "supported"),
        ("3月1日", "2026年3月1日", "supported"),
        ("in 2026", "signed on 1 March 2026", "supported"),
        ("on 2 March 2026", "signed on 1 March 2026", "unsupported"),
        ("2026年4月1日", "2026年3月1日", "unsupported"),
        ("on 1 March 2027", "signed on 1 March 2026", "unsupported"),
        ("on 1 March 2026", "signed in March 2026", "unsupported"),
        ("2026年3月1日", "3月1日", "unsupported"),
        ("in 1960", "nothing", "unsupported"),
        ("signed by Ada", "signed on 1 March 2026", "supported"),
    ],
)
def test_dates(text: str, source: str, verdict: Verdict) -> None:
    assert say("dates", text, source) == verdict


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("it was Ada Fischer", "signed by Ada Fischer, the landlord", "supported"),
        ("it was Fischer", "signed by Ada Fischer, the landlord", "supported"),
        ("it was Daniel Weber", "signed by Ada Fischer, the landlord", "unsupported"),
        ("it was Ada Weber", "signed by Ada Fischer, the landlord", "unsupported"),
        ("由 Daniel Weber 主持", "出席：何佳、Daniel Weber", "supported"),
        ("由 Ada Weber 主持", "出席：何佳、Daniel Weber", "unsupported"),
        ("书名是《论证的运用》", "图尔敏的《论证的运用》", "supported"),
        ("书名是《论证的起源》", "图尔敏的《论证的运用》", "unsupported"),
        ("nobody is named", "signed by Ada Fischer", "supported"),
    ],
)
def test_names(text: str, source: str, verdict: Verdict) -> None:
    assert say("names", text, source) == verdict


def test_a_name_in_the_title_is_named() -> None:
    assert say("names", "it is about Toulmin", "He died in 2009.", title="Toulmin") == "supported"
    assert say("names", "it is about Toulmin", "He died in 2009.") == "unsupported"


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("the tenant may not sublet", "The tenant may not sublet it.", "supported"),
        ("the tenant may sublet", "The tenant may not sublet it.", "unsupported"),
        ("the tenant did not pay", "The tenant paid.", "undecided"),
        ("it can't be moved", "It cannot be moved.", "supported"),
        ("the notice is known", "A knot is known.", "supported"),
        ("他没有签署", "他没有签署合同", "supported"),
        ("他签署了", "他没有签署合同", "unsupported"),
        ("他未签署", "他签署了合同", "unsupported"),
        ("禁止转租", "可以转租", "unsupported"),
        ("他签署了", "他不仅签署了合同", "supported"),
        ("各有特点", "各有不同的特点", "supported"),
        ("读书会明年开始", "未来的读书会明年开始", "supported"),
        ("分别签署", "不过，他们分别签署", "supported"),
        ("人数很多", "人数不少，很多", "supported"),
        ("特别说明", "无论如何要特别说明", "supported"),
    ],
)
def test_negation(text: str, source: str, verdict: Verdict) -> None:
    assert say("negation", text, source) == verdict


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("it is old", "It is probably old.", "undecided"),
        ("it is perhaps old", "It is probably old.", "supported"),
        ("it is probably old", "It is old.", "supported"),
        ("它很旧", "它可能很旧。", "undecided"),
        ("它也许很旧", "它可能很旧。", "supported"),
        ("它很旧", "它很旧。", "supported"),
    ],
)
def test_hedges(text: str, source: str, verdict: Verdict) -> None:
    assert say("hedges", text, source) == verdict


@pytest.mark.parametrize(
    ("text", "source", "verdict"),
    [
        ("The tenant pays for electricity.", "The tenant pays for electricity.", "supported"),
        ("会费每年120元。", "会费每年120元。", "supported"),
        ("Elephants sleep standing beside rivers.", "The tenant pays for electricity.", "unsupported"),
        ("大象站着睡觉。", "会费每年120元。", "unsupported"),
        ("Power bills are settled when the tenant pays somebody else.", "The tenant pays.", "undecided"),
        ("", "The tenant pays.", "unsupported"),
        ("。", "。", "unsupported"),
        ("The **tenant** pays.", "The **tenant** pays.", "supported"),
    ],
)
def test_words(text: str, source: str, verdict: Verdict) -> None:
    assert say("words", text, source) == verdict


@pytest.mark.parametrize("layer", [layer for layer in CHECKS if layer != "quote"])
@pytest.mark.parametrize(
    "text",
    [
        "In May 2024, Ada said that at least 12 of 40 km may not be paved; see [plan](plan.md).",
        "安娜说，2024年5月起会费不超过120元，可能不退。",
    ],
)
def test_all_of_a_quotation_says_what_it_says(layer: str, text: str) -> None:
    assert say(layer, text, text) == "supported"
    assert say(layer, plain(text), text) == "supported"


@given(st.sampled_from("0123456789abcXYZ年月不"), st.integers(0, 40))
@bounds(max_examples=60, deadline=None)
def test_one_sign_more_is_not_word_for_word(sign: str, place: int) -> None:
    source = "The 3 tenants of Elm Road pay 40 euros by 2 May."
    text = source[:place] + sign + source[place:]
    claim = new_claim(text, [1], [{"evidence": 1, "start": 0, "end": len(source)}])
    claim["citations"] = cite(claim, [passage(source)])
    reasons = {check(claim, [passage(source)], {1: source})[1] for check in CHECKS.values()}
    assert "quoted word for word" not in reasons


def test_quote_must_stand_in_the_source() -> None:
    evidence = [passage("会费每人每年120元。")]
    claim = new_claim("会费每人每年120元。", [1])
    claim["citations"] = cite(claim, evidence)
    check = CHECKS["quote"]
    assert check(claim, evidence, {1: "会费每人每年120元。"})[0] == "supported"
    assert check(claim, evidence, {1: "会费每人每年130元。"})[0] == "unsupported"
    assert check(claim, evidence, {})[0] == "unsupported"
    assert check(new_claim("会费", [9]), evidence, {})[0] == "unsupported"


def test_a_tool_result_needs_no_quote() -> None:
    tool: Evidence = {**passage("12% of 3400 is 408."), "kind": "tool"}
    claim = new_claim("12% of 3400 is 408.", [1])
    assert CHECKS["quote"](claim, [tool], {})[0] == "supported"
    assert CHECKS["numbers"](claim, [tool], {})[0] == "supported"
    assert CHECKS["numbers"](new_claim("It is 409.", [1]), [tool], {})[0] == "unsupported"


# --- the whole, failing closed --------------------------------------------------------------------------

TEXTS = ["The tenant pays for electricity. Heating is included.", "会费每人每年120元，由何佳收取。"]
EVIDENCE = [passage(TEXTS[0]), passage(TEXTS[1], number=2)]
SOURCES = {1: TEXTS[0], 2: TEXTS[1]}
GOOD = [new_claim("The tenant pays for electricity.", [1]), new_claim("会费每人每年120元，由何佳收取。", [2])]
OPEN = [
    new_claim("Electricity is billed to whoever rents, the tenant.", [1]),
    new_claim("何佳负责收会费，每人每年120元。", [2]),
]  # other words than the source's: left to the judge


def verdicts(claims: Sequence[Claim]) -> list[Verdict]:
    return [claim["verdict"] for claim in claims]


def test_quotations_need_no_judge(judging: MakeJudge) -> None:
    judge = judging(AssertionError("not to be asked"))
    critiqued = critique_claims("q", GOOD, EVIDENCE, SOURCES, judge)
    assert verdicts(critiqued) == ["supported", "supported"] and judge.asked == []
    for claim in critiqued:
        assert claim["score"] == 1.0 and [c["layer"] for c in claim["checks"]] == list(CHECKS)
        for c in claim["citations"]:
            assert SOURCES[c["document_id"]][c["start"] : c["end"]] == c["quote"]


def test_only_what_is_undecided_goes_to_the_judge_in_one_call(judging: MakeJudge) -> None:
    judge = judging([("supported", "yes"), ("unsupported", "no")])
    critiqued = critique_claims("q", [GOOD[0], OPEN[0], GOOD[1], OPEN[1]], EVIDENCE, SOURCES, judge)
    assert verdicts(critiqued) == ["supported", "supported", "supported", "unsupported"]
    assert [claim["text"] for claim in judge.asked] == [claim["text"] for claim in OPEN]
    assert critiqued[1]["checks"][-1] == {"layer": "judge", "verdict": "supported", "reason": "yes"}


def test_judge_is_not_asked_to_overrule_a_check(judging: MakeJudge) -> None:
    judge = judging(lambda claims: [("supported", "yes")] * len(claims))
    wrong = [
        new_claim("Electricity costs the tenant 9 euros.", [1]),
        new_claim("何佳负责收会费，每人每年130元。", [2]),
    ]
    assert verdicts(critique_claims("q", wrong, EVIDENCE, SOURCES, judge)) == ["unsupported"] * 2
    assert judge.asked == []


@pytest.mark.parametrize(
    "said",
    [
        ModelError("down"),
        RuntimeError("broken"),
        KeyError("S2"),
        TimeoutError(),
        AssertionError("no reply"),
        [],
        [("supported", "one too few")],
        [("supported", "")] * 3,
        [("yes", "nonsense")] * 2,
        [("SUPPORTED", "spelt otherwise")] * 2,
        [(True, "")] * 2,
        ["supported", "supported"],
        [("supported",), ("supported",)],
        [(["supported"], ""), (["supported"], "")],
        [None, None],
        None,
        "supported",
        {"S1": "supported", "S2": "supported"},
        42,
        [("unverified", "")] * 2,
        [("undecided", "")] * 2,
        [("unsupported", "")] * 2,
    ],
    ids=repr,
)
def test_a_failing_judge_supports_nothing(judging: MakeJudge, said: Any) -> None:
    critiqued = critique_claims("q", [*OPEN, GOOD[0]], EVIDENCE, SOURCES, judging(said))
    assert not {"supported", "undecided"} & set(verdicts(critiqued[:2]))
    assert critiqued[2]["verdict"] == "supported", "what the checks decided stays decided"
    assert all(claim["score"] == 0.0 for claim in critiqued[:2])


@pytest.mark.parametrize("sources", [{}, {1: "", 2: ""}, {1: TEXTS[1], 2: TEXTS[0]}, {3: TEXTS[0]}])
def test_missing_or_other_sources_support_nothing(judging: MakeJudge, sources: Mapping[int, str]) -> None:
    judge = judging(lambda claims: [("supported", "yes")] * len(claims))
    assert "supported" not in verdicts(critique_claims("q", [*GOOD, *OPEN], EVIDENCE, sources, judge))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", None),
        ("text", 7),
        ("start", None),
        ("start", "0"),
        ("start", 5),
        ("start", -5),
        ("kind", "hearsay"),
        ("document_id", None),
        ("document_id", 99),
        ("document_id", []),
        ("number", None),
    ],
)
@pytest.mark.parametrize("own_span", [False, True])
def test_broken_evidence_supports_nothing(
    judging: MakeJudge, field: str, value: object, own_span: bool
) -> None:
    judge = judging(lambda claims: [("supported", "yes")] * len(claims))
    for good, item in zip(GOOD, EVIDENCE, strict=True):
        broken: Any = {**item, field: value}
        spans: Any = [{"evidence": item["number"], "start": 0, "end": 20}] if own_span else []
        if own_span and field == "kind":
            continue  # the span says what is cited
        claim: Any = {**good, "spans": spans}
        assert verdicts(critique_claims("q", [claim], [broken], SOURCES, judge)) != ["supported"]


@pytest.mark.parametrize("name", list(CHECKS))
def test_a_check_that_raises_supports_nothing(
    judging: MakeJudge, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*given: object) -> tuple[Verdict, str]:
        raise ZeroDivisionError("a fault put in")

    monkeypatch.setitem(CHECKS, name, fail)
    judge = judging(lambda claims: [("supported", "yes")] * len(claims))
    critiqued = critique_claims("q", [*GOOD, *OPEN], EVIDENCE, SOURCES, judge)
    assert verdicts(critiqued) == ["unverified"] * 4
    reasons = [check["reason"] for check in critiqued[0]["checks"] if check["layer"] == name]
    assert reasons == ["the check failed: ZeroDivisionError: a fault put in"]


def test_malformed_claims_support_nothing(judging: MakeJudge) -> None:
    judge = judging(lambda claims: [("supported", "yes")] * len(claims))
    for change in ({"text": None}, {"evidence": None}, {"spans": [{"evidence": 1}]}, {"spans": 3}):
        claim: Any = {**GOOD[0], **change}
        assert verdicts(critique_claims("q", [claim], EVIDENCE, SOURCES, judge)) == ["unverified"]


def test_no_claims() -> None:
    assert critique_claims("q", [], EVIDENCE, SOURCES, None) == []  # type: ignore[arg-type]


# --- one verdict from many ------------------------------------------------------------------------------

VERDICTS: list[Verdict] = ["supported", "unsupported", "undecided", "unverified"]


@pytest.mark.parametrize(
    ("given_", "judged", "verdict"),
    [
        ([], False, "unverified"),
        ([], True, "unverified"),
        (["supported"], False, "supported"),
        (["supported", "undecided"], False, "undecided"),
        (["supported", "undecided", "unsupported"], False, "unsupported"),
        (["unsupported", "unverified"], False, "unverified"),
        (["supported", "undecided", "supported"], True, "supported"),
        (["supported", "undecided", "unsupported"], True, "unsupported"),
        (["supported", "undecided", "undecided"], True, "unsupported"),
        (["undecided", "unverified"], True, "unverified"),
        (["unsupported", "supported"], True, "unsupported"),
    ],
)
def test_combine(given_: list[Verdict], judged: bool, verdict: Verdict) -> None:
    assert combine(given_, judged=judged) == verdict


@given(st.lists(st.sampled_from(VERDICTS), max_size=8), st.booleans())
@bounds(deadline=None)
def test_combine_is_never_kinder_than_its_layers(layers: list[Verdict], judged: bool) -> None:
    verdict = combine(layers, judged=judged)
    assert verdict in CONFIDENCE
    if "unverified" in layers or not layers:
        assert verdict == "unverified"
    elif "unsupported" in layers:
        assert verdict == "unsupported"
    if verdict == "supported":
        decided = set(layers) == {"supported"}
        by_judge = judged and layers[-1] == "supported" and set(layers) <= {"supported", "undecided"}
        assert decided or by_judge
    assert (verdict == "undecided") <= (not judged)


@given(st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=6), st.sampled_from(VERDICTS))
@bounds(deadline=None)
def test_one_more_layer_never_raises_confidence(layers: list[Verdict], more: Verdict) -> None:
    before, after = combine(layers, judged=False), combine([*layers, more], judged=False)
    assert CONFIDENCE[after] <= CONFIDENCE[before]


def test_judge_protocol_is_the_one_of_the_reasoners(hashed: Library) -> None:
    """The extractive reasoner decides nothing that the checks left open."""
    draft: Draft = {"claims": OPEN, "sufficiency": 0.0, "missing": [], "round": 0}
    critiqued = critique_claims("q", draft["claims"], EVIDENCE, SOURCES, Extractive(hashed))
    assert verdicts(critiqued) == ["unsupported", "unsupported"]


# --- faults put in: every layer, every fault ------------------------------------------------------------


class Scorer:
    """An entailer that returns what it is told, or raises it."""

    SUPPORTED_AT, REFUTED_AT = 0.8, 0.2

    def __init__(self, said: Any) -> None:
        self.said = said

    def score(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]:
        return _said(self.said, len(pairs))  # type: ignore[no-any-return]


def _said(said: Any, count: int) -> Any:
    if isinstance(said, BaseException):
        raise said
    return said(count) if callable(said) else said


def hang(count: int) -> None:
    threading.Event().wait(5)


def named(said: Any) -> str:
    """The same in every process, as a function's address is not."""
    return said.__name__ if said is hang else repr(said)


BAD: list[Any] = [RuntimeError("broken"), TimeoutError(), None, [], 42, "supported", {}, [None, None], hang]
BAD_SCORES = [
    *BAD,
    [0.9],
    [0.9] * 3,
    [float("nan")] * 2,
    [1.1, 0.9],
    [-0.1, 0.9],
    ["0.9", "0.9"],
    [True, True],
]
BAD_CHECKS = [
    *BAD,
    ("yes", "nonsense"),
    ("supported",),
    ("supported", None),
    ("supported", "", ""),
    (True, ""),
]
BAD_VERDICTS = [
    *BAD,
    [("supported", None)] * 2,
    [("supported", 1)] * 2,
    [("ok", "")] * 2,
    [("supported", "")],
]
YES = [("supported", "yes")] * 2


@pytest.mark.parametrize("said", BAD_SCORES, ids=named)
def test_a_failing_entailer_supports_nothing(judging: MakeJudge, said: Any) -> None:
    critiqued = critique_claims("q", OPEN, EVIDENCE, SOURCES, judging(YES), Scorer(said), timeout_s=0.1)
    assert verdicts(critiqued) == ["unverified"] * 2
    assert all(c["checks"][-1]["layer"] == "entail" for c in critiqued), (
        "the judge is not asked to make it good"
    )


@pytest.mark.parametrize("said", BAD_VERDICTS, ids=named)
def test_a_judge_that_hangs_or_babbles_supports_nothing(hashed: Library, said: Any) -> None:
    judge = Judge(hashed, lambda claims: _said(said, len(claims)))
    assert verdicts(critique_claims("q", OPEN, EVIDENCE, SOURCES, judge, timeout_s=0.1)) == ["unverified"] * 2


@pytest.mark.parametrize("name", list(CHECKS))
@pytest.mark.parametrize("said", [x for x in BAD_CHECKS if x is not hang], ids=repr)
def test_a_check_that_babbles_supports_nothing(
    judging: MakeJudge, monkeypatch: pytest.MonkeyPatch, name: str, said: Any
) -> None:
    monkeypatch.setitem(CHECKS, name, lambda *given: _said(said, 1))
    critiqued = critique_claims("q", [*GOOD, *OPEN], EVIDENCE, SOURCES, judging(YES), Scorer([1.0, 1.0]))
    assert verdicts(critiqued) == ["unverified"] * 4


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_wish_to_stop_passes_through(judging: MakeJudge, stop: type[BaseException]) -> None:
    with pytest.raises(stop):
        critique_claims("q", OPEN, EVIDENCE, SOURCES, judging(stop()))
    with pytest.raises(stop):
        critique_claims("q", OPEN, EVIDENCE, SOURCES, judging(YES), Scorer(stop()))


@pytest.mark.parametrize(
    ("scores", "expected", "asked"),
    [([0.9, 0.1], ["supported", "unsupported"], 0), ([0.5, 0.9], ["supported", "supported"], 1)],
)
def test_entailer_decides_what_it_can(
    judging: MakeJudge, scores: list[float], expected: list[Verdict], asked: int
) -> None:
    judge = judging([("supported", "yes")])
    critiqued = critique_claims("q", OPEN, EVIDENCE, SOURCES, judge, Scorer(scores))
    assert verdicts(critiqued) == expected and len(judge.asked) == asked
    layers = [[check["layer"] for check in claim["checks"]] for claim in critiqued]
    assert layers[0][: len(CHECKS) + 1] == [*CHECKS, "entail"]


def test_entailer_cannot_overrule_a_check(judging: MakeJudge) -> None:
    wrong = [new_claim("Electricity costs the tenant 9 euros.", [1])]
    assert verdicts(critique_claims("q", wrong, EVIDENCE, SOURCES, judging(YES), Scorer([1.0]))) == [
        "unsupported"
    ]


# --- claims ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It rained. The club met.", ["It rained.", "The club met."]),
        ("下雨了。读书会开会了。", ["下雨了。", "读书会开会了。"]),
        ("- one tree\n- two trees", ["one tree", "two trees"]),
        ("The points are:\n1. It rained.\n2. The club met.", ["It rained.", "The club met."]),
        (
            "Ada Fischer wrote: \n- it rained\n- it was cold",
            ["Ada Fischer wrote: it rained", "Ada Fischer wrote: it was cold"],
        ),
        ("| name | fee |\n| --- | --- |\n| Ada | 5 |\n| Bo | 7 |", ["Ada | 5", "Bo | 7"]),
        ("要点：\n1、下雨了\n2、开会了", ["下雨了", "开会了"]),
        ("One sentence only", ["One sentence only"]),
        (
            "The rent is 3.5 million dollars, says Dr. Weber.",
            ["The rent is 3.5 million dollars, says Dr. Weber."],
        ),
    ],
)
def test_split(text: str, pieces: list[str]) -> None:
    assert [claim["text"] for claim in split_claims([new_claim(text, [1, 2])])] == pieces


def test_marks_narrow_the_evidence() -> None:
    split = split_claims([new_claim("It rained [2]. The club met. 散会了【1】。", [1, 2])])
    assert [(claim["text"], claim["evidence"]) for claim in split] == [
        ("It rained.", [2]), ("The club met.", [1, 2]), ("散会了。", [1]),
    ]  # fmt: skip


def test_speech_without_punctuation_is_cut_and_quotations_are_not() -> None:
    speech = "and then we went on to talk about the fees and who should collect them " * 12
    assert len(split_claims([new_claim(speech, [1])])) > 1
    assert len(split_claims([new_claim(speech, [1], [{"evidence": 1, "start": 0, "end": 9}])])) == 1
    long = "The rent, the fees, and everything else that was agreed, " * 12 + "is due."
    assert len(split_claims([new_claim(long, [1])])) == 1


@given(st.text(alphabet="ab .。，\n|-1[]:：", max_size=60))
@bounds(deadline=None)
def test_splitting_loses_no_claim_with_words(text: str) -> None:
    pieces = split_claims([new_claim(text, [1])])
    assert pieces and all(isinstance(piece["text"], str) for piece in pieces)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("no less than 30", 1), ("not below 30", 1), ("不少于30", 1), ("不低於30", 1), ("超过30", 1),
        ("less than 30", -1), ("no more than 30", -1), ("少于30", -1), ("低於30", -1), ("不超過30", -1),
        ("30", 0), ("about 30", 0),
    ],
)  # fmt: skip
def test_a_bound_that_is_denied_is_the_other_one(text: str, bound: int) -> None:
    (number,) = find_numbers(text)
    assert bound_of(text, number) == bound
