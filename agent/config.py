"""Where settings come from: flags, `AGENT_*` variables, a project's `.agent.toml`, the user's `config.toml`.

The first of them that has a setting decides it. The project's file is other people's text: until the user
trusts it as it stands, it decides only what `FROM_A_PROJECT` allows. This module reads the files, edits the
user's and keeps the list of those that are trusted; it prints nothing but `tell`, and builds nothing. It
imports nothing that an `agent ask` without such files would not.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from agent.errors import InputError, SettingsError
from agent.settings import Settings, parse, platform_folder

USER_FILE = "config.toml"
PROJECT_FILE = ".agent.toml"
TRUSTED_FILE = "trusted.json"
NO_PROJECT = "AGENT_NO_PROJECT"
MAX_BYTES = 16_384  # of a file of settings; what is larger is none
MAX_PROBLEMS = 20  # told of one file
SHOWN_CHARS = 80  # of what a file says, in a line about it

FROM_A_PROJECT: dict[str, tuple[bool, str]] = {
    "home": (False, "a path: where everything is kept, read and deleted"),
    "model": (False, "names a file to load, or a server that gets questions and passages"),
    "allow_remote": (False, "lets text leave the machine"),
    "embedder": (False, "names a model or a folder to load"),
    "rerank_model": (False, "names a model or a folder to load"),
    "judge_model": (False, "names a file to load, or a server that gets answers and passages"),
    "paths": (True, "a number of drafts, bounded"),
    "strictness": (True, "how sure an answer must be; it still says how sure it is"),
    "critic_timeout_s": (True, "a time; what is not judged by then is unverified"),
    "max_rounds": (True, "a number of rounds, bounded"),
    "timeout_s": (True, "a time, and Ctrl-C ends it sooner"),
    "max_tokens": (True, "a budget, beside those of rounds and seconds"),
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


def user_bytes(file: Path) -> bytes | None:
    """The user's file, None where there is none. Raises `SettingsError` where it cannot be read."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{shown(file)} cannot be read: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise SettingsError(f"{shown(file)} is larger than {MAX_BYTES} bytes: it is no file of settings")
    return data


def find_project(folder: Path, notes: list[str]) -> tuple[Path, bytes] | None:
    """The nearest `.agent.toml` from a folder upwards that may be read, and what it says.

    The home folder and the root of the file system are the last to be looked at. What is passed over on the
    way is told in `notes`.
    """
    home = Path(os.path.realpath(os.path.expanduser("~")))
    for place in (folder, *folder.parents):
        file = place / PROJECT_FILE
        if os.path.lexists(file):
            data = _guarded(file)
            if isinstance(data, bytes):
                return file, data
            notes.append(f"{shown(file)} is ignored: {data}")
        if place == home:
            break
    return None


def _guarded(file: Path) -> bytes | str:
    """What a project's file says, or why it is not read. It is looked at through the one open file."""
    target = Path(os.path.realpath(file))
    if not target.is_relative_to(os.path.realpath(file.parent)):
        return "it is a link that leads out of its folder"
    own = getattr(os, "getuid", lambda: None)()
    flags = [getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")]
    try:
        opened = os.open(target, os.O_RDONLY | sum(flags))
        try:
            state = os.fstat(opened)
            if not stat.S_ISREG(state.st_mode):
                return "it is no file"
            if own is not None and state.st_uid != own:
                return "it belongs to another user"
            data = os.read(opened, MAX_BYTES + 1)
        finally:
            os.close(opened)
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return data if len(data) <= MAX_BYTES else f"it is larger than {MAX_BYTES} bytes"


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
        raise SettingsError(_short(str(error))) from error
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


def decoded(data: bytes) -> str:
    """The text of a file, without the mark that some editors begin it with."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SettingsError(f"{line}: it is not UTF-8") from error


def load_toml(text: str) -> dict[str, Any]:
    """The table of a TOML text. Raises `SettingsError` that begins with the line."""
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as error:  # also of numbers too long to be read
        said = str(error)
        found = re.search(r" ?\(at (?:line (\d+), column \d+|end of document)\)", said)
        line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1 if found else 1
        what = said[: found.start()] if found else said
        raise SettingsError(f"{line}: it is no TOML: {_short(what)}") from error
    except RecursionError as error:
        raise SettingsError("1: it is no TOML that can be read: nested too deeply") from error


def shown(path: Path) -> str:
    """A path as a line may hold it: names that others gave cannot steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(path))


def _quoted(value: Any) -> str:
    try:
        return _short(repr(value))
    except (ValueError, RecursionError):  # a number too long to be written, a list too deep
        return "that"


def _short(text: str) -> str:
    return text if len(text) <= 2 * SHOWN_CHARS else text[:SHOWN_CHARS] + "..."


class Statement(NamedTuple):
    """A stretch of TOML that stands by itself, without the end of its last line."""

    start: int
    end: int
    line: int
    """Of its beginning, from 1."""


# Strings first, as they may hold whatever else is looked for (TOML 1.0: strings, comments, arrays).
_TOKEN = (  # not compiled until a file has to be read
    r"(?s)"
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\[^\n]|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\r\n]*|\r?\n|[^\"'#\r\n\[\]{}]+|."
)
_ASSIGNED = r"""\s*("[^"\n]*"|'[^'\n]*'|[A-Za-z0-9_-]+)\s*=[ \t]*"""


def statements(text: str) -> Iterator[Statement]:
    """The stretches of a sound TOML text that hold more than blanks and comments."""
    start, depth, line, first, full = 0, 0, 1, 1, False
    for token in re.finditer(_TOKEN, text + "\n"):
        word = token[0]
        if word in ("\n", "\r\n") and depth <= 0:
            if full:
                yield Statement(start, token.start(), first)
            start, first, depth, full = token.end(), line + 1, 0, False
        elif word in "[{":
            depth, full = depth + 1, True
        elif word in "]}":
            depth -= 1
        elif not word.isspace() and not word.startswith("#"):
            full = True
        line += word.count("\n")


def lines_of(text: str) -> dict[str, int]:
    """The line of each key at the top of a sound TOML text, and of each table."""
    lines: dict[str, int] = {}
    for statement, name, in_table in _named(text):
        if not in_table or text[statement.start : statement.end].lstrip().startswith("["):
            lines.setdefault(name, statement.line)
    return lines


def _named(text: str) -> Iterator[tuple[Statement, str, bool]]:
    """The statements of a sound text, each with the first part of its key and whether it is of a table."""
    in_table = False
    for statement in statements(text):
        own = text[statement.start : statement.end]
        in_table = in_table or own.lstrip().startswith("[")
        for name in load_toml(own):
            yield statement, name, in_table


def edited(text: str, name: str, value: Any) -> str:
    """A TOML text with one setting at its top changed, added, or (None) taken out; all else stays as it is.

    A text that is broken elsewhere than in the setting's own line is refused, as is whatever could not be
    read back as it was meant. Raises `SettingsError` for both.
    """
    try:
        before = load_toml(text)
    except SettingsError:
        before = None
    own = _own(text, name, sound=before is not None)
    new = _without(text, own) if value is None else _with(text, own, name, value, before)
    after = load_toml(new)
    wanted = {**(before if before is not None else after), name: value}
    if value is None:
        del wanted[name]
    if after != wanted:
        raise SettingsError(f"1: {name} cannot be changed without changing more")
    return new


def _own(text: str, name: str, *, sound: bool) -> Statement | None:
    """The statement of a setting; in a text that is not sound, its line."""
    if sound:
        return next((one for one, key, in_table in _named(text) if key == name and not in_table), None)
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        found = re.match(_ASSIGNED, line)
        if found and found[1].strip("\"'") == name:
            return Statement(start, start + len(line.removesuffix("\r")), number)
        start += len(line) + 1
    return None


def _without(text: str, own: Statement | None) -> str:
    if own is None:
        return text
    rest = text[own.end :]
    return text[: own.start] + rest.removeprefix("\r").removeprefix("\n")


def _with(text: str, own: Statement | None, name: str, value: Any, before: Any) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    if own is None:
        tables = (one.start for one, _, in_table in _named(text) if in_table) if before is not None else ()
        at = next(iter(tables), len(text))
        gap = newline if text[:at] and not text[:at].endswith("\n") else ""
        return f"{text[:at]}{gap}{name} = {written(value)}{newline}{text[at:]}"
    old = text[own.start : own.end]
    assigned = re.match(_ASSIGNED, old)
    if assigned is None:
        raise SettingsError(f"{own.line}: {name} cannot be changed here")
    rest = old[assigned.end() :]
    *_, last = [0, *(token.start() for token in re.finditer(_TOKEN, rest))]
    kept = rest[:last] if rest[last:].startswith("#") else rest
    tail = rest[len(kept.rstrip()) :]
    return f"{text[: own.start]}{assigned[0]}{written(value)}{tail}{text[own.end :]}"


def written(value: Any) -> str:
    """A value as TOML writes it, what cannot be seen as an escape."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    import json

    text = json.dumps(str(value), ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def change(file: Path, name: str, value: Any) -> bool:
    """Change a setting in the user's file, or (None) take it out; whether that changed the file.

    Raises `SettingsError`, and leaves the file as it was.
    """
    data = user_bytes(file) or b""
    try:
        text = decoded(data)
        new = edited(text, name, value)
    except SettingsError as error:
        raise SettingsError(f"{shown(file)}:{error}; `agent config edit` opens it") from error
    mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
    if new == text:
        return False
    write_whole(file, mark + new.encode("utf-8"))
    return True


def write_whole(file: Path, data: bytes) -> None:
    """Put a file in the place of another at once, through links, with the other's mode.

    Raises `SettingsError` where that cannot be done.
    """
    import shutil
    import tempfile

    target = Path(os.path.realpath(file))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            if target.exists():
                shutil.copymode(target, part)
            os.replace(part, target)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"{shown(file)} cannot be written: {error.strerror}") from error


def is_trusted(place: Path, file: Path, data: bytes) -> bool:
    """Whether the user trusts a project's file with just these bytes. `place`: of the user's file."""
    try:
        return _trusted(place).get(_key(file)) == _digest(data)
    except SettingsError:
        return False


def trust(place: Path, file: Path, data: bytes) -> None:
    """Trust a project's file as long as it has these bytes. Raises `SettingsError`."""
    _change_trusted(place, lambda known: known.update({_key(file): _digest(data)}))


def untrust(place: Path, file: Path) -> None:
    """Trust a file no longer. Raises `InputError` where it was not trusted."""
    if _key(file) not in _trusted(place):
        raise InputError(f"{shown(file)} is not trusted")
    _change_trusted(place, lambda known: known.pop(_key(file)))


def _trusted(place: Path) -> dict[str, str]:
    """The SHA-256 of each trusted file, by its path. Raises `SettingsError` for a damaged list."""
    file = place / TRUSTED_FILE
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SettingsError(f"{shown(file)} cannot be read: {error.strerror}") from error
    import json

    try:
        known = json.loads(data)
        return {str(path): str(digest) for path, digest in known.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise SettingsError(f"{shown(file)} is damaged: remove it, and trust again what you trust") from error


def _change_trusted(place: Path, act: Callable[[dict[str, str]], object]) -> None:
    import json

    known = _trusted(place)
    act(known)
    write_whole(place / TRUSTED_FILE, json.dumps(known, indent=1, sort_keys=True).encode() + b"\n")


def _key(file: Path) -> str:
    return os.path.realpath(file)


def _digest(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()
