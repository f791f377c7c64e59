"""The benchmark runs, and says what it measured."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from bandit import bench, peers


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    """Measure next to nothing."""
    for name, value in {"SECONDS": 0.01, "ROUNDS": 40, "LOGGED": 40, "ASKED": 20}.items():
        monkeypatch.setattr(bench, name, value)


def test_rows_have_the_promised_fields():
    """One row a policy and job, with its peer's figure from the same call."""
    rows = bench.bench_policy(widths=(2,))["rows"]
    fields = {"what", "d", "k", "events_per_second", "peer", "peer_events_per_second", "ratio", "foreign_cores"}
    assert all(set(row) == fields for row in rows)
    beside_vowpal = [row["what"] for row in rows if (row["peer"] or "").startswith("vowpalwabbit")]
    assert {"vw_squarecb: choose and learn", "vw_squarecb: distribution of one"} <= set(beside_vowpal)
    assert all(row["events_per_second"] > 0 and row["foreign_cores"] >= 0 for row in rows)
    assert all((row["ratio"] is None) == (row["peer"] is None) for row in rows)


def test_peers_are_there_where_their_library_is():
    """A library that is not installed is left out, and breaks nothing."""
    found = {name.split()[0] for name in peers.loops(2, 3)}
    assert found == {name for name in ("vowpalwabbit", "mabwiser", "river") if find_spec(name) is not None}
    assert bool(peers.fits(2, 3, 20)) == bool(peers.predictions(2, 3, 20)) == (find_spec("mabwiser") is not None)
