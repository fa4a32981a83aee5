"""`agent config`: every setting with where it comes from, the user's file, and which projects are trusted.

All of these work also where a file is broken, so that one can mend it; what is wrong is told and ends in
exit code 2.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import completing

if TYPE_CHECKING:
    from agent.config import Resolved

config_app = typer.Typer(
    help="Look at the settings and change them. Example: agent config show", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Key = Annotated[
    str,
    typer.Argument(
        help="A setting of `agent config show`.", metavar="KEY", autocompletion=completing.settings
    ),
]
Folder = Annotated[
    Path | None,
    typer.Argument(
        help="The folder of the .agent.toml; without it, the one in force here.", metavar="FOLDER"
    ),
]


@config_app.command("show")
def show(json: Json = False) -> None:
    """Show each setting, its value and where that comes from. Example: agent config show"""
    from agent.cli.render import console, print_json, print_table

    found = _resolved()
    if json:
        rows = {
            name: {"value": _plain(one.value), "source": one.source, "where": one.where}
            for name, one in found.values.items()
        }
        print_json({"settings": rows, "problems": found.problems, "notes": found.notes})
    else:
        print_table([[k, _literal(v.value), v.where] for k, v in found.values.items()], console())
    _end(found, told=json)


@config_app.command("path")
def path() -> None:
    """Print the path of your file of settings, which may not be there yet. Example: agent config path"""
    print(_user_file())


@config_app.command("get")
def get(key: Key) -> None:
    """Print the value of one setting. Example: agent config get max_rounds"""
    name = _name(key)
    found = _resolved()
    value = _plain(found.values[name].value)
    print(str(value).lower() if isinstance(value, bool) else "" if value is None else value)
    _end(found)


@config_app.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    key: Key,
    value: Annotated[str, typer.Argument(help="Its value from now on.", metavar="VALUE")],
) -> None:
    """Write a setting to your file, where all else stays. Example: agent config set max_rounds 3"""
    from agent import config, config_files
    from agent.settings import parse

    name = _name(key)
    given = parse(config.KINDS[name], name, value)
    if isinstance(given, Path):
        given = str(given.absolute())
    file = _user_file()
    usable = config.checked(name, given, file.parent)
    config_files.change(file, name, str(usable) if isinstance(usable, Path) else usable)
    found = _resolved()
    stronger = found.values[name]
    if stronger.source != "user":
        print(f"note: {stronger.where} decides {name} here, before your file", file=sys.stderr)
    _end(found)


@config_app.command("unset")
def unset(
    key: Annotated[
        str,
        typer.Argument(help="What your file sets.", metavar="KEY", autocompletion=completing.settings),
    ],
) -> None:
    """Take a setting out of your file. Example: agent config unset max_rounds"""
    from agent import config_files
    from agent.errors import InputError

    file = _user_file()
    if not any(config_files.change(file, name, None) for name in dict.fromkeys((key, key.replace("-", "_")))):
        raise InputError(f"{file} does not set {key!r}")
    _end(_resolved())


@config_app.command("edit")
def edit() -> None:
    """Open your file in $VISUAL or $EDITOR, and check what was saved. Example: agent config edit"""
    import os
    import shlex
    import subprocess

    from agent.errors import SettingsError

    file = _user_file()
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ""
    if not editor.strip():
        raise SettingsError(f"no editor: set EDITOR to yours; the file is {file}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        code = subprocess.run([*shlex.split(editor), str(file)], check=False).returncode
    except (OSError, ValueError) as error:
        raise SettingsError(f"{editor} {file}: {error}") from error
    if code:
        raise SettingsError(f"{editor} ended with exit code {code}")
    _end(_resolved())


@config_app.command("trust")
def trust(folder: Folder = None) -> None:
    """Let a project's .agent.toml set everything, as long as it stays as it is.

    Example: agent config trust ~/papers/treaty
    """
    from agent import config, config_files
    from agent.errors import SettingsError

    file, data = _project(folder)
    found = config.read_settings_file(file, data, "project", allow_all=True)
    if found.problems:
        raise SettingsError(found.problems[0])
    config_files.trust(_user_file().parent, file, data)
    print(f"trusted until it changes: {config_files.shown(file)}")
    for name, one in found.values.items():
        if not config.FROM_A_PROJECT[name][0]:
            print(f"{name} = {_literal(one.value)}")


@config_app.command("untrust")
def untrust(folder: Folder = None) -> None:
    """Trust a project's .agent.toml no longer. Example: agent config untrust ~/papers/treaty"""
    from agent import config_files

    file = folder.expanduser() / config_files.PROJECT_FILE if folder else _project(None)[0]
    config_files.untrust(_user_file().parent, file)
    print(f"no longer trusted: {config_files.shown(file)}")


def _resolved() -> Resolved:
    from agent.config import resolve_here

    return resolve_here({})


def _end(found: Resolved, *, told: bool = False) -> None:
    """Say what is wrong and what was passed over, and leave with 2 where something is wrong."""
    from agent.config import tell

    for note in () if told else found.notes:
        tell(note)
    for problem in () if told else found.problems:
        print(f"error: {problem}", file=sys.stderr)
    if found.problems:
        raise typer.Exit(2)


def _user_file() -> Path:
    import os

    from agent.config import config_folder
    from agent.config_files import USER_FILE
    from agent.errors import SettingsError

    place = config_folder({}, os.environ)
    if place is None:
        raise SettingsError(f"AGENT_HOME={os.environ['AGENT_HOME']!r} is no folder")
    return place.absolute() / USER_FILE


def _name(key: str) -> str:
    from agent.config import known_kind

    name = key.replace("-", "_")
    known_kind(name)
    return name


def _project(folder: Path | None) -> tuple[Path, bytes]:
    """The `.agent.toml` of a folder, or the one in force here. Raises `InputError` where there is none."""
    from agent.config_files import PROJECT_FILE, find_project
    from agent.errors import InputError

    notes: list[str] = []
    start = (folder or Path()).expanduser().resolve()
    found = find_project(start, notes)
    if found is None or (folder is not None and found[0].parent != start):
        raise InputError(notes[0] if notes else f"there is no {PROJECT_FILE} in {start}")
    return found


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _literal(value: Any) -> str:
    from agent.config_files import written

    return "-" if value is None else written(value)
