"""The critic: one verdict per claim, cheapest layer first, and it fails closed.

The layers are the checks, an entailment scorer where there is one, and the judge; each decides, or passes on
what it cannot decide. A layer that raises, hangs or returns nonsense makes the claim `unverified`, never
`supported`. Whether the whole answers the question is judged apart, in `sufficiency`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.citations import cite
from agent.critic.checks import CHECKS
from agent.critic.claims import split_claims
from agent.critic.entail import Entailer, checked_scores, within
from agent.reasoners import Reasoner
from agent.state import Check, Claim, Evidence, Verdict
from agent.verifier import under

CONFIDENCE: dict[Verdict, float] = {"supported": 1.0, "undecided": 0.5, "unverified": 0.0, "unsupported": 0.0}
TIMEOUT_S = 300.0  # a judge on a slow machine reads all evidence anew

Layer = Callable[[list[Claim]], list[tuple[Verdict, str]]]


def critique_claims(
    question: str,
    claims: Sequence[Claim],
    evidence: Sequence[Evidence],
    sources: Mapping[int, str],
    reasoner: Reasoner,
    entailer: Entailer | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Claim]:
    """The claims, split, with citations, checks, verdicts and scores. `sources`: source texts by document id.

    `timeout_s` bounds the entailer's one call and the judge's one call each.
    """
    checked = [_check(claim, evidence, sources) for claim in split_claims(claims)]
    if entailer is not None:
        scorer = entailer
        checked = _decide("entail", checked, lambda open_: _entail(open_, evidence, scorer), timeout_s)
    return _decide("judge", checked, lambda open_: reasoner.judge(question, open_, evidence), timeout_s)


def _check(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Claim:
    try:
        claim = {**claim, "citations": cite(claim, evidence)}
    except Exception as error:  # fail closed, whatever it was
        return _with_checks(claim, [_failure("quote", error)])
    checks: list[Check] = []
    for layer, check in CHECKS.items():
        try:
            checks.append(_checked(layer, check(claim, evidence, sources)))
        except Exception as error:  # fail closed, whatever it was
            checks.append(_failure(layer, error))
    return _with_checks(claim, checks)


def _decide(layer: str, claims: list[Claim], decide: Layer, timeout_s: float) -> list[Claim]:
    """One verdict more for each claim that is undecided, all from one call."""
    open_ = [claim for claim in claims if claim["verdict"] == "undecided"]
    if not open_:
        return claims
    try:
        results = within(timeout_s, lambda: decide(open_))
        if not isinstance(results, (list, tuple)) or len(results) != len(open_):
            raise ValueError(f"it gave no {len(open_)} verdicts for {len(open_)} claims")
        checks = [_checked(layer, result) for result in results]
    except Exception as error:  # fail closed, whatever it was
        checks = [_failure(layer, error)] * len(open_)
    left = iter(checks)
    return [
        _with_checks(claim, [*claim["checks"], next(left)], last=layer)
        if claim["verdict"] == "undecided"
        else claim
        for claim in claims
    ]


def _entail(
    claims: Sequence[Claim], evidence: Sequence[Evidence], entailer: Entailer
) -> list[tuple[Verdict, str]]:
    titles = {item["number"]: item["title"] for item in evidence}
    pairs = [(_premise(claim, evidence, titles), claim["text"]) for claim in claims]
    supported_at, refuted_at = checked_scores([entailer.SUPPORTED_AT, entailer.REFUTED_AT], 2)
    results: list[tuple[Verdict, str]] = []
    for score in checked_scores(entailer.score(pairs), len(pairs)):
        verdict: Verdict = "undecided"
        if score >= supported_at > refuted_at:
            verdict = "supported"
        elif score <= refuted_at:
            verdict = "unsupported"
        results.append((verdict, f"entailed with probability {score:.2f}"))
    return results


def _premise(claim: Claim, evidence: Sequence[Evidence], titles: Mapping[int, str]) -> str:
    quotes = [under(titles.get(c["evidence"], ""), c["quote"]) for c in claim["citations"]]
    tools = [e["text"] for e in evidence if e["kind"] == "tool" and e["number"] in claim["evidence"]]
    return "\n".join([*quotes, *tools])


def _checked(layer: str, result: tuple[Verdict, str]) -> Check:
    """A layer's result as a check. Raises ValueError for what is none."""
    if not isinstance(result, (list, tuple)) or len(result) != 2:
        raise ValueError(f"{result!r} is no verdict with its reason")
    verdict, reason = result
    if not isinstance(verdict, str) or verdict not in CONFIDENCE or not isinstance(reason, str):
        raise ValueError(f"{result!r} is no verdict with its reason")
    return {"layer": layer, "verdict": verdict, "reason": reason}


def _failure(layer: str, error: Exception) -> Check:
    what = "the judge" if layer == "judge" else "the entailer" if layer == "entail" else "the check"
    return {
        "layer": layer,
        "verdict": "unverified",
        "reason": f"{what} failed: {type(error).__name__}: {error}",
    }


def _with_checks(claim: Claim, checks: list[Check], *, last: str = "") -> Claim:
    verdicts = [check["verdict"] for check in checks]
    # The judge has the last word on what is undecided; the entailer may leave it so.
    judged = last == "judge" or (last == "entail" and verdicts[-1] != "undecided")
    verdict = combine(verdicts, judged=judged)
    return {**claim, "checks": checks, "verdict": verdict, "score": CONFIDENCE[verdict]}


def combine(verdicts: Sequence[Verdict], *, judged: bool) -> Verdict:
    """One verdict from those of the layers, the judge's last if it was asked.

    A failed layer outweighs all; a refusal outweighs support; what is undecided is for the judge to decide,
    and stays `unsupported` if the judge cannot.
    """
    if not verdicts or "unverified" in verdicts:
        return "unverified"
    if "unsupported" in verdicts:
        return "unsupported"
    if judged:
        return "supported" if verdicts[-1] == "supported" else "unsupported"
    return "undecided" if "undecided" in verdicts else "supported"
