"""Elements of a page, written by ElementTree: no text can become markup. It knows no page and no style."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

from retrieval.tokens import is_chinese, simplified

Part = Element | str | None

# Control characters, marks that turn a text's direction, and what no page may hold.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def element(tag: str, *parts: Part, **attributes: str | None) -> Element:
    """An element of these texts and elements; an attribute that is None is left out, `class_` is `class`."""
    made = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            made.set(name.rstrip("_").replace("_", "-"), _UNSEEN.sub("", value))
    last: Element | None = None
    for part in parts:
        if isinstance(part, Element):
            made.append(part)
            last = part
        elif part and last is None:
            made.text = (made.text or "") + _UNSEEN.sub("", part)
        elif part and last is not None:
            last.tail = (last.tail or "") + _UNSEEN.sub("", part)
    return made


def head(title: str, generator: str, style: str) -> Element:
    """The head of a page that fetches nothing. `generator`: by which it is known to be one of ours."""
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="generator", content=generator),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", title),
        element("style", style),
    )


def written(page: Element) -> str:
    """A page as the text of its file."""
    return f"<!DOCTYPE html>\n{tostring(page, encoding='unicode', method='html')}\n"


def lang_of(text: str) -> str:
    """The language of a text as HTML names it; the script of Chinese decides on its font."""
    if not is_chinese(text):
        return "en"
    return "zh-Hans" if simplified(text) == text else "zh-Hant"
