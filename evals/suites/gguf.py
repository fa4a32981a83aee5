"""What a chat model in a GGUF file costs beyond itself: `python -m evals speed --part gguf[:FILE]`.

Over random models (`evals.random_gguf`), as none of this depends on what a model knows: prompt tokens that the
real graph has computed for questions of three rounds over real passages, against each distinct line of the
prompts once; milliseconds a round that are spent neither in the model nor in a node; a reply through `ChatGGUF`
against the same tokens through `llama_cpp.Llama`, in turns; tokens per second.

The first two use a tiny model, the others one of about half a billion parameters in Q8_0, or as many millions
as `--limit` says. It is written to FILE, and used again where that is there already.

What the model writes is replaced by a script that never satisfies the critic. It says nothing about quality.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import FunctionType
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import PrivateAttr

from agent import graph as graphs
from agent import nodes
from agent.assistant import Agent
from agent.deps import prepare
from agent.models.gguf import ChatGGUF
from agent.settings import read_settings
from evals.data import add_corpus, read_rows
from evals.metrics import mean_ci
from evals.random_gguf import common_pieces, write_random_gguf
from evals.report import Result

ROUNDS = 3
QUESTIONS = 6
CONTEXT = 32_768  # of the tiny model: a token is a byte
MILLIONS = 500
WIDTH = 1536
VOCABULARY = 32_000
PROMPT_CHARS, REPLY_TOKENS, PAIRS = 1000, 24, 5
MAX_PROMPT_RATIO = 1.3
MAX_ROUND_MS = {"in memory": 10.0, "with checkpoints": 60.0}
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
CONTROL = ("<|im_start|>", "<|im_end|>")


def run(arguments: argparse.Namespace, file: str = "") -> Result:
    with tempfile.TemporaryDirectory() as folder:
        metrics = graph(arguments.data, Path(folder))
        metrics |= model(
            arguments.data, Path(file or Path(folder) / "large.gguf"), arguments.limit or MILLIONS
        )
    return Result("speed", {"rounds": ROUNDS, "questions": QUESTIONS}, QUESTIONS, metrics)


# --- the graph ------------------------------------------------------------------------------------------


class Scripted(ChatGGUF):
    """Has the model read each prompt and write one token, and says what keeps a run going."""

    _prompts: list[str] = PrivateAttr(default_factory=list)
    _seconds: float = PrivateAttr(default=0.0)
    _calls: int = PrivateAttr(default=0)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        began = time.perf_counter()
        self._calls += 1
        self._prompts.append("\n".join(str(message.text) for message in messages))
        for _ in super()._stream(messages, max_output_tokens=1):
            pass
        self._seconds += time.perf_counter() - began
        yield ChatGenerationChunk(
            message=AIMessageChunk(content=json.dumps(self._reply(kwargs["grammar_schema"])))
        )

    def _reply(self, schema: dict[str, Any]) -> dict[str, Any]:
        shown = self._prompts[-1]
        if schema["title"] == "Verdicts":
            return dict.fromkeys(schema["required"], "unsupported")
        if schema["title"] == "Queries":
            words = sorted(
                {word for word in shown.split() if word.isalpha() and word.islower() and len(word) > 6}
            )
            return {"queries": [" ".join(words[self._calls * 3 :: 97][:3])]}
        # Common words of a passage: nothing there that the checks could hold on to, so the judge is asked.
        words = [
            word for word in shown.split("<passage number")[1].split() if word.isalpha() and word.islower()
        ]
        return {"sentences": [{"text": f"It is {' '.join(words[self._calls :][:9])}.", "passages": [1]}]}


def graph(data: Path, folder: Path) -> dict[str, Any]:
    """Prompt tokens, and what the graph itself takes."""
    write_random_gguf(
        folder / "tiny.gguf",
        chat_template=TEMPLATE,
        control=CONTROL,
        context=CONTEXT,
        layers=1,
        width=8,
        heads=1,
    )
    chat = Scripted(model_path=str(folder / "tiny.gguf"), context_tokens=CONTEXT, batch_tokens=2048)
    base = replace(read_settings(), max_rounds=ROUNDS - 1, timeout_s=600.0, max_tokens=0)
    (folder / "cache").symlink_to(prepare(base)[0].parent.parent)
    questions = [row["question"] for row in read_rows(data / "multihop_en.jsonl")][:QUESTIONS]
    kinds = {"in memory": False, "with checkpoints": True}
    ratios: list[float] = []
    overheads: dict[str, float] = {}
    owns: dict[str, float] = {}
    for kind, remember in kinds.items():
        settings = replace(base, home=folder, remember=remember)
        with timed_nodes() as spans, Agent(settings, chat_model=chat) as agent:
            if not remember:
                add_corpus(agent.library, read_rows(data / "multihop_corpus_en.jsonl"))
            agent.ask(questions[0])
            runs = [_measured(agent, chat, spans, question) for question in questions]
        overheads[kind] = statistics.median([one["round_ms"] for one in runs])
        owns[kind] = statistics.median([one["own_ms"] for one in runs])
        ratios += [one["ratio"] for one in runs]
    chat.close()
    return {
        "prompt tokens computed / unavoidable": statistics.fmean(ratios),
        "of single questions": [min(ratios), max(ratios)],
        "at most": MAX_PROMPT_RATIO,
        "calls a question": statistics.fmean(one["calls"] for one in runs),
        "rounds": statistics.fmean(one["rounds"] for one in runs),
        "graph ms a round": overheads,
        "all but the model, ms a round": owns,
        "graph ms a round, at most": MAX_ROUND_MS,
    }


def _measured(
    agent: Agent, chat: Scripted, spans: list[tuple[float, float]], question: str
) -> dict[str, float]:
    chat._prompts.clear()
    engine = chat._load()
    engine._llm.reset()
    computed, chat._calls, chat._seconds = engine.evaluated, 0, 0.0
    spans.clear()
    began = time.perf_counter()
    answer = agent.ask(question)
    ended = time.perf_counter()
    lines = {line for prompt in chat._prompts for line in prompt.split("\n")}
    unavoidable = sum(engine.count(line + "\n") for line in lines)
    return {
        "ratio": (engine.evaluated - computed) / unavoidable,
        "calls": chat._calls,
        "rounds": answer.rounds + 1,
        "round_ms": 1000 * (ended - began - covered(spans)) / (answer.rounds + 1),
        "own_ms": 1000 * (ended - began - chat._seconds) / (answer.rounds + 1),
    }


@contextmanager
def timed_nodes() -> Iterator[list[tuple[float, float]]]:
    """When each node of a graph that is built meanwhile began and ended."""
    spans: list[tuple[float, float]] = []

    def timed(node: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(node)
        def run(*given: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return node(*given, **named)
            finally:
                spans.append((began, time.perf_counter()))

        return run

    before = {
        name: one
        for name, one in vars(graphs).items()
        if isinstance(one, FunctionType) and one.__module__ == nodes.__name__
    }
    for name, node in before.items():
        setattr(graphs, name, timed(node))
    try:
        yield spans
    finally:
        for name, node in before.items():
            setattr(graphs, name, node)


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds within at least one span: some nodes run side by side."""
    total, until = 0.0, 0.0
    for began, ended in sorted(spans):
        total += max(ended, until) - max(began, until)
        until = max(ended, until)
    return total


# --- the model ------------------------------------------------------------------------------------------


def model(data: Path, file: Path, millions: int) -> dict[str, Any]:
    """Our layer against the wrapper's own, and tokens per second."""
    texts = [row["text"] for row in read_rows(data / "multihop_corpus_en.jsonl")]
    if not file.exists():
        words = common_pieces(texts, VOCABULARY)
        blocks = max(1, round((millions * 1_000_000 - 2 * len(words) * WIDTH) / (10 * WIDTH * WIDTH)))
        write_random_gguf(
            file, layers=blocks, width=WIDTH, heads=WIDTH // 64, context=4096,
            chat_template=TEMPLATE, control=CONTROL, words=words, quantised=True,
        )  # fmt: skip
    chat = ChatGGUF(model_path=str(file), context_tokens=4096, reuse_prefix=False)
    told = chat.info()
    ratios = layer(chat, texts)
    speed = chat.measure()
    chat.close()
    return {
        "model": {
            name: told[name] for name in ("parameters", "quantisation", "vocabulary", "layers", "backend")
        },
        "time of our layer / llama_cpp.Llama": mean_ci(ratios),
        "tokens per second": dict(speed),
    }


def layer(chat: ChatGGUF, texts: list[str]) -> list[float]:
    """Seconds of whole replies through both, the same tokens in and out, as ratios of neighbours."""
    engine = chat._load()
    ratios = []
    for at in range(PAIRS + 1):
        said = texts[at][:PROMPT_CHARS]
        prompt = engine.prompt([{"role": "user", "content": said}]).tokens

        def ours(said: str = said) -> int:
            reply = chat.invoke([HumanMessage(said)], max_output_tokens=REPLY_TOKENS)
            return reply.usage_metadata["output_tokens"] if reply.usage_metadata else 0

        def theirs(prompt: list[int] = prompt) -> int:
            llm, written = engine._llm, 0
            llm.reset()
            for token in llm.generate(prompt, temp=0.0):
                llm.detokenize([token])
                written += 1
                if written == REPLY_TOKENS or token == llm.token_eos():
                    break
            return written

        pair = (ours, theirs) if at % 2 else (theirs, ours)
        seconds = {}
        for reply in pair:
            began = time.perf_counter()
            tokens = reply()
            seconds[reply] = (time.perf_counter() - began) / max(tokens, 1)
        if at:  # the first pair warms up
            ratios.append(seconds[ours] / seconds[theirs])
    return ratios
