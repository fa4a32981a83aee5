"""A recorded run as one HTML page: what `agent why --json` prints goes in, a string comes out.

The page needs nothing but itself: no script, no font, no address. It is built as a tree and written by
ElementTree, which escapes every text and attribute, so no text of a file, a question or a model can become
markup; links lead within the page and to local files. It judges nothing and reads no file but its own style.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from agent.filters import said
from agent.markup import Part, head, written
from agent.markup import element as _e
from agent.markup import lang_of as _lang
from agent.models.names import shown_name
from agent.page_words import PAGE_WORDS
from agent.reasoners.language import language_of
from retrieval.store import UNFINISHED
from retrieval.tokens import is_chinese, query_terms, stem, words_of

GENERATOR = "Toulmin, agent why"  # by which a page is known to be one of these
LONG = 8  # rows of a table above which it is folded
MARKED_WORDS = 60  # words of the question that are marked in a passage

Run = Mapping[str, Any]
Words = Mapping[str, Any]
Mark = tuple[int, int, str, int]  # start and end in a passage; "cited" or "against"; the citation's number

_SIGNS = {"supported": "✓", "unsupported": "✗", "undecided": "?", "unverified": "!"}


def page_of(run: Run) -> str:
    """The page of a run that `agent why --json` prints, unfinished ones among them."""
    words = PAGE_WORDS[_language(run)]
    cited = _cited(run)
    marks = _marks(run, cited)
    sections = {
        "answer": _answer(run, cited, marks, words),
        "claims": _claims(run, words),
        "rounds": _rounds(run, words),
        "time": _timeline(run, words),
        "passages": _passages(run, marks, words),
        "budget": _budget(run, words),
    }
    shown = {name: body for name, body in sections.items() if body}
    links = [_e("li", _e("a", words["sections"][name], href=f"#{name}")) for name in shown]
    page = _e(
        "html",
        head(_text(run, "question"), GENERATOR, _style()),
        _e(
            "body",
            _header(run, words),
            _e("nav", _e("ul", *links), aria_label=words["skip"]),
            _e("main", *(_section(name, body, words) for name, body in shown.items())),
            _e("footer", _e("p", f"agent why {_text(run, 'run_id')}")),
        ),
        lang=words["lang"],
    )
    return written(page)


def is_page_of_a_run(begin: str) -> bool:
    """Whether a file that begins like this, 500 characters or more, was written as such a page."""
    return begin.startswith("<!DOCTYPE html>\n<html") and f'content="{GENERATOR}"' in begin[:500]


@cache
def _style() -> str:
    return files("agent").joinpath("page.css").read_text(encoding="utf-8")


def _section(name: str, body: Sequence[Part], words: Words) -> Element:
    heading = _e("h2", words["sections"][name], id=name)
    return _e("section", heading, *body, aria_labelledby=name)


def _header(run: Run, words: Words) -> Element:
    asked, read, where = (run.get(key) for key in ("question", "standalone", "where"))
    outcome = _text(run, "outcome")
    facts = [
        (words["asked_at"], _minute(run.get("created_s"))),
        (words["took"], f"{run.get('seconds') or 0:.2f} s"),
        (words["model"], shown_name(_text(run, "model"))),
        (words["run"], _text(run, "run_id")),
        (words["ended"], _said(words["stopped"], _text(run, "stopped"))),
        (words["read_as"], read if read != asked else ""),
        (words["only"], said(where) if where else ""),
    ]
    return _e(
        "header",
        _e("h1", str(asked), lang=_lang(str(asked))),
        _e("p", _badge(outcome, _said(words["outcome"], outcome))),
        _e("dl", *(_e("div", _e("dt", name), _e("dd", str(value))) for name, value in facts if value)),
        class_="run",
    )


# --- the answer ---


def _answer(run: Run, cited: Sequence[Run], marks: Mapping[int, Sequence[Mark]], words: Words) -> list[Part]:
    if run.get("outcome") == UNFINISHED:
        command = f"agent ask --resume {_text(run, 'run_id')}"
        return [_e("p", words["resume"] + " ", _e("code", command))]
    passages = {
        n: number
        for number, found in reversed(list(marks.items()))
        for *_, kind, n in found
        if kind == "cited"
    }
    short = _text(run, "short")
    return [
        _e("p", short, class_="short", lang=_lang(short)) if short else None,
        _said_text(run, cited, words),
        *([_e("h3", words["grounds"])] if cited else []),
        _e(
            "ol",
            *(_citation(n, one, passages.get(n), words) for n, one in _numbered(cited)),
            class_="grounds",
        )
        if cited
        else None,
        _missing(run, words),
        *_contradictions(run, words),
        *_listed(words["notes"], run.get("notes") or []),
        _e("p", words["from_memory"].format(len(run["memory"])), class_="quiet")
        if run.get("memory")
        else None,
    ]


def _said_text(run: Run, cited: Sequence[Run], words: Words) -> Element:
    """The answer, each claim with the numbers of what it cites."""
    claims, text = run.get("claims") or [], _text(run, "answer")
    if not claims:
        return _e("p", text, class_="answer", lang=_lang(text))
    said_: list[list[Part]] = []
    for claim in claims:
        numbers = dict.fromkeys(cited.index(one) + 1 for one in claim["citations"])
        said_.append([_e("span", claim["text"], lang=_lang(claim["text"])), *map(_mark_link, numbers)])
    if text.startswith("- "):
        return _e("ul", *(_e("li", *parts) for parts in said_), class_="answer")
    gap = " " if words["lang"] == "en" else ""
    return _e("p", *(part for parts in said_ for part in (*parts, gap)), class_="answer")


def _mark_link(number: int) -> Element:
    return _e("sup", _e("a", f"[{number}]", href=f"#c{number}"))


def _citation(number: int, citation: Run, passage: int | None, words: Words) -> Element:
    line, page = citation.get("line"), citation.get("page")
    changed, also = citation.get("changed"), citation.get("also") or []
    others = [part for path in also for part in (", ", _file(path))][1:]
    return _e(
        "li",
        _e(
            "p",
            _file(citation["path"]),
            _e("span", words["line"].format(line), class_="at") if line else None,
            _e("span", words["page"].format(page), class_="at") if page else None,
            _heading(citation.get("heading")),
            _e("strong", _said(words["changed"], changed), class_="warn") if changed else None,
            _e("a", words["in_passage"].format(passage), href=f"#s{number}") if passage else None,
            class_="place",
        ),
        _e("blockquote", citation["quote"], lang=_lang(citation["quote"])),
        _e("p", words["also"] + words["colon"], *others, class_="quiet") if others else None,
        id=f"c{number}",
    )


def _missing(run: Run, words: Words) -> Element | None:
    missing = run.get("missing") or []
    if not missing:
        return None
    named = [part for word in missing for part in (", ", _e("b", word, lang=_lang(word)))][1:]
    return _e("p", words["missing"] + words["colon"], *named, class_="note")


def _contradictions(run: Run, words: Words) -> list[Part]:
    lines, conflicts = run.get("disagreements") or [], run.get("conflicts") or []
    if not lines and not conflicts:
        return []
    rows = [
        [_said(words["what"], one["what"]), one["ours"], one["theirs"], _passage_link(one["evidence"], run)]
        for one in conflicts
    ]
    table = _table(["", words["ours"], words["theirs"], words["where"]], rows) if rows else None
    return [*_listed(words["contradictions"], lines, always=True), table]


def _passage_link(number: int, run: Run) -> Part:
    known = any(item["number"] == number for item in run.get("evidence") or [])
    return _e("a", str(number), href=f"#p{number}") if known else str(number)


# --- the claims ---


def _claims(run: Run, words: Words) -> list[Part]:
    """The sentences of the best draft, and those of the answer that came from elsewhere."""
    if run.get("outcome") == UNFINISHED:
        return []
    draft = run.get("draft") or {}
    drafted = draft.get("claims") or []
    given = [claim["text"] for claim in run.get("claims") or []]
    own = [claim["text"] for claim in drafted]
    others = [claim for claim in run.get("claims") or [] if claim["text"] not in own]
    if not drafted and not others:
        return [_e("p", words["no_claims"])]
    sure = f"{draft.get('sufficiency', 0):.0%}"
    return [
        _e("p", words["sure"].format(sure)) if drafted else None,
        _e(
            "ol",
            *(_e("li", *_claim(claim, claim["text"] in given, words)) for claim in drafted),
            *(_e("li", *_claim(claim, True, words)) for claim in others),
            class_="claims",
        ),
    ]


def _claim(claim: Run, given: bool, words: Words) -> Iterator[Part]:
    verdict, checks = claim["verdict"], claim.get("checks") or []
    yield from _judged(claim["text"], verdict, words)
    if verdict == "supported" and not given:
        yield _e("p", words["left_out"], class_="quiet")
    if not checks:
        yield _e("p", words["unchecked"], class_="quiet")
        return
    rows = [
        [one["layer"], _verdict(one["verdict"], words), _e("span", one["reason"], lang=_lang(one["reason"]))]
        for one in checks
    ]
    table = _table([words["layer"], words["result"], words["reason"]], rows)
    yield _folded(words["checks"].format(len(checks)), table, open_=verdict != "supported")


def _judged(text: str, verdict: str, words: Words, reason: str = "") -> Iterator[Part]:
    """A sentence with its verdict, struck through where it was removed."""
    yield _verdict(verdict, words)
    yield " "
    yield _e("span" if verdict == "supported" else "s", text, lang=_lang(text), class_="claim")
    if reason:
        yield _e("span", f" {reason}", class_="quiet", lang=_lang(reason))


def _verdict(verdict: str, words: Words) -> Element:
    sign = _SIGNS.get(verdict, "")
    return _badge(verdict, f"{sign} {_said(words['verdict'], verdict)}".strip())


# --- the rounds ---


def _grouped(events: Iterable[Run], words: Words) -> list[tuple[str, list[Run]]]:
    """The events by round, with what each group is called."""
    groups: list[tuple[str, list[Run]]] = [(words["before"], [])]
    for event in events:
        name = event["event"]
        if name == "reformulate":
            groups.append((words["round"].format(event["round"]), []))
        elif name in ("settle", "remember") and groups[-1][0] != words["end"]:
            groups.append((words["end"], []))
        elif name in ("retrieve", "act", "sweep", "draft") and groups[-1][0] == words["before"]:
            groups.append((words["first"], []))
        groups[-1][1].append(event)
    return [(name, found) for name, found in groups if found]


def _rounds(run: Run, words: Words) -> list[Part]:
    moves = _moves(run)
    body: list[Part] = []
    for name, events in _grouped(run.get("events") or [], words):
        told = [part for event in events for part in _told(event, run, moves, words)]
        if events[-1]["event"] == "draft":  # cut short before the critique
            told.append(_verdicts([(text, "unverified", "") for text in events[-1]["claims"]], words))
        if told:
            body.append(_e("article", _e("h3", name), *told))
    return body


def _moves(run: Run) -> dict[str, str]:
    """What proposed each query: the first round's are the question's, unless an earlier search was better."""
    events = run.get("events") or []
    proposed = {
        query["text"]: query["move"]
        for event in events
        if event["event"] == "reformulate"
        for query in event["queries"]
    }
    planned = {text: "question" for event in events if event["event"] == "plan" for text in event["queries"]}
    return {**proposed, **planned}


def _told(event: Run, run: Run, moves: Mapping[str, str], words: Words) -> Iterator[Part]:
    match event["event"]:
        case "plan":
            need, kind = _said(words["need"], event["need"]), _said(words["type"], event["answer_type"])
            yield _e("p", words["planned"].format(need=need, type=kind))
            if event.get("tool"):
                yield _e("p", words["tool"] + words["colon"], _e("code", event["tool"]))
            if event.get("where"):
                yield _e("p", words["only"] + words["colon"], _e("code", said(event["where"])))
        case "retrieve":
            yield from _searches(event, run, moves, words)
        case "act":
            came = words["failed"] if event["failure"] else words["computed"]
            yield _e("p", came + words["colon"], event["failure"] or event["result"])
        case "sweep":
            yield _e("p", words["swept"].format(event["parts"], event["quoted"]))
        case "reformulate" if not event["queries"]:
            yield _e("p", words["no_queries"])
        case "draft":
            yield _e("h4", words["draft_by"].format(shown_name(event.get("model") or "")))
        case "critique":
            yield from _critique(event, words)


def _searches(event: Run, run: Run, moves: Mapping[str, str], words: Words) -> Iterator[Part]:
    queries = event["queries"]
    found = words["found"][len(queries) == 1].format(len(queries), event["hits"])
    rows: list[list[Part]] = []
    for text in queries:
        given = [item["number"] for item in run.get("evidence") or [] if item["query"] == text]
        links = [part for number in given for part in (", ", _passage_link(number, run))][1:]
        move = _said(words["moves"], moves.get(text, "wording"))
        rows.append([_e("span", text, lang=_lang(text)), move, _e("span", *links) if links else "–"])
    table = _table([words["query"], words["move"], words["shown"]], rows)
    yield from [_folded(found, table)] if len(rows) > LONG else [_e("p", found), table]


def _critique(event: Run, words: Words) -> Iterator[Part]:
    yield _verdicts([(one["text"], one["verdict"], one["reason"]) for one in event["verdicts"]], words)
    yield _e("p", words["passed"][bool(event["passed"])].format(f"{event['sufficiency']:.0%}"))


def _verdicts(verdicts: Sequence[tuple[str, str, str]], words: Words) -> Element | None:
    """Sentences, each with its verdict and the reason for it."""
    items = [_e("li", *_judged(text, verdict, words, reason)) for text, verdict, reason in verdicts]
    judged = _e("ul", *items, class_="claims") if items else None
    return judged if len(items) <= LONG else _folded(words["sentences"].format(len(items)), judged)


# --- time and budget ---


def _timeline(run: Run, words: Words) -> list[Part]:
    """Each step with what it took, as a bar where it stands in the whole."""
    events = run.get("events") or []
    if not events:
        return []
    whole = max(0.001, *(event["seconds"] for event in events))
    bodies, before = [], 0.0
    for name, group in _grouped(events, words):
        rows = [_e("tr", _e("th", name, colspan="3", scope="rowgroup"), class_="group")]
        for event in group:
            took = max(0.0, event["seconds"] - before)
            bar = _bar(before / whole, took / whole)
            step = _said(words["nodes"], event["event"])
            rows.append(
                _e("tr", _e("th", step, scope="row"), _e("td", f"{took:.3f}", class_="number"), _e("td", bar))
            )
            before = event["seconds"]
        bodies.append(_e("tbody", *rows))
    head = _e("thead", _row("th", [words["step"], words["seconds"], words["share"]]))
    return [_e("div", _e("table", head, *bodies, class_="time"), class_="wide")]


def _bar(start: float, share: float) -> Element:
    start, share = min(max(start, 0.0), 1.0), min(max(share, 0.0), 1.0)
    style = f"margin-left:{100 * start:.2f}%;width:{100 * min(share, 1 - start):.2f}%"
    return _e("span", _e("i", style=style) if share else None, class_="bar", aria_hidden="true")


def _budget(run: Run, words: Words) -> list[Part]:
    rows: list[list[Part]] = []
    for name, use in (run.get("budget") or {}).items():
        used, limit = use["used"], use["limit"]
        free = not limit and name == "tokens"
        share = 0.0 if free else used / limit if limit else float(used > 0)
        shown = words["no_limit"] if free else f"{limit:,.6g}"
        rows.append([_said(words["budgets"], name), f"{round(used, 1):,.10g}", shown, _bar(0.0, share)])
    head = ["", words["used"], words["limit"], words["share"]]
    return [_table(head, rows, class_="budget")] if rows else []


# --- the passages ---


def _cited(run: Run) -> list[Run]:
    """The distinct citations of the answer, in the order of their numbers."""
    found: list[Run] = []
    for claim in run.get("claims") or []:
        found += [one for one in claim["citations"] if one not in found]
    return found


def _marks(run: Run, cited: Sequence[Run]) -> dict[int, list[Mark]]:
    """By the number of a passage, what of its text the answer cites and what contradicts that."""
    found: dict[int, list[Mark]] = {}
    for item in run.get("evidence") or []:
        spans = [
            (one["start"], one["end"], "cited", n)
            for n, one in _numbered(cited)
            if one["path"] == item["path"]
        ]
        spans += [
            (one["start"], one["end"], "against", 0)
            for one in run.get("conflicts") or []
            if one["evidence"] == item["number"]
        ]
        at, size = item["start"], len(item["text"])
        within = [(max(0, start - at), min(size, end - at), kind, n) for start, end, kind, n in spans]
        found[item["number"]] = [mark for mark in within if mark[0] < mark[1]]
    return found


def _passages(run: Run, marks: Mapping[int, Sequence[Mark]], words: Words) -> list[Part]:
    evidence = run.get("evidence") or []
    if not evidence:
        return [_e("p", words["no_passages"])]
    legend = words["legend"].format(cited="\0cited\0", against="\0against\0", asked="\0asked\0").split("\0")
    keys: list[Part] = [
        _marked(part, words[f"legend_{part}"]) if part in ("cited", "against", "asked") else part
        for part in legend
    ]
    terms = query_terms(str(run.get("standalone") or run.get("question")))
    wanted = list({*terms, *map(stem, terms)})
    anchors: set[int] = set()
    return [
        _e("p", *keys, class_="quiet"),
        *(_passage(item, marks[item["number"]], wanted, anchors, words) for item in evidence),
    ]


def _passage(
    item: Run, marks: Sequence[Mark], wanted: Sequence[str], anchors: set[int], words: Words
) -> Element:
    """One passage; `anchors` are the citations that have their place in the page, and is added to."""
    number, kind = item["number"], item["kind"]
    is_cited = any(mark[2] == "cited" for mark in marks)
    title, heading = item["title"], item["heading"]
    place = heading if heading.startswith(title) else f"{title} > {heading}" if heading else title
    summary = _e(
        "summary",
        _e("b", words["passage"].format(number)),
        _e("span", place or Path(item["path"]).name, lang=_lang(place)),
        _badge("supported", words["cited"]) if is_cited else None,
        _badge("", _said(words["kind"], kind)) if kind != "passage" else None,
        _e("span", f"{item['score']:.2f}", class_="at"),
    )
    page, who = item.get("page"), item.get("who") or []
    facts = [
        (words["score"], f"{item['score']:.2f}"),
        (words["relevance"], f"{item['relevance']:.0%}"),
        (words["round_of"], words["round"].format(item["round"]) if item["round"] else words["first"]),
        (words["by_query"], item["query"]),
        (words["who"], ", ".join(who)),
        (words["when"], item.get("when") or ""),
    ]
    file = _e(
        "p",
        _file(item["path"]),
        _e("span", words["page"].format(page), class_="at") if page else None,
        class_="place",
    )
    text = _e(
        "blockquote",
        *_parts(item["text"], marks, wanted, anchors),
        class_="passage",
        lang=_lang(item["text"]),
    )
    listed = _e("dl", *(_e("div", _e("dt", name), _e("dd", value)) for name, value in facts if value))
    return _e("details", summary, file, listed, text, id=f"p{number}", open="" if is_cited else None)


def _parts(text: str, marks: Sequence[Mark], wanted: Sequence[str], anchors: set[int]) -> Iterator[Part]:
    """A text with what is cited of it and the question's words marked.

    Where marks overlap, each stretch between two of their edges is one mark.
    """
    asked = _asked(text, wanted)
    edges = sorted({0, len(text), *(edge for mark in marks for edge in mark[:2])})
    for start, end in pairwise(edges):
        over = [mark for mark in marks if mark[0] <= start and end <= mark[1]]
        body = _with_asked(text, start, end, asked)
        if not over:
            yield from body
            continue
        numbers: list[Part] = []
        for number in sorted({n for at, _, kind, n in over if kind == "cited" and at == start}):
            own = None if number in anchors else f"s{number}"
            anchors.add(number)
            numbers.append(_e("sup", _e("a", f"[{number}]", href=f"#c{number}"), id=own))
        yield _e("mark", *numbers, *body, class_="cited" if any(m[2] == "cited" for m in over) else "against")


def _with_asked(text: str, start: int, end: int, asked: Sequence[tuple[int, int]]) -> Iterator[Part]:
    """A stretch of a text with what of the question's words lies in it marked."""
    at = start
    for a, b in asked:
        a, b = max(a, at), min(b, end)
        if a < b:
            yield text[at:a]
            yield _marked("asked", text[a:b])
            at = b
    yield text[at:end]


def _asked(text: str, wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Where words of the question stand in a text, in its spelling, in order and apart."""
    found = sorted(words_of(text, wanted), key=len, reverse=True)[:MARKED_WORDS]
    if not found:
        return []
    each = "|".join(re.escape(word) if is_chinese(word) else rf"\b{re.escape(word)}\b" for word in found)
    return [match.span() for match in re.finditer(each, text)]


def _marked(kind: str, text: str) -> Element:
    return _e("u", text) if kind == "asked" else _e("mark", text, class_=kind)


# --- parts of a page ---


def _row(cell: str, parts: Sequence[Part]) -> Element:
    return _e("tr", *(_e(cell, part, scope="col" if cell == "th" else None) for part in parts))


def _table(head: Sequence[str], rows: Sequence[Sequence[Part]], class_: str | None = None) -> Element:
    top = _e("tr", *(_e("th" if name else "td", name, scope="col" if name else None) for name in head))
    body = _e("tbody", *(_row("td", row) for row in rows))
    return _e("div", _e("table", _e("thead", top), body, class_=class_), class_="wide")


def _folded(summary: str, *body: Part, open_: bool = False) -> Element:
    return _e("details", _e("summary", summary), *body, open="" if open_ else None)


def _listed(heading: str, lines: Sequence[str], *, always: bool = False) -> list[Part]:
    """A list below its heading; nothing where there are no lines, unless the heading is wanted `always`."""
    if not lines and not always:
        return []
    items = [_e("li", line, lang=_lang(line)) for line in lines]
    return [_e("h3", heading), _e("ul", *items) if items else None]


def _badge(kind: str, text: str) -> Element:
    known = kind if kind in (*_SIGNS, "verified", "partial", "abstained", "error") else "plain"
    return _e("span", text, class_=f"badge {known}")


def _file(path: str) -> Element:
    """The path of a document; a link where it is a file of this machine, never for the address of a page."""
    try:
        address = Path(path).as_uri() if Path(path).is_absolute() else None
    except ValueError:  # what no file can be called
        address = None
    return _e("a", path, href=address) if address else _e("span", path)


def _heading(heading: str | None) -> Element | None:
    return _e("span", heading, class_="quiet", lang=_lang(heading)) if heading else None


def _numbered(items: Sequence[Run]) -> Iterator[tuple[int, Run]]:
    return enumerate(items, start=1)


def _said(words: Mapping[str, str], name: str) -> str:
    """The word for a name that the run recorded; the name itself where there is none."""
    return words.get(name, name)


def _text(run: Run, key: str) -> str:
    return str(run.get(key) or "")


def _language(run: Run) -> Any:
    lang = (run.get("plan") or {}).get("lang")
    return lang if lang in PAGE_WORDS else language_of(_text(run, "question"))


def _minute(at_s: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s)) if at_s else ""
