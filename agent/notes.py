"""Notes on an answer that its reader should see, in the language of the question.

What failed inside (a model, the embedder) is noted in English by the node that saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, cast

from agent.evidence import meets
from agent.filters import merged, said
from agent.state import Claim, Evidence, Lang, Plan
from retrieval.filters import Filter
from retrieval.store import Store

NOTES: dict[str, dict[Lang, str]] = {
    "unlabelled": {
        "en": "{} of {} passages have no speaker label; what is said there is given to nobody",
        "zh": "{1} 段中有 {0} 段没有标明说话人，其中的话不归于任何人",
    },
    "more": {
        "en": "only {} places are listed; there may be more",
        "zh": "只列出了 {} 处，可能还有更多",
    },
    "unknown": {
        "en": "there is no document called {}; all are searched",
        "zh": "没有名为 {} 的文档，因此检索了全部文档",
    },
    "respelt": {
        "en": "read as: {}",
        "zh": "按此理解：{}",
    },
    "elsewhere": {
        "en": "{} does not answer this; the answer is from other files",
        "zh": "{} 没有回答这个问题，答案来自其他文件",
    },
    "wider": {
        "en": "nothing matches {}, as the question says; more is searched",
        "zh": "没有符合问题所说 {} 的内容，因此扩大了检索范围",
    },
}


def note(name: str, lang: Lang, *values: object) -> str:
    return NOTES[name][lang].format(*values)


def elsewhere(plan: Plan, claims: Sequence[Claim], evidence: Sequence[Evidence], store: Store) -> list[str]:
    """A note where what a question names does not give its answer, and something else does."""
    where = plan["where"]
    cited = {citation["evidence"] for claim in claims for citation in claim["citations"]}
    if not cited or any(meets(item, where) for item in evidence if item["number"] in cited):
        return []
    named = where.get("documents", [])
    names = [PurePath(path).name for id_, path, _ in store.document_names().rows if id_ in named]
    return [note("elsewhere", plan["lang"], ", ".join(names) or said(where))]


def narrowed_to(only: Filter, where: Filter, lang: Lang, store: Store) -> tuple[Filter, list[str]]:
    """What the first round searches: what passes both filters; `only` the first where nothing does.

    The time that a question names is dropped first, then the kind of document. A note says so.
    """
    if not where:
        return only, []
    tried: dict[str, Any] = {**where}
    for dropped in ((), ("since", "until"), ("formats",)):
        tried = {key: value for key, value in tried.items() if key not in dropped}
        both = merged(only, cast(Filter, tried))
        if tried and store.selected(both):
            return both, [note("wider", lang, said(where))] if tried != where else []
    return only, [note("wider", lang, said(where))]
