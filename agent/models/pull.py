"""Downloads a chat model from the Hugging Face hub: the one place of `agent model` that uses the network.

huggingface_hub finds the file and speaks to the hub; its own downloads start anew after a kill, so the part,
the lock and the comparison with the hub's SHA-256 are here. What is not whole is never called installed.
HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE count as for any program that uses the hub.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.errors import ModelError
from agent.models.catalog import entry
from agent.models.header import read_header
from agent.models.store import SUFFIX, Installed, installed, note, place
from retrieval.lock import locked

PREFIX = "hf:"
SPARE_BYTES = 64 << 20  # left free on the disk
BLOCK_BYTES = 1 << 22
TRIES = 4  # in a row that bring nothing, 1, 2 and 3 seconds apart
OnBytes = Callable[[int, int], None]
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


@dataclass(frozen=True)
class Wanted:
    """A file on the hub."""

    repository: str
    file: str


@dataclass(frozen=True)
class Remote:
    """What the hub says of a file."""

    url: str
    revision: str
    size_bytes: int
    sha256: str
    """Empty where the hub does not name it."""
    tag: str
    """Changes with the content."""


def wanted(given: Sequence[str]) -> Wanted:
    """What to pull: a name of the catalogue, `REPO FILE` or `hf:REPO/FILE`. Raises `ModelError`."""
    words = "/".join(given).removeprefix(PREFIX)
    if known := entry(words):
        return Wanted(known.repository, known.file)
    if "/" not in words:
        raise ModelError(f"the catalogue has no {words!r}: `agent model list` shows it; or give REPO FILE")
    owner, name, *rest = words.split("/", 2)
    found = Wanted(f"{owner}/{name}", rest[0] if rest else "")
    if not _REPOSITORY.fullmatch(found.repository) or ".." in found.file.split("/"):
        raise ModelError(f"{' '.join(given)!r} is not a repository and a file: give OWNER/NAME FILE.gguf")
    if found.file and not found.file.casefold().endswith(SUFFIX):
        raise ModelError(f"{found.file} is not a GGUF file: chat models are FILE.gguf here")
    if _SPLIT.search(found.file):
        raise ModelError(f"{found.file} is a part of a split model: choose one that is a single file")
    return found


def pull(
    want: Wanted,
    folder: Path,
    on_bytes: OnBytes = lambda done, size: None,
    on_wait: Callable[[], None] | None = None,
) -> Installed:
    """Have the model in the folder. Raises `ModelError`; the next time goes on with what was fetched.

    `on_bytes`: called with the bytes that are there and all of them, before the first and after every few.
    `on_wait`: called where another pull of the file is at work, which this one waits for.
    """
    _go_online()
    if not want.file:
        raise ModelError(
            f"which file? {want.repository} has {', '.join(_files(want.repository)) or 'no GGUF file'}"
        )
    remote = _look_up(want)
    target = place(folder, want.repository, want.file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f".{target.name}.lock"), on_wait):
            if not _is_there(target, remote):
                _fetch(want, remote, target, on_bytes)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"no space left for {want.file}: make room and pull again, it goes on"
            ) from error
        raise ModelError(f"{target} cannot be written: {error.strerror or error}") from error
    return next(one for one in installed(folder) if one.path == target)


def _is_there(target: Path, remote: Remote) -> bool:
    about = next((one.about for one in installed(target.parent.parent) if one.path == target), None)
    return about is not None and about.get("tag") == remote.tag and target.stat().st_size == remote.size_bytes


def _fetch(want: Wanted, remote: Remote, target: Path, on_bytes: OnBytes) -> None:
    part = target.with_name(f"{target.name}.{remote.tag[:16]}.part")
    for old in target.parent.glob(f"{glob.escape(target.name)}.*.part"):  # of an earlier version
        if old != part:
            old.unlink()
    done = part.stat().st_size if part.exists() else 0
    if done > remote.size_bytes:
        part.unlink()
        done = 0
    _check_space(target.parent, remote.size_bytes - done, want.file)
    on_bytes(done, remote.size_bytes)
    _download(want, remote, part, on_bytes)
    sha256 = _sha256(part)
    if remote.sha256 and sha256 != remote.sha256:
        part.unlink()
        raise ModelError(
            f"{want.file} came with another SHA-256 than the hub's, and was deleted: pull it again"
        )
    try:
        read_header(part)
    except ModelError as error:
        part.unlink()
        raise ModelError(
            f"{want.repository} {want.file}: what the hub gives is no whole GGUF file"
        ) from error
    about = {"repository": want.repository, "file": want.file, "revision": remote.revision}
    note(target, {**about, "tag": remote.tag, "sha256": sha256, "checked": bool(remote.sha256)})
    part.replace(target)


def _check_space(folder: Path, needed: int, file: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise ModelError(
            f"{file} needs {needed / 1e9:.1f} GB more and {folder} has {free / 1e9:.1f} GB free: make room, "
            "or set AGENT_HOME to another disk"
        )


def _download(want: Wanted, remote: Remote, part: Path, on_bytes: OnBytes) -> None:
    """Append what is missing to the part; goes on by itself as long as something arrives."""
    failures = 0
    while (done := part.stat().st_size if part.exists() else 0) < remote.size_bytes:
        try:
            _append(remote, part, done, on_bytes)
            continue
        except ModelError:
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno:  # of the disk: the client's errors have no number
                raise
            failure = error
        failures = 0 if part.exists() and part.stat().st_size > done else failures + 1
        if failures == TRIES or _status(failure) in range(400, 500):
            raise _explained(failure, want, "was cut; pull again and it goes on") from failure
        time.sleep(failures)


def _append(remote: Remote, part: Path, done: int, on_bytes: OnBytes) -> None:
    """One request for what is missing. Raises what the hub's client raises."""
    from huggingface_hub import constants, get_session

    headers = {**_headers(), "Accept-Encoding": "identity", "Range": f"bytes={done}-"}
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with (
        get_session().stream("GET", remote.url, headers=headers, timeout=timeout) as response,
        part.open("ab", buffering=0) as file,
    ):
        response.raise_for_status()
        if done and response.status_code != 206:  # it begins from the beginning
            file.truncate(0)
            done = 0
        for piece in response.iter_raw():
            file.write(piece)
            done += len(piece)
            if done > remote.size_bytes:
                file.truncate(0)
                raise ModelError("the hub sends more than it said: pull it again")
            on_bytes(done, remote.size_bytes)
        os.fsync(file.fileno())
    if done < remote.size_bytes:
        raise ConnectionError("the connection was closed")


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    return build_hf_headers(library_name="toulmin")


def _status(error: Exception) -> int:
    """The status that a hub answered with; 0 where it did not answer."""
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as data:
        while block := data.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _go_online() -> None:
    """Before huggingface_hub is imported, which reads the environment once. Raises `ModelError` offline."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise ModelError(
            "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it, or give a GGUF file by its path"
        )


def _files(repository: str) -> list[str]:
    """The GGUF files of a repository."""
    from huggingface_hub import HfApi

    try:
        found = HfApi(library_name="toulmin").model_info(repository).siblings or []
    except Exception as error:
        raise _explained(error, Wanted(repository, ""), "cannot be looked up") from error
    return [one.rfilename for one in found if one.rfilename.endswith(SUFFIX)]


def _look_up(want: Wanted) -> Remote:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        found = get_hf_file_metadata(hf_hub_url(want.repository, want.file), library_name="toulmin")
    except Exception as error:
        raise _explained(error, want, "cannot be looked up") from error
    if not (found.etag and found.size and found.commit_hash):
        raise ModelError(
            f"the hub does not say what {want.repository} {want.file} is: see HF_ENDPOINT, or a proxy"
        )
    sha256 = found.etag if _SHA256.fullmatch(found.etag) else ""
    url = hf_hub_url(want.repository, want.file, revision=found.commit_hash)
    tag = re.sub(r"[^\w-]", "", found.etag)
    return Remote(url, found.commit_hash, found.size, sha256, tag)


def _explained(error: Exception, want: Wanted, what: str) -> ModelError:
    """What went wrong with the hub, in one line."""
    from huggingface_hub import constants, errors

    hub, repository = constants.ENDPOINT, want.repository
    known: list[tuple[Any, str]] = [
        (
            errors.GatedRepoError,
            f"{repository} wants its terms accepted: do that at {hub}/{repository}, then set HF_TOKEN",
        ),
        (
            errors.RepositoryNotFoundError,
            f"the hub has no {repository}, or it is private: check it, or set HF_TOKEN",
        ),
        (
            errors.EntryNotFoundError,
            f"{repository} has no {want.file}: `agent model pull {repository}` lists its files",
        ),
        (errors.HFValidationError, f"{repository!r} is not the name of a repository: give OWNER/NAME"),
    ]
    for kind, line in known:
        if isinstance(error, kind):
            return ModelError(line)
    status = _status(error)
    reason = f"answers {status}" if status else " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(f"{want.file or repository} {what}: {hub} {reason}")


def unfinished(folder: Path) -> list[tuple[str, int]]:
    """The downloads that were begun and are not whole: the files and how many bytes are there."""
    parts = sorted(folder.glob("*/*.part"))
    return [(re.sub(r"\.[^.]*\.part$", "", part.name), part.stat().st_size) for part in parts]
