"""Trains the verifier on `reader_train` and `faithfulness_train`, never on dev data, and exports it.

    python -m evals.train.verifier DATA --out FOLDER [--device cpu|cuda] [--steps N | --minutes M] [--resume]

FOLDER keeps the examples, the tokenizer, a checkpoint and at last the ONNX file. The learning rate rises and
falls once over the steps, or over the minutes, so that a slow machine ends its schedule as well; a resumed
training goes on from where the checkpoint is, also under another plan. `--after OTHER` begins a second stage
with what a training left in OTHER: on all questions, with pieces, negatives and faults drawn anew. Which
examples are seen in what order is fixed by the seed.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import nn

from evals.train.verifier_checkpoint import keep, restore
from evals.train.verifier_data import examples_file, prepare
from evals.train.verifier_export import export_checkpoint
from evals.train.verifier_model import Encoded, Verifier, collate, encode, extended_tokenizer, losses

BATCH_TOKENS = 1600  # of a step, padding included
POOL = 512  # examples that are sorted by length together
RATE, HEAD_RATE, ROW_RATE = 1.2e-4, 6e-4, 1e-3  # of the body, the heads, the new rows of the vocabulary
WARM_UP = 0.05  # of the plan
ANSWER, CHECK = 0.5, 1.5  # weights of the losses beside find
KEEP_EVERY = 50  # steps
SEED, LATER_SEED = 0, 1


@dataclass
class Plan:
    """How long is trained: by steps, or by the clock."""

    steps: int
    minutes: float = 0.0

    def progress(self, step: int, elapsed_s: float) -> float:
        """What share of the plan is done, from 0."""
        return elapsed_s / (60 * self.minutes) if self.minutes else step / self.steps


def factor(progress: float) -> float:
    """Of the learning rate: up over `WARM_UP`, then down to 0 in a straight line."""
    if progress < WARM_UP:
        return max(0.02, progress / WARM_UP)
    return max(0.0, (1 - progress) / (1 - WARM_UP))


def batches(rows: Sequence[Encoded], epoch: int) -> Iterator[list[Encoded]]:
    """All rows once in random order, those of like length together, up to `BATCH_TOKENS` a batch."""
    rng = Random(epoch)
    order = list(rows)
    rng.shuffle(order)
    for start in range(0, len(order), POOL):
        pool = sorted(order[start : start + POOL], key=lambda row: len(row.ids))
        made: list[list[Encoded]] = [[]]
        for row in pool:
            if made[-1] and (len(made[-1]) + 1) * len(row.ids) > BATCH_TOKENS:
                made.append([])
            made[-1].append(row)
        rng.shuffle(made)
        yield from made


def endless(rows: Sequence[Encoded], skip: int) -> Iterator[list[Encoded]]:
    """Epoch after epoch, without the first `skip` batches."""
    epoch = 0
    while rows:
        for batch in batches(rows, epoch):
            if skip:
                skip -= 1
            else:
                yield batch
        epoch += 1


def optimizer_of(model: Verifier) -> torch.optim.Optimizer:
    heads = [*model.answer.parameters(), *model.judge.parameters()]
    # Frozen layers are among them, so that a later training may thaw them with the same checkpoint.
    words = model.encoder.embeddings.word_embeddings.weight
    body = [p for p in model.encoder.parameters() if p is not words]
    groups = [
        {"params": [p for p in body if p.ndim > 1], "lr": RATE, "weight_decay": 0.01},
        {"params": [p for p in body if p.ndim == 1], "lr": RATE, "weight_decay": 0.0},
        {"params": heads, "lr": HEAD_RATE, "weight_decay": 0.01},
        {"params": [model.added], "lr": ROW_RATE, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [{**group, "rate": group["lr"]} for group in groups], betas=(0.9, 0.98), fused=True
    )


def train(
    model: Verifier, rows: Sequence[Encoded], folder: Path, plan: Plan, device: str, resume: bool
) -> int:
    """Train to the end of the plan; the step that it ended at. A checkpoint is kept on the way."""
    checkpoint = folder / "checkpoint.safetensors"
    model.to(device).train()
    optimizer = optimizer_of(model)
    step, before_s = 0, 0.0
    if resume and checkpoint.exists():
        step, before_s = restore(checkpoint, model, optimizer)
        print(f"resumed at step {step} after {before_s / 60:.1f} minutes", flush=True)
    began, seen = time.monotonic(), _Seen()
    for batch in endless(rows, step):
        elapsed_s = before_s + time.monotonic() - began
        progress = plan.progress(step, elapsed_s)
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["rate"] * factor(progress)
        seen.add(*_step(model, optimizer, batch, device), sum(len(row.ids) for row in batch))
        step += 1
        if step % 10 == 0:
            print(f"step {step} progress {progress:.3f} {seen.line(elapsed_s)}", flush=True)
        if step % KEEP_EVERY == 0:
            keep(checkpoint, model, optimizer, step, elapsed_s)
    keep(checkpoint, model, optimizer, step, before_s + time.monotonic() - began)
    return step


def _step(
    model: Verifier, optimizer: torch.optim.Optimizer, rows: Sequence[Encoded], device: str
) -> tuple[list[float], list[int]]:
    """One step; the summed losses of find, check and answer, and of how many rows each is."""
    batch = collate(rows, device)
    with torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device)):
        judged, answers = model(batch.ids, batch.mask, batch.types)
    find, check, answer = losses(judged, answers, batch)
    optimizer.zero_grad(set_to_none=True)
    (find + CHECK * check + ANSWER * answer).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.grad is not None], 1.0)
    optimizer.step()
    known = [
        sum(r.find >= 0 for r in rows),
        sum(r.check >= 0 for r in rows),
        sum(bool(r.spans) for r in rows),
    ]
    return [float(loss.detach()) * len(rows) for loss in (find, check, answer)], known


def has_bfloat16(device: str) -> bool:
    """Whether bfloat16 is quicker: where a processor has to pretend it, it is ten times slower."""
    return device == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())


class _Seen:
    """Running means for the log."""

    def __init__(self) -> None:
        self.losses, self.counts, self.tokens = [0.0] * 3, [0.0] * 3, 0

    def add(self, losses: list[float], counts: list[int], tokens: int) -> None:
        decay = 0.98
        self.losses = [a * decay + b for a, b in zip(self.losses, losses, strict=True)]
        self.counts = [a * decay + b for a, b in zip(self.counts, counts, strict=True)]
        self.tokens += tokens

    def line(self, elapsed_s: float) -> str:
        means = (a / max(b, 1) for a, b in zip(self.losses, self.counts, strict=True))
        named = zip(("find", "check", "answer"), means, strict=True)
        return " ".join(f"{n} {v:.3f}" for n, v in named) + f" tokens {self.tokens} {elapsed_s:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path, help="folder of the benchmark data")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--minutes", type=float, default=0.0, help="plan by the clock instead")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--languages", nargs="+", choices=("en", "zh"), default=["en", "zh"])
    parser.add_argument(
        "--frozen", type=int, default=0, help="layers of the encoder that are left as they are"
    )
    parser.add_argument("--after", type=Path, help="folder of the training before, for a second stage")
    parser.add_argument("--resume", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(SEED)
    earlier: Path | None = arguments.after
    seed = LATER_SEED if earlier else SEED
    if wrong := refusal(arguments.out, earlier, resume=arguments.resume):
        parser.error(wrong)
    examples = prepare(
        arguments.data, examples_file(arguments.out, seed), seed, all_questions=earlier is not None
    )
    if earlier:
        shutil.copy(earlier / "tokenizer.json", arguments.out)
    tokenizer = have_tokenizer(arguments.out / "tokenizer.json", examples)
    chosen = [one for one in examples if not one.held_out and one.lang in arguments.languages]
    rows = encode(tokenizer, chosen)
    tokens = sum(len(row.ids) for row in rows)
    print(f"{len(rows)} examples, {tokens} tokens, {tokenizer.get_vocab_size()} words", flush=True)
    model = Verifier(tokenizer.get_vocab_size(), seed=SEED)
    if earlier:
        restore(earlier / "checkpoint.safetensors", model)
    model.freeze(arguments.frozen)
    plan = Plan(arguments.steps, arguments.minutes)
    step = train(model, rows, arguments.out, plan, arguments.device, arguments.resume)
    print(f"trained to step {step}", flush=True)
    print("SHA-256", export_checkpoint(arguments.out))


def refusal(out: Path, earlier: Path | None, *, resume: bool) -> str:
    """Why a training cannot begin, or go on, in a folder; "" where it can."""
    if earlier and not (earlier / "checkpoint.safetensors").is_file():
        return f"{earlier}: no training ended there"
    other = examples_file(out, SEED if earlier else LATER_SEED)
    if other.exists():
        return (
            f"{out} holds {'a first' if earlier else 'a second'} stage: give another --out, or mend --after"
        )
    if resume and not (out / "checkpoint.safetensors").is_file():
        return f"{out}: there is no checkpoint to go on from; leave out --resume"
    return ""


def have_tokenizer(file: Path, examples: Sequence[Any]) -> Tokenizer:
    """The tokenizer of a folder, made of the examples where there is none yet."""
    if not file.exists():
        extended_tokenizer(text for one in examples for text in (one.first, one.passage)).save(str(file))
    return Tokenizer.from_file(str(file))


if __name__ == "__main__":
    main()
