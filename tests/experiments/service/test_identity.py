"""Keys and decision ids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.service.identity import DecisionIds, valid_key


@pytest.mark.parametrize("key", ["a", "0", "spring-landing", "a.b_c-d", "x" * 64])
def test_keys_that_are_allowed(key: str) -> None:
    """Lower case, digits, dot, dash and underscore, 64 at most."""
    assert valid_key(key)


@pytest.mark.parametrize("key", ["", "-a", ".a", "A", "ä", "a b", "a/b", "x" * 65, "a\n"])
def test_keys_that_are_not(key: str) -> None:
    """Everything else."""
    assert not valid_key(key)


@given(st.lists(st.integers(0, 2**48 * 1000 - 1), min_size=1, max_size=50))
def test_ids_are_version_7_and_increase_whatever_the_clock_does(times: list[int]) -> None:
    """A clock that steps back reuses the last millisecond."""
    ids = DecisionIds()
    found = [ids.next(now) for now in times]
    assert found == sorted(set(found))
    for id_, latest in zip(found, (max(times[: i + 1]) for i in range(len(times))), strict=True):
        uuid = UUID(hex=id_)
        assert (uuid.version, uuid.variant, uuid.int >> 80) == (7, RFC_4122, latest // 1000)


def test_threads_never_get_the_same_id() -> None:
    """One generator serves all threads of a worker."""
    ids = DecisionIds()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: ids.next(1), range(4_000)))
    assert len(set(found)) == len(found)
