"""Notes on an answer that its reader should see, in the language of the question.

What failed inside (a model, the embedder) is noted in English by the node that saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from agent.state import Claim, Lang, Plan
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
    "elsewhere": {
        "en": "{} does not answer this; the answer is from other files",
        "zh": "{} 没有回答这个问题，答案来自其他文件",
    },
}


def note(name: str, lang: Lang, *values: object) -> str:
    return NOTES[name][lang].format(*values)


def elsewhere(plan: Plan, claims: Sequence[Claim], store: Store) -> list[str]:
    """A note where the documents that a question names do not give its answer, and others do."""
    cited = {citation["document_id"] for claim in claims for citation in claim["citations"]}
    if not plan["documents"] or not cited or cited & set(plan["documents"]):
        return []
    names = [PurePath(path).name for id_, path, _ in store.document_names() if id_ in plan["documents"]]
    return [note("elsewhere", plan["lang"], ", ".join(names))]
