"""Web pages: layout, lines, furniture, charsets, and hostile markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrieval.load import Mark, Source, line_of
from retrieval.load.html import load_html
from tests.linear import assert_linear
from tests.load_files import CHINESE


def html(markup: str) -> Source:
    return load_html(markup.encode(), Path("page.html"))


def test_html_layout() -> None:
    source = html(
        "<title>T &amp; t</title><body><h1>Big\n heading</h1><p>One <b>bold</b>,\n two<br>three"
        "<p>中文\n分行<ul><li>a<li>b<ul><li>c</ul></ul><table><tr><th>A<th><p>B</p><p>b</p>"
        "<tr><td><td>2</table><pre>\n  x\n\ny\n</pre>end<script>no()</script>"
    )
    assert source.title == "T & t"
    assert source.text == (
        "Big heading\n\nOne bold, two\nthree\n\n中文分行\n\na\nb\nc\n\nA\tB b\n\t2\n\n  x\n\ny\n\nend"
    )
    assert source.marks == (Mark(0, "heading", "Big heading", 1),)


def test_html_lines() -> None:
    markup = "<p>one\n\n<p>two three\nfour <b>five</b>\n<!-- a\nb --><pre>six\n\nseven</pre>"
    source = html(markup)
    for word in ("one", "two", "three", "four", "five", "six", "seven"):
        line = next(i for i, text in enumerate(markup.split("\n"), 1) if word in text)
        assert line_of(source, source.text.index(word)) == line


def test_html_furniture() -> None:
    long = "A sentence of the article. " * 20
    page = f"<nav>Home</nav><header>Site</header><div hidden>h</div><p>{long}<aside>ad</aside>"
    assert html(page).text == long.strip()
    assert "Menu" not in html(f"<div>Menu</div><main><p>{long}</main><div>also</div>").text
    assert "also" in html(f"<main>short</main><p>{long}<div>also</div>").text
    assert long.strip() in html(f"<form><p>{long}</form>").text  # all of it is furniture
    assert html("<article><header><h1>Title</h1></header>text</article>").marks[0].label == "Title"
    assert "5" in html(f'<p class="a hidden">5</p>{long}').text


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ('<meta charset="gb2312">', "gbk"),
        ("<meta http-equiv=Content-Type content='text/html; charset=gbk'>", "gbk"),
        ("", "gbk"),
        ('<meta charset="gb2312">', "utf-8"),
        ('<meta charset="utf-8">', "gbk"),
        ('<meta charset="no-such">', "utf-8"),
        ('<meta charset="base64">', "utf-16"),
    ],
)
def test_html_charset(head: str, encoding: str) -> None:
    source = load_html(f"<html>{head}<p>{CHINESE}".encode(encoding), Path("x.html"))
    assert "今天下午三点" in source.text


@pytest.mark.parametrize(
    "piece",
    [
        *("<a", "<!--", "<!", "</x", "<div>", "&#", "<![if ", "<?x", '<a b="', "<a b='>", "a < b "),
        *("<td>x", "<li><p>x", "<pre>", "<h1>", "<title>", "<a =", "<script>", "\n", "<svg>"),
    ],
)
def test_broken_html_takes_no_long_time(piece: str) -> None:
    assert html("text " + piece * 20).text.startswith("text")
    assert_linear(lambda size: html("text " + piece * size), 1_000)


def test_embedded_image_leaves_nothing() -> None:
    image = "QUJD" * 500_000
    source = html(f'<p>before<img alt="x" src="data:image/png;base64,{image}">after')
    assert source.text == "beforeafter"
