"""Where settings come from: flags, `AGENT_*` variables, a project's `.agent.toml`, the user's `config.toml`.

The first of them that has a setting decides it. The project's file is other people's text: until the user
trusts it as it stands, it decides only what `FROM_A_PROJECT` allows. This module reads and checks; it changes
no file and keeps no list of the trusted (`agent.config_files`), prints nothing but `tell`, and builds
nothing. It imports nothing that an `agent ask` without such files would not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from agent.config_files import (
    USER_FILE,
    decoded,
    find_project,
    is_trusted,
    lines_of,
    load_toml,
    short,
    shown,
    user_bytes,
)
from agent.errors import SettingsError
from agent.settings import Settings, parse, platform_folder

NO_PROJECT = "AGENT_NO_PROJECT"
MAX_PROBLEMS = 20  # told of one file

FROM_A_PROJECT: dict[str, tuple[bool, str]] = {
    "home": (False, "a path: where everything is kept, read and deleted"),
    "model": (False, "names a file to load, or a server that gets questions and passages"),
    "allow_remote": (False, "lets text leave the machine"),
    "embedder": (False, "names a model or a folder to load"),
    "rerank_model": (False, "names a model or a folder to load"),
    "verifier": (False, "names a file to load"),
    "scorer_model": (False, "names a model or a folder to load"),
    "judge_model": (False, "names a file to load, or a server that gets answers and passages"),
    "paths": (True, "a number of drafts, bounded"),
    "strictness": (False, "could make answers laxer than you want them"),
    "critic_timeout_s": (True, "a time; what is not judged by then is unverified"),
    "max_rounds": (True, "a number of rounds, bounded"),
    "timeout_s": (True, "a time, and Ctrl-C ends it sooner"),
    "max_tokens": (False, "could spend more of a model, which may cost money"),
    "max_passages": (True, "a budget, bounded"),
    "passages": (True, "a number of passages, bounded"),
    "max_evidence": (True, "a number of passages, bounded"),
    "moves": (True, "names of searches that are built in"),
    "context_tokens": (False, "takes memory of the machine"),
    "gpu_layers": (False, "takes memory of the GPU"),
    "max_output_tokens": (True, "the length of a reply, bounded"),
    "remember": (False, "whether what you ask is written down"),
    "read_only": (False, "whether your library may be changed"),
}
"""Whether a project's file that is not trusted may decide a setting, and why."""

KINDS = {field.name: str(field.type) for field in fields(Settings)}
_MEANT = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text in quotes",
    "Path | None": "a folder in quotes",
}


class Value(NamedTuple):
    """A setting as it was found."""

    value: Any
    source: str
    """ "default", "user", "project", "environment" or "flag"."""
    where: str
    """The file with its line, the variable, else the source."""


class FileOfSettings(NamedTuple):
    """What a file decides, what is wrong in it, and what it may not decide, with its lines."""

    values: dict[str, Value]
    problems: list[str]
    refused: dict[str, int]


class Resolved(NamedTuple):
    """Every setting; `problems` are lines about what cannot be used, `notes` about what was passed over."""

    values: dict[str, Value]
    problems: list[str]
    notes: list[str]

    def settings(self) -> Settings:
        """Raises `SettingsError` for the first of the problems."""
        if self.problems:
            more = len(self.problems) - 1
            raise SettingsError(self.problems[0] + (f"; {more} more: `agent config show`" if more else ""))
        return self.usable()

    def usable(self) -> Settings:
        """The settings without what has a problem."""
        return Settings(**{k: v.value for k, v in self.values.items() if v.source != "default"})


def resolve_here(flags: Mapping[str, Any]) -> Resolved:
    """Every setting as this process has it, by its environment and its working folder."""
    try:
        folder = Path.cwd()
    except OSError:  # it was deleted
        folder = None
    return resolve(flags, os.environ, config_folder(flags, os.environ), folder)


def resolve(
    flags: Mapping[str, Any],
    environment: Mapping[str, str],
    place: Path | None = None,
    folder: Path | None = None,
) -> Resolved:
    """Every setting, from the strongest source that has it.

    `place`: the folder of the user's file; `folder`: where the search for the project's begins. None for
    either reads no such file.
    """
    values: dict[str, Value] = {}
    problems: list[str] = []
    notes: list[str] = []
    for name in KINDS:
        variable = f"AGENT_{name.upper()}"
        try:
            if flags.get(name) is not None:
                Settings(**{name: flags[name]})
                values[name] = Value(flags[name], "flag", "flag")
            elif environment.get(variable):
                value = _from_environment(name, variable, environment[variable])
                values[name] = Value(value, "environment", variable)
        except SettingsError as error:
            problems.append(str(error))
    for file in _files(environment, place, folder, problems, notes):
        problems += file.problems
        values = {**file.values, **values}
    for name, default in _defaults().items():
        values.setdefault(name, Value(default, "default", "default"))
    return Resolved({name: values[name] for name in KINDS}, problems, notes)


def _from_environment(name: str, variable: str, text: str) -> Any:
    value = parse(KINDS[name], variable, text)
    try:
        Settings(**{name: value})
    except SettingsError as error:
        raise SettingsError(f"{variable}: {error}") from error
    return value


def _files(
    environment: Mapping[str, str],
    place: Path | None,
    folder: Path | None,
    problems: list[str],
    notes: list[str],
) -> Iterator[FileOfSettings]:
    """The project's file, then the user's, where there are such."""
    try:
        project = find_project(folder, notes) if folder and not project_is_off(environment) else None
        if project:
            read = read_settings_file(*project, "project", allow_all=False)
            if read.refused and place and is_trusted(place, *project):
                read = read_settings_file(*project, "project", allow_all=True)
            if read.refused:
                notes.append(_refusal(project[0], read.refused))
            yield read
    except SettingsError as error:
        problems.append(str(error))
    try:
        data = user_bytes(place / USER_FILE) if place else None
        if place and data is not None:
            yield read_settings_file(place / USER_FILE, data, "user", allow_all=True)
    except SettingsError as error:
        problems.append(str(error))


@cache
def _defaults() -> dict[str, Any]:
    return {field.name: field.default for field in fields(Settings)}


def config_folder(flags: Mapping[str, Any], environment: Mapping[str, str]) -> Path | None:
    """The folder of the user's file; None where AGENT_HOME names nothing that could be one."""
    if flags.get("home") is not None:
        return Path(flags["home"])
    if not environment.get("AGENT_HOME"):
        return platform_folder("config")
    try:
        home = parse("Path | None", "AGENT_HOME", environment["AGENT_HOME"])
    except SettingsError:
        return None
    return Path(home)


def project_is_off(environment: Mapping[str, str]) -> bool:
    """Whether AGENT_NO_PROJECT says that no `.agent.toml` counts. Raises `SettingsError`."""
    text = environment.get(NO_PROJECT)
    return bool(text) and bool(parse("bool", NO_PROJECT, str(text)))


@cache
def tell(line: str) -> None:
    """Say a line on stderr, once in the life of the process."""
    if sys.stderr:
        print(f"note: {line}", file=sys.stderr)


def read_settings_file(file: Path, data: bytes, source: str, *, allow_all: bool) -> FileOfSettings:
    """The settings of a file's bytes. `allow_all`: also what a project's file may not decide by itself."""
    try:
        text = decoded(data)
        table = load_toml(text)
        lines = lines_of(text)
    except SettingsError as error:
        return FileOfSettings({}, [f"{shown(file)}:{error}"], {})
    read = FileOfSettings({}, [], {})
    for name, value in table.items():
        if len(read.problems) == MAX_PROBLEMS:
            break
        line = lines.get(name, 1)
        if name in KINDS and not (allow_all or FROM_A_PROJECT[name][0]):
            read.refused[name] = line
            continue
        try:
            usable = checked(name, value, file.parent)
        except SettingsError as error:
            read.problems.append(f"{shown(file)}:{line}: {error}")
        else:
            read.values[name] = Value(usable, source, f"{shown(file)}:{line}")
    return read


def _refusal(file: Path, refused: Mapping[str, int]) -> str:
    import shlex

    named = ", ".join(f"{name} (line {line})" for name, line in refused.items())
    trust = f"agent config trust {shlex.quote(shown(file.parent))}"
    return f"{shown(file)} is not trusted, so it does not decide {named}: `{trust}` allows it"


def checked(name: str, value: Any, folder: Path) -> Any:
    """A value of a TOML file as the setting takes it; relative paths count from `folder`.

    Raises `SettingsError` without the place, which the caller knows.
    """
    kind = known_kind(name, value)
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not fits.get(kind, isinstance(value, str) and _is_text(value)):
        raise SettingsError(f"{name} must be {_MEANT[kind]}, not {_quoted(value)}")
    try:
        if kind == "float":
            value = float(value)
        if kind == "Path | None":
            if not value:
                raise SettingsError(f"{name} must name a folder")
            value = folder / parse(kind, name, value)
        made = Settings(**{name: value})
    except SettingsError as error:
        raise SettingsError(short(str(error))) from error
    except (OverflowError, ValueError) as error:  # of numbers too long to be written
        raise SettingsError(f"{name} is out of range") from error
    if name == "moves" and value:
        from agent.deps import moves_of

        moves_of(made)
    return value


def _is_text(value: str) -> bool:
    """Whether a file and a path may hold it."""
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)


def known_kind(name: str, value: Any = None) -> str:
    """The type of a setting, as its field says it. Raises `SettingsError`, naming the nearest there is."""
    if name in KINDS:
        return KINDS[name]
    from difflib import get_close_matches

    near = get_close_matches(name.lower().replace("-", "_"), KINDS, n=1)
    if near:
        advice = f"did you mean {near[0]}?"
    elif isinstance(value, dict | list):
        advice = "settings stand at the top, in no [table]"
    else:
        advice = "`agent config show` lists them"
    raise SettingsError(f"unknown setting {_quoted(name)}: {advice}")


def _quoted(value: Any) -> str:
    try:
        return short(repr(value))
    except (ValueError, RecursionError):  # a number too long to be written, a list too deep
        return "that"
