"""What errors that come up with a question say, in its language. English where none is spoken.

The command line says which language it is (`speaking`); the library face speaks English. What `retrieval`,
SQLite and llama.cpp say of a fault is passed on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from agent.errors import ToulminError

if TYPE_CHECKING:
    from agent.state import Lang

E = TypeVar("E", bound=ToulminError)
_spoken: ContextVar[Lang] = ContextVar("spoken", default="en")

WORDS: dict[str, dict[Lang, str]] = {
    "empty question": {
        "en": 'the question is empty: agent ask "When was the treaty signed?"',
        "zh": "问题是空的：agent ask “条约是什么时候签署的？”",
    },
    "long question": {
        "en": "the question has {} characters; {} is the limit: ask about one thing, and give long texts "
        "by --docs FILE or from stdin",
        "zh": "问题有 {} 个字符，上限是 {}：请只问一件事，长文本用 --docs 文件 或从标准输入给出",
    },
    "no question": {
        "en": 'no question: agent ask "When was the treaty signed?"',
        "zh": "没有问题：agent ask “条约是什么时候签署的？”",
    },
    "no run": {
        "en": "no run {!r}: `agent runs` lists them",
        "zh": "没有编号为 {!r} 的运行：用 `agent runs` 查看",
    },
    "finished run": {
        "en": "run {0} is finished: `agent why {0}` shows it",
        "zh": "运行 {0} 已经结束：用 `agent why {0}` 查看",
    },
    "nothing piped": {
        "en": 'no document comes from stdin: git log | agent ask "What changed?" -',
        "zh": "标准输入没有文档：git log | agent ask “改了什么？” -",
    },
    "empty document": {
        "en": "the document from stdin is empty: look at what the command before the pipe prints",
        "zh": "标准输入的文档是空的：请检查管道前面的命令输出了什么",
    },
    "unreadable document": {
        "en": "the document from stdin cannot be read: {}",
        "zh": "标准输入的文档无法读取：{}",
    },
    "large document": {
        "en": "the document from stdin is larger than {} MB: put it into files and give them by --docs",
        "zh": "标准输入的文档超过 {} MB：请存成文件，用 --docs 给出",
    },
    "nothing to read": {
        "en": "nothing to read in --docs ({})",
        "zh": "--docs 中没有可读的内容（{}）",
    },
    "docs fetch nothing": {
        "en": "--docs reads files and fetches nothing: `agent add {}`, then ask with --in",
        "zh": "--docs 只读文件，不访问网络：先 `agent add {}`，再用 --in 提问",
    },
    "not resumable": {
        "en": "a run is resumed in the library that it began in, with its memory",
        "zh": "运行只能在它开始时的文库里、带着记忆继续",
    },
    "no date": {
        "en": "{}: {!r} is no date; write 2025, 2025-03, 2025-03-02, yesterday or last week",
        "zh": "{}：{!r} 不是日期；可以写 2025、2025-03、2025-03-02、昨天或上周",
    },
    "since after until": {
        "en": "--since {} is after --until {}",
        "zh": "--since {} 晚于 --until {}",
    },
    "no type": {
        "en": "--type: there is no {!r}; choose among {}",
        "zh": "--type：没有 {!r} 这种类型；可以选 {}",
    },
    "empty option": {"en": "{}: it is empty", "zh": "{}：内容是空的"},
    "no model file": {
        "en": "no such model file: {}; give a path to a GGUF file, or --model extractive",
        "zh": "没有这个模型文件：{}；请给出 GGUF 文件的路径，或用 --model extractive",
    },
    "no model": {
        "en": "no model is called {!r}: `agent model list` names them, or --model extractive",
        "zh": "没有名为 {!r} 的模型：用 `agent model list` 查看，或用 --model extractive",
    },
    "model not installed": {
        "en": "{0} is not installed: `agent model pull {0}` downloads it, or --model extractive",
        "zh": "{0} 尚未安装：用 `agent model pull {0}` 下载，或用 --model extractive",
    },
}


@contextmanager
def speaking(lang: Lang) -> Iterator[None]:
    """Within it, errors are worded in this language."""
    token = _spoken.set(lang)
    try:
        yield
    finally:
        _spoken.reset(token)


def worded(kind: type[E], name: str, *values: object) -> E:
    """An error of a kind in the language that is spoken."""
    lang = _spoken.get()
    error = kind(WORDS[name][lang].format(*values))
    error.lang = lang
    return error
