"""The published folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.access import APIKey, Scope
from experiments.definition import parse
from experiments.errors import Invalid
from experiments.model import Experiment, State
from experiments.published import CATALOG, Catalog, PublishedExperiment, Watcher, load, publish

KEY = APIKey("site", Scope.SITE, "00" * 32, ("https://shop.example",), 1)


def experiment(version: int = 1) -> Experiment:
    """An experiment whose every field is used."""
    definition = parse(
        {
            "key": "spring",
            "variants": [{"key": "a", "content": {"headline": "ä"}, "attributes": {"tone": "calm"}}, {"key": "b"}],
            "context": [{"name": "device", "type": "category", "values": ["mobile"]}],
            "audience": {"device": "mobile"},
            "metrics": [{"key": "purchase"}],
            "starts_at": "2026-01-01T00:00:00Z",
        }
    )
    found = Experiment(1, definition, (0, 1), version=version, phase=1, state=State.RUNNING, winner=None)
    assert found.arms.keys == found.variant_keys  # cached properties are not published
    return found


def catalog(*policies: bytes | None, generation: int = 1) -> Catalog:
    """One experiment a policy."""
    return Catalog(tuple(PublishedExperiment(experiment(), blob, 17) for blob in policies), (KEY,), generation)


def blobs(folder: Path) -> int:
    """How many policies the folder holds."""
    return len(list(folder.glob("*.bin")))


def test_what_is_published_is_loaded(tmp_path: Path) -> None:
    """Everything, to the last field."""
    assert load(tmp_path) is None
    assert publish(tmp_path / "new", catalog(b"policy", None))
    assert load(tmp_path / "new") == catalog(b"policy", None)


def test_publishing_the_same_again_writes_nothing(tmp_path: Path) -> None:
    """So that workers do not wake."""
    publish(tmp_path, catalog(b"policy"))
    before = (tmp_path / CATALOG).stat()
    assert not publish(tmp_path, catalog(b"policy"))
    assert (tmp_path / CATALOG).stat() == before


def test_policies_that_two_catalogs_no_longer_name_are_deleted(tmp_path: Path) -> None:
    """The one before stays, for whoever is just reading it."""
    for i in range(5):
        publish(tmp_path, catalog(b"policy %d" % i, generation=i))
    assert blobs(tmp_path) == 2
    assert load(tmp_path) == catalog(b"policy 4", generation=4)


@pytest.mark.parametrize("name", [CATALOG, "*.bin"])
def test_a_damaged_file_is_never_loaded(tmp_path: Path, name: str) -> None:
    """Any changed byte, and any truncation."""
    publish(tmp_path, catalog(b"a policy of some bytes"))
    (path,) = tmp_path.glob(name)
    whole = path.read_bytes()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        with pytest.raises(Invalid):
            load(tmp_path)
        path.write_bytes(whole[:i])
        with pytest.raises(Invalid):
            load(tmp_path)
    path.write_bytes(whole)
    assert load(tmp_path) == catalog(b"a policy of some bytes")


def test_a_damaged_catalog_is_written_again(tmp_path: Path) -> None:
    """The next publishing finds that the folder does not hold what it should."""
    publish(tmp_path, catalog(b"policy"))
    (tmp_path / CATALOG).write_bytes(b"rubbish")
    assert publish(tmp_path, catalog(b"policy"))
    assert load(tmp_path) == catalog(b"policy")


def test_a_damaged_policy_is_written_again(tmp_path: Path) -> None:
    """Though the catalog that names it has not changed."""
    publish(tmp_path, catalog(b"policy"))
    (path,) = tmp_path.glob("*.bin")
    path.write_bytes(b"rot")
    publish(tmp_path, catalog(b"policy"))
    assert load(tmp_path) == catalog(b"policy")


def test_a_watcher_hands_over_every_change_and_keeps_what_it_has(tmp_path: Path) -> None:
    """What is damaged is passed over."""
    seen: list[Catalog] = []
    watcher = Watcher(tmp_path, seen.append)
    watcher.check()
    publish(tmp_path, catalog(b"one"))
    watcher.check()
    watcher.check()
    (tmp_path / CATALOG).write_bytes(b"rubbish")
    watcher.check()
    publish(tmp_path, catalog(b"two", generation=2))
    watcher.check()
    assert seen == [catalog(b"one"), catalog(b"two", generation=2)]


def test_a_watcher_starts_with_what_is_there(tmp_path: Path) -> None:
    """And stops when told."""
    publish(tmp_path, catalog(None))
    seen: list[Catalog] = []
    watcher = Watcher(tmp_path, seen.append)
    watcher.start()
    watcher.stop()
    assert seen == [catalog(None)]


def test_a_publisher_that_dies_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failing at each file operation in turn: the folder always loads, as it was or as it should be."""
    publish(tmp_path, catalog(b"old"))
    real = os.fsync
    for n in range(2):
        left = [n]

        def failing(fd: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise OSError("the disk is full")
            real(fd)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises(OSError, match="full"):
                publish(tmp_path, catalog(b"new", generation=2))
        assert load(tmp_path) == catalog(b"old")
