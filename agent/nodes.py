"""The nodes of the graph: one function per box, `(state, runtime) -> the keys it changed`.

What a node needs comes through `runtime.context`. Nodes put things together; what is decided is decided in
`routes`, the reasoners and the critic.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from langgraph.runtime import Runtime

from agent import corrections, memory
from agent.critic import critique_claims
from agent.critic.sufficiency import (
    OPEN_SHARE,
    is_whose,
    missing_terms,
    open_share,
    sufficiency,
    swept_enough,
)
from agent.deps import Deps
from agent.disagreement import disagreement
from agent.episodes import Manner
from agent.errors import ModelError
from agent.evidence import meant_evidence, of_passages, of_tool, shown_evidence, sources_of
from agent.filters import by_message, nothing_passes, unnamed, widens
from agent.moves import question_query, respelt
from agent.named import mentions, unknown_file, without
from agent.notes import elsewhere, narrowed_to, note
from agent.operands import fill_operands
from agent.ordinals import with_item
from agent.outcome import settled
from agent.paths import best_of, rank, run_paths, turned
from agent.reasoners import Reasoner
from agent.reasoners.features import Asked, fitted_with
from agent.reasoners.language import language_of
from agent.relevance import by_relevance, most_relevant, name_rarities
from agent.remarks import hearing
from agent.routes import first_rung, next_rung, scope, searchable, stagnated, stop_of
from agent.state import Claim, Draft, Evidence, Plan, State, merge_evidence, supported_of
from agent.turns import turns_for
from agent.unsearched import acknowledged
from agent.whole import aim, cut_short, parts_of, quoted, without_label
from retrieval.store import StoreError
from tools import ToolError, run_call

Changed = dict[str, Any]
Run = Runtime[Deps]

BRIDGED = 2  # passages taken for each bridging query: there are many of those (evals/LOG.md)


def recall(state: State, runtime: Run) -> Changed:
    """The thread so far, the question on its own feet, and what is known of it: at best its answer."""
    deps = runtime.context
    told = corrections.told(deps.memory, state["question"], state["thread"])
    turns = turns_for(deps.memory, state["thread"], state["question"], deps.today())
    notes: list[str] = []
    asked = with_item(state["question"], turns)
    try:
        standalone = asked if told else deps.reasoner.condense(asked, turns)
    except ModelError as error:
        standalone, notes = deps.fallback.condense(asked, turns), [f"recall: {error}"]
    changed: Changed = {
        "ready": False,
        "told": told,
        "turns": turns,
        "standalone": standalone,
        "episodes": [],
        "demoted": [],
        "wordings": [],
        "library_at": deps.library.store.last_document(),
        "evidence": deps.found([]),
        "notes": notes,
        "round": 0,
        "seen": 0,
        "rung": 0,
        "tool_failure": "",
    }
    if told:
        return {**changed, **acknowledged(told, state["question"])}
    # What answered it among all documents may lie outside of those asked now.
    restricted = bool(state.get("where"))
    known = memory.recall(deps.memory, deps.library, standalone, manner_of(deps), restricted=restricted)
    changed["episodes"] = [record.id for record in known.episodes]
    if known.answer:
        return {**changed, **known.answer, "notes": [*notes, memory.remembered_note(known, deps.library)]}
    hints = corrections.without_quotes(memory.evidence_of(known.episodes, deps.library), known.demoted)
    changed |= {"demoted": known.demoted, "wordings": known.wordings, "evidence": deps.found(hints)}
    words, asked_for, meant = known.reworded
    if words:
        changed |= {"standalone": words, "notes": [*notes, f"from memory: {asked_for!r} read as {meant!r}"]}
    return changed


def manner_of(deps: Deps) -> Manner:
    """How questions are answered in this run."""
    models = tuple(rung.name for rung in (*deps.rungs, deps.fallback))
    judge = deps.referee.name if deps.referee else ""
    settings = deps.settings
    verifier = fitted_with() if settings.verifier == "built-in" else settings.verifier
    ordered = settings.rerank_model if settings.rerank_model != "off" else ""
    checked = (str(settings.paths), judge, verifier, settings.scorer_model, ordered)
    return Manner(models, " ".join(filter(None, checked)), deps.thresholds["verified"])


def plan(state: State, runtime: Run) -> Changed:
    """What the question needs, of which documents, and the first queries."""
    deps, question = runtime.context, state["standalone"]
    store, only = deps.library.store, state.get("where", {})
    named = mentions(question, store.document_names())
    sure = [one for one in named if one.sure]
    bare = without(question, sure)
    planned = deps.reasoner.plan(bare, deps.today())
    lang = planned["lang"] = language_of(without(question, named))
    documents = sorted({id_ for one in sure for id_ in one.documents})
    if documents:
        planned["where"] = {**planned["where"], "documents": documents}
    unclear = nothing_passes(only, store, lang) if planned["need"] != "conversation" else ""
    notes: list[str] = []
    if unclear:
        planned["need"], planned["where"] = "sweep", only
    else:
        planned["where"], notes = narrowed_to(only, planned["where"], lang, store)
    if planned["need"] == "search" and not by_message(planned["where"]):
        recent = memory.recent_documents(deps.memory, state["thread"])
        aimed = aim(
            question, deps.library, recent, named, store.documents_passing(unnamed(planned["where"], only))
        )
        if isinstance(aimed, str):
            unclear = aimed
            planned["need"] = "sweep"
        elif aimed:
            planned["need"], planned["sweep"] = "sweep", aimed
        elif unknown := unknown_file(question, named):
            notes = [*notes, note("unknown", planned["lang"], unknown)]
    asked = question if planned["need"] == "sweep" else bare
    first = [*planned["queries"], *(state.get("wordings", []) if planned["need"] == "search" else [])]
    queries = [question_query(text) for text in dict.fromkeys(first)]
    return {
        "plan": planned,
        "standalone": asked,
        "queries": queries,
        "unclear": unclear,
        "rung": first_rung(planned, len(deps.rungs)),
        "notes": notes,
    }


def retrieve(state: State, runtime: Run) -> Changed:
    """One hybrid search for each query, all of them embedded together."""
    deps, queries = runtime.context, state["queries"]
    asked, texts = deps.asked(state["standalone"]), [query["text"] for query in queries]
    limits = [BRIDGED if query["move"] == "bridge" else deps.settings.passages for query in queries]
    rarities = name_rarities(asked, queries, deps.idf)
    found: list[Evidence] = []
    lists = deps.library.search_many(texts, limits, scope(state))
    for query, rarity, passages in zip(queries, rarities, lists, strict=True):
        found += of_passages(asked, query, passages, state["round"], rarity)
    # The likeliest first: what a later draft is shown no more is then the last of a chat model's prompt, and
    # what it has read before that stays read. What several queries found is of the first of them.
    found = by_relevance(merge_evidence([], {"items": found, "limit": len(found)}))
    found = corrections.without_quotes(found, state.get("demoted", []))
    notes = [f"retrieve: {deps.library.blind_reason}"] if deps.library.blind_reason else []
    return {"evidence": deps.found(found), "tried": texts, "notes": notes}


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
    parts = parts_of(planned["sweep"], deps.library, deps.settings.max_passages - len(before))
    found = deps.found(corrections.without_quotes(parts, state.get("demoted", [])))
    evidence = merge_evidence(before, found)[len(before) :]
    claims = quoted(planned["sweep"], planned["lang"], evidence)
    if not claims and deps.at(state["rung"]) is deps.fallback:
        return {"plan": searched(planned), "quoted": []}
    whole, notes = True, []
    if cut_short(planned["sweep"], claims, evidence):
        whole, notes = False, [note("more", planned["lang"], len(claims))]
    if planned["sweep"]["kind"] == "speakers":
        unlabelled, passages = without_label(evidence)
        whole = 2 * unlabelled <= passages
        notes = [note("unlabelled", planned["lang"], unlabelled, passages)] if unlabelled else []
    numbers = [item["number"] for item in evidence]
    return {"evidence": found, "quoted": claims, "whole": whole, "shown": numbers, "notes": notes}


def searched(planned: Plan) -> Plan:
    """The plan of a whole-document question of which reading the documents gave nothing."""
    return {**planned, "need": "search", "sweep": None}


def draft(state: State, runtime: Run) -> Changed:
    """Sentences, each with the evidence numbers it rests on. Unverified until `critique` has seen them."""
    deps, planned, sweeping = runtime.context, state["plan"], state["plan"]["need"] == "sweep"
    kept = supported_of(_best_claims(state))
    last = state["draft"]["claims"] if "draft" in state else []
    failed = [claim for claim in last if claim["verdict"] != "supported"]
    cited = {number for claim in kept for number in claim["evidence"]}
    found = meant_evidence(state)
    shown = shown_evidence(state) if sweeping else most_relevant(found, deps.settings.max_evidence, cited)
    rung = state.get("rung", 0)
    own = deps.at(rung)
    if kept and own is not deps.fallback and state["best"].get("model") == deps.fallback.name:
        kept = []  # quotations are chosen anew each time: what they leave open is no reason to say them
    given = state["quoted"] if sweeping else kept

    def write(writer: Reasoner, path: int) -> list[Claim]:
        return writer.draft(state["standalone"], planned, turned(shown, path), given, failed)

    with hearing() as told:
        number = 1 if sweeping else deps.settings.paths
        paths, names, notes = run_paths(number, deps.writers(rung), deps.fallback, write)
    written: Draft = {
        "claims": paths[0],
        "sufficiency": 0.0,
        "missing": [],
        "round": state["round"],
        "model": names[0],
    }
    numbers = [item["number"] for item in shown]
    notes = [*notes, *unknown_to(state, told)]
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
    asked = deps.asked(state["standalone"])
    written = (state["draft"]["claims"], *state.get("others", []))
    with hearing() as told:
        checked_claims = _checked(written, evidence, asked, deps, state.get("rung", 0))
    checked = [_judged(claims, asked, evidence, state) for claims in checked_claims]
    judged = checked[0]
    if len(checked) > 1:  # mended claims are worth what they say, not what the draft before them did
        judged = _judged(best_of(checked)["claims"], asked, evidence, state)
    best = max(state.get("best", judged), judged, key=rank)  # a later failure never costs an earlier success
    sound = judged["claims"] == supported_of(judged["claims"])
    passed = sound and judged["sufficiency"] >= deps.thresholds["verified"]
    passed |= sound and is_whose(asked, judged["claims"], evidence)
    first = searchable(state) and not state["round"] and not widens(state)
    if passed and first:  # where much of the question is left open, a round is worth it
        passed = open_share(asked, judged["missing"]) <= OPEN_SHARE
    return {"draft": judged, "best": best, "passed": passed, "notes": unknown_to(state, told)}


def unknown_to(state: State, told: Sequence[str]) -> list[str]:
    """The remarks that an earlier round has not noted."""
    return [text for text in told if text not in state.get("notes", [])]


def _checked(
    drafts: Sequence[list[Claim]], evidence: list[Evidence], asked: Asked, deps: Deps, rung: int
) -> list[list[Claim]]:
    """The claims of each draft with their verdicts."""
    sources, timeout_s = sources_of(evidence, deps.library.store), deps.settings.critic_timeout_s
    judge = deps.judge(rung)
    return [
        critique_claims(asked.text, claims, evidence, sources, judge, deps.entailer, timeout_s)
        for claims in drafts
    ]


def _judged(claims: list[Claim], asked: Asked, evidence: list[Evidence], state: State) -> Draft:
    """A draft with what its supported claims are worth as an answer."""
    supported = supported_of(claims)
    missing = missing_terms(asked, supported, evidence)
    if state["tool_failure"]:
        enough = 0.0  # a quotation does not stand in for a computation that could not be done
    elif state["plan"]["need"] == "sweep":
        enough, missing = swept_enough(claims, state.get("whole", False)), []
    else:
        enough = sufficiency(asked, supported, evidence)
    return {**state["draft"], "claims": claims, "sufficiency": enough, "missing": missing}


def reformulate(state: State, runtime: Run) -> Changed:
    """New queries for what is still open, none of them tried before; the next rung of the ladder drafts."""
    deps, notes = runtime.context, []
    found, old = state.get("evidence", []), state.get("rung", 0)
    rung = next_rung(old, len(deps.rungs))
    changed: Changed = {"round": state["round"] + 1, "seen": len(found), "rung": rung, "climbed": rung > old}
    if stagnated(state) or not searchable(state):
        return {**changed, "queries": [], "notes": []}
    given = (state["standalone"], state["plan"], by_relevance(found), state["draft"], state["tried"])
    try:
        with hearing() as told:
            queries = deps.at(old).reformulate(*given, shown=shown_evidence(state))
        notes = unknown_to(state, told)
    except ModelError as error:
        queries, notes = deps.fallback.reformulate(*given), [f"reformulate: {error}"]
    fresh = [query for query in queries if query["text"] not in state["tried"]]
    if read := respelt(state["standalone"], fresh):
        changed["standalone"] = read
        notes = [*notes, note("respelt", state["plan"]["lang"], read)]
    if state["round"] == 0 and widens(state):  # what is named does not answer: all may
        fresh = [*(question_query(text) for text in state["plan"]["queries"]), *fresh]
    return {**changed, "queries": fresh, "notes": notes}


def settle(state: State, runtime: Run) -> Changed:
    """Keep what is verified of the best draft, say what it amounts to, and which budget ended the loop."""
    deps = runtime.context
    stopped = stop_of(state, deps.settings, deps.spent(), len(deps.rungs))
    answered = settled(state, deps.thresholds)
    notes: list[str] = []
    fresh = not state.get("ready") and state["plan"]["need"] != "sweep"
    if answered["outcome"] == "verified" and answered["claims"] and fresh:
        try:
            asked, evidence = deps.asked(state["standalone"]), shown_evidence(state)
            sources = sources_of(evidence, deps.library.store)
            answered |= disagreement(
                asked, answered["answer"], answered["claims"], evidence, sources, deps.fallback
            )
        except Exception as error:  # a finished answer stands without it
            notes = [f"settle: the files were not compared: {type(error).__name__}: {error}"]
    if widens(state):
        notes += elsewhere(state["plan"], answered["claims"], shown_evidence(state), deps.library.store)
    return {**answered, "stopped": stopped, "notes": notes}


def remember(state: State, runtime: Run) -> Changed:
    """Write the turn, the episode, what was told, and the use of earlier ones. The caller records the run."""
    deps = runtime.context
    try:
        memory.write(deps.memory, state, time.time(), manner_of(deps).checked)
    except StoreError as error:  # a busy library must not cost a finished answer
        return {"notes": [f"not remembered: {error}"]}
    return {}


def _best_claims(state: State) -> list[Claim]:
    return state["best"]["claims"] if "best" in state else []
