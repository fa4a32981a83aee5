"""A library whose documents change, move and go between askings, with what is true of it at any time.

Each document states one thing and its value, in English or in Chinese. An event happens to files on disk and
is then told to the library, as `agent add` would; what a question ought to be answered with is known.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

NAMES = {
    "en": "Alder Birch Cedar Dogwood Elm Fir Ginkgo Hazel Ivy Juniper".split(),
    "zh": "松树 柏树 桃树 梨树 杏树 枣树 柳树 榆树 槐树 桑树".split(),
}
TEXTS = {
    "en": "Notes of the {name} club.\n\nThe yearly fee of the {name} club is {value} euros.\n\nIt meets on Mondays.",
    "zh": "{name}俱乐部的说明。\n\n{name}俱乐部的年费是{value}元。\n\n每周一聚会。",
}
QUESTIONS = {"en": "How much is the yearly fee of the {name} club?", "zh": "{name}俱乐部的年费是多少？"}


@dataclass
class World:
    """The files below a folder, and what they say now and ever said."""

    folder: Path
    dice: random.Random
    files: dict[tuple[str, str], Path] = field(default_factory=dict)
    values: dict[tuple[str, str], int] = field(default_factory=dict)
    before: dict[tuple[str, str], set[int]] = field(default_factory=dict)

    def begin(self) -> None:
        for lang, names in NAMES.items():
            for name in names:
                self.state(lang, name)

    def state(self, lang: str, name: str) -> None:
        """Write a document, or write it anew with another value; at times something is put before it."""
        key = lang, name
        value = self.dice.randrange(100, 1000)
        while value in self.before.get(key, set()):
            value = self.dice.randrange(100, 1000)
        file = self.files.setdefault(key, self.folder / f"{lang}-{name}.txt")
        lead = "A line of no interest. 一行无关的话。\n\n" * self.dice.randrange(3)
        file.write_text(lead + TEXTS[lang].format(name=name, value=value), encoding="utf-8")
        self.values[key] = value
        self.before.setdefault(key, set()).add(value)

    def move(self, lang: str, name: str) -> None:
        key = lang, name
        if key in self.values:
            new = self.folder / f"{lang}-{name}-{self.dice.randrange(10**6)}.txt"
            self.files[key].rename(new)
            self.files[key] = new

    def remove(self, lang: str, name: str) -> None:
        key = lang, name
        if self.values.pop(key, None) is not None:
            self.files.pop(key).unlink()

    def event(self) -> str:
        """Something happens to one document; what."""
        lang = self.dice.choice(("en", "zh"))
        name = self.dice.choice(NAMES[lang])
        what = self.dice.choice(("state", "state", "move", "remove"))
        getattr(self, what)(lang, name)
        return what

    def asked(self) -> tuple[str, str, str]:
        """Language, name and question of one document, there or not."""
        lang = self.dice.choice(("en", "zh"))
        name = self.dice.choice(NAMES[lang])
        return lang, name, QUESTIONS[lang].format(name=name)
