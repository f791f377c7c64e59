"""The published folder: what the keeper writes and workers read, so that serving never asks a database.

``catalog`` holds the experiments, the hashes of the API keys and the names of the policy blobs; its first line is the
checksum of the rest. A blob is named by the checksum of its content. Everything appears by rename: a reader sees the
old state or the new one, and refuses a damaged one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import msgspec

from experiments.access import APIKey
from experiments.errors import Invalid
from experiments.model import Experiment

CATALOG = "catalog"
POLL_SECONDS = 0.5

_BLOB = "policy-{}.bin"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PublishedExperiment:
    """An experiment and the state of its policy that is in force; ``policy`` is None before the first version."""

    experiment: Experiment
    policy: bytes | None = None
    policy_version: int = 0


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that a worker knows."""

    experiments: tuple[PublishedExperiment, ...]
    keys: tuple[APIKey, ...]
    generation: int = 0


class _Entry(msgspec.Struct, frozen=True):
    experiment: Experiment
    policy: str | None
    policy_version: int


class _Contents(msgspec.Struct, frozen=True):
    """The catalog as it is written: policies by checksum."""

    experiments: tuple[_Entry, ...]
    keys: tuple[APIKey, ...]
    generation: int


def publish(folder: Path, catalog: Catalog) -> bool:
    """Write ``catalog``, its blobs first; False if that is what the folder holds already.

    Blobs that neither this catalog nor the one before it names are deleted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = tuple(_entry(folder, published) for published in catalog.experiments)
    body = msgspec.json.encode(_Contents(entries, catalog.keys, catalog.generation))
    written = _checksum(body).encode() + b"\n" + body
    path = folder / CATALOG
    before = path.read_bytes() if path.exists() else b""
    if written == before:
        return False
    _replace(path, written)
    _prune(folder, keep=(written, before))
    return True


def has_catalog(folder: Path) -> bool:
    """Whether anything was published yet."""
    return (folder / CATALOG).exists()


def load(folder: Path) -> Catalog | None:
    """The catalog with its policies, every checksum verified; None if nothing was published yet.

    Raises
    ------
    Invalid
        The catalog or a policy is damaged or missing.
    """
    try:
        checksum, _, body = (folder / CATALOG).read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if checksum.decode(errors="replace") != _checksum(body):
        raise _damaged(folder / CATALOG)
    try:
        contents = msgspec.json.decode(body, type=_Contents)
    except ValueError as error:
        raise Invalid(
            f"the catalog in {folder} is of another version: {error}", hint="Restart every process."
        ) from error
    return Catalog(
        experiments=tuple(
            PublishedExperiment(entry.experiment, _blob(folder, entry.policy), entry.policy_version)
            for entry in contents.experiments
        ),
        keys=contents.keys,
        generation=contents.generation,
    )


class Watcher:
    """Hands every new catalog to ``on_change``; one that cannot be loaded is logged, and the one before it stays.

    Parameters
    ----------
    folder
        The published folder.
    on_change
        Called by :meth:`start` and then on the watcher's thread.
    """

    def __init__(self, folder: Path, on_change: Callable[[Catalog], None]) -> None:
        self._folder = folder
        self._on_change = on_change
        self._seen: tuple[int, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="published", daemon=True)

    def start(self) -> None:
        """Load what is there now, then look twice a second."""
        self.check()
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Look once: load the catalog if the file is another one than last time."""
        signature = _signature(self._folder / CATALOG)
        if signature == self._seen:
            return
        self._seen = signature
        try:
            catalog = load(self._folder)
        except (Invalid, OSError) as error:
            _log.error("the published state stays at the one before: %s", error)
            return
        if catalog is not None:
            self._on_change(catalog)

    def _run(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            try:
                self.check()
            except Exception:  # a worker that stops looking would serve an old state for ever
                _log.exception("the published state cannot be taken over")


def _signature(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _entry(folder: Path, published: PublishedExperiment) -> _Entry:
    name = None
    if published.policy is not None:
        name = _checksum(published.policy)
        path = folder / _BLOB.format(name)
        if not path.exists() or path.read_bytes() != published.policy:
            _replace(path, published.policy)
    return _Entry(published.experiment, name, published.policy_version)


def _blob(folder: Path, name: str | None) -> bytes | None:
    if name is None:
        return None
    path = folder / _BLOB.format(name)
    blob = path.read_bytes()
    if _checksum(blob) != name:
        raise _damaged(path)
    return blob


def _prune(folder: Path, *, keep: tuple[bytes, bytes]) -> None:
    for path in folder.glob(_BLOB.format("*")):
        name = path.stem.removeprefix("policy-").encode()
        if not any(name in catalog for catalog in keep):
            path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    """Let ``path`` have ``content``: durably, and never for a moment anything else."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _checksum(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _damaged(path: Path) -> Invalid:
    return Invalid(f"{path} is damaged: its checksum does not fit", hint="The next change makes it whole.")
