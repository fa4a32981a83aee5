"""Whole-document questions: which documents are meant, their parts as evidence, and what is quoted of them.

A sweep reads a document from its beginning to its end instead of searching it. What is telling in it is
chosen by `agent.summary`, `agent.listing` and `agent.speakers`; this joins them to the library and to claims.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from agent.citations import ITEMS, LEADS
from agent.evidence import of_part
from agent.listing import MOST_ITEMS, list_items
from agent.named import Mention, pointed_out, without
from agent.reasoners.extractive import new_claim
from agent.reasoners.features import plain
from agent.reasoners.language import language_of
from agent.speakers import naming, statements, unlabelled
from agent.state import Claim, Evidence, Lang, Sweep
from agent.state import Span as Cited
from agent.summary import parts, summarise
from agent.sweep import sweep_of, target_documents
from retrieval.library import Library
from retrieval.load import place
from retrieval.split import Span

SUMMARY_SENTENCES = 6
LABEL_CHARS = 20_000  # a turn may be long; its label is looked for so far before the quotation
PARTS = 48  # of all documents swept; longer documents have longer parts
PART_CHARS = 2000  # at least


def aim(
    question: str,
    library: Library,
    recent: Sequence[int],
    named: Sequence[Mention] = (),
    only: Collection[int] | None = None,
) -> Sweep | str | None:
    """What a whole-document question wants of which documents; None for an ordinary question.

    A sentence for the user where it does not say which document it means. `recent`: ids of documents cited
    before in the thread, latest first. `named`: the documents that the question names for certain or likely.
    `only`: ids of the documents that may be meant; None for any.
    """
    if only is not None:
        recent = [id_ for id_ in recent if id_ in only]
        named = [one for one in named if set(one.documents) <= set(only)]
    if named and (wanted := sweep_of(pointed_out(question, named, language_of(without(question, named))))):
        ids = dict.fromkeys(id_ for one in named for id_ in _latest(one, recent))
        return {
            "kind": wanted.kind,
            "subject": wanted.subject,
            "speaker": wanted.speaker,
            "documents": list(ids),
        }
    wanted = sweep_of(question)
    if wanted is None:
        return None
    documents = [one for one in library.documents() if only is None or one.id in only]
    chars = {one.id: library.store.source_chars(one.id) for one in documents} if wanted.kind == "list" else {}
    found = target_documents(wanted, [(one.id, one.path, one.title) for one in documents], recent, chars)
    if isinstance(found, str):
        return found
    if not found:
        return None
    return {"kind": wanted.kind, "subject": wanted.subject, "speaker": wanted.speaker, "documents": found}


def _latest(mention: Mention, recent: Sequence[int]) -> Sequence[int]:
    """Of documents that share a name, the one cited last; else all of them."""
    return [id_ for id_ in recent if id_ in mention.documents][:1] or mention.documents


def parts_of(sweep: Sweep, library: Library, limit: int = PARTS) -> list[Evidence]:
    """The documents of a sweep in parts that cover them wholly, in order; `limit` of them, or one each."""
    found: list[Evidence] = []
    each = max(1, min(PARTS, limit) // len(sweep["documents"]))
    stored = {one.id: one for one in library.documents()}
    for document_id in sweep["documents"]:
        source = library.store.source(document_id)
        if source is None or document_id not in stored:
            continue
        for start, end in parts(source.text, each, PART_CHARS):
            heading, page = place(source.marks, start)
            found.append(of_part(stored[document_id], source.text, (start, end), heading, page))
    return found


def quoted(sweep: Sweep, lang: Lang, evidence: Sequence[Evidence]) -> list[Claim]:
    """Quotations that answer a sweep, by document and place; the evidence is that of `parts_of`, numbered."""
    claims: list[Claim] = []
    for items, text in _documents(evidence):
        for lead, spans in _picks(sweep, lang, text):
            cited = [span for start, end in spans for span in _within(start, end, items)]
            said = plain(_of(cited[-1], items)) if cited else ""
            claims.append(new_claim(lead + said, [], cited))
    return claims


def cut_short(sweep: Sweep, claims: Sequence[Claim], evidence: Sequence[Evidence]) -> bool:
    """Whether a document has as many items as are listed, so that there may be more."""
    documents = {item["number"]: item["document_id"] for item in evidence}
    counts = Counter(documents[span["evidence"]] for claim in claims for span in claim["spans"][-1:])
    return sweep["kind"] == "list" and max(counts.values(), default=0) >= MOST_ITEMS


def without_label(evidence: Sequence[Evidence]) -> tuple[int, int]:
    """How many passages of the documents have no speaker's label, and how many there are."""
    counts = [unlabelled(text) for _, text in _documents(evidence)]
    return sum(without for without, _ in counts), sum(all_ for _, all_ in counts)


def _documents(evidence: Sequence[Evidence]) -> Iterator[tuple[list[Evidence], str]]:
    """The parts of each document, and its text."""
    for _, group in groupby(evidence, key=lambda item: item["document_id"]):
        items = list(group)
        yield items, "".join(item["text"] for item in items)


def _picks(sweep: Sweep, lang: Lang, text: str) -> Iterator[tuple[str, list[Span]]]:
    """What stands before each quotation of a document, and what is cited for it, the quotation last."""
    if sweep["kind"] == "summary":
        for span in summarise(text, lang, SUMMARY_SENTENCES, sweep["subject"]):
            yield "", [span]
    elif sweep["kind"] == "list":
        for item in list_items(text, sweep["subject"], lang):
            place = text[slice(*item.place)]
            # A line that only leads in, and front matter, are no items.
            if item.values or not (place.rstrip().endswith((":", "：")) or place.startswith("---")):
                values = dict.fromkeys(plain(text[a:b]) for a, b in item.values)
                yield ITEMS.join(values) + LEADS if values else "", [item.place]
    else:
        for speaker, span in statements(text, lang, sweep["subject"], sweep["speaker"]):
            label = naming(text, speaker, max(0, span[0] - LABEL_CHARS), span[0])[-1:]
            if naming(text, speaker, *span):  # it says itself who says it
                yield "", [span]
                continue
            yield f"{speaker}{'：' if lang == 'zh' else ': '}", [*label, span]


def _within(start: int, end: int, items: Sequence[Evidence]) -> list[Cited]:
    """A span of the joined text in the part that holds its beginning, cut where that ends."""
    for item in items:
        if start < len(item["text"]):
            end = min(end, len(item["text"]))
            return [{"evidence": item["number"], "start": item["start"] + start, "end": item["start"] + end}]
        start, end = start - len(item["text"]), end - len(item["text"])
    return []


def _of(span: Cited, items: Sequence[Evidence]) -> str:
    item = next(item for item in items if item["number"] == span["evidence"])
    return item["text"][span["start"] - item["start"] : span["end"] - item["start"]]
