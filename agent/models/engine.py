"""The one place that talks to llama.cpp.

Opens a GGUF file, turns a conversation into tokens by the file's own chat template,
builds grammars and generates bytes. It does not know LangChain, does not lock (a context
serves one generation at a time; the caller sees to that) and never falls back to
something weaker in silence: a file without a chat template, a schema that has no grammar
and a prompt that is refused are errors. Only layers that do not fit on the GPU go back
to the CPU, and `info` tells.

llama_cpp is imported when the first engine is opened, not with this module.
"""

import ctypes
import json
import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from agent.errors import ModelError
from agent.models.grammar import to_grammar
from agent.models.text_stream import CLOSE_TAG, OPEN_TAG

if TYPE_CHECKING:
    from agent.models.templates import ChatTemplate, Message

HOW_TO_INSTALL = "pip install 'llama-cpp-python>=0.3.36,<0.4'"  # the range of the extra `gguf`

_MAGIC = b"GGUF"
_LOG_ERROR = 4  # ggml's GGML_LOG_LEVEL_ERROR
_log_errors: list[str] = []  # error lines of llama.cpp since the last load began

_CHECK_EVERY_S = 0.05  # how often the caller is asked while a prompt is computed
_GRAMMARS = 64  # kept converted; a run uses some ten schemas
_MEASURED_PROMPT, _MEASURED_REPLY = 256, 32  # tokens
_NO_MEMORY = re.compile(
    r"out ?of ?(device ?)?memory|(unable|failed) to alloc|alloc\w* (of .* )?failed|insufficient memory", re.I
)
# The tokenizer reads these out of plain text even where they are no control tokens.
_TAG = re.compile(r"<\|.*\|>|</?(think|tool_call|tool_response)>")

Check = Callable[[], None]
"""Called while the model computes; what it raises stops that."""


class Info(TypedDict):
    """What a loaded model is."""

    architecture: str
    description: str  # as llama.cpp has it: "qwen3 4B Q4_K - Medium"
    quantisation: str
    file_bytes: int
    parameters: int
    layers: int
    layers_on_gpu: int  # of `layers` and the output layer
    context_tokens: int
    trained_context_tokens: int
    vocabulary: int
    chat_template: bool
    thinking_tags: bool  # the vocabulary has tokens of their own for them
    flash_attention: bool
    backend: str


class Speed(TypedDict):
    """Tokens per second."""

    prompt: float
    generation: float


@dataclass(frozen=True)
class Prompt:
    """A conversation as tokens, and whether it ends within reasoning."""

    tokens: list[int]
    thinking: bool


@cache
def import_llama() -> Any:
    """Import llama_cpp, quietly and once.

    Raises:
        ModelError: it is not installed, or its native library does not load.
    """
    try:
        import llama_cpp
    except ImportError as error:
        raise ModelError(f"llama-cpp-python is not installed: {HOW_TO_INSTALL}") from error
    except (OSError, RuntimeError) as error:
        raise ModelError(f"llama-cpp-python does not start here: {_one_line(error)}") from error
    _keep_log(llama_cpp)
    return llama_cpp


def gpu_backend() -> str:
    """One line on what llama.cpp computes with; never raises ModelError."""
    try:
        llama = import_llama()
    except ModelError as error:
        return str(error)
    features = llama.llama_print_system_info().decode(errors="replace").strip(" |")
    offload = "GPU offload" if llama.llama_supports_gpu_offload() else "CPU only"
    return f"{offload} ({features})"


class Engine:
    """One loaded model with one context.

    Args:
        path: the GGUF file.
        context_tokens: size of the context, prompt and reply together; 0 takes what the
            model was trained with.
        gpu_layers: layers to put on the GPU; -1 for all, 0 for none. Fewer are tried
            where memory does not suffice.
        threads: CPU threads; None leaves the choice to llama.cpp.
        batch_tokens: prompt tokens computed at once.
        flash_attention: None uses it where layers may go to a GPU.

    Attributes:
        window: tokens the context holds.
        evaluated: prompt tokens computed so far.
        reused: prompt tokens that did not have to be.

    Raises:
        ModelError: the file cannot be used; the message says why.
    """

    def __init__(
        self,
        path: Path,
        *,
        context_tokens: int,
        gpu_layers: int,
        threads: int | None,
        batch_tokens: int = 512,
        flash_attention: bool | None = None,
    ) -> None:
        check_file(path)
        self._path = path
        self._cpp = import_llama()
        offload = bool(self._cpp.llama_supports_gpu_offload())
        self._flash = (offload and gpu_layers != 0) if flash_attention is None else flash_attention
        options = {
            "n_ctx": context_tokens,
            "n_threads": threads,
            "n_threads_batch": threads,
            "n_batch": batch_tokens,
            "n_ubatch": batch_tokens,
            "flash_attn": self._flash,
            # What a sliding window has passed is needed again when a prefix is reused.
            "swa_full": True,
        }

        def make(layers: int, **more: Any) -> Any:
            return self._cpp.Llama(str(path), n_gpu_layers=layers, verbose=False, **{**options, **more})

        _log_errors.clear()
        try:
            if offload:
                self._llm, layers = open_with_fewer(make, gpu_layers, lambda: _count_layers(make))
            else:
                self._llm, layers = make(0), 0
        except Exception as error:  # llama.cpp's refusals, and what its wrapper makes of a template
            if type(error).__module__.startswith("jinja2."):
                raise ModelError(f"The chat template of {path.name} is broken: {_one_line(error)}") from error
            raise ModelError(f"llama.cpp cannot load {path}: {_reason(error)}") from error
        self._vocab = self._cpp.llama_model_get_vocab(self._llm.model)
        total = self._cpp.llama_model_n_layer(self._llm.model) + 1
        self._gpu_layers = total if layers < 0 else min(layers, total)
        self._pieces: dict[int, bytes] = {}
        self._tags = self._tag_tokens()
        self._template = self._open_template()
        self._grammars: dict[str, Any] = {}
        # llama.cpp rounds the context up, but the wrapper's own buffer is not rounded:
        # filling the difference would overrun that buffer.
        self.window: int = min(self._llm.n_ctx(), len(self._llm.input_ids))
        self.evaluated = 0
        self.reused = 0

    def prompt(self, messages: "Sequence[Message]", *, think: bool | None = None) -> Prompt:
        """The prompt, by the model's own template, open for the assistant's reply.

        What the messages spell is text: a control token within them is cut into others.
        Without one the tokens are those of the rendered prompt as a whole.

        Args:
            think: as for `ChatTemplate.render`.

        Raises:
            ModelError: the template refuses these messages (an unknown role order, say).
        """
        from agent.models.templates import TemplateError, opens_thinking

        try:
            parts = self._template.render(messages, think=think)
        except TemplateError as error:
            raise ModelError(
                f"The chat template of {self._path.name} refuses this conversation: {_one_line(error)}"
            ) from error
        tokens: list[int] = []
        for text, is_plain in parts:
            # Cut after its first character no part of it is in the vocabulary as control.
            pieces = [text[:1], text[1:]] if is_plain else [text]
            for piece in pieces:
                tokens += self._tokens(piece, special=not is_plain)
        text, is_plain = parts[-1]
        return Prompt(tokens, not is_plain and opens_thinking(text))

    def count(self, text: str) -> int:
        """Tokens of a text by itself, in which nothing is a control token."""
        return len(self._tokens(text, special=False))

    def grammar(self, schema: dict[str, Any]) -> Any:
        """A llama.cpp grammar that admits only JSON of this schema; see agent.models.grammar.

        Converting takes a few milliseconds and is done once for each schema. (What is kept
        is the grammar's text: its state is made anew for each reply.)

        Raises:
            ModelError: the schema cannot be expressed.
        """
        key = json.dumps(schema)
        if key not in self._grammars:
            grammar = self._cpp.LlamaGrammar.from_string(to_grammar(schema, self._convert), verbose=False)
            self._try_grammar(grammar)
            if len(self._grammars) >= _GRAMMARS:
                del self._grammars[next(iter(self._grammars))]
            self._grammars[key] = grammar
        return self._grammars[key]

    def generate(
        self,
        prompt: list[int],
        *,
        temperature: float,
        seed: int,
        grammar: Any,
        reuse: bool,
        check: Check = lambda: None,
    ) -> Generator[bytes]:
        """Yield the bytes of one token after another until the model ends its turn.

        The caller stops asking at the window's end. A piece may be part of a character,
        or empty. With ``reuse`` what the prompt has in common with the last one is not
        computed again. ``check`` is called before each token, and now and then while the
        prompt is computed (on a CPU within a batch, on a GPU between batches); what it
        raises ends the generation and leaves the engine in order.

        Raises:
            ModelError: llama.cpp fails while computing.
        """
        self._llm.set_seed(seed)
        try:
            self._evaluate(prompt, reuse, check)
            for token in self._llm.generate([], reset=False, temp=temperature, grammar=grammar):
                if self._cpp.llama_vocab_is_eog(self._vocab, token):
                    return
                check()
                yield self._piece(token)
        except RuntimeError as error:
            self._llm.reset()
            raise ModelError(f"llama.cpp stopped while generating: {_one_line(error)}") from error

    def info(self) -> Info:
        """What the model is and how it was loaded."""
        llm, cpp = self._llm, self._cpp
        buffer = ctypes.create_string_buffer(256)
        cpp.llama_model_desc(llm.model, buffer, len(buffer))
        description = buffer.value.decode(errors="replace")
        return {
            "architecture": llm.metadata.get("general.architecture", ""),
            "description": description,
            "quantisation": _quantisation(cpp, cpp.llama_model_ftype(llm.model)),
            "file_bytes": self._path.stat().st_size,
            "parameters": cpp.llama_model_n_params(llm.model),
            "layers": cpp.llama_model_n_layer(llm.model),
            "layers_on_gpu": self._gpu_layers,
            "context_tokens": self.window,
            "trained_context_tokens": cpp.llama_model_n_ctx_train(llm.model),
            "vocabulary": llm.n_vocab(),
            "chat_template": True,
            "thinking_tags": bool(self._tags),
            "flash_attention": self._flash,
            "backend": gpu_backend(),
        }

    def measure(self) -> Speed:
        """Compute a short prompt and a short reply, and forget both."""
        prompt = [self._tokens("a", special=False)[-1]] * min(_MEASURED_PROMPT, self.window // 2)
        reply = min(_MEASURED_REPLY, self.window - len(prompt) - 1)
        self._evaluate(prompt[:8], False, lambda: None)  # the first call sets things up
        began = time.perf_counter()
        self._evaluate(prompt, False, lambda: None)
        read = time.perf_counter()
        tokens = self._llm.generate([], reset=False, temp=0.0)
        for _ in range(reply):
            next(tokens)
        wrote = time.perf_counter()
        self._llm.reset()
        return {"prompt": len(prompt) / (read - began), "generation": reply / (wrote - read)}

    def close(self) -> None:
        """Free the model's memory. The engine cannot be used afterwards."""
        self._llm.close()

    def _evaluate(self, prompt: list[int], reuse: bool, check: Check) -> None:
        """Have the context hold the prompt, computing what it does not hold yet."""
        llm = self._llm
        kept = min(_in_common(llm.input_ids[: llm.n_tokens], prompt), len(prompt) - 1) if reuse else 0
        # Some architectures cannot forget a part.
        if kept <= 0 or not llm._ctx.kv_cache_seq_rm(-1, kept, -1):
            llm.reset()
            kept = 0
        llm.n_tokens = kept
        self.reused += kept
        try:
            with self._stoppable(check):
                for at in range(kept, len(prompt), llm.n_batch):
                    check()
                    batch = prompt[at : at + llm.n_batch]
                    llm.eval(batch)
                    self.evaluated += len(batch)
        except BaseException:
            if llm._is_recurrent or llm._is_hybrid:  # half a batch cannot be taken back
                llm.reset()
            raise

    @contextmanager
    def _stoppable(self, check: Check) -> Iterator[None]:
        """Has llama.cpp ask `check` while it computes. Only a CPU asks; it then stops within a batch.

        A signal's handler runs there too, so that Ctrl-C need not wait for the batch.
        """
        raised: list[BaseException] = []

        def answers() -> Iterator[bool]:
            # A generator, as a handler's exception comes up where the code resumes: here
            # that is within the `try`, at the start of a function it would be lost.
            last = time.monotonic()
            while True:
                try:
                    yield bool(raised)
                    if not raised and time.monotonic() - last > _CHECK_EVERY_S:
                        check()
                        last = time.monotonic()
                except GeneratorExit:
                    return
                except BaseException as error:  # must not cross native code; raised again below
                    raised.append(error)

        asked = answers()
        next(asked)
        callback = self._cpp.ggml_abort_callback(partial(next, asked))
        self._cpp.llama_set_abort_callback(self._llm.ctx, callback, None)
        try:
            yield
        except RuntimeError:
            if not raised:
                raise
        finally:
            self._cpp.llama_set_abort_callback(self._llm.ctx, self._cpp.ggml_abort_callback(0), None)
        if raised:
            raise raised[0]

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        return list(self._llm.tokenize(text.encode(), add_bos=False, special=special))

    def _piece(self, token: int) -> bytes:
        """The bytes of a token; nothing of a control token, but for the tags of reasoning."""
        # The wrapper's own cuts what is longer than 32 bytes to pieces.
        if token not in self._pieces:
            special = token in self._tags
            buffer = ctypes.create_string_buffer(64)
            length = self._cpp.llama_token_to_piece(self._vocab, token, buffer, 64, 0, special)
            if length < 0:
                buffer = ctypes.create_string_buffer(-length)
                length = self._cpp.llama_token_to_piece(self._vocab, token, buffer, -length, 0, special)
            self._pieces[token] = buffer.raw[:length]
        return self._pieces[token]

    def _tag_tokens(self) -> set[int]:
        """The tokens that are a tag of reasoning by themselves."""
        tags = [self._tokens(tag, special=True) for tag in (OPEN_TAG, CLOSE_TAG)]
        return {tokens[0] for tokens in tags if len(tokens) == 1}

    def _open_template(self) -> "ChatTemplate":
        source = self._llm.metadata.get("tokenizer.chat_template")
        if not source:
            raise ModelError(f"{self._path.name} has no chat template: use an instruct or chat version.")
        from agent.models.templates import ChatTemplate, TemplateError

        begin, end = self._token_text(self._llm.token_bos()), self._token_text(self._llm.token_eos())
        try:
            return ChatTemplate(source, begin, end, self._control())
        except TemplateError as error:
            raise ModelError(f"The chat template of {self._path.name} is broken: {error}") from error

    def _control(self) -> re.Pattern[str] | None:
        """Matches the text of every control token, the longest first as the tokenizer does."""
        attributes, control = self._cpp.llama_vocab_get_attr, self._cpp.LLAMA_TOKEN_ATTR_CONTROL
        unknown, own = self._cpp.LLAMA_TOKEN_ATTR_UNKNOWN, self._cpp.LLAMA_TOKEN_ATTR_USER_DEFINED
        texts = set()
        for token in range(self._llm.n_vocab()):
            kind = attributes(self._vocab, token)
            if kind & (control | unknown | own):
                text = self._token_text(token)
                if text and (not kind & own or _TAG.fullmatch(text)):
                    texts.add(text)
        longest = sorted(texts, key=lambda text: (-len(text), text))
        return re.compile("|".join(map(re.escape, longest))) if longest else None

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self._cpp.llama_vocab_get_text(self._vocab, token).decode(errors="replace"))

    def _convert(self, schema: str) -> str:
        return str(self._cpp.LlamaGrammar.from_json_schema(schema, verbose=False)._grammar)

    def _try_grammar(self, grammar: Any) -> None:
        # The wrapper does not look whether llama.cpp took the grammar, and sampling with
        # a refused one ends the process. (llama.cpp then also prints the place to stderr;
        # schemas come from the program, so only its authors see that.)
        sampler = self._cpp.llama_sampler_init_grammar(self._vocab, grammar._grammar.encode(), b"root")
        if not sampler:
            raise ModelError("No grammar for this schema: llama.cpp refuses the result.")
        self._cpp.llama_sampler_free(sampler)


def layers_to_try(gpu_layers: int, total: int) -> list[int]:
    """How many layers to put on the GPU, one try after another: as asked, then quarters less.

    ``total`` counts the output layer too; -1 asks for all, and so does more than there are.
    """
    asked = total if gpu_layers < 0 else min(gpu_layers, total)
    return list(dict.fromkeys([gpu_layers, *(asked * share // 4 for share in (3, 2, 1, 0))]))


def open_with_fewer(
    make: Callable[[int], Any], gpu_layers: int, count_layers: Callable[[], int]
) -> tuple[Any, int]:
    """What ``make`` gives for a number of layers, and that number; fewer where memory does not suffice.

    Raises what ``make`` raises where it is not the memory, or where no layer fits either.
    """
    try:
        return make(gpu_layers), gpu_layers
    except Exception as error:
        if gpu_layers == 0 or not _is_out_of_memory(error):
            raise
        last = error
    for layers in layers_to_try(gpu_layers, count_layers())[1:]:
        _log_errors.clear()
        try:
            return make(layers), layers
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            last = error
    raise last


def _count_layers(make: Callable[..., Any]) -> int:
    """Layers of the file and the output layer, from its header alone."""
    header = make(0, vocab_only=True, n_ctx=8)
    try:
        architecture = header.metadata.get("general.architecture", "")
        return int(header.metadata.get(f"{architecture}.block_count", 0)) + 1
    finally:
        header.close()


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(map(_NO_MEMORY.search, [*_log_errors, str(error)]))


def _in_common(left: "np.ndarray[Any, Any]", right: Sequence[int]) -> int:
    """How many tokens two prompts begin with alike."""
    length = min(len(left), len(right))
    differ = np.nonzero(left[:length] != np.asarray(right[:length]))[0]
    return int(differ[0]) if len(differ) else length


def _quantisation(llama: Any, kind: int) -> str:
    """The name of a file type as llama.cpp numbers them: 15 is Q4_K_M."""
    names = {
        value: name.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_")
        for name, value in vars(llama).items()
        if name.startswith("LLAMA_FTYPE_")
    }
    return str(names.get(kind & ~llama.LLAMA_FTYPE_GUESSED, "unknown"))


def _reason(error: Exception) -> str:
    return _log_errors[0] if _log_errors else _one_line(error)


def check_file(path: Path) -> None:
    """See that the path is a readable GGUF file, without loading it.

    Raises:
        ModelError: it is missing, a folder, unreadable, or of another kind.
    """
    if not path.exists():
        raise ModelError(f"No model file at {path}: check the path.")
    if path.is_dir():
        raise ModelError(f"{path} is a folder: give the .gguf file in it.")
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}") from error
    if magic != _MAGIC:
        raise ModelError(f"{path} is not a GGUF file: download it again or choose another.")


def _keep_log(llama: Any) -> None:
    """Keep llama.cpp's error lines for our own messages; print none of its log."""
    llama.llama_log_set(_callback(llama), ctypes.c_void_p(0))


@cache  # native code holds the callback for ever, so something here must hold it too
def _callback(llama: Any) -> Any:
    def note(level: int, text: bytes, _data: Any) -> None:
        if level == _LOG_ERROR:
            line = " ".join(text.decode(errors="replace").split())
            _log_errors.append(line.split(": ", 1)[-1])
            del _log_errors[:-20]

    return llama.llama_log_callback(note)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
