"""What a chat model in a GGUF file costs beyond itself: `python -m evals speed --part gguf[:FILE]`.

Over random models (`evals.random_gguf`), as none of this depends on what a model knows: prompt tokens that
the real graph has computed for questions of three rounds over real passages, against each distinct line of
the prompts once; milliseconds a round that are spent neither in the model nor in a node; a reply through
`ChatGGUF` against the same tokens through `llama_cpp.Llama`, in turns; tokens per second.

The first two use a tiny model, the others one of about half a billion parameters in Q8_0, or as many millions
as `--limit` says. It is written to FILE, and used again where that is there already.

What the model writes is replaced by a script that never satisfies the critic. It says nothing about quality.
"""

from __future__ import annotations

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
from evals.orders import Order
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
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
CONTROL = ("<|im_start|>", "<|im_end|>")

Times = tuple[float, float]
"""By the clock, and of the processor."""


def run(arguments: Order, file: str = "") -> Result:
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
    chat = Scripted(
        model_path=str(folder / "tiny.gguf"), context_tokens=CONTEXT, batch_tokens=2048, threads=1
    )
    base = replace(read_settings(), max_rounds=ROUNDS - 1, timeout_s=600.0, max_tokens=0)
    (folder / "cache").symlink_to(prepare(base)[0].parent.parent)
    questions = [row["question"] for row in read_rows(data / "multihop_en.jsonl")][:QUESTIONS]
    kinds = {"in memory": False, "with checkpoints": True}
    ratios: list[float] = []
    times: dict[str, dict[str, float]] = {}
    for kind, remember in kinds.items():
        settings = replace(base, home=folder, remember=remember)
        with timed_nodes() as spans, Agent(settings, chat_model=chat) as agent:
            if not remember:
                add_corpus(agent.library, read_rows(data / "multihop_corpus_en.jsonl"))
            agent.ask(questions[0])
            runs = [_measured(agent, chat, spans, question) for question in questions]
        names = ("by the clock", "of the processor", "all but the model")
        times[kind] = {name: statistics.median([one[name] for one in runs]) for name in names}
        ratios += [one["ratio"] for one in runs]
    chat.close()
    return {
        "prompt tokens computed / unavoidable": statistics.fmean(ratios),
        "of single questions": [min(ratios), max(ratios)],
        "at most": MAX_PROMPT_RATIO,
        "calls a question": statistics.fmean(one["calls"] for one in runs),
        "rounds": statistics.fmean(one["rounds"] for one in runs),
        "graph ms a round": times,
        "graph ms a round, at most": MAX_ROUND_MS,
    }


def _measured(
    agent: Agent, chat: Scripted, spans: list[tuple[Times, Times]], question: str
) -> dict[str, float]:
    chat._prompts.clear()
    engine = chat._load()
    engine._llm.reset()
    computed, chat._calls, chat._seconds = engine.evaluated, 0, 0.0
    spans.clear()
    began = clocks()
    answer = agent.ask(question)
    ended = clocks()
    lines = {line for prompt in chat._prompts for line in prompt.split("\n")}
    unavoidable = sum(engine.count(line + "\n") for line in lines)
    ms = 1000 / (answer.rounds + 1)
    return {
        "ratio": (engine.evaluated - computed) / unavoidable,
        "calls": chat._calls,
        "rounds": answer.rounds + 1,
        "by the clock": ms * (ended[0] - began[0] - covered(spans, 0)),
        "of the processor": ms * (ended[1] - began[1] - covered(spans, 1)),
        "all but the model": ms * (ended[0] - began[0] - chat._seconds),
    }


def clocks() -> Times:
    """Seconds by the clock, and of the processor: other programs may be at work beside this one."""
    return time.perf_counter(), time.process_time()


@contextmanager
def timed_nodes() -> Iterator[list[tuple[Times, Times]]]:
    """When each node of a graph that is built meanwhile began and ended."""
    spans: list[tuple[Times, Times]] = []

    def timed(node: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(node)
        def run(*given: Any, **named: Any) -> Any:
            began = clocks()
            try:
                return node(*given, **named)
            finally:
                spans.append((began, clocks()))

        return run

    before = {
        name: one
        for name, one in vars(graphs).items()
        if isinstance(one, FunctionType) and one.__module__ == nodes.__name__
    }
    for name, node in before.items():
        setattr(graphs, name, timed(node))
    graphs.build_graph.cache_clear()
    try:
        yield spans
    finally:
        graphs.build_graph.cache_clear()
        for name, node in before.items():
            setattr(graphs, name, node)


def covered(spans: list[tuple[Times, Times]], clock: int) -> float:
    """Seconds within at least one span: some nodes run side by side."""
    total, until = 0.0, 0.0
    for began, ended in sorted((begin[clock], end[clock]) for begin, end in spans):
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
    alone = ChatGGUF(model_path=str(file), context_tokens=4096, reuse_prefix=False, threads=1)
    told, ratios = alone.info(), layer(alone, texts)
    alone.close()
    chat = ChatGGUF(model_path=str(file), context_tokens=4096)
    speed = chat.measure()
    chat.close()
    return {
        "model": {
            name: told[name] for name in ("parameters", "quantisation", "vocabulary", "layers", "backend")
        },
        "our layer / llama_cpp.Llama, by the clock": list(mean_ci([clock for clock, _ in ratios])),
        "our layer / llama_cpp.Llama, of the processor": list(mean_ci([own for _, own in ratios])),
        "tokens per second": dict(speed),
    }


def layer(chat: ChatGGUF, texts: list[str]) -> list[Times]:
    """Whole replies through both, the same tokens in and out, as ratios of neighbours."""
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
        took: dict[Callable[[], int], Times] = {}
        for reply in pair:
            began = clocks()
            tokens = max(reply(), 1)
            wall, own = clocks()
            took[reply] = (wall - began[0]) / tokens, (own - began[1]) / tokens
        if at:  # the first pair warms up
            ratios.append((took[ours][0] / took[theirs][0], took[ours][1] / took[theirs][1]))
    return ratios
