"""Prompts as Markdown files, one per node and language, rendered strictly.

`string.Template` fills in values; there is no logic in a prompt, and retrieved text is always a value. What
a prompt says is in the files beside this one.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from string import Template

from agent.state import Lang


class PromptError(Exception):
    """A value is missing, or one is given that the prompt never uses: a mistake in the program."""


def render(name: str, lang: Lang, **values: str) -> str:
    """A prompt with its values. Raises `PromptError` when they do not match, both ways."""
    template = _template(name, lang)
    wanted = set(template.get_identifiers())
    if wanted != set(values):
        raise PromptError(f"{name}: wants {sorted(wanted)}, was given {sorted(values)}")
    return template.substitute(values).strip()


@cache
def _template(name: str, lang: Lang) -> Template:
    return Template(files("agent.prompts").joinpath(lang, f"{name}.md").read_text(encoding="utf-8"))
