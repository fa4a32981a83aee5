"""PDF: pages, titles, plain text, and files that cannot be read."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path

import pytest

from retrieval.load import Mark, line_of, place
from retrieval.load.pdf import clean, load_pdf, spans
from tests.load_files import make_pdf, reason, write

LOCKED_PDF = zlib.decompress(
    base64.b64decode(
        "eNqNUk1vEzEQvftXzCVH6vHn2tIqB9pGQoAapYUL6mH8FYKi3WqzkVr+JAf+AfwRnAXKinDAsiXrzXtvxjNerK9WL8"
        "SFYotv3798ZQIQ+vCJtS3j66FPx5gHaIOJTXEUdFyy5ZLlLp04csa9e3rIwNe0zQfGL/tjN4Jg/PUuHeAD6ErcwP1M"
        "qs6klzTSvt+ynx5w8t7MBPqfuRjf5EN/HGJV1Eil87c57ehl/1jT4gVOx0z7/mQ95FrY395m5v3+VPYGJONvcrcdP4"
        "LGqgMtvfa2kb4GVrv9WJvCb0fqEg2J8RtoNaLLQRePXoQgtbFCURTJkU5kC8oYUBhyylLJWKTT2gQRVDDoLUVVK38H"
        "rTFK5UwJrchWGePQk5DFqagiVbzIaFRCMo2XPqloCqHOqqiknG8yzafzOOTCECzD5wW2JjBQ4BkT9e1TpPuDGX+GCe"
        "HOMducYXKuHQfa7fMwtfV29znXUvim70dQU//5q670IH7dr+q8WpTZuKBMdKWxEZsUC8bgVUopW4di+T+UOufrLg5P"
        "DyOY34M+jDSMU0N0U3/64vpmxX4AzyvEYw=="
    )
)


def test_pdf_pages_and_title() -> None:
    source = load_pdf(make_pdf(["First page", "", "Third page"], "A title"), Path("x.pdf"))
    assert source.text == "First page\n\nThird page"
    assert source.marks == (Mark(0, "page", "1", 0), Mark(12, "page", "3", 0))
    assert source.title == "A title" and source.notes == ("page 2 has no text",)
    assert place(source.marks, 13) == ("", 3) and line_of(source, 3) is None


@pytest.mark.parametrize("title", ["", "untitled", "Microsoft Word - a.doc", "paper.tex", "Document1"])
def test_pdf_title_that_says_nothing(title: str) -> None:
    pdf = make_pdf(["Annual Report\nThis is the text of it."], title)
    assert load_pdf(pdf, Path("x.pdf")).title == "Annual Report"
    assert load_pdf(make_pdf(["it is all\nrunning text."], title), Path("x.pdf")).title == "x"


def test_pdf_text_is_made_plain() -> None:
    assert clean("adip\ufffeiscing a\x02\nb") == "adipiscing ab"
    assert clean("well\ufffeknown Anglo\ufffeSaxon", {"well-known"}) == "well-known Anglo-Saxon"
    assert clean("a\0b\ud800 \nend\ufffe") == "ab\nend-"
    assert spans([1, 2, 3, 7]) == "1-3, 7"


def test_pdf_that_cannot_be_read(tmp_path: Path) -> None:
    assert reason(write(tmp_path, "locked.pdf", LOCKED_PDF)).startswith("password-protected PDF")
    assert "broken PDF" in reason(write(tmp_path, "b.pdf", b"%PDF-1.7\n" + bytes(range(256))))
    assert reason(write(tmp_path, "none.pdf", make_pdf(["", ""]))) == "no text in this PDF"
