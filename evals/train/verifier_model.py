"""The verifier as a torch module: MiniLM's encoder with three heads, and a tokenizer that knows Chinese.

One forward gives *find* and *check* (a logit each, read from the first token) and *answer* (two logits of
each token; those of the first token stand for "no answer here"). The embeddings of the base vocabulary stay
as they are: a short training hardly moves them, and the optimiser is spared half the weights. It reads no
data and trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from evals.train.verifier_data import Example
from retrieval.embed import minilm_folder
from retrieval.tokens import has_cjk, simplified

WINDOW = 224  # tokens of a pair, the three special ones included
QUESTION = 64  # tokens of the question or claim at most
MOST_SPANS = 3
SPREAD = 0.5  # of the new rows around the mean of the known ones, in their standard deviations


def extended_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """MiniLM's tokenizer with the Chinese characters of the texts, each a token; in order of code points."""
    tokenizer = json.loads((minilm_folder() / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = tokenizer["model"]["vocab"]
    found = {char for text in texts if has_cjk(text) for char in simplified(text) if has_cjk(char)}
    for char in sorted(found - set(vocabulary)):
        vocabulary[char] = len(vocabulary)
    tokenizer["padding"] = tokenizer["truncation"] = None
    return Tokenizer.from_str(json.dumps(tokenizer))


@dataclass
class Encoded:
    """One example as numbers."""

    ids: list[int]
    types: list[int]
    spans: list[tuple[int, int]]
    """First and last token of each answer; (0, 0) for none; empty where nothing is known of it."""
    find: int
    check: int
    weight: float
    lang: str
    """`find` and `check` are -1 where they are not known."""


def encode(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[Encoded]:
    """Examples as tokens, cut to the window; an answer that lies outside makes it one without."""
    firsts = tokenizer.encode_batch([simplified(one.first) for one in examples], add_special_tokens=False)
    passages = tokenizer.encode_batch([simplified(one.passage) for one in examples], add_special_tokens=False)
    cls, sep = (int(tokenizer.token_to_id(token) or 0) for token in ("[CLS]", "[SEP]"))
    found = []
    for one, first, passage in zip(examples, firsts, passages, strict=True):
        asked = first.ids[:QUESTION]
        room = WINDOW - len(asked) - 3
        at = _window(passage.offsets, one.spans, room)
        rows, offsets = passage.ids[at : at + room], passage.offsets[at : at + room]
        before = len(asked) + 2
        spans = [token_span(offsets, span) for span in one.spans]
        kept = [(a + before, b + before) for a, b in filter(None, spans)]
        if one.find == 0:
            kept = [(0, 0)]
        ids = [cls, *asked, sep, *rows, sep]
        types = [0] * before + [1] * (len(rows) + 1)
        # What answers may lie outside the window: then it is not known whether this answers.
        find = -1 if one.find is None or (one.find and not kept) else one.find
        check = -1 if one.check is None else one.check
        found.append(Encoded(ids, types, kept, find, check, one.weight, one.lang))
    return found


def _window(offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]], room: int) -> int:
    """Where the window over a passage begins, so that its first answer is inside."""
    if len(offsets) <= room or not spans:
        return 0
    token = next((n for n, (_, end) in enumerate(offsets) if end > spans[0][0]), 0)
    return min(max(0, token - room // 2), len(offsets) - room)


def token_span(offsets: Sequence[tuple[int, int]], span: tuple[int, int]) -> tuple[int, int] | None:
    """First and last of the tokens that cover characters span[0]:span[1]; None unless all are there."""
    inside = [n for n, (a, b) in enumerate(offsets) if a < span[1] and span[0] < b]
    if not inside or offsets[inside[0]][0] > span[0] or offsets[inside[-1]][1] < span[1]:
        return None
    return inside[0], inside[-1]


class Verifier(nn.Module):
    """The encoder of transformers with the heads on top."""

    def __init__(self, vocabulary: int, encoder: Any = None, seed: int = 0) -> None:
        """`vocabulary`: of the tokenizer. `encoder`: another BERT, for tests."""
        super().__init__()
        self.encoder: Any = _minilm() if encoder is None else encoder
        words: Any = self.encoder.embeddings.word_embeddings
        words.weight.requires_grad_(False)
        self.base: int = words.num_embeddings
        width: int = words.embedding_dim
        generator = torch.Generator().manual_seed(seed)
        self.added = nn.Parameter(_new_rows(words.weight, vocabulary - self.base, generator))
        self.answer = nn.Linear(width, 2)
        inner, outer = nn.Linear(width, width), nn.Linear(width, 2)
        self.judge = nn.Sequential(inner, nn.Tanh(), outer)
        for layer in (self.answer, inner, outer):
            nn.init.normal_(layer.weight, std=0.02, generator=generator)
            nn.init.zeros_(layer.bias)

    def freeze(self, layers: int) -> None:
        """Leave the first `layers` of the encoder as they are, and the new words with them; 0: train all.

        Half of the layers cost a third of a step less, which a slow machine makes more of in more steps.
        """
        for n, layer in enumerate(self.encoder.encoder.layer):
            layer.requires_grad_(n >= layers)
        self.encoder.embeddings.requires_grad_(not layers)
        self.encoder.embeddings.word_embeddings.requires_grad_(False)
        self.added.requires_grad_(not layers)

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, 2) logits of find and check, (batch, tokens, 2) of first and last token of the answer."""
        table = self.encoder.embeddings.word_embeddings.weight
        new = ids >= self.base
        words = nn.functional.embedding(ids.masked_fill(new, 0), table)
        if self.added.shape[0]:
            extra = nn.functional.embedding((ids - self.base).clamp(min=0), self.added)
            words = torch.where(new[..., None], extra, words)
        hidden = self.encoder(
            inputs_embeds=words, attention_mask=mask, token_type_ids=types
        ).last_hidden_state
        return self.judge(hidden[:, 0]), self.answer(hidden)


def _minilm() -> Any:
    from transformers import BertModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    # Without dropout: in two passes over the data little is learnt by heart, and on a CPU it costs a fifth.
    # The fused attention's gradient is slow in bfloat16 on a CPU: a step costs a third more.
    return BertModel.from_pretrained(
        minilm_folder(),
        add_pooling_layer=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",
    )


def _new_rows(words: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Rows near the mean of the Chinese characters that the base vocabulary has."""
    vocabulary = json.loads((minilm_folder() / "tokenizer.json").read_text(encoding="utf-8"))["model"][
        "vocab"
    ]
    known = [n for word, n in vocabulary.items() if len(word) == 1 and has_cjk(word) and n < len(words)]
    rows = words.detach()[known] if known else words.detach()
    noise = torch.randn(max(count, 0), words.shape[1], generator=generator)
    return rows.mean(0) + SPREAD * rows.std(0) * noise


@dataclass
class Batch:
    """Tensors of one step."""

    ids: Tensor
    mask: Tensor
    types: Tensor
    spans: Tensor
    """(batch, MOST_SPANS, 2); -1 where there is none."""
    find: Tensor
    check: Tensor
    weight: Tensor


def collate(rows: Sequence[Encoded], device: str = "cpu") -> Batch:
    """Padded on the right."""
    length = max(len(row.ids) for row in rows)
    ids, mask, types = (torch.zeros(len(rows), length, dtype=torch.long) for _ in range(3))
    spans = torch.full((len(rows), MOST_SPANS, 2), -1)
    for n, row in enumerate(rows):
        ids[n, : len(row.ids)] = torch.tensor(row.ids)
        mask[n, : len(row.ids)] = 1
        types[n, : len(row.ids)] = torch.tensor(row.types)
        for m, span in enumerate(row.spans[:MOST_SPANS]):
            spans[n, m] = torch.tensor(span)
    numbers = (torch.tensor([getattr(row, name) for row in rows]) for name in ("find", "check", "weight"))
    values = [ids, mask, types, spans, *numbers]
    return Batch(*(value.to(device) for value in values))


def losses(judged: Tensor, answers: Tensor, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Losses of find, check and answer, each summed over what is known of it and divided by the batch.

    Of several annotated answers any counts: the probability of all of them together, as in Clark and Gardner
    2018, "Simple and effective multi-paragraph reading comprehension", section 3.
    """
    judged, answers = judged.float(), answers.float()
    pairs = []
    for n, labels in enumerate((batch.find, batch.check)):
        known = (labels >= 0).float() * batch.weight
        each = nn.functional.binary_cross_entropy_with_logits(
            judged[:, n], labels.clamp(min=0).float(), reduction="none"
        )
        pairs.append((each * known).sum() / len(labels))
    # Only the passage's own tokens and the first one may be answers.
    allowed = (batch.types == 1) & (batch.mask == 1)
    allowed[:, 0] = True
    logs = answers.masked_fill(~allowed[..., None], -1e4).log_softmax(dim=1)
    spans = batch.spans.clamp(min=0)
    first = logs[..., 0].gather(1, spans[..., 0])
    last = logs[..., 1].gather(1, spans[..., 1])
    marked = batch.spans[..., 0] >= 0
    joint = (first + last).masked_fill(~marked, -1e4).logsumexp(dim=1)
    answer = -(joint * marked.any(dim=1)).sum() / len(joint)
    return pairs[0], pairs[1], answer
