"""Whether memory finds, hastens and never misleads.

`turns`: the exchange that a question about earlier talk needs, among five, against plain dense and plain BM25
search over the same exchanges. `own`: the same of questions that people asked themselves, each over what was
said to that person. `stale`: 500 askings between which documents change, move and go. `speed`: first askings
and repeats of the same questions. `rounds`: like questions with and without the rewordings that worked.
`year`: a simulated year of use. All of these without `--part`. `policy`: the share of askings in a year that
meet what is kept, by the activation that says what is (`evals.recurrence`).
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from agent.assistant import Agent
from agent.models.store import EXTRACTIVE
from agent.settings import Settings
from agent.turns import find_turns
from evals.changing import World
from evals.data import LONG, Row, add_corpus, corpora, read_rows
from evals.metrics import mean_ci, paired_p
from evals.orders import Order
from evals.recalled import Exchange, exchanges, own_questions, questions
from evals.recurrence import DAYS, POLICIES, TRACES, hits
from evals.report import Result
from evals.suites.qa import empty_agent, with_interval
from evals.year import simulate
from retrieval.library import Library
from retrieval.records import Record
from retrieval.tokens import query_terms

K = 5
ASKINGS = 500
REPEATED = 40  # questions of each language asked twice
DOCUMENTS = 200  # of a corpus, for those
CAPACITIES, YEARS = (60, 200, 1000), 3
SEARCHES = ("ours", "dense", "bm25")


def run(order: Order) -> Result:
    base = order.settings(remember=True, read_only=False)
    metrics: dict[str, Any] = {}
    rows: list[Row] = []
    whole = order.kept.whole
    for part in order.parts:
        if part == "stale":
            metrics[part], found = whole(part, "", lambda: stale(base, order.limit or ASKINGS))
            rows += [{"part": part, **row} for row in found]
        elif part in ("year", "policy"):
            (metrics[part],) = whole(part, "", lambda: [{"year": year, "policy": kept_by}[part]()])  # noqa: B023
        else:
            metrics[part] = {}
            for lang in _langs(order, part):
                work = {"turns": turns, "own": own, "speed": speed, "rounds": rounds}[part]
                made = partial(work, base, order.data, lang, order.limit)
                metrics[part][lang], found = whole(part, lang, made)
                rows += [{"part": part, "corpus": lang, **row} for row in found]
    return Result("memory", {"model": base.model or EXTRACTIVE}, len(rows), metrics, rows)


def _langs(order: Order, part: str) -> list[str]:
    """The language that is named, else those whose files are there."""
    if order.lang:
        return [order.lang]
    if part in ("turns", "own"):
        return [lang for lang in ("en", "zh") if any(order.data.glob(f"memory_{lang}.jsonl*"))]
    return [name for name, _, _ in corpora(order.data) if not name.startswith(LONG)]


# --- turns ------------------------------------------------------------------------------------------------


def turns(base: Settings, data: Path, lang: str, limit: int | None) -> tuple[dict[str, Any], list[Row]]:
    """Recall of the needed exchange among `K`, of questions made by rule over everybody's exchanges."""
    found = exchanges(read_rows(data / f"memory_{lang}.jsonl"))
    made = [{**one, "needed": [one["needed"]], "all": False} for one in questions(found, lang)[:limit]]
    rows = _searched(base, found, made)
    return _recalls(rows), rows


def own(base: Settings, data: Path, lang: str, limit: int | None) -> tuple[dict[str, Any], list[Row]]:
    """The same of people's own questions, each over the exchanges of who asks."""
    people = read_rows(data / f"memory_{lang}.jsonl")
    asked, rows = own_questions(people)[:limit], []
    for person in people:
        theirs = [one for one in asked if one["user"] == person["user"]]
        rows += _searched(base, exchanges([person]), theirs) if theirs else []
    return _recalls(rows), rows


def _searched(base: Settings, found: Sequence[Exchange], asked: Sequence[Row]) -> list[Row]:
    """Whether any of the exchanges that a question needs is among `K`, or all of them where it says so."""
    today = max(one.day for one in found) + timedelta(days=7)
    rows = []
    with empty_agent(base) as ours, empty_agent(base) as plain:
        fill(ours.library, found, whole=False)
        fill(plain.library, found, whole=True)
        for one in asked:
            places = {
                "ours": [n.record.id for n in find_turns(ours.library, one["question"], today, K)],
                "dense": _records_of(plain.library, plain.library.dense(one["question"], K, "short")),
                "bm25": _records_of(plain.library, bm25(plain.library, one["question"])),
            }
            enough = all if one["all"] else any
            rows.append(
                {
                    "id": one["question"],
                    **one,
                    **{name: enough(n in ids for n in one["needed"]) for name, ids in places.items()},
                }
            )
    return rows


def fill(library: Library, found: Sequence[Exchange], *, whole: bool) -> None:
    """Exchanges as turns; `whole`: message and reply as one text, for plain searches."""
    new = []
    for n, one in enumerate(found):
        at_s = datetime(one.day.year, one.day.month, one.day.day, 12).timestamp() + n
        text = f"{one.said}\n{one.reply}" if whole else one.said
        payload = {"standalone": one.said, "answer": one.reply, "outcome": "verified", "run_id": ""}
        record = Record(one.id, "short", "turn", one.user, text, payload, at_s, at_s, 0)
        new.append((record, "" if whole else one.reply))
    library.put_records(new)


def bm25(library: Library, question: str) -> list[int]:
    return [item for item, _ in library.store.lexical(query_terms(question), K, "short")]


def _records_of(library: Library, chunk_ids: Sequence[int]) -> list[str]:
    return [one.id for one in library.store.records_of_chunks(list(chunk_ids))] if chunk_ids else []


def _recalls(rows: Sequence[Row]) -> dict[str, Any]:
    kinds = list(dict.fromkeys(["all", *(row["kind"] for row in rows), *(row["of"] for row in rows)]))
    told: dict[str, Any] = {"n": len(rows)}
    for kind in kinds:
        part = [row for row in rows if kind in ("all", row["kind"], row["of"])]
        told[kind] = {
            name: list(mean_ci([float(row[name]) for row in part])) for name in ("ours", "dense", "bm25")
        }
        told[kind]["n"] = len(part)
    for name in ("dense", "bm25"):
        told[f"p against {name}"] = paired_p([float(r["ours"]) for r in rows], [float(r[name]) for r in rows])
    return told


# --- stale ------------------------------------------------------------------------------------------------


def stale(base: Settings, askings: int) -> tuple[dict[str, Any], list[Row]]:
    """Askings of a library that changes; what was answered with what is no longer so, or on no source."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, empty_agent(base) as assistant:
        world = World(Path(folder), random.Random(3))
        world.begin()
        assistant.add(folder, prune=True)
        while len(rows) < askings:
            happened = world.event() if world.dice.random() < 0.4 else ""
            if happened:
                assistant.add(folder, prune=True)
            for _ in range(world.dice.randrange(1, 4)):
                rows.append({"event": happened, **_asked_once(assistant, world)})
    rows = [{"id": str(n), **row} for n, row in enumerate(rows[:askings], 1)]
    counts = {
        name: sum(row[name] for row in rows) for name in ("stale", "self_cited", "unfounded", "remembered")
    }
    there = [row for row in rows if row["there"]]
    return {
        "askings": len(rows),
        "events": sum(bool(row["event"]) for row in rows),
        **counts,
        **with_interval("right of those that a document answers", [row["right"] for row in there]),
        **with_interval("refused of the others", [row["refused"] for row in rows if not row["there"]]),
    }, rows


def _asked_once(assistant: Agent, world: World) -> Row:
    lang, name, question = world.asked()
    answer = assistant.ask(question, thread=world.dice.choice(("", "a")))
    now, before = world.values.get((lang, name)), world.before[lang, name]
    said = {value for value in before if str(value) in answer.text}
    texts = assistant.library.store.source_texts({one["document_id"] for one in answer.evidence})
    unfounded = [
        one
        for one in answer.evidence
        if texts.get(one["document_id"], "")[one["start"] : one["end"]] != one["text"]
    ]
    cited = [c for claim in answer.claims for c in claim.citations]
    broken = [c for c in cited if Path(c.path).read_text(encoding="utf-8")[c.start : c.end] != c.quote]
    return {
        "question": question,
        "answer": answer.text,
        "there": now is not None,
        "right": now is not None and now in said,
        "stale": bool(said - {now}) or bool(broken),
        "self_cited": any(one["kind"] not in ("passage", "tool") for one in unfounded),
        "unfounded": bool(unfounded),
        "remembered": any(note.startswith("from memory") for note in answer.notes),
        "refused": answer.outcome not in ("verified", "partial"),
    }


# --- speed ------------------------------------------------------------------------------------------------


def speed(base: Settings, data: Path, lang: str, limit: int | None) -> tuple[dict[str, Any], list[Row]]:
    """The same questions asked twice: the repeats that memory answers, against their first asking."""
    asked = [row for row in read_rows(data / f"qa_{lang}.jsonl") if row["answerable"]][: limit or REPEATED]
    corpus = read_rows(data / f"corpus_{lang}.jsonl")
    needed = {row["doc_id"] for row in asked}
    texts = [row for row in corpus if row["doc_id"] in needed]
    texts += [row for row in corpus if row["doc_id"] not in needed][: max(0, DOCUMENTS - len(texts))]
    rows = []
    with empty_agent(base) as assistant:
        add_corpus(assistant.library, texts)
        assistant.ask("Is it warm?"), assistant.ask("天气暖和吗？")
        for row in asked:
            once, first = _timed(assistant, row["question"])
            rows.append({"lang": lang, "id": row["id"], "first": once, "answer": first.text})
        for kept, row in zip(rows, asked, strict=True):
            once, again = _timed(assistant, row["question"])
            kept |= {"again": once, "same": again.text == kept["answer"]}
            kept["remembered"] = any(note.startswith("from memory") for note in again.notes)
    known = [row for row in rows if row["remembered"]]
    return {
        "asked": len(rows),
        "answered from memory": len(known),
        "the same answer": sum(row["same"] for row in known),
        **{
            f"{what} ms, first / again / times": [
                median(row["first"][what] for row in known),
                median(row["again"][what] for row in known),
                median(row["first"][what] / row["again"][what] for row in known),
            ]
            for what in ("clock", "processor")
            if known
        },
    }, rows


def _timed(assistant: Agent, question: str) -> tuple[dict[str, float], Any]:
    clock, processor = time.perf_counter(), time.process_time()
    answer = assistant.ask(question)
    return {
        "clock": (time.perf_counter() - clock) * 1000,
        "processor": max((time.process_time() - processor) * 1000, 0.01),
    }, answer


# --- rounds -----------------------------------------------------------------------------------------------


def rounds(base: Settings, data: Path, lang: str, limit: int | None) -> tuple[dict[str, Any], list[Row]]:
    """Two questions of one document that share a word, misspelt alike: the second with and without memory."""
    pairs = misspelt_pairs(read_rows(data / f"qa_{lang}.jsonl"), lang)[: limit or REPEATED]
    corpus = {row["doc_id"]: row for row in read_rows(data / f"corpus_{lang}.jsonl")}
    texts = list({doc_id: corpus[doc_id] for doc_id, _, _ in pairs}.values())
    texts += [row for row in corpus.values() if row not in texts][: max(0, DOCUMENTS - len(texts))]
    rows: list[Row] = []
    with empty_agent(base) as with_, empty_agent(base) as without:
        for assistant in (with_, without):
            add_corpus(assistant.library, texts)
        for doc_id, first, second in pairs:
            learnt = with_.ask(first)
            if not learnt.rounds or learnt.outcome != "verified":
                continue
            plain, helped = without.ask(second), with_.ask(second)
            rows.append(
                {
                    "lang": lang,
                    "id": first,
                    "first": first,
                    "second": second,
                    "without": plain.rounds,
                    "with": helped.rounds,
                    "verified_without": plain.outcome == "verified",
                    "verified_with": helped.outcome == "verified",
                    "found_without": _cites(plain, doc_id),
                    "found_with": _cites(helped, doc_id),
                }
            )
    slow = [row for row in rows if row["without"]]
    return {
        "pairs": len(pairs),
        "whose first was reworded and verified": len(rows),
        "second took rounds without": len(slow),
        "of these earlier with": sum(row["with"] < row["without"] for row in slow),
        "later with": sum(row["with"] > row["without"] for row in rows),
        "verified without / with": [
            sum(row["verified_without"] for row in rows),
            sum(row["verified_with"] for row in rows),
        ],
        "document cited without / with": [
            sum(row["found_without"] for row in rows),
            sum(row["found_with"] for row in rows),
        ],
    }, rows


def _cites(answer: Any, doc_id: str) -> bool:
    return any(c.path == doc_id for claim in answer.claims for c in claim.citations)


def misspelt_pairs(rows: Sequence[Row], lang: str) -> list[tuple[str, str, str]]:
    """(document, question, question): a long word that both have has lost a letter, or two are swapped."""
    dice, found = random.Random(5), []
    by_document: dict[str, list[str]] = {}
    for row in rows:
        if row["answerable"]:
            by_document.setdefault(row["doc_id"], []).append(row["question"])
    for doc_id, asked in by_document.items():
        for left, right in pairwise(asked):
            size = 7 if lang == "en" else 3
            words = {word for word in _words(left, lang) if len(word) >= size} & set(_words(right, lang))
            if words:
                word = max(sorted(words), key=len)
                at = dice.randrange(1, len(word) - 1)
                wrong = word[:at] + word[at + 1 :] if lang == "en" else word[:at] + "儿" + word[at + 1 :]
                found.append((doc_id, left.replace(word, wrong), right.replace(word, wrong)))
                break
    return found


def _words(text: str, lang: str) -> list[str]:
    if lang == "en":
        return [word.strip("?.,'\"()") for word in text.split()]
    from retrieval.tokens import segments

    return [text[start:end] for start, end in segments(text)]


# --- year -------------------------------------------------------------------------------------------------


def year() -> dict[str, Any]:
    """Size and search time of a library over a simulated year."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        found = {f"day {one.day}": asdict(one) for one in simulate(Path(folder) / "library")}
        return {**found, "seconds": time.perf_counter() - began}


# --- policy -----------------------------------------------------------------------------------------------


def kept_by() -> dict[str, Any]:
    """For each capacity and trace the share of askings that meet a kept question, by each activation."""
    return {f"{capacity} kept": {name: _kept(name, capacity) for name in TRACES} for capacity in CAPACITIES}


def _kept(trace: str, capacity: int) -> dict[str, Any]:
    """After a month; a difference is of months, over several traces of a kind."""
    years = [TRACES[trace](random.Random(seed)) for seed in range(YEARS)]
    months: dict[str, list[float]] = {}
    for name, activation in POLICIES.items():
        daily = [hits(year, activation, capacity) for year in years]
        months[name] = [
            sum(hit for hit, _ in part) / max(sum(asked for _, asked in part), 1)
            for days in daily
            for part in (days[start : start + 30] for start in range(30, DAYS - 5, 30))
        ]
    gains = [own - shipped for own, shipped in zip(months["ACT-R"], months["shipped"], strict=True)]
    return {
        **{name: sum(values) / len(values) for name, values in months.items()},
        "ACT-R - shipped [95 % interval]": list(mean_ci(gains)),
    }
