"""Load source code and settings: the text is the file, with a mark at each definition or section.

Python is parsed; in other languages definitions are found by the shape of their first line, and what
encloses them by how far it is indented. Nothing is run, and comments and strings are not told from code
there, so that a mark may be missing or one too many.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from retrieval.load.source import Mark, Source, label_of
from retrieval.load.text import decode

PARSED_CHARS = 1_000_000  # of Python; longer files are read by their shape
MARKS = 20_000
LINE_CHARS = 400  # a definition does not stand on a longer line

_NAME = r"[A-Za-z_$][\w$]*"
_C_TYPES = r"(?:[\w:<>,\[\]~]+[ \t*&]+){1,6}"
_CONTROL = r"(?!(?:if|for|while|switch|return|else|catch|do|case|new|throw|delete|using|sizeof|await|yield|assert|typedef)\b)"
_C_LIKE = (
    r"(?:(?:public|private|protected|internal|static|abstract|final|sealed|partial|export|default|data|open|inline"
    r"|typedef|unsafe|readonly|pub(?:\([^)]*\))?)[ \t]+)*"
    r"(?P<kind>class|struct|interface|enum(?: class)?|union|namespace|record|trait|object|protocol|extension|module)[ \t]+(?P<name>[\w.:$]+)(?=[^;]*$|[^;]*\{)"
)
_C_FUNCTION = rf"{_CONTROL}(?P<kind>){_C_TYPES}(?P<name>[\w:~]+(?:operator[^(\s]+)?)[ \t]*\([^;]*$"
_MACRO = r"#[ \t]*(?P<kind>define)[ \t]+(?P<name>\w+)\("
_JS = (
    rf"(?:export[ \t]+)?(?:default[ \t]+)?(?:async[ \t]+)?(?P<kind>function)\*?[ \t]+(?P<name>{_NAME})",
    rf"(?:export[ \t]+)?(?P<kind>const|let|var)[ \t]+(?P<name>{_NAME})[ \t]*(?::[^=\n]+)?=[ \t]*(?:async[ \t]*)?(?:function\b|\([^()\n]*\)[^=\n]*=>|{_NAME}[ \t]*=>)",
    rf"(?:export[ \t]+)?(?:declare[ \t]+)?(?P<kind>type)[ \t]+(?P<name>{_NAME})[^=\n]*=",
    rf"{_CONTROL}(?P<kind>)(?:(?:public|private|protected|static|async|get|set|override|readonly)[ \t]+)*(?P<name>#?(?!function\b|constructor_){_NAME})[ \t]*\([^()\n]*\)[ \t]*(?::[^{{\n]+)?\{{[ \t]*$",
)
_GO = (
    r"(?P<kind>func)[ \t]+(?:\([^)\n]*\)[ \t]*)?(?P<name>\w+)",
    r"(?P<kind>type)[ \t]+(?P<name>\w+)[ \t]+(?:struct|interface|func|map|\w)",
)
_RUST = (
    r"(?:pub(?:\([^)]*\))?[ \t]+)?(?:(?:async|const|unsafe|extern(?:[ \t]+\"[^\"]*\")?|default)[ \t]+)*(?P<kind>fn|struct|enum|trait|mod|union|type|macro_rules!)[ \t]+(?P<name>\w+)",
    r"(?:unsafe[ \t]+)?(?P<kind>impl)\b(?:<[^{\n]*?>)?[ \t]*(?P<name>[^{\n]+?)[ \t]*(?:where\b.*)?\{",
)
_SCRIPT = (
    r"(?:function[ \t]+)?(?P<kind>)(?P<name>[\w.:-]+)[ \t]*\(\)[ \t]*(?:\{|$)",
    r"(?P<kind>function)[ \t]+(?P<name>[\w.:-]+)",
)
_RUBY = (r"(?P<kind>def|class|module)[ \t]+(?P<name>[\w.:?!=]+)",)
_KOTLIN = (
    r"(?:(?:public|private|protected|internal|override|suspend|inline|open|abstract|static|final|mutating|implicit|infix|operator|@\w+)[ \t]+)*(?P<kind>fun|func|def|init)\b[ \t]*(?:<[^>\n]*>[ \t]*)?(?P<name>[\w.`]*)",
)
_PHP = (
    r"(?:(?:public|private|protected|static|abstract|final)[ \t]+)*(?P<kind>function)[ \t]+&?(?P<name>\w+)",
)
_SQL = (
    r"(?i:(?P<kind>create(?:[ \t]+or[ \t]+replace)?(?:[ \t]+(?:temp|temporary|unique|materialized))*[ \t]+(?:table|view|index|function|procedure|trigger|type|schema))[ \t]+(?:if[ \t]+not[ \t]+exists[ \t]+)?(?P<name>[\w.\"`\[\]]+))",
)
_SECTIONS = (r"\[+(?P<kind>)(?P<name>[^\[\]\n]+)\]+[ \t]*(?:[#;].*)?$",)
_KEYS = (r"(?P<kind>)(?P<name>[\w./$-]+|\"[^\"\n]+\"|'[^'\n]+'):[ \t]*(?:[|>&!].*)?(?:#.*)?$",)
_TARGETS = (r"(?P<kind>)(?P<name>[\w./%$(){}-]+)[ \t]*::?(?!=)[^=\n]*$",)
_STYLES = (r"(?P<kind>)(?P<name>[^{}\n;/]*[^{}\n;/\s])[ \t]*\{",)
_TEX = r"\\(?P<kind>part|chapter|section|subsection|subsubsection|paragraph)\*?[ \t]*(?:\[[^\]\n]*\])?\{(?P<name>(?:[^{}\n]|\{[^{}\n]*\})*)\}"
_TEX_LEVELS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}

_LANGUAGES: dict[str, tuple[str, ...]] = {
    "py pyi": (r"(?:async[ \t]+)?(?P<kind>def|class)[ \t]+(?P<name>\w+)",),
    "js jsx mjs cjs ts tsx mts vue svelte": (*_JS, _C_LIKE),
    "java c h cc cpp cxx hpp hh m mm cs ino cu": (_C_LIKE, _C_FUNCTION, _MACRO),
    "dart": (_C_LIKE, _C_FUNCTION),
    "go": _GO,
    "rs": _RUST,
    "rb": _RUBY,
    "php": (*_PHP, _C_LIKE),
    "swift kt kts scala groovy gradle": (*_KOTLIN, _C_LIKE),
    "sh bash zsh fish": _SCRIPT,
    "ps1 psm1": (r"(?i:(?P<kind>function|filter|class)[ \t]+(?P<name>[\w:-]+))",),
    "sql": _SQL,
    "r": (r"(?P<kind>)(?P<name>[\w.]+)[ \t]*(?:<-|=)[ \t]*function\b",),
    "jl": (r"(?P<kind>function|macro|(?:mutable[ \t]+)?struct|module)[ \t]+(?P<name>[\w.!]+)",),
    "lua": (r"(?:local[ \t]+)?(?P<kind>function)[ \t]+(?P<name>[\w.:]+)",),
    "pl pm": (r"(?P<kind>sub|package)[ \t]+(?P<name>[\w:]+)",),
    "toml ini cfg conf properties editorconfig": _SECTIONS,
    "yaml yml": _KEYS,
    "css scss less": _STYLES,
    "ex exs": (r"(?P<kind>defmodule|defmacrop?|defp?|defprotocol|defimpl)[ \t]+(?P<name>[\w.?!]+)",),
    "hs elm": (r"(?P<kind>)(?P<name>[a-z_][\w']*)[ \t]*::", r"(?P<kind>data|newtype|type|class|instance|module)[ \t]+(?P<name>[\w. ']+)"),
    "clj cljs edn lisp el": (r"\((?P<kind>ns|def[\w-]*)[ \t]+(?:\^\S+[ \t]+)?(?P<name>[^\s()\[\]]+)",),
    "ml mli fs": (r"(?P<kind>let(?: rec)?|type|module)[ \t]+(?P<name>\w+)",),
    "erl": (r"(?P<kind>)(?P<name>[a-z]\w*)\([^\n]*\)[^\n]*->",),
    "zig nim v": (r"(?:pub[ \t]+)?(?P<kind>fn|proc|func|const)[ \t]+(?P<name>\w+)",),
    "bib": (r"@(?P<kind>\w+)[ \t]*\{[ \t]*(?P<name>[^,\s]+)[ \t]*,",),
    "proto graphql gql thrift": (r"(?:extend[ \t]+)?(?P<kind>message|service|enum|type|interface|input|union|scalar|query|mutation|fragment|rpc|struct)[ \t]+(?P<name>\w+)",),
    "tf hcl": (r"(?P<kind>resource|data|module|variable|output|provider)[ \t]+(?P<name>\"[^\n{]*\")",),
    "tex ltx sty": (_TEX,),
    "cmake": (r"(?i:(?P<kind>function|macro)[ \t]*\([ \t]*(?P<name>\w+))",),
    "mk": _TARGETS,
    "bat cmd": (r"(?P<kind>):(?P<name>\w+)[ \t]*$",),
    "vim diff patch": (),
}  # fmt: skip
_FLAT = frozenset(
    "toml ini cfg conf properties editorconfig yaml yml mk sql bib css".split()
)  # only at the margin
_NAMES = {
    "makefile": ".mk",
    "gnumakefile": ".mk",
    "justfile": ".mk",
    "dockerfile": ".docker",
    "containerfile": ".docker",
    "jenkinsfile": ".groovy",
    "gemfile": ".rb",
    "rakefile": ".rb",
    "vagrantfile": ".rb",
    "procfile": ".yaml",
    "brewfile": ".rb",
}
_DOCKER = (r"(?P<kind>FROM)[ \t]+(?P<name>\S.*)",)

_PATTERNS: dict[str, tuple[str, ...]] = {
    **{f".{suffix}": patterns for suffixes, patterns in _LANGUAGES.items() for suffix in suffixes.split()},
    ".docker": _DOCKER,
}


def load_code(data: bytes, path: Path) -> Source:
    """A file of code as a Source: the file itself, its definitions marked; its title is its name.

    Raises LoadError for binary data and files without text.
    """
    text, encoding = decode(data)
    suffix = code_suffix(path)
    marks = list(_of_python(text) if suffix in (".py", ".pyi") else _by_shape(text, suffix))
    return Source(text, label_of(path.name) or "code", tuple(marks[:MARKS]), "code", None, encoding)


def code_suffix(path: Path) -> str:
    """The suffix that tells the language of a file; "" where its name tells none."""
    name = path.name.lower()
    return (
        _NAMES.get(name)
        or _NAMES.get(name.partition(".")[0])
        or (path.suffix.lower() if path.suffix.lower() in _PATTERNS else "")
    )


def _of_python(text: str) -> Iterator[Mark]:
    import ast

    if len(text) > PARSED_CHARS:
        yield from _by_shape(text, ".py")
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from _by_shape(text, ".py")
        return
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
    found: list[Mark] = []
    while waiting:
        node, level = waiting.pop()
        for child in ast.iter_child_nodes(node):
            deeper = level
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                deeper = level + 1
                first = min([child.lineno, *(one.lineno for one in child.decorator_list)])
                kind = "class" if isinstance(child, ast.ClassDef) else "def"
                if first < len(starts):
                    found.append(
                        Mark(starts[first - 1], "heading", f"{kind} {child.name}"[:200], min(deeper, 6))
                    )
            waiting.append((child, deeper))
    yield from sorted(found, key=lambda mark: mark.start)


def _by_shape(text: str, suffix: str) -> Iterator[Mark]:
    """Marks at the lines that look like definitions; their levels follow their indents."""
    sources = _PATTERNS.get(suffix, ())
    if not sources:
        return
    patterns = [re.compile(source) for source in sources]
    flat = suffix[1:] in _FLAT
    open_at: list[int] = []  # the indents of the definitions that are open
    start = 0
    for line in text.split("\n"):
        bare = line.lstrip(" \t")
        indent = len(line.expandtabs(4)) - len(bare.expandtabs(4))
        if (
            0 < len(bare) <= LINE_CHARS and not (flat and indent) and bare[0] not in "#*/-"
        ) or bare.startswith("#define"):
            match = next((found for pattern in patterns if (found := pattern.match(bare))), None)
            label = _label(match) if match else ""
            if match and label:
                while open_at and open_at[-1] >= indent:
                    open_at.pop()
                open_at.append(indent)
                level = _TEX_LEVELS.get(match["kind"], 1) if suffix in (".tex", ".ltx") else len(open_at)
                yield Mark(start, "heading", label, min(level, 6))
        start += len(line) + 1


def _label(match: re.Match[str]) -> str:
    name = match["name"].strip()
    if match["kind"] in _TEX_LEVELS and match[0].startswith("\\"):
        return label_of(re.sub(r"\\[a-zA-Z]+\*?|[{}$]", "", name))
    return label_of(f"{match['kind']} {name}".strip(" \"'"))
