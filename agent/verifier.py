"""The built-in verifier: a small encoder that reads a question or claim beside a passage.

It gives three answers. *find*: whether the passage answers the question; *answer*: the shortest piece of it
that does; *check*: whether it supports the claim. One reading gives all three, and is remembered. ONNX
Runtime and the `tokenizers` library do the work, opened at the first reading; a passage longer than the
window is slid over. It decides nothing by itself and splits no text into claims; `evals.train.verifier`
trains it.
"""

from __future__ import annotations

import hashlib
import json
import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import SettingsError
from retrieval.embed import batches, beside, feed, open_session
from retrieval.tokens import is_chinese, segments, simplified, within_word

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Logits = npt.NDArray[np.float32]

SHIPPED = "verifier.onnx"  # in agent/weights
METADATA = ("window", "question", "calibration")  # of the file
REMEMBERED = 4096  # readings; one takes one or two kilobytes
LONGEST_ANSWER = 40  # tokens
LEAST_BEGIN = 0.001
OVERLAP = 0.5  # of two neighbouring windows: what one cuts apart, the other has whole


@dataclass(frozen=True)
class Span:
    """A piece of a passage: `passage[start:end]`, and how likely it is rather than no answer, [0, 1]."""

    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Reading:
    """What the encoder says of one pair; the two probabilities are calibrated."""

    find: float
    check: float
    span: Span | None
    """The best piece, however bad; none in a passage without any word."""
    begins: tuple[tuple[int, float], ...] = ()
    """(offset, probability) of where an answer may begin in the passage, those of `LEAST_BEGIN` and more."""

    def within(self, start: int, end: int) -> float:
        """The probability that the answer begins in passage[start:end], in [0, 1]."""
        return min(1.0, sum(probability for at, probability in self.begins if start <= at < end))


@dataclass(frozen=True)
class _Pair:
    """One window as a session takes it."""

    ids: list[int]
    type_ids: list[int]
    offsets: list[tuple[int, int]]
    """Of the passage's tokens."""
    before: int
    """Tokens in front of the passage's."""


class Verifier:
    """The encoder of an ONNX file with its tokenizer. Threads may share one."""

    def __init__(self, onnx_file: Path, tokenizer_file: Path | None = None) -> None:
        """Nothing is opened here; by default the tokenizer lies beside the file."""
        self.onnx_file = onnx_file
        self._tokenizer_file = tokenizer_file or onnx_file.with_suffix(".tokenizer.json")
        self._lock = threading.Lock()
        self._opened: tuple[Any, Any, dict[str, Any]] | None = None
        self._known: OrderedDict[bytes, Reading] = OrderedDict()

    def warm_up(self) -> None:
        """Open it ahead of the first reading."""
        self._open()

    def sees_whole(self, first: str) -> bool:
        """Whether a question or claim is read to its end."""
        _, tokenizer, metadata = self._open()
        return len(_tokens(tokenizer, first).ids) <= int(metadata["question"])

    def find(self, question: str, passages: Sequence[str]) -> list[float]:
        """The probability that each passage answers the question."""
        return [one.find for one in self.read([(question, passage) for passage in passages])]

    def answer(self, question: str, passages: Sequence[str], least: float = 0.5) -> list[Span | None]:
        """The piece of each passage that answers best; none where its score is under `least`, [0, 1]."""
        found = [one.span for one in self.read([(question, passage) for passage in passages])]
        return [span if span and span.score >= least else None for span in found]

    def check(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The probability that each (premise, claim) has its claim supported by its premise."""
        return [one.check for one in self.read([(claim, premise) for premise, claim in pairs])]

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        """What it says of each (question or claim, passage). Each different pair is computed once."""
        keys = [_key(*pair) for pair in pairs]
        with self._lock:
            found = {key: self._known[key] for key in keys if key in self._known}
        new = {key: pair for key, pair in zip(keys, pairs, strict=True) if key not in found}
        found |= dict(zip(new, self._compute(list(new.values())), strict=True))
        with self._lock:
            for key in keys:
                self._known[key] = found[key]
                self._known.move_to_end(key)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return [found[key] for key in keys]

    def _open(self) -> tuple[Any, Any, dict[str, Any]]:
        """Session, tokenizer and metadata. Raises `SettingsError` for what is no verifier, or damaged."""
        with self._lock:
            if self._opened is None:
                from tokenizers import Tokenizer

                try:
                    session = open_session(self.onnx_file)
                    tokenizer = Tokenizer.from_file(str(self._tokenizer_file))
                    kept = session.get_modelmeta().custom_metadata_map
                    metadata = {key: json.loads(kept[key]) for key in METADATA}
                except Exception as error:  # each library has its own, the tokenizers' a bare Exception
                    raise SettingsError(
                        f"{self.onnx_file} is no verifier, or it or its tokenizer is damaged: install "
                        "Toulmin anew, or go without it: `agent config set verifier off`"
                    ) from error
                self._opened = session, tokenizer, metadata
            return self._opened

    def _compute(self, pairs: Sequence[tuple[str, str]]) -> list[Reading]:
        import numpy as np

        if not pairs:
            return []
        session, tokenizer, metadata = self._open()
        windows = [_windows(tokenizer, *pair, metadata["window"], metadata["question"]) for pair in pairs]
        rows = [(n, window) for n, some in enumerate(windows) for window in some]
        order = sorted(range(len(rows)), key=lambda r: len(rows[r][1].ids))
        groups = batches(order, [len(row.ids) for _, row in rows])

        def run(group: list[int]) -> list[tuple[int, Logits, _Answered]]:
            inputs = feed(session, [rows[r][1] for r in group])
            judged, answers = session.run(["judged", "answers"], inputs)
            return [(rows[r][0], judged[m], _answered(answers[m], rows[r][1])) for m, r in enumerate(group)]

        logits = np.full((len(pairs), 2), -np.inf)
        answered = [_Answered(-np.inf, None, ())] * len(pairs)
        for made in beside(run, groups):
            for n, judged, answer in made:
                # Of a passage that is slid over, the window that says most decides.
                logits[n] = np.maximum(logits[n], judged)
                answered[n] = max(answered[n], answer, key=lambda one: one.margin)
        calibration = metadata["calibration"]
        return [
            Reading(
                _probability(float(logits[n, 0]), calibration["find"], pair[0]),
                _probability(float(logits[n, 1]), calibration["check"], pair[0]),
                _span(answered[n], pair[1]),
                answered[n].begins,
            )
            for n, pair in enumerate(pairs)
        ]


class FindReranker:
    """*find* as what orders the passages of a search, in the place of a re-ranker of others.

    It takes the titles that `retrieval.rerank` puts before the texts where `titled`.
    """

    titled = True

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        return self._verifier.find(query, texts)


def shipped() -> Path:
    """The file that comes with the package."""
    return Path(__file__).parent / "weights" / SHIPPED


def under(title: str, text: str) -> str:
    """A passage as it is read: below its title, as in training."""
    return f"{title}: {text}" if title else text


def _key(first: str, passage: str) -> bytes:
    return hashlib.blake2b(
        f"{len(first)}:{first}{passage}".encode("utf-8", "replace"), digest_size=16
    ).digest()


def _windows(tokenizer: Any, first: str, passage: str, window: int, longest: int) -> list[_Pair]:
    """The windows over a passage. A question or claim of more than `longest` tokens loses its middle:

    in English what is asked stands at its beginning, in Chinese at its end.
    """
    asked, text = _tokens(tokenizer, first).ids, _tokens(tokenizer, passage)
    if len(asked) > longest:
        asked = asked[: longest // 2] + asked[-(longest - longest // 2) :]
    begin = [tokenizer.token_to_id("[CLS]"), *asked, tokenizer.token_to_id("[SEP]")]
    room = window - len(begin) - 1
    last = max(len(text.ids) - room, 0)
    starts = [*range(0, last, max(int(room * (1 - OVERLAP)), 1)), last]
    return [
        _Pair(
            [*begin, *text.ids[at : at + room], begin[-1]],
            [0] * len(begin) + [1] * (len(text.ids[at : at + room]) + 1),
            list(text.offsets[at : at + room]),
            len(begin),
        )
        for at in starts
    ]


def _tokens(tokenizer: Any, said: str) -> Any:
    # Traditional characters are read as simplified ones, one for one, so that the offsets hold.
    return tokenizer.encode(simplified(said), add_special_tokens=False)


@dataclass(frozen=True)
class _Answered:
    """What is read of one window."""

    margin: float
    """By how much the best piece is likelier than none, a logit."""
    place: tuple[int, int] | None
    """The best piece, in characters."""
    begins: tuple[tuple[int, float], ...]


def _answered(answers: Logits, row: _Pair) -> _Answered:
    """The likeliest piece of a window, and where else an answer may begin."""
    import numpy as np

    count = len(row.offsets)
    if not count:
        return _Answered(-np.inf, None, ())
    own = answers[row.before : row.before + count].astype(np.float64)
    both = own[:, 0][:, None] + own[:, 1][None, :]
    within = np.tri(count, count, LONGEST_ANSWER - 1, dtype=bool) & ~np.tri(count, count, -1, dtype=bool)
    both[~within] = -np.inf
    first, last = divmod(int(both.argmax()), count)
    margin = float(both[first, last] - answers[0].sum())
    place = row.offsets[first][0], row.offsets[last][1]
    logits = np.concatenate([answers[:1, 0].astype(np.float64), own[:, 0]])
    shares = np.exp(logits - logits.max())
    shares = (shares / shares.sum())[1:]
    likely = np.flatnonzero(shares >= LEAST_BEGIN)
    return _Answered(margin, place, tuple((row.offsets[n][0], float(shares[n])) for n in likely))


def _span(found: _Answered, passage: str) -> Span | None:
    if found.place is None:
        return None
    return Span(*_whole_words(passage, *found.place), _logistic(found.margin))


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """The span, grown where it begins or ends within a word."""
    while start > 0 and within_word(text, start):
        start -= 1
    while end < len(text) and within_word(text, end):
        end += 1
    if not is_chinese(text[start:end]):
        return start, end
    words = list(segments(text))
    first = next((a for a, b in words if a <= start < b), start)
    return first, next((b for a, b in words if a < end <= b), end)


def _probability(logit: float, calibration: dict[str, list[float]], said: str) -> float:
    slope, shift = calibration["zh" if is_chinese(said) else "en"]
    return _logistic(slope * logit + shift)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
