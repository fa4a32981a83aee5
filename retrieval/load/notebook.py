"""Load Jupyter notebooks (.ipynb): prose as it is written, code and its printed output in fences.

Headings in Markdown cells become marks. Images and widgets leave nothing but a note. Nothing is run.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from retrieval.load.draft import Draft, clean
from retrieval.load.markdown import headings
from retrieval.load.source import LoadError, Source, label_of
from retrieval.load.text import decode

OUTPUT_CHARS = 4_000  # of the printed output of one cell
CELLS = 20_000

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_EMBEDDED = re.compile(r"(data:[\w/+.-]+;base64,)[A-Za-z0-9+/=\s]{40,}")
_OBJECT = re.compile(r"\s*<[\w. ]+(?: (?:at|size|with|of) [^<>]*)?>\s*")  # <Figure size 432x288 with 1 Axes>


def load_notebook(data: bytes, path: Path) -> Source:
    """A notebook as a Source; its title is its first level-1 heading, else the file's name.

    Raises LoadError for what is no notebook and for one without text.
    """
    text, encoding = decode(data)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(
            f"not a notebook: its JSON is broken ({' '.join(str(error).split())[:80]})"
        ) from error
    cells = _cells(notebook)
    if cells is None:
        raise LoadError("not a notebook: it has no cells")
    language = _language(notebook)
    draft = Draft()
    images = 0
    for cell in cells[:CELLS]:
        images += _write(draft, cell, language) if isinstance(cell, dict) else 0
    if len(cells) > CELLS:
        draft.notes.append(f"only the first {CELLS} cells were read")
    if images:
        draft.notes.append(f"{images} image{'s' if images > 1 else ''} not read")
    first = next((mark.label for mark in draft.marks if mark.level == 1), "")
    return draft.source(first or path.stem, "notebook", encoding, empty="no text in this notebook")


def _cells(notebook: Any) -> list[Any] | None:
    """The cells of a notebook of version 4, or of the worksheets of an older one."""
    if not isinstance(notebook, dict):
        return None
    if isinstance(notebook.get("cells"), list):
        return list(notebook["cells"])
    sheets = notebook.get("worksheets")
    if not isinstance(sheets, list):
        return None
    found = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in found if isinstance(cells, list) for cell in cells]


def _language(notebook: dict[str, Any]) -> str:
    metadata = notebook.get("metadata")
    for key in ("kernelspec", "language_info"):
        info = metadata.get(key) if isinstance(metadata, dict) else None
        name = (info.get("language") or info.get("name")) if isinstance(info, dict) else None
        if isinstance(name, str) and re.fullmatch(r"[\w+#.-]{1,20}", name):
            return name
    return "python"


def _write(draft: Draft, cell: dict[str, Any], language: str) -> int:
    """Append a cell; the number of images in it."""
    kind, source = cell.get("cell_type"), _joined(cell.get("source", cell.get("input")))
    draft.gap()
    if kind == "code":
        if source.strip():
            draft.add(_fenced(source, language))
        return _outputs(draft, cell)
    text = _EMBEDDED.sub(r"\1…", source).strip("\n")
    level = cell.get("level")
    if kind == "heading" and isinstance(level, int):  # versions before 4
        text = f"{'#' * min(max(level, 1), 6)} {label_of(text)}"
    start = draft.add(text)
    if kind in ("markdown", "heading") and not draft.full and text.strip():
        for mark in headings(text):
            draft.marks.append(replace(mark, start=start + mark.start))
    attached = cell.get("attachments")
    return len(attached) if isinstance(attached, dict) else 0


def _joined(value: Any) -> str:
    """Text that is a string or a list of its lines."""
    if isinstance(value, list):
        return clean("".join(one for one in value if isinstance(one, str)))
    return clean(value) if isinstance(value, str) else ""


def _fenced(text: str, info: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{info}\n{text.strip(chr(10))}\n{fence}"


def _outputs(draft: Draft, cell: dict[str, Any]) -> int:
    texts, images = [], 0
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if isinstance(output, dict):
            text, has_image = _output(output)
            texts.append(text)
            images += has_image
    printed = "\n".join(text.strip("\n") for text in texts if text.strip())
    if len(printed) > OUTPUT_CHARS:
        printed = printed[:OUTPUT_CHARS].rpartition("\n")[0] or printed[:OUTPUT_CHARS]
        draft.notes.append("long outputs were cut")
    if printed.strip():
        draft.gap()
        draft.add(_fenced(printed, "output"))
    return images


def _output(output: dict[str, Any]) -> tuple[str, bool]:
    """The text of an output, and whether it has an image."""
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename', '')}: {output.get('evalue', '')}", False
    data = output.get("data")
    data = data if isinstance(data, dict) else output  # versions before 4 keep them side by side
    image = any(str(key).startswith("image/") or key in ("png", "jpeg", "svg") for key in data)
    text = _joined(data.get("text/plain", data.get("text", "")))
    text = _joined(data["text/markdown"]) if "text/markdown" in data else text
    text = _ANSI.sub("", _EMBEDDED.sub(r"\1…", text))
    return "" if _OBJECT.fullmatch(text) else text, image
