"""The critic: one verdict per claim, cheapest layer first, and it fails closed.

Each layer may only lower confidence or pass on what it cannot decide. A layer that raises makes the claim
`unverified`, never `supported`. Whether the whole answers the question is judged apart, in `sufficiency`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.citations import cite
from agent.critic.checks import CHECKS
from agent.reasoners import Reasoner
from agent.state import Check, Claim, Evidence, Verdict

CONFIDENCE: dict[Verdict, float] = {"supported": 1.0, "undecided": 0.5, "unverified": 0.0, "unsupported": 0.0}


def critique_claims(
    question: str,
    claims: Sequence[Claim],
    evidence: Sequence[Evidence],
    sources: Mapping[int, str],
    reasoner: Reasoner,
) -> list[Claim]:
    """The claims with citations, checks, verdicts and scores. `sources`: source texts by document id."""
    checked = [_check(claim, evidence, sources) for claim in claims]
    open_ = [n for n, claim in enumerate(checked) if claim["verdict"] == "undecided"]
    for n, check in zip(
        open_, _judge(question, [checked[n] for n in open_], evidence, reasoner), strict=True
    ):
        checked[n] = _with_checks(checked[n], [*checked[n]["checks"], check], judged=True)
    return checked


def _check(claim: Claim, evidence: Sequence[Evidence], sources: Mapping[int, str]) -> Claim:
    checks: list[Check] = []
    cited = claim
    for name, check in [("cite", None), *CHECKS.items()]:
        try:
            if check is None:
                cited = {**claim, "citations": cite(claim, evidence)}
                continue
            verdict, reason = check(cited, evidence, sources)
        except Exception as error:  # fail closed, whatever it was
            verdict, reason = "unverified", f"the check failed: {type(error).__name__}: {error}"
        checks.append({"layer": name, "verdict": verdict, "reason": reason})
    return _with_checks(cited, checks)


def _judge(
    question: str, claims: Sequence[Claim], evidence: Sequence[Evidence], reasoner: Reasoner
) -> list[Check]:
    """One check per claim from the judge; all `unverified` when it fails or answers another number."""
    if not claims:
        return []
    try:
        verdicts = reasoner.judge(question, claims, evidence)
        if len(verdicts) != len(claims) or any(v not in CONFIDENCE for v, _ in verdicts):
            raise ValueError(f"the judge gave {len(verdicts)} verdicts for {len(claims)} claims")
    except Exception as error:  # fail closed, whatever it was
        failure: Verdict = "unverified"
        verdicts = [(failure, f"the judge failed: {type(error).__name__}: {error}")] * len(claims)
    return [{"layer": "judge", "verdict": verdict, "reason": reason} for verdict, reason in verdicts]


def _with_checks(claim: Claim, checks: list[Check], *, judged: bool = False) -> Claim:
    verdict = combine([check["verdict"] for check in checks], judged=judged)
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
