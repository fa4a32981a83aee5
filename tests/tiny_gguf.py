"""Tiny random models for the tests, and chat templates in the manner of well-known ones.

One token per byte, half a megabyte. Under a grammar, use flat shapes: enums, integers, booleans, short arrays
of them. A free string is closed in time only by a model to which its quotation mark is `likely`.
"""

from pathlib import Path
from typing import Any

from evals.random_gguf import write_random_gguf

CHAT_TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
# As Qwen3's: reasoning unless it is switched off, which an empty one says.
CHATML = """{%- for m in messages -%}
{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] | trim + '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif -%}
{%- endif -%}"""
LLAMA3 = """{{- bos_token }}
{%- for m in messages %}
{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""
GEMMA = """{{ bos_token }}
{%- if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for m in messages %}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' + m.content | trim }}<end_of_turn>
{% endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""
MISTRAL = """{{- bos_token }}
{%- if messages[0]['role'] == 'system' %}{% set told, rest = messages[0]['content'] + '\\n\\n', messages[1:] %}
{%- else %}{% set told, rest = '', messages %}{% endif %}
{%- for m in rest %}
{%- if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{- raise_exception('roles must alternate') }}{% endif %}
{%- if m['role'] == 'user' %}{{- '[INST] ' + (told if loop.first else '') + m['content'] + ' [/INST]' }}
{%- else %}{{- ' ' + m['content'] + eos_token }}{% endif %}
{%- endfor %}"""
DEEPSEEK = """{{ bos_token }}{% for m in messages if m.role == 'system' %}{{ m.content }}{% endfor %}
{%- for m in messages if m.role != 'system' -%}
{% if m.role == 'user' %}{{ '<｜User｜>' + m.content }}{% else %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + eos_token }}{% endif %}
{%- endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"""
TEMPLATES = {
    "chatml": CHATML,
    "llama3": LLAMA3,
    "gemma": GEMMA,
    "mistral": MISTRAL,
    "deepseek": DEEPSEEK,
}
CONTROL = (
    *("<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    *("<start_of_turn>", "<end_of_turn>", "[INST]", "[/INST]", "<｜User｜>", "<｜Assistant｜>"),
)
TAGS = ("<think>", "</think>")


def write_tiny_gguf(path: Path, *, chat_template: str | None = CHAT_TEMPLATE, **options: Any) -> Path:
    """As `write_random_gguf`, with a template."""
    return write_random_gguf(path, chat_template=chat_template, **options)


def write_chatty_gguf(path: Path, chat_template: str, **options: Any) -> Path:
    """With the control tokens and tags of real models; it closes strings, reasoning and replies in time."""
    likely = {'"': 10.0, "</think>": 10.0, "</s>": 9.0}
    given = {"control": CONTROL, "own": TAGS, "likely": likely, **options}
    return write_random_gguf(path, chat_template=chat_template, **given)
