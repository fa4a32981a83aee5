"""Whole-document questions: which documents are meant, their parts as evidence, and what is quoted of them.

A sweep reads a document from its beginning to its end instead of searching it. What is telling in it is
chosen by `agent.summary`, `agent.listing` and `agent.speakers`; this joins them to the library and to claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from agent.evidence import of_part
from agent.listing import list_items
from agent.named import Mention, pointed_out, without
from agent.reasoners.extractive import new_claim
from agent.reasoners.features import plain
from agent.reasoners.language import language_of
from agent.speakers import statements
from agent.state import Claim, Evidence, Lang, Span, Sweep
from agent.summary import parts, summarise
from agent.sweep import sweep_of, target_documents
from retrieval.library import Library
from retrieval.load import place

SUMMARY_SENTENCES = 6
LABEL_CHARS = 20_000  # a turn may be long; its label is looked for so far before the quotation
PARTS = 48  # of all documents swept; longer documents have longer parts
PART_CHARS = 2000  # at least


def aim(
    question: str, library: Library, recent: Sequence[int], named: Sequence[Mention] = ()
) -> Sweep | str | None:
    """What a whole-document question wants of which documents; None for an ordinary question.

    A sentence for the user where it does not say which document it means. `recent`: ids of documents cited
    before in the thread, latest first. `named`: the documents that the question names for certain or likely.
    """
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
    documents = library.documents()
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
    for _, group in groupby(evidence, key=lambda item: item["document_id"]):
        items = list(group)
        text, offset = "".join(item["text"] for item in items), items[0]["start"]
        for label, start, end in _picks(sweep, lang, text):
            spans = [
                *_label(label, text, start, offset, items),
                *_within(start + offset, end + offset, items),
            ]
            said = " ".join(plain(_of(span, items)) for span in spans[-1:])
            claims.append(
                new_claim(f"{label}{'：' if lang == 'zh' else ': '}{said}" if label else said, [], spans)
            )
    return claims


def _picks(sweep: Sweep, lang: Lang, text: str) -> Iterator[tuple[str, int, int]]:
    """Speaker, "" for none, and span of each quotation of one document."""
    if sweep["kind"] == "summary":
        for start, end in summarise(text, lang, SUMMARY_SENTENCES, sweep["subject"]):
            yield "", start, end
    elif sweep["kind"] == "list":
        for start, end in list_items(text, sweep["subject"], lang):
            # A line that only leads in, and front matter, are no items.
            if not text[start:end].rstrip().endswith((":", "：")) and not text[start:end].startswith("---"):
                yield "", start, end
    else:
        for speaker, (start, end) in statements(text, lang, sweep["subject"], sweep["speaker"]):
            yield speaker, start, end


def _label(label: str, text: str, start: int, offset: int, items: Sequence[Evidence]) -> list[Span]:
    """Where the speaker of a quotation is named: the nearest place before it."""
    if not label:
        return []
    # A label may be broken over two lines.
    pattern = re.compile(r"\s*".join(re.escape(char) for char in label if not char.isspace()))
    found = list(pattern.finditer(text, max(0, start - LABEL_CHARS), start))
    return _within(found[-1].start() + offset, found[-1].end() + offset, items) if found else []


def _within(start: int, end: int, items: Sequence[Evidence]) -> list[Span]:
    """A span in the evidence that holds its beginning, cut where that part ends."""
    for item in items:
        if item["start"] <= start < item["end"]:
            return [{"evidence": item["number"], "start": start, "end": min(end, item["end"])}]
    return []


def _of(span: Span, items: Sequence[Evidence]) -> str:
    item = next(item for item in items if item["number"] == span["evidence"])
    return item["text"][span["start"] - item["start"] : span["end"] - item["start"]]
