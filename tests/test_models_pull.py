"""`agent model pull` against a hub on loopback: whole, resumed, refused, and never half installed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.errors import ModelError
from agent.models.pull import _check_space
from tests.fake_hub import REVISION, Hub, running
from tests.processes import AGENT, called, environment
from tests.tiny_gguf import write_tiny_gguf

REPOSITORY, FILE = "owner/Tiny-GGUF", "tiny-Q4_K_M.gguf"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_tiny_gguf(tmp_path_factory.mktemp("pull") / "t.gguf").read_bytes()


@pytest.fixture
def hub(content: bytes) -> Iterator[Hub]:
    with running(files={f"{REPOSITORY}/{FILE}": content}) as hub:
        yield hub


def begin(home: Path, hub: Hub, *arguments: str, **more: str) -> subprocess.Popen[str]:
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home / "hf"), "HF_HUB_OFFLINE": "0", "HF_TOKEN": "", **more}
    return subprocess.Popen(
        [*AGENT, "model", *arguments],
        env=environment(home, **own),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(home: Path, hub: Hub, *arguments: str, **more: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `agent model`, in this process.

    What huggingface_hub read of the environment when it was imported is set anew.
    """
    from huggingface_hub import constants

    url = more.pop("HF_ENDPOINT", hub.url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", more.pop("HF_HUB_OFFLINE", "0") == "1")
        patch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        patch.setattr(constants, "ENDPOINT", url)
        template = f"{url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        done = called(home, "model", *arguments, **more)
    return done.returncode, done.stdout, done.stderr


def installed(home: Path) -> list[Path]:
    return sorted((home / "models").rglob("*.gguf"))


def parts(home: Path) -> list[Path]:
    return sorted((home / "models").rglob("*.part"))


def test_a_whole_pull(tmp_path: Path, hub: Hub, content: bytes) -> None:
    process = begin(tmp_path, hub, "pull", REPOSITORY, FILE, "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    about = json.loads(out)
    assert Path(about["path"]).read_bytes() == content and about["revision"] == REVISION
    assert about["sha256"] == hub.etag(content) and about["repository"] == REPOSITORY
    assert "it answers from now on" in err and not parts(tmp_path)
    assert [line.partition(" ")[0] for line in hub.asked] == ["HEAD", "GET"], "nothing else is asked for"
    code, out, err = run(tmp_path, hub, "pull", f"hf:{REPOSITORY}/{FILE}")
    assert code == 0 and len([line for line in hub.asked if line.startswith("GET")]) == 1, (
        "it is there already"
    )
    assert run(tmp_path, hub, "list", HF_HUB_OFFLINE="1")[1].count("default\ttiny-Q4_K_M") == 1


def test_a_cut_connection_goes_on_by_itself(tmp_path: Path, hub: Hub, content: bytes) -> None:
    hub.sent_bytes = len(content) // 2 + 1
    code, _, err = run(tmp_path, hub, "pull", REPOSITORY, FILE)
    assert code == 0, err
    assert installed(tmp_path)[0].read_bytes() == content
    assert hub.asked[-1].endswith(f"bytes={hub.sent_bytes}-")


def test_what_lies_elsewhere_is_fetched_without_the_token(tmp_path: Path, hub: Hub, content: bytes) -> None:
    hub.elsewhere = True
    assert run(tmp_path, hub, "pull", REPOSITORY, FILE, HF_TOKEN="hf_secret")[0] == 0
    assert installed(tmp_path)[0].read_bytes() == content
    tokens = dict(zip((line.split()[1].split("/")[0] for line in hub.asked), hub.tokens, strict=True))
    assert tokens == {"owner": "Bearer hf_secret", "cdn": ""}


def test_a_kill_leaves_a_part_that_is_gone_on_with(tmp_path: Path, hub: Hub, content: bytes) -> None:
    hub.sent_bytes, hub.holds = 100_000, True
    process = begin(tmp_path, hub, "pull", REPOSITORY, FILE)
    until = time.monotonic() + 60
    while not any(part.stat().st_size for part in parts(tmp_path)) and time.monotonic() < until:
        time.sleep(0.05)
        if process.poll() is not None:
            break
    process.kill()
    process.communicate()
    hub.held.set()
    assert not installed(tmp_path) and len(parts(tmp_path)) == 1
    hub.sent_bytes, hub.holds = 1 << 60, False
    there = parts(tmp_path)[0].stat().st_size
    assert 0 < there <= 100_000
    assert "begun: tiny-Q4_K_M.gguf" in run(tmp_path, hub, "list")[2]
    code, _, err = run(tmp_path, hub, "pull", REPOSITORY, FILE)
    assert code == 0 and "are there already" in err
    assert installed(tmp_path)[0].read_bytes() == content and hub.asked[-1].endswith(f"bytes={there}-")


def test_two_pulls_at_once(tmp_path: Path, hub: Hub, content: bytes) -> None:
    both = [begin(tmp_path, hub, "pull", REPOSITORY, FILE) for _ in range(2)]
    said = [one.communicate(timeout=120)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert installed(tmp_path)[0].read_bytes() == content and not parts(tmp_path)
    assert len([line for line in hub.asked if line.startswith("GET")]) == 1


def test_a_second_model_waits_to_be_chosen(tmp_path: Path, hub: Hub, content: bytes) -> None:
    hub.files[f"{REPOSITORY}/Q8 [大]/{FILE}"] = content + bytes(32)
    assert run(tmp_path, hub, "pull", REPOSITORY, FILE)[0] == 0
    code, _, err = run(tmp_path, hub, "pull", REPOSITORY, f"Q8 [大]/{FILE}")
    assert code == 0 and "model use 'Q8 [大]--tiny-Q4_K_M'` makes it the default" in err
    assert len(installed(tmp_path)) == 2, "of one name in two folders"
    assert run(tmp_path, hub, "list")[1].count("default\ttiny-Q4_K_M") == 1


def test_a_new_version_replaces_the_old_one(tmp_path: Path, hub: Hub, content: bytes) -> None:
    assert run(tmp_path, hub, "pull", REPOSITORY, FILE)[0] == 0
    newer = content + b"\0" * 32
    hub.files[f"{REPOSITORY}/{FILE}"] = newer
    assert run(tmp_path, hub, "pull", REPOSITORY, FILE)[0] == 0
    assert installed(tmp_path)[0].read_bytes() == newer


def test_without_a_hash_the_size_and_the_header_count(tmp_path: Path, hub: Hub) -> None:
    hub.names_sha256 = False
    code, _, err = run(tmp_path, hub, "pull", REPOSITORY, FILE)
    assert code == 0 and "names no SHA-256" in err


def refused(home: Path, hub: Hub, *arguments: str, **more: str) -> str:
    """The one line of an error."""
    code, out, err = run(home, hub, *arguments, **more)
    assert code == 1 and not out, err
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in err, err
    assert not installed(home)
    return errors[0]


def test_another_hash_is_refused_and_nothing_is_left(tmp_path: Path, hub: Hub) -> None:
    hub.lies = True
    assert "another SHA-256" in refused(tmp_path, hub, "pull", REPOSITORY, FILE)
    assert not parts(tmp_path)


def test_what_is_no_model_is_refused(tmp_path: Path, hub: Hub) -> None:
    hub.files[f"{REPOSITORY}/{FILE}"] = b"version https://git-lfs.github.com/spec/v1\n"
    assert "no whole GGUF file" in refused(tmp_path, hub, "pull", REPOSITORY, FILE)


def test_what_the_hub_refuses(tmp_path: Path, hub: Hub) -> None:
    assert "lists its files" in refused(tmp_path, hub, "pull", REPOSITORY, "other.gguf")
    assert f"which file? {REPOSITORY} has {FILE}" in refused(tmp_path, hub, "pull", REPOSITORY)
    assert "has no no/body" in refused(tmp_path, hub, "pull", "no/body", FILE)
    hub.gated.add(REPOSITORY)
    assert "accepted" in refused(tmp_path, hub, "pull", REPOSITORY, FILE)


def test_offline(tmp_path: Path, hub: Hub) -> None:
    assert "HF_HUB_OFFLINE is set" in refused(tmp_path, hub, "pull", REPOSITORY, FILE, HF_HUB_OFFLINE="1")
    assert hub.asked == []
    nobody = "http://127.0.0.1:9"  # the discard service, which nobody offers
    assert nobody in refused(tmp_path, hub, "pull", REPOSITORY, FILE, HF_ENDPOINT=nobody)


def test_a_full_disk_is_told_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"needs 1000000000\.0 GB more"):
        _check_space(tmp_path, 10**18, FILE)
    _check_space(tmp_path, 1, FILE)
