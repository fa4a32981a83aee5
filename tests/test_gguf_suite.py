"""The suite of what a GGUF model costs: its arithmetic, and the model that it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from evals.random_gguf import common_pieces, write_random_gguf
from evals.suites.gguf import CONTROL, TEMPLATE, covered, layer, timed_nodes
from retrieval.library import Library
from tests.conftest import ask_in


def test_spans_that_overlap_count_once() -> None:
    spans = [((0.0, 0.0), (2.0, 1.0)), ((1.0, 1.0), (3.0, 1.5)), ((5.0, 2.0), (6.0, 2.5))]
    assert covered(spans, 0) == 4.0 and covered(spans, 1) == 2.0
    assert covered([], 0) == 0.0


def test_each_measurement_times_its_own_nodes(hashed: Library) -> None:
    """The graph is built once for all but these."""
    for _ in range(2):
        with timed_nodes() as spans:
            ask_in(hashed, "When was it signed?")
        assert spans
    before = list(spans)
    ask_in(hashed, "什么时候签的？")
    assert spans == before


def test_common_pieces_can_be_put_together() -> None:
    pieces = common_pieces(["the theory of the thing", "理论的理由"], 20)
    assert {"\u2581the", "th", "理论"} <= set(pieces)
    known = {*pieces, *"\u2581theoryfing理论的由"}
    assert all(piece[:-1] in known for piece in pieces), "each from a shorter one and a character"


def test_a_reply_takes_about_as_long_through_our_layer(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp")
    from agent.models.gguf import ChatGGUF

    texts = ["The contract was signed on 1 March. 合同已签署。"] * 6
    file = write_random_gguf(
        tmp_path / "q8.gguf", chat_template=TEMPLATE, control=CONTROL, width=64, heads=2, context=1024,
        words=common_pieces(texts, 50), quantised=True,
    )  # fmt: skip
    chat = ChatGGUF(model_path=str(file), context_tokens=1024, threads=1, reuse_prefix=False)
    assert chat.info()["quantisation"] == "Q8_0"
    ratios = layer(chat, texts)
    chat.close()
    assert len(ratios) == 5 and all(clock > 0 and own > 0 for clock, own in ratios)
