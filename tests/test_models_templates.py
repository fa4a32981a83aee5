"""Chat templates in the manner of well-known models, and templates that mean no good."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.templates import ChatTemplate, Message, TemplateError, opens_thinking
from tests.tiny_gguf import CHATML, CONTROL, DEEPSEEK, GEMMA, LLAMA3, MISTRAL, TAGS, TEMPLATES

SPELT = re.compile("|".join(map(re.escape, (*CONTROL, *TAGS, "<s>", "</s>"))))


def messages(*said: str) -> list[Message]:
    """`s:`, `u:` and `a:` say who speaks."""
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return [{"role": roles[text[0]], "content": text[2:]} for text in said]


def rendered(source: str, *said: str, think: bool | None = None) -> str:
    parts = ChatTemplate(source, "<s>", "</s>", SPELT).render(messages(*said), think=think)
    return "".join(text for text, _ in parts)


TALK = ("s:Be brief.", "u: 你好 ", "a:Hi", "u:Who?")


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        (
            CHATML,
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n你好<|im_end|>\n"
            "<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            LLAMA3,
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\n你好<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        (
            GEMMA,
            "<s><start_of_turn>user\nBe brief.\n\n 你好<end_of_turn>\n<start_of_turn>model\nHi<end_of_turn>\n"
            "<start_of_turn>user\nWho?<end_of_turn>\n<start_of_turn>model\n",
        ),
        (MISTRAL, "<s>[INST] Be brief.\n\n 你好  [/INST] Hi</s>[INST] Who? [/INST]"),
        (DEEPSEEK, "<s>Be brief.<｜User｜> 你好 <｜Assistant｜>Hi</s><｜User｜>Who?<｜Assistant｜><think>\n"),
    ],
    ids=TEMPLATES,
)
def test_prompts_are_those_of_the_template(source: str, prompt: str) -> None:
    assert rendered(source, *TALK) == prompt


def test_thinking_is_switched_by_the_template_or_closed_for_it() -> None:
    closed = "<think>\n\n</think>\n\n"
    for source in (CHATML, DEEPSEEK):
        assert rendered(source, *TALK, think=False).endswith(closed)
        assert not rendered(source, *TALK, think=True).endswith(closed)
    assert opens_thinking(rendered(DEEPSEEK, *TALK)) and not opens_thinking(rendered(CHATML, *TALK))
    assert rendered(LLAMA3, *TALK, think=False) == rendered(LLAMA3, *TALK, think=True)
    other = "{{ messages[0].content }} {{ 'on' if thinking else 'off' }}"
    assert [rendered(other, "u:x", think=think) for think in (True, False, None)] == [
        "x on",
        "x off",
        "x off",
    ]


@pytest.mark.parametrize("source", [GEMMA, MISTRAL], ids=["gemma", "mistral"])
def test_neighbours_become_one_where_roles_must_alternate(source: str) -> None:
    whole = rendered(source, "s:rules", "u:one", "u:two", "a:so", "u:三")
    assert "rules\n\none\n\ntwo" in whole and whole.count("三") == 1
    with pytest.raises(TemplateError, match="alternate"):
        rendered(source, "a:I begin", "u:No")


def test_a_system_text_that_is_left_out_is_told_to_the_user() -> None:
    silent = "{% for m in messages if m.role == 'user' %}[{{ m.content }}]{% endfor %}"
    assert rendered(silent, "s:规则", "u:Who?") == "[规则\n\nWho?]"
    with pytest.raises(TemplateError, match="leaves out what the user says"):
        rendered("{{ messages[0].role }}", "u:Who?")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for %}", "Expected an expression"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ lipsum(99) }}", "undefined"),
        ("{{ cycler.__init__.__globals__.os }}", "unsafe"),
        ("{% for n in range(99999999) %}x{% endfor %}", "count beyond"),
        ("{% for n in range(9999) %}{% for m in range(9999) %}x{% endfor %}{% endfor %}", "without end"),
        ("{{ 'x' * 999999999 }}", "repeat"),
        ("{{ 999999999 * 'x' }}", "repeat"),
        ("{{ '%999999999d' % 1 }}", "may not use %"),
        ("{{ 9 ** 9999999 }}", r"may not use \*\*"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ raise_exception('二\n三') }}", "二\n三"),
        ("x" * 200_001, "is the limit"),
    ],
)
def test_templates_that_are_broken_or_mean_no_good(source: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        rendered(source, "u:Who?")


def test_what_templates_of_transformers_use_is_there() -> None:
    source = (
        "{%- generation %}{{ messages | tojson }}{% endgeneration %}{{ strftime_now('%Y')[:2] }}"
        "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ 7 % 4 }}{% break %}{% endfor %}"
        "{% set n = namespace(x=1) %}{% set n.x = n.x + 1 %}{{ n.x }}{{ '-' * 3 }}{{ tools is none }}"
    )
    said = rendered(source, "u:好", "a:x", "a:y")
    assert said == (
        '[{"role": "user", "content": "好"}, {"role": "assistant", "content": "x"}, '
        '{"role": "assistant", "content": "y"}]2032---True'
    )


PIECES = st.sampled_from(["a", "好", " ", "\n", "<", "|>", "\ue000", "0", "<|im_", "end|>", *CONTROL, *TAGS])
TEXTS = st.lists(PIECES, min_size=1, max_size=8).map("".join).filter(str.strip)


@given(st.lists(TEXTS, min_size=1, max_size=3), st.sampled_from(["chatml", "llama3", "gemma", "mistral"]))
def test_what_a_message_spells_is_marked_as_text(said: list[str], name: str) -> None:
    """All control tokens outside of the marked parts are the template's own."""
    talk = [f"{'ua'[at % 2]}:{text}" for at, text in enumerate(said)]
    parts = ChatTemplate(TEMPLATES[name], "<s>", "</s>", SPELT).render(messages(*talk))
    unmarked = ChatTemplate(TEMPLATES[name], "<s>", "</s>").render(messages(*talk))
    assert "".join(text for text, _ in parts) == "".join(text for text, _ in unmarked), "nothing is changed"
    harmless = [f"{one[:2]}x" for one in talk]
    own = SPELT.findall(rendered(TEMPLATES[name], *harmless))
    assert [mark for text, is_plain in parts if not is_plain for mark in SPELT.findall(text)] == own
    assert [text for text, is_plain in parts if is_plain] == SPELT.findall("\0".join(said))


@given(st.text(min_size=1).filter(lambda text: text.strip() and not SPELT.search(text)))
def test_ordinary_text_leaves_the_prompt_in_one_piece(said: str) -> None:
    [(text, is_plain)] = ChatTemplate(CHATML, "<s>", "</s>", SPELT).render(messages(f"u:{said}"))
    assert not is_plain and said.strip() in text
