"""Where settings come from, what a project may decide, how the user's file is changed, and `agent config`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.config import FROM_A_PROJECT, KINDS, read_settings_file, resolve
from agent.config_files import (
    MAX_BYTES,
    PROJECT_FILE,
    TRUSTED_FILE,
    USER_FILE,
    change,
    edited,
    find_project,
    is_trusted,
    lines_of,
    trust,
    untrust,
    written,
)
from agent.errors import InputError, SettingsError
from agent.settings import Settings, platform_folder, read_settings
from tests.processes import called, python

SAFE = sorted(name for name, (safe, _) in FROM_A_PROJECT.items() if safe)
UNSAFE = sorted(set(FROM_A_PROJECT) - set(SAFE))
OTHER: dict[str, Any] = {
    "home": "别处",
    "model": "小模型.gguf",
    "allow_remote": True,
    "embedder": "some/model",
    "rerank_model": "some/model",
    "verifier": "off",
    "scorer_model": "some/model",
    "judge_model": "评审.gguf",
    "paths": 3,
    "strictness": "strict",
    "critic_timeout_s": 9.5,
    "max_rounds": 5,
    "timeout_s": 7,
    "max_tokens": 4000,
    "max_passages": 100,
    "passages": 4,
    "max_evidence": 24,
    "moves": "gloss,bridge",
    "context_tokens": 4096,
    "gpu_layers": 3,
    "max_output_tokens": 64,
    "remember": False,
    "read_only": True,
}
"""A value of each setting that is not its default."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The folder of the user's file."""
    folder = tmp_path / "user"
    folder.mkdir()
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder within a project."""
    folder = tmp_path / "条约" / "notes"
    folder.mkdir(parents=True)
    return folder


def write(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def toml(values: dict[str, Any]) -> str:
    return "".join(f"{name} = {written(value)}\n" for name, value in values.items())


def test_every_setting_is_decided_upon() -> None:
    assert list(FROM_A_PROJECT) == list(KINDS) == list(OTHER)
    assert all(reason for _, reason in FROM_A_PROJECT.values())
    named = {
        "home",
        "model",
        "judge_model",
        "embedder",
        "rerank_model",
        "verifier",
        "scorer_model",
        "allow_remote",
    }
    assert named | {"remember", "read_only"} <= set(UNSAFE), "they name models, servers, paths, or bare text"
    assert {"strictness", "max_tokens"} <= set(UNSAFE), "laxer answers, more spent"


def test_settings_by_themselves_read_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(place / USER_FILE, "max_rounds = 7\n")
    monkeypatch.setenv("AGENT_HOME", str(place))
    monkeypatch.setenv("AGENT_PATHS", "2")
    assert Settings().max_rounds == 2 and Settings().paths == 1
    assert read_settings() == Settings(home=place, max_rounds=7, paths=2)
    assert read_settings({}) == Settings(), "an environment of one's own stands alone"


@given(chosen=st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=4, max_size=4))
def test_the_strongest_source_decides(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[tuple[int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("sources")
    (flag, by_flag), (variable, by_variable), (project, by_project), (user, by_user) = chosen
    if by_project:
        write(folder / PROJECT_FILE, f"# 轮数\nmax_rounds = {project}\n")
    if by_user:
        write(folder / USER_FILE, f"max_rounds = {user}\n")
    environment = {"AGENT_MAX_ROUNDS": str(variable)} if by_variable else {}
    found = resolve({"max_rounds": flag if by_flag else None}, environment, folder, folder)
    wanted: list[tuple[int, str, str]] = [
        *([(flag, "flag", "flag")] if by_flag else []),
        *([(variable, "environment", "AGENT_MAX_ROUNDS")] if by_variable else []),
        *([(project, "project", f"{folder / PROJECT_FILE}:2")] if by_project else []),
        *([(user, "user", f"{folder / USER_FILE}:1")] if by_user else []),
        (Settings().max_rounds, "default", "default"),
    ]
    assert found.values["max_rounds"] == wanted[0]
    assert found.settings() == Settings(max_rounds=wanted[0][0])


@pytest.mark.parametrize("name", list(OTHER))
def test_the_users_file_sets_everything(name: str, place: Path) -> None:
    write(place / USER_FILE, toml({name: OTHER[name]}))
    found = resolve({}, {}, place)
    value = place / OTHER[name] if name == "home" else OTHER[name]
    assert not found.problems and not found.notes
    assert found.settings() == Settings(**{name: value}) != Settings()
    assert found.values[name][1:] == ("user", f"{place / USER_FILE}:1")


@pytest.mark.parametrize("name", list(OTHER))
def test_a_project_sets_what_is_safe_and_all_once_it_is_trusted(
    name: str, place: Path, project: Path
) -> None:
    file = write(project.parent / PROJECT_FILE, f"\n{toml({name: OTHER[name]})}passages = 6\n")
    passages = 6  # what is refused beside it keeps nothing else out
    value = file.parent / OTHER[name] if name == "home" else OTHER[name]
    wanted = Settings(**{"passages": passages, name: value}) if name != "passages" else None
    if wanted is None:
        file.write_text("passages = 4\n")
        wanted = Settings(passages=4)
    found = resolve({}, {}, place, project)
    if name in SAFE:
        assert found.settings() == wanted and not found.notes
        return
    assert found.settings() == Settings(passages=passages)
    [note] = found.notes
    assert str(file) in note and f"{name} (line 2)" in note and "\n" not in note
    assert f"agent config trust {shlex.quote(str(file.parent))}" in note
    trust(place, file, file.read_bytes())
    found = resolve({}, {}, place, project)
    assert found.settings() == wanted and not found.notes


def test_trust_ends_with_a_change_and_by_command(place: Path, project: Path) -> None:
    file = write(project / PROJECT_FILE, 'model = "a.gguf"\n')
    other = write(project.parent / PROJECT_FILE, 'model = "a.gguf"\n')
    trust(place, file, file.read_bytes())
    assert is_trusted(place, file, file.read_bytes())
    assert not is_trusted(place, other, other.read_bytes()), "the same text elsewhere"
    assert not is_trusted(place, file, file.read_bytes() + b"\n")
    trust(place, other, other.read_bytes())
    untrust(place, file)
    assert not is_trusted(place, file, file.read_bytes()) and is_trusted(place, other, other.read_bytes())
    with pytest.raises(InputError, match="not trusted"):
        untrust(place, file)


@pytest.mark.parametrize("listed", ["", "[]", "{", '{"a": 1}', "[" * 100_000, "\ud7ff"])
def test_a_damaged_list_trusts_nothing(place: Path, project: Path, listed: str) -> None:
    file = write(project / PROJECT_FILE, 'model = "a.gguf"\n')
    write(place / TRUSTED_FILE, listed)
    assert not is_trusted(place, file, file.read_bytes())
    if listed != '{"a": 1}':
        with pytest.raises(SettingsError, match=r"trusted\.json is damaged: remove it"):
            trust(place, file, file.read_bytes())
        assert (place / TRUSTED_FILE).read_text(encoding="utf-8") == listed


def test_the_nearest_file_counts_up_to_the_home_folder(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    write(tmp_path / PROJECT_FILE, "max_rounds = 1\n")
    assert find_project(project, []) is None, "above the home folder"
    assert find_project(tmp_path, []) is not None, "beside it"
    outer = write(project.parent / PROJECT_FILE, "max_rounds = 2\n")
    assert find_project(project, []) == (outer, b"max_rounds = 2\n")
    inner = write(project / PROJECT_FILE, "max_rounds = 3\n")
    assert find_project(project, []) == (inner, b"max_rounds = 3\n")


def test_what_may_not_be_read_is_passed_over(tmp_path: Path, project: Path) -> None:
    file, outer = project / PROJECT_FILE, write(project.parent / PROJECT_FILE, "paths = 2\n")

    def passed_over() -> str:
        notes: list[str] = []
        assert find_project(project, notes) == (outer, b"paths = 2\n")
        [note] = notes
        assert note.startswith(f"{file} is ignored: ")
        return note

    file.symlink_to(write(tmp_path / "other.toml", "paths = 3\n"))
    assert "leads out of its folder" in passed_over()
    file.unlink()
    file.symlink_to(file.name)
    passed_over()
    file.unlink()
    file.mkdir()
    assert "it is no file" in passed_over()
    file.rmdir()
    os.mkfifo(file)
    assert "it is no file" in passed_over()
    file.unlink()
    file.write_bytes(b"#" * (MAX_BYTES + 1))
    assert "larger than" in passed_over()
    file.unlink()
    file.symlink_to(write(project / "own.toml", "paths = 4\n").name)
    assert find_project(project, []) == (file, b"paths = 4\n"), "a link within the project"


def test_a_file_of_another_user_is_passed_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project / PROJECT_FILE, "paths = 2\n")
    monkeypatch.setattr(os, "getuid", lambda: os.stat(project).st_uid + 1)
    notes: list[str] = []
    assert find_project(project, notes) is None and "belongs to another user" in notes[0]


def test_a_folder_cannot_steer_the_terminal(tmp_path: Path, place: Path) -> None:
    hostile = tmp_path / "a\x1b[31m\u202e; rm"
    hostile.mkdir()
    write(hostile / PROJECT_FILE, 'home = "x"\n"\\u001b[2Jmax" = 1\n')
    found = resolve({}, {}, place, hostile)
    assert found.notes and found.problems
    for line in (*found.notes, *found.problems):
        assert line.isprintable()


@pytest.mark.parametrize("text", ["0", "false", "No", ""])
def test_projects_can_be_switched_off(text: str, project: Path) -> None:
    write(project / PROJECT_FILE, "paths = 2\n")
    assert resolve({}, {"AGENT_NO_PROJECT": text}, None, project).settings().paths == 2
    assert resolve({}, {"AGENT_NO_PROJECT": "1"}, None, project).settings().paths == 1
    with pytest.raises(SettingsError, match="AGENT_NO_PROJECT='maybe'"):
        resolve({}, {"AGENT_NO_PROJECT": "maybe"}, None, project).settings()


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("max_round = 3", 1, "unknown setting 'max_round': did you mean max_rounds?"),
        ("# 设置\n\nmax-rounds = 3", 3, "did you mean max_rounds?"),
        ("timeout = 3", 1, "did you mean timeout_s?"),
        ("'完全不同' = 3", 1, "unknown setting '完全不同': `agent config show` lists them"),
        ("[ask]\nmax_rounds = 3", 1, "settings stand at the top, in no [table]"),
        ("max_rounds = '3'", 1, "max_rounds must be a whole number, not '3'"),
        ("max_rounds = true", 1, "max_rounds must be a whole number, not True"),
        ("max_rounds = 1.0", 1, "max_rounds must be a whole number, not 1.0"),
        ("remember = 1", 1, "remember must be true or false, not 1"),
        ("model = 3", 1, "model must be text in quotes, not 3"),
        ('model = "a\\u0000"', 1, "model must be text in quotes"),
        ("home = ''", 1, "home must name a folder"),
        ("timeout_s = []", 1, "timeout_s must be a number, not []"),
        ("paths = 1\nmax_rounds = 11", 2, "max_rounds must be between 0 and 10, not 11"),
        ("timeout_s = nan", 1, "timeout_s must be between"),
        (f"max_rounds = 0x{'f' * 8000}", 1, "max_rounds is out of range"),
        (f"timeout_s = 0x{'f' * 8000}", 1, "timeout_s is out of range"),
        (f"max_rounds = {'9' * 8000}", 1, "it is no TOML: Exceeds the limit"),
        ("strictness = '严格'", 1, 'strictness must be "strict", "default" or "lenient"'),
        ("moves = 'gloss,dance'", 1, "moves: there is no 'dance'"),
        ("paths = 1\nmax_rounds = ", 2, "it is no TOML"),
        ("paths = 1\nmax_rounds = 1\nmax_rounds = 2", 3, "it is no TOML: Cannot overwrite a value"),
        ('paths = 1\nmodel = """a\n\n', 2, "it is no TOML"),
        ("paths = " + "[" * 8000, 1, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, says: str, place: Path) -> None:
    write(place / USER_FILE, text)
    [problem] = resolve({}, {}, place).problems
    assert problem.startswith(f"{place / USER_FILE}:") and says in problem and "\n" not in problem
    assert len(problem) < 400
    if "no TOML" not in problem:
        assert problem.startswith(f"{place / USER_FILE}:{line}: ")
    with pytest.raises(SettingsError):
        read_settings(None, home=place)


def test_what_is_not_utf8_has_a_line_and_a_mark_is_no_harm(place: Path) -> None:
    (place / USER_FILE).write_bytes(b"# 1\nmodel = '\xff'\n")
    assert f"{USER_FILE}:2: it is not UTF-8" in resolve({}, {}, place).problems[0]
    (place / USER_FILE).write_bytes(b"\xef\xbb\xbfmax_rounds = 4\r\n")
    assert resolve({}, {}, place).settings().max_rounds == 4
    assert change(place / USER_FILE, "max_rounds", 5)
    assert (place / USER_FILE).read_bytes() == b"\xef\xbb\xbfmax_rounds = 5\r\n"


def test_what_is_right_beside_what_is_wrong_is_still_known(place: Path) -> None:
    write(place / USER_FILE, "paths = 99\nmax_rounds = 4\nstrictness = 1\n")
    found = resolve({}, {"AGENT_TIMEOUT_S": "soon"}, place)
    assert len(found.problems) == 3 and found.usable() == Settings(max_rounds=4)
    with pytest.raises(SettingsError, match=r"AGENT_TIMEOUT_S='soon'.*; 2 more: `agent config show`"):
        found.settings()


def test_a_setting_that_environment_puts_out_of_range_names_it() -> None:
    with pytest.raises(SettingsError, match="AGENT_PATHS: paths must be between 1 and 8, not 9"):
        read_settings({"AGENT_PATHS": "9"})


@given(st.binary(max_size=60) | st.text("max_rounds=\"'#[]{}.\n\r\\ 13模").map(str.encode))
@example(b"max_rounds = 3 # '\n")
@example(b'"max_rounds"=3')
@example(b"a.b = 1")
def test_any_bytes_are_read_or_named(data: bytes) -> None:
    for allow_all in (True, False):
        read = read_settings_file(Path("/p/x.toml"), data, "user", allow_all=allow_all)
        assert all(line.startswith("/p/x.toml:") and "\n" not in line for line in read.problems)
        assert set(read.values) <= set(KINDS) and not (allow_all and read.refused)


# Sound TOML with whatever may stand around a setting.
_BEFORE = st.sampled_from(
    [
        "",
        "# 注释 = [\n",
        "\n\n",
        'model = """\nmax_rounds = 1\n# no\n"""\n',
        "embedder = '''max_rounds = 2\n''''\n",
        'other = [ # "\n 1,\n 2]\n',
        "moves = 'a#b' # why\n",
    ]
)
_OWN = st.sampled_from(
    [
        "",
        "max_rounds = 3\n",
        '  "max_rounds"=3# 为什么\n',
        "'max_rounds' = [1, # a\n 2] # b\n",
        'max_rounds = """\n#"""   # c\n',
    ]
)
_AFTER = st.sampled_from(
    ["", "paths = 2\n", "# end", "[max_rounds2]\nmax_rounds = 9 # d\n", "\n[[a]]\nb = 1\n"]
)


@given(_BEFORE, _OWN, _AFTER, st.integers(0, 10), st.booleans())
def test_a_change_changes_one_setting_and_nothing_else(
    before: str, own: str, after: str, value: int, windows: bool
) -> None:
    text = before + own + after
    text = text.replace("\n", "\r\n") if windows else text
    old = tomllib.loads(text)
    new = edited(text, "max_rounds", value)
    assert tomllib.loads(new) == {**old, "max_rounds": value}
    assert windows == ("\n" in new and "\n" not in new.replace("\r\n", "")) or "\n" not in text
    assert edited(new, "max_rounds", value) == new
    for comment in ("# 注释", "# why", "# end", "# 为什么", "# b", "# c", "# d"):
        assert (comment in new) == (comment in text)
    without = edited(new, "max_rounds", None)
    old.pop("max_rounds", None)
    assert tomllib.loads(without) == old
    if not own:  # a blank line may stay before a table
        assert without.split() == text.split()


@given(st.text() | st.floats(allow_nan=False) | st.booleans() | st.integers())
def test_values_are_written_as_toml_reads_them(value: Any) -> None:
    line = f"a = {written(value)}"
    assert line.isprintable()
    assert tomllib.loads(line) == {"a": value}


def test_lines_of_keys() -> None:
    text = '# one\n\nmodel = """\nmax_rounds = 1\n"""\n"paths" = 1\na.b = 2\n\n[t]\nhome = 1\n[t.u]\n'
    assert lines_of(text) == {"model": 3, "paths": 6, "a": 7, "t": 9, "home": 10}
    assert lines_of(text.replace("\n", "\r\n")) == lines_of(text)
    assert lines_of("a = 1 # '''\n[a]\n'模' = \"'''\"\n\"\\u6a21\" = 1\nb = 2\n") == {"a": 1, "模": 3, "b": 5}


def test_a_broken_file_is_mended_by_its_own_line_only(place: Path) -> None:
    file = write(place / USER_FILE, "# 注\nmax_rounds = = 3 # why\npaths = 2\n")
    with pytest.raises(SettingsError, match=r"config\.toml:2: it is no TOML.*`agent config edit`"):
        change(file, "paths", 3)
    assert file.read_text() == "# 注\nmax_rounds = = 3 # why\npaths = 2\n"
    assert change(file, "max_rounds", 4)
    assert file.read_text() == "# 注\nmax_rounds = 4 # why\npaths = 2\n"


def test_a_change_keeps_mode_and_link_and_leaves_no_scraps(place: Path, tmp_path: Path) -> None:
    real = write(tmp_path / "dotfiles.toml", "paths = 2\n")
    real.chmod(0o640)
    (place / USER_FILE).symlink_to(real)
    assert change(place / USER_FILE, "paths", 3) and not change(place / USER_FILE, "paths", 3)
    assert (place / USER_FILE).is_symlink() and real.read_text() == "paths = 3\n"
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in (*place.iterdir(), *tmp_path.iterdir())) == sorted(
        [USER_FILE, real.name, place.name]
    )
    with pytest.raises(SettingsError, match="cannot be written"):
        change(real / "below" / USER_FILE, "paths", 3)


def test_without_files_nothing_is_imported_for_them(tmp_path: Path) -> None:
    code = (
        "import sys; from agent.settings import read_settings; read_settings(); "
        "print([m for m in ('tomllib', 'platformdirs', 'hashlib', 'json', 'difflib') if m in sys.modules])"
    )
    done = python(code, AGENT_HOME=str(tmp_path), AGENT_NO_PROJECT="")
    assert done.stdout == "[]\n", done.stderr


def test_only_an_edit_imports_the_editor(place: Path) -> None:
    write(place / USER_FILE, "max_rounds = 3\n")
    code = (
        "import sys; from agent.settings import read_settings; assert read_settings().max_rounds == 3; "
        "print('tomlkit' in sys.modules)"
    )
    done = python(code, AGENT_HOME=str(place))
    assert done.stdout == "False\n", done.stderr


@pytest.mark.parametrize("text", ["[paths]\na = 1\n", "# 一\npaths.a = 1\n", "[[paths]]\n"])
@pytest.mark.parametrize("value", [3, None])
def test_a_table_is_no_setting_to_change(place: Path, text: str, value: int | None) -> None:
    file = write(place / USER_FILE, text)
    with pytest.raises(SettingsError, match=r"config\.toml:[12]: paths is a table here, and no setting"):
        change(file, "paths", value)
    assert file.read_text(encoding="utf-8") == text


def test_what_would_be_reordered_is_refused() -> None:
    text = "[[v]]\n[t]\n# 注\n[[v]]\n"
    with pytest.raises(SettingsError, match="cannot be changed without changing more"):
        edited(text, "paths", 3)
    assert edited(text, "paths", None) == text


# The commands.


def test_show_says_where_each_value_comes_from(tmp_path: Path) -> None:
    assert called(tmp_path, "config", "set", "timeout-s", "30").returncode == 0
    done = called(tmp_path, "config", "show", AGENT_MAX_ROUNDS="4")
    rows = dict(line.split("\t", 1) for line in done.stdout.splitlines())
    assert list(rows) == list(KINDS) and done.returncode == 0
    assert rows["timeout_s"] == f"30.0\t{tmp_path / USER_FILE}:1"
    assert rows["max_rounds"] == "4\tAGENT_MAX_ROUNDS"
    assert rows["strictness"] == '"default"\tdefault'
    told = json.loads(called(tmp_path, "config", "show", "--json").stdout)
    assert told["settings"]["timeout_s"] == {
        "value": 30.0,
        "source": "user",
        "where": f"{tmp_path / USER_FILE}:1",
    }
    assert told["settings"]["home"]["value"] == str(tmp_path) and told["problems"] == told["notes"] == []


def test_path_is_of_the_home_or_of_the_platform(tmp_path: Path) -> None:
    assert called(tmp_path, "config", "path").stdout == f"{tmp_path / USER_FILE}\n"
    done = called(tmp_path, "config", "path", AGENT_HOME="")
    assert done.stdout == f"{platform_folder('config') / USER_FILE}\n"


@pytest.mark.parametrize(
    ("key", "text", "got"),
    [
        ("gpu_layers", "-1", "-1"),
        ("remember", "no", "false"),
        ("model", "模型.gguf", "模型.gguf"),
        ("model", 'a "b" \\ c', 'a "b" \\ c'),
        ("strictness", "strict", "strict"),
    ],
)
def test_set_get_unset(tmp_path: Path, key: str, text: str, got: str) -> None:
    assert called(tmp_path, "config", "set", key, text).stderr == ""
    done = called(tmp_path, "config", "get", key)
    assert (done.stdout, done.stderr, done.returncode) == (f"{got}\n", "", 0)
    assert called(tmp_path, "config", "unset", key).returncode == 0
    done = called(tmp_path, "config", "unset", key)
    assert done.returncode == 1 and f"does not set '{key}'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set", "max_rounds", "many"], "max_rounds='many' is not a valid int"),
        (["set", "max_rounds", "99"], "max_rounds must be between 0 and 10"),
        (["set", "max_round", "3"], "did you mean max_rounds?"),
        (["set", "moves", "dance"], "there is no 'dance'"),
        (["set", "model", "\udcff"], "model must be text"),
        (["get", "nothing"], "`agent config show` lists them"),
        (["edit"], "set EDITOR to yours"),
    ],
)
def test_mistakes_are_one_line_and_change_nothing(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = called(tmp_path, "config", *arguments, VISUAL="", EDITOR="")
    assert done.returncode == 2 and done.stderr.startswith("error: ") and says in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / USER_FILE).exists()


def test_what_is_set_and_decided_elsewhere_is_told(tmp_path: Path) -> None:
    done = called(tmp_path, "config", "set", "paths", "2", AGENT_PATHS="3")
    assert done.returncode == 0 and "note: AGENT_PATHS decides paths here" in done.stderr


def test_a_broken_file_stops_questions_and_not_its_own_mending(tmp_path: Path) -> None:
    file = write(tmp_path / USER_FILE, "max_roundz = 3\npaths = 2\n")
    line = f"error: {file}:1: unknown setting 'max_roundz': did you mean max_rounds?\n"
    done = called(tmp_path, "runs")
    assert (done.returncode, done.stderr) == (2, line)
    for arguments in (["show"], ["get", "paths"], ["set", "paths", "3"]):
        done = called(tmp_path, "config", *arguments)
        assert (done.returncode, done.stderr) == (2, line), arguments
    assert "paths = 3" in file.read_text() and called(tmp_path, "config", "path").returncode == 0
    done = called(tmp_path, "doctor")
    assert done.returncode == 1 and f"BROKEN\tsettings\t{line.removeprefix('error: ')}" in done.stdout
    assert called(tmp_path, "config", "unset", "max_roundz").returncode == 0
    assert called(tmp_path, "config", "show").returncode == 0 and file.read_text() == "paths = 3\n"


def test_edit_opens_the_editor_and_checks_what_was_saved(tmp_path: Path) -> None:
    script = write(tmp_path / "编辑.py", "import sys\nopen(sys.argv[2], 'a').write(sys.argv[1] + '\\n')\n")

    def edit(line: str) -> subprocess.CompletedProcess[str]:
        editor = shlex.join([sys.executable, str(script), line])
        return called(tmp_path / "new", "config", "edit", VISUAL=editor, EDITOR="nothing")

    assert edit("paths = 2").returncode == 0
    done = edit("max_rounds = 99")
    assert done.returncode == 2 and f"{USER_FILE}:2: max_rounds must be between" in done.stderr
    for editor in ("no-such-editor", f"{sys.executable} -c 'raise SystemExit(3)'", "'"):
        done = called(tmp_path, "config", "edit", VISUAL=editor)
        assert done.returncode == 2 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


def test_a_project_is_refused_once_trusted_and_no_longer(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(project.parent / PROJECT_FILE, 'max_rounds = 0\nmodel = "小.gguf"\nremember = false\n')
    monkeypatch.chdir(project)

    def config(*arguments: str) -> subprocess.CompletedProcess[str]:
        return called(tmp_path / "home", "config", *arguments, AGENT_NO_PROJECT="")

    done = config("get", "max_rounds")
    assert (done.returncode, done.stdout) == (0, "0\n")
    folder = shlex.quote(str(file.parent))
    refused = f"note: {file} is not trusted, so it does not decide model (line 2), remember (line 3)"
    assert done.stderr == f"{refused}: `agent config trust {folder}` allows it\n"
    assert config("get", "model").stdout == "\n" and config("get", "model").stderr == "", "once in a process"
    done = config("trust")
    assert done.returncode == 0
    assert done.stdout == f'trusted until it changes: {file}\nmodel = "小.gguf"\nremember = false\n'
    assert config("get", "model").stdout == "小.gguf\n"
    file.write_text(file.read_text() + "# more\n")
    assert config("get", "model").stdout == "\n", "it has changed"
    assert config("trust", str(file.parent)).returncode == 0
    assert config("untrust", str(file.parent)).returncode == 0
    assert config("get", "model").stdout == "\n"
    done = config("untrust")
    assert done.returncode == 1 and "is not trusted" in done.stderr
    done = config("trust", str(project))
    assert done.returncode == 1 and f"there is no {PROJECT_FILE} in {project}" in done.stderr
    file.write_text("max_rounds = 'x'\n")
    assert config("trust").returncode == 2


@pytest.mark.parametrize("name", ["show", "path", "get", "set", "unset", "edit", "trust", "untrust"])
def test_every_command_has_an_example(tmp_path: Path, name: str) -> None:
    done = called(tmp_path, "config", name, "--help")
    assert done.returncode == 0 and f"Example: agent config {name}" in " ".join(done.stdout.split())
