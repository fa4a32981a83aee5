"""What the best draft of a run amounts to: its outcome, and the answer or refusal in words. Pure functions.

Where the files disagree with the answer is told by `agent.disagreement`.
"""

from __future__ import annotations

from typing import Any

from agent.critic.sufficiency import Thresholds
from agent.state import Claim, Draft, Outcome, Plan, State, supported_of

REFUSALS: dict[str, dict[str, str]] = {
    "en": {
        "abstained": "Your files do not answer this, as far as I can find.",
        "unverified": "I could not verify an answer, so I give none.",
        "computation": "I could not compute this from your files.",
        "interrupted": "Stopped before an answer was verified.",
    },
    "zh": {
        "abstained": "在你的文件中没有找到这个问题的答案。",
        "unverified": "答案无法核实，所以不作回答。",
        "computation": "根据你的文件无法算出这个结果。",
        "interrupted": "在核实答案之前就已中止。",
    },
}


def settled(state: State, thresholds: Thresholds) -> dict[str, Any]:
    """The answer that the best draft gives, and its outcome."""
    best, lang = state["best"], state["plan"]["lang"]
    nothing: dict[str, Any] = {"claims": [], "missing": [], "conflicts": [], "disagreements": []}
    if state["plan"]["need"] == "conversation":
        answer = " ".join(claim["text"] for claim in best["claims"])
        return {**nothing, "outcome": "verified", "answer": answer}
    if state.get("unclear"):
        return {**nothing, "outcome": "abstained", "answer": state["unclear"]}
    supported = supported_of(best["claims"])
    outcome = outcome_of(best, supported, thresholds)
    claims = supported if outcome in ("verified", "partial") else []
    refusal = "computation" if state["tool_failure"] else outcome
    answer = joined(claims, state["plan"]) or REFUSALS[lang][refusal]
    return {**nothing, "outcome": outcome, "answer": answer, "claims": claims, "missing": best["missing"]}


def outcome_of(best: Draft, supported: list[Claim], thresholds: Thresholds) -> Outcome:
    """The outcome of the best draft: by its sufficiency, and `unverified` where the critic itself failed."""
    if not supported:
        failed = any(claim["verdict"] == "unverified" for claim in best["claims"])
        return "unverified" if failed else "abstained"
    if best["sufficiency"] >= thresholds["verified"]:
        return "verified"
    return "partial" if best["sufficiency"] >= thresholds["partial"] else "abstained"


def joined(claims: list[Claim], planned: Plan) -> str:
    """Claims as a text: a line each where they are items, else running."""
    if planned["need"] == "sweep" and len(claims) > 1:
        return "\n".join(f"- {claim['text']}" for claim in claims)
    return ("" if planned["lang"] == "zh" else " ").join(claim["text"] for claim in claims)
