"""The files of settings: found, read as TOML with the line of each key, edited, and trusted or not.

It knows no setting by name, decides nothing by what it reads and tells nobody: that is `agent.config`.
Reading imports nothing but the standard library; only an edit imports `tomlkit`, which keeps what stands
around a setting.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.errors import InputError, SettingsError

USER_FILE = "config.toml"
PROJECT_FILE = ".agent.toml"
TRUSTED_FILE = "trusted.json"
MAX_BYTES = 16_384  # of a file of settings; what is larger is none
SHOWN_CHARS = 80  # of what a file says, in a line about it


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
        raise SettingsError(f"{line}: it is no TOML: {short(what)}") from error
    except RecursionError as error:
        raise SettingsError("1: it is no TOML that can be read: nested too deeply") from error


def shown(path: Path) -> str:
    """A path as a line may hold it: names that others gave cannot steer the terminal."""
    return "".join(c if c.isprintable() else "?" for c in str(path))


def short(text: str) -> str:
    return text if len(text) <= 2 * SHOWN_CHARS else text[:SHOWN_CHARS] + "..."


# Strings and comments too, as they may hold what looks like a key (TOML 1.0: strings, comments, keys).
_KEY = r"""("(?:\\.|[^"\\\n])*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_KEYS = (  # not compiled until a file has to be read
    r'(?ms)"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    rf"|^[ \t]*{_KEY}[ \t]*[=.]"
    rf"|^[ \t]*\[\[?[ \t]*{_KEY}[ \t]*[\].]"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
)


def lines_of(text: str) -> dict[str, int]:
    """The line, from 1, of each key at the top of a sound TOML text, and of each table.

    Keys within tables are there as well, unless the top has them, too.
    """
    lines: dict[str, int] = {}
    for found in re.finditer(_KEYS, text):
        if key := found[1] or found[2]:
            [name] = load_toml(f"{key} = 0")
            lines.setdefault(name, text.count("\n", 0, found.start()) + 1)
    return lines


def edited(text: str, name: str, value: Any) -> str:
    """A TOML text with one setting at its top changed, added, or (None) taken out; all else stays as it is.

    A text that is broken elsewhere than in the setting's own line is refused, as are tables and whatever
    could not be read back as it was meant. Raises `SettingsError` that begins with the line.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    text, before = _mended(text, name)
    if value is None and name not in before:
        return text
    old = before.get(name)
    if isinstance(old, dict) or (isinstance(old, list) and any(isinstance(one, dict) for one in old)):
        raise SettingsError(f"{lines_of(text).get(name, 1)}: {name} is a table here, and no setting")
    try:
        document = tomlkit.parse(text)
        if document.as_string() != text:  # it gathers tables of one array that others stand between
            raise SettingsError(f"1: {name} cannot be changed without changing more")
        if value is None:
            document.pop(name, None)
        else:
            document[name] = tomlkit.value(written(value))
        new = document.as_string()
    except (TOMLKitError, RecursionError) as error:
        raise SettingsError(
            f"{getattr(error, 'line', 1)}: {name} cannot be changed: {short(str(error))}"
        ) from error
    if "\n" in text and text.count("\n") == text.count("\r\n"):
        new = new.replace("\r\n", "\n").replace("\n", "\r\n")
    wanted = {key: one for key, one in {**before, name: value}.items() if one is not None}
    if load_toml(new) != wanted:
        raise SettingsError(f"1: {name} cannot be changed without changing more")
    return new


def _mended(text: str, name: str) -> tuple[str, dict[str, Any]]:
    """A text and what it says; where it is broken, with a plain value on the setting's own line."""
    try:
        return text, load_toml(text)
    except SettingsError:
        own = rf"(?m)^([ \t]*([\"']?){re.escape(name)}\2[ \t]*=)[^#\r\n]*?(?=[ \t]*(?:#|\r?$))"
        mended = re.sub(own, r"\1 0", text, count=1)
        return mended, load_toml(mended)


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
