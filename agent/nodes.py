"""The nodes of the graph: one function per box, `(state, runtime) -> the keys it changed`.

What a node needs comes through `runtime.context`. Nodes put things together; what is decided is decided in
`routes`, the reasoners and the critic.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from langgraph.runtime import Runtime

from agent import memory
from agent.critic import critique_claims
from agent.critic.sufficiency import (
    Thresholds,
    missing_terms,
    sufficiency,
    swept_enough,
)
from agent.deps import Deps
from agent.disagreement import contradicting, lines_of
from agent.errors import ModelError
from agent.evidence import meant_evidence, of_passages, of_tool, shown_evidence
from agent.moves import question_query
from agent.named import mentions, unknown_file, without
from agent.operands import fill_operands
from agent.paths import best_of, rank, turned
from agent.reasoners.features import Asked
from agent.reasoners.language import language_of
from agent.relevance import by_relevance, most_relevant, name_rarities
from agent.routes import stop_of
from agent.state import Claim, Draft, Evidence, Outcome, Plan, Search, State, merge_evidence
from agent.whole import aim, cut_short, parts_of, quoted, without_label
from retrieval.store import StoreError
from tools import ToolError, run_call

Changed = dict[str, Any]
Run = Runtime[Deps]

UNLABELLED = {
    "en": "{} of {} passages have no speaker label; what is said there is given to nobody",
    "zh": "{1} 段中有 {0} 段没有标明说话人，其中的话不归于任何人",
}
BRIDGED = 2  # passages taken for each bridging query: there are many of those (evals/LOG.md)


def recall(state: State, runtime: Run) -> Changed:
    """The thread so far, the question on its own feet, and what an earlier run found for the same one."""
    deps = runtime.context
    turns = memory.turns(deps.memory, state["thread"])
    notes: list[str] = []
    try:
        standalone = deps.reasoner.condense(state["question"], turns)
    except ModelError as error:
        standalone, notes = deps.fallback.condense(state["question"], turns), [f"recall: {error}"]
    episodes = memory.episodes(deps.memory, standalone)
    return {
        "turns": turns,
        "standalone": standalone,
        "episodes": [episode.id for episode in episodes],
        "evidence": deps.found(memory.evidence_of(episodes, deps.library)),
        "notes": notes,
        "round": 0,
        "seen": 0,
        "tool_failure": "",
    }


def plan(state: State, runtime: Run) -> Changed:
    """What the question needs, of which documents, and the first queries."""
    deps, question = runtime.context, state["standalone"]
    named = mentions(question, deps.library.store.document_names())
    sure = [one for one in named if one.sure]
    bare = without(question, sure)
    planned = deps.reasoner.plan(bare, deps.today())
    planned["lang"] = language_of(without(question, named))
    planned["documents"] = sorted({id_ for one in sure for id_ in one.documents})
    unclear, notes = "", []
    if planned["need"] == "search":
        recent = memory.recent_documents(deps.memory, state["thread"])
        aimed = aim(question, deps.library, recent, named)
        if isinstance(aimed, str):
            unclear = aimed
            planned["need"] = "sweep"
        elif aimed:
            planned["need"], planned["sweep"] = "sweep", aimed
        elif unknown := unknown_file(question, named):
            notes = [f"plan: there is no document called {unknown}; all are searched"]
    asked = question if planned["need"] == "sweep" else bare
    queries = [question_query(text) for text in planned["queries"]]
    return {"plan": planned, "standalone": asked, "queries": queries, "unclear": unclear, "notes": notes}


def retrieve(search: Search, runtime: Run) -> Changed:
    """One hybrid search for each query of a move; runs once for each move, in parallel."""
    deps, queries = runtime.context, search["queries"]
    asked = deps.asked(search["question"])
    limit = BRIDGED if queries[0]["move"] == "bridge" else deps.settings.passages
    rarities = name_rarities(asked, queries, deps.idf)
    found: list[Evidence] = []
    lists = deps.library.search_many([query["text"] for query in queries], limit, search["documents"])
    for query, rarity, passages in zip(queries, rarities, lists, strict=True):
        found += of_passages(asked, query, passages, search["round"], rarity)
    notes = [f"retrieve: {deps.library.blind_reason}"] if deps.library.blind_reason else []
    return {"evidence": deps.found(found), "tried": [query["text"] for query in queries], "notes": notes}


def act(state: State, runtime: Run) -> Changed:
    """Run the planned tool; its result becomes evidence that names what it was computed from."""
    planned = state["plan"]
    call = planned["call"]
    if call is None:
        return {}
    try:
        filled, rests_on = fill_operands(call, meant_evidence(state))
        result = run_call(filled, planned["lang"])
    except ToolError as error:
        return {"tool_failure": str(error), "notes": [f"act: {error}"]}
    evidence = of_tool(call, result["text"], rests_on, state["round"])
    return {"tool_failure": "", "evidence": runtime.context.found([evidence])}


def sweep(state: State, runtime: Run) -> Changed:
    """The parts of whole documents, and what is quoted of them; a search where nothing is."""
    deps, planned = runtime.context, state["plan"]
    if planned["sweep"] is None:
        return {"quoted": [], "shown": []}
    before = state.get("evidence", [])  # what an episode brought; it is no part of the sweep
    found = deps.found(parts_of(planned["sweep"], deps.library, deps.settings.max_passages - len(before)))
    evidence = merge_evidence(before, found)[len(before) :]
    claims = quoted(planned["sweep"], planned["lang"], evidence)
    if not claims and deps.reasoner.name == deps.fallback.name:
        return {"plan": searched(planned), "quoted": []}
    whole, notes = True, []
    if cut_short(planned["sweep"], claims, evidence):
        whole, notes = False, [f"sweep: only {len(claims)} places are listed; there may be more"]
    if planned["sweep"]["kind"] == "speakers":
        without, passages = without_label(evidence)
        whole = 2 * without <= passages
        notes = [f"sweep: {UNLABELLED[planned['lang']].format(without, passages)}"] if without else []
    numbers = [item["number"] for item in evidence]
    return {"evidence": found, "quoted": claims, "whole": whole, "shown": numbers, "notes": notes}


def searched(planned: Plan) -> Plan:
    """The plan of a whole-document question of which reading the documents gave nothing."""
    return {**planned, "need": "search", "sweep": None}


def draft(state: State, runtime: Run) -> Changed:
    """Sentences, each with the evidence numbers it rests on. Unverified until `critique` has seen them."""
    deps, sweeping = runtime.context, state["plan"]["need"] == "sweep"
    kept = [claim for claim in _best_claims(state) if claim["verdict"] == "supported"]
    last = state["draft"]["claims"] if "draft" in state else []
    failed = [claim for claim in last if claim["verdict"] != "supported"]
    cited = {number for claim in kept for number in claim["evidence"]}
    found = meant_evidence(state)
    shown = shown_evidence(state) if sweeping else most_relevant(found, deps.settings.max_evidence, cited)
    paths, notes = [], []
    for n in range(1 if sweeping else deps.settings.paths):
        writer = deps.writers[n % len(deps.writers)]
        given = (
            state["standalone"],
            state["plan"],
            turned(shown, n),
            state["quoted"] if sweeping else kept,
            failed,
        )
        try:
            paths.append(writer.draft(*given))
        except ModelError as error:
            paths.append(deps.fallback.draft(*given))
            notes.append(f"draft: {error}")
    written: Draft = {"claims": paths[0], "sufficiency": 0.0, "missing": [], "round": state["round"]}
    numbers = [item["number"] for item in shown]
    changed: Changed = {"draft": written, "others": paths[1:], "shown": numbers, "notes": notes}
    if state["plan"]["sweep"] and not paths[0]:  # nothing was written and nothing is quoted: it is searched
        changed["plan"] = searched(state["plan"])
    return changed


def critique(state: State, runtime: Run) -> Changed:
    """One verdict per claim against exact spans, and whether the supported ones answer the question."""
    deps, evidence = runtime.context, shown_evidence(state)
    if state["plan"]["need"] == "conversation":
        answered: Draft = {**state["draft"], "sufficiency": 1.0}
        return {"draft": answered, "best": answered, "passed": True}
    sources = _sources(deps, evidence)
    asked = deps.asked(state["standalone"])
    drafts: list[Draft] = []
    for claims in (state["draft"]["claims"], *state.get("others", [])):
        checked = critique_claims(
            state["standalone"],
            claims,
            evidence,
            sources,
            deps.judge,
            deps.entailer,
            deps.settings.critic_timeout_s,
        )
        drafts.append(_judged(checked, asked, evidence, state))
    judged = drafts[0]
    if len(drafts) > 1:  # mended claims are worth what they say, not what the draft before them did
        judged = _judged(best_of(drafts)["claims"], asked, evidence, state)
    best = judged
    if "best" in state and rank(state["best"]) >= rank(judged):
        best = state["best"]  # a later failure never costs an earlier success
    sound = all(claim["verdict"] == "supported" for claim in judged["claims"])
    passed = judged["sufficiency"] >= deps.thresholds["verified"] and sound
    return {"draft": judged, "best": best, "passed": passed}


def _judged(claims: list[Claim], asked: Asked, evidence: list[Evidence], state: State) -> Draft:
    """A draft with what its supported claims are worth as an answer."""
    supported = [claim for claim in claims if claim["verdict"] == "supported"]
    missing = missing_terms(asked, supported, evidence)
    if state["tool_failure"]:
        enough = 0.0  # a quotation does not stand in for a computation that could not be done
    elif state["plan"]["need"] == "sweep":
        enough, missing = swept_enough(claims, state.get("whole", False)), []
    else:
        enough = sufficiency(asked, supported, evidence)
    return {"claims": claims, "sufficiency": enough, "missing": missing, "round": state["round"]}


def reformulate(state: State, runtime: Run) -> Changed:
    """New queries for what is still open, none of them tried before."""
    deps, notes = runtime.context, []
    found = state.get("evidence", [])
    given = (state["standalone"], state["plan"], by_relevance(found), state["draft"], state["tried"])
    try:
        queries = deps.reasoner.reformulate(*given)
    except ModelError as error:
        queries, notes = deps.fallback.reformulate(*given), [f"reformulate: {error}"]
    fresh = [query for query in queries if query["text"] not in state["tried"]]
    if state["round"] == 0 and state["plan"]["documents"]:  # those that are named do not answer: all may
        fresh = [*(question_query(text) for text in state["plan"]["queries"]), *fresh]
    return {
        "queries": fresh,
        "round": state["round"] + 1,
        "seen": len(found),
        "notes": notes,
    }


def settle(state: State, runtime: Run) -> Changed:
    """Keep what is verified of the best draft, say what it amounts to, and which budget ended the loop."""
    deps = runtime.context
    stopped = stop_of(state, deps.settings, deps.spent())
    answered = settled(state, deps.thresholds)
    notes: list[str] = []
    if answered["outcome"] == "verified" and answered["claims"] and state["plan"]["need"] != "sweep":
        try:
            answered |= disagreement(state, answered, deps)
        except Exception as error:  # a finished answer stands without it
            notes = [f"settle: the files were not compared: {type(error).__name__}: {error}"]
    return {
        **answered,
        "stopped": stopped,
        "notes": [*notes, *elsewhere(state["plan"], answered["claims"], deps)],
    }


def elsewhere(planned: Plan, claims: Sequence[Claim], deps: Deps) -> list[str]:
    """A note where the documents that a question names do not give its answer, and others do."""
    cited = {citation["document_id"] for claim in claims for citation in claim["citations"]}
    if not planned["documents"] or not cited or cited & set(planned["documents"]):
        return []
    names = [PurePath(one.path).name for one in deps.library.documents() if one.id in planned["documents"]]
    return [f"settle: {', '.join(names)} does not answer this; the answer is from other files"]


def settled(state: State, thresholds: Thresholds) -> Changed:
    """The answer that the best draft gives, and its outcome. Pure."""
    best, lang = state["best"], state["plan"]["lang"]
    nothing: Changed = {"claims": [], "missing": [], "conflicts": [], "disagreements": []}
    if state["plan"]["need"] == "conversation":
        answer = " ".join(claim["text"] for claim in best["claims"])
        return {**nothing, "outcome": "verified", "answer": answer}
    if state.get("unclear"):
        return {**nothing, "outcome": "abstained", "answer": state["unclear"]}
    supported = [claim for claim in best["claims"] if claim["verdict"] == "supported"]
    outcome = outcome_of(best, supported, thresholds)
    claims = supported if outcome in ("verified", "partial") else []
    refusal = "computation" if state["tool_failure"] else outcome
    answer = joined(claims, state["plan"]) or REFUSALS[lang][refusal]
    return {**nothing, "outcome": outcome, "answer": answer, "claims": claims, "missing": best["missing"]}


def joined(claims: list[Claim], planned: Plan) -> str:
    """Claims as a text: a line each where they are items, else running."""
    if planned["need"] == "sweep" and len(claims) > 1:
        return "\n".join(f"- {claim['text']}" for claim in claims)
    return ("" if planned["lang"] == "zh" else " ").join(claim["text"] for claim in claims)


def disagreement(state: State, answered: Changed, deps: Deps) -> Changed:
    """What other passages say against the answer: claims that quote them, and a line that says so."""
    evidence = shown_evidence(state)
    asked, sources = deps.asked(state["standalone"]), _sources(deps, evidence)
    found = contradicting(asked, answered["claims"], evidence, sources)
    if not found:
        return {}
    quoting = [claim for _, claim in found]
    checked = critique_claims(state["standalone"], quoting, evidence, sources, deps.fallback)
    pairs = [
        (conflict, claim)
        for (conflict, _), claim in zip(found, checked, strict=True)
        if claim["verdict"] == "supported"
    ]
    if not pairs:
        return {}
    said = {claim["text"] for claim in answered["claims"]}
    against = [conflict for conflict, _ in pairs]
    lines = lines_of(asked, answered["claims"], against, evidence, sources)
    return {
        "conflicts": against,
        "disagreements": lines,
        "claims": [*answered["claims"], *(claim for _, claim in pairs if claim["text"] not in said)],
        "answer": "\n".join([answered["answer"], *lines]),
    }


def remember(state: State, runtime: Run) -> Changed:
    """Write the turn, the episode and the use of earlier ones. The caller records the run."""
    try:
        memory.write(runtime.context.memory, state)
    except StoreError as error:  # a busy library must not cost a finished answer
        return {"notes": [f"not remembered: {error}"]}
    return {}


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


def outcome_of(best: Draft, supported: list[Claim], thresholds: Thresholds) -> Outcome:
    """The outcome of the best draft: by its sufficiency, and `unverified` where the critic itself failed."""
    if not supported:
        failed = any(claim["verdict"] == "unverified" for claim in best["claims"])
        return "unverified" if failed else "abstained"
    if best["sufficiency"] >= thresholds["verified"]:
        return "verified"
    return "partial" if best["sufficiency"] >= thresholds["partial"] else "abstained"


def _best_claims(state: State) -> list[Claim]:
    return state["best"]["claims"] if "best" in state else []


def _sources(deps: Deps, evidence: list[Evidence]) -> dict[int, str]:
    """The source texts that the evidence names, as they are in the library now."""
    sources = {}
    for document_id in {item["document_id"] for item in evidence if item["kind"] == "passage"}:
        source = deps.library.store.source(document_id)
        if source is not None:
            sources[document_id] = source.text
    return sources
