"""The one place that talks to llama.cpp.

Opens a GGUF file, renders its own chat template, counts tokens, builds grammars and
generates bytes. It does not know LangChain, does not lock (a context serves one
generation at a time; the caller sees to that) and never falls back to something
weaker in silence: a file without a chat template, a schema that has no grammar and a
prompt that is refused are errors.

llama_cpp is imported when the first engine is opened, not with this module.
"""

import ctypes
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from agent.errors import ModelError

_MAGIC = b"GGUF"
_LOG_ERROR = 4  # ggml's GGML_LOG_LEVEL_ERROR
_log_errors: list[str] = []  # error lines of llama.cpp since the last load began

Message = dict[str, str]
"""``role`` (system, user, assistant) and ``content``."""


@cache
def import_llama() -> Any:
    """Import llama_cpp, quietly and once.

    Raises:
        ModelError: it is not installed, or its native library does not load.
    """
    try:
        import llama_cpp
    except ImportError as error:
        raise ModelError("llama-cpp-python is not installed: pip install 'toulmin[gguf]'") from error
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
        gpu_layers: layers to put on the GPU; -1 for all, 0 for none.
        threads: CPU threads; None leaves the choice to llama.cpp.

    Raises:
        ModelError: the file cannot be used; the message says why.
    """

    def __init__(self, path: Path, *, context_tokens: int, gpu_layers: int, threads: int | None) -> None:
        check_file(path)
        self._path = path
        self._cpp = import_llama()
        self._llm = self._open(context_tokens, gpu_layers, threads)
        self._vocab = self._cpp.llama_model_get_vocab(self._llm.model)
        self._formatter = self._template()
        # llama.cpp rounds the context up, but the wrapper's own buffer is not rounded:
        # filling the difference would overrun that buffer.
        self.window: int = min(self._llm.n_ctx(), len(self._llm.input_ids))

    def render(self, messages: list[Message]) -> str:
        """The prompt text, by the model's own template, open for the assistant's reply.

        Raises:
            ModelError: the template refuses these messages (an unknown role order, say).
        """
        try:
            return str(self._formatter(messages=messages).prompt)
        except Exception as error:  # templates are programs from the file: anything may come
            raise ModelError(
                f"The chat template of {self._path.name} refuses this conversation: {_one_line(error)}"
            ) from error

    def tokenize(self, prompt: str) -> list[int]:
        """Tokens of a rendered prompt; the template has already put the special ones in."""
        return list(self._llm.tokenize(prompt.encode(), add_bos=False, special=True))

    def grammar(self, schema: dict[str, Any]) -> Any:
        """A llama.cpp grammar that admits only JSON of this schema.

        Lengths, enums, constants, patterns and required fields are enforced; number
        ranges are not.

        Raises:
            ModelError: the schema cannot be expressed.
        """
        _check_literals(schema)
        try:
            grammar = self._cpp.LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)
        except Exception as error:  # the converter asserts, and looks up what is not there
            raise ModelError(f"No grammar for this schema: {_one_line(error)}") from error
        self._try_grammar(grammar)
        return grammar

    def generate(
        self, prompt: list[int], *, temperature: float, seed: int, grammar: Any, reuse: bool
    ) -> Iterator[bytes]:
        """Yield the bytes of one token after another until the model ends its turn.

        The caller stops asking at the window's end. A piece may be part of a character,
        or empty. With ``reuse`` what the prompt has in common with the last one is not
        computed again.

        Raises:
            ModelError: llama.cpp fails while computing.
        """
        if not reuse:
            self._llm.reset()
        self._llm.set_seed(seed)
        try:
            for token in self._llm.generate(prompt, temp=temperature, grammar=grammar):
                if self._cpp.llama_vocab_is_eog(self._vocab, token):
                    return
                yield self._llm.detokenize([token])
        except RuntimeError as error:
            self._llm.reset()
            raise ModelError(f"llama.cpp stopped while generating: {_one_line(error)}") from error

    def close(self) -> None:
        """Free the model's memory. The engine cannot be used afterwards."""
        self._llm.close()

    def _open(self, context_tokens: int, gpu_layers: int, threads: int | None) -> Any:
        _log_errors.clear()
        try:
            return self._cpp.Llama(
                str(self._path),
                n_ctx=context_tokens,
                n_gpu_layers=gpu_layers,
                n_threads=threads,
                n_threads_batch=threads,
                verbose=False,
            )
        except Exception as error:  # llama.cpp's refusals, and a broken template's
            reason = _log_errors[0] if _log_errors else _one_line(error)
            raise ModelError(f"llama.cpp cannot load {self._path}: {reason}") from error

    def _template(self) -> Any:
        text = self._llm.metadata.get("tokenizer.chat_template")
        if not text:
            raise ModelError(f"{self._path.name} has no chat template: use an instruct or chat version.")
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        end, begin = self._llm.token_eos(), self._llm.token_bos()
        return Jinja2ChatFormatter(text, self._token_text(end), self._token_text(begin))

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        return str(self._cpp.llama_vocab_get_text(self._vocab, token).decode(errors="replace"))

    def _try_grammar(self, grammar: Any) -> None:
        # The wrapper does not look whether llama.cpp took the grammar, and sampling with
        # a refused one ends the process. (llama.cpp then also prints the place to stderr;
        # schemas come from the program, so only its authors see that.)
        sampler = self._cpp.llama_sampler_init_grammar(self._vocab, grammar._grammar.encode(), b"root")
        if not sampler:
            raise ModelError("No grammar for this schema: llama.cpp refuses the result.")
        self._cpp.llama_sampler_free(sampler)


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


def _check_literals(schema: Any) -> None:
    # The converter writes JSON escapes into the grammar unescaped. \\u of the basic plane
    # happens to mean the same in both; the rest changes meaning or breaks the grammar.
    for text in _literals(schema):
        if any(char in '"\\' or char < " " or char > "\uffff" for char in text):
            raise ModelError(
                f"No grammar for this schema: {text!r} holds a quote, a backslash, a control "
                "character or one above U+FFFF."
            )


def _literals(schema: Any) -> Iterator[str]:
    """Every string the schema wants to see word for word: names, enums and constants."""
    if isinstance(schema, list):
        for part in schema:
            yield from _literals(part)
    if not isinstance(schema, dict):
        return
    values = schema.get("enum")
    fixed = [schema.get("const"), *(values if isinstance(values, list) else [])]
    yield from (value for value in fixed if isinstance(value, str))
    names = schema.get("properties")
    yield from names if isinstance(names, dict) else ()
    for part in schema.values():
        yield from _literals(part)


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
