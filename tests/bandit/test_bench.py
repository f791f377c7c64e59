"""The benchmark runs, and says what it measured."""

from __future__ import annotations

from bandit import bench


def test_rows_have_the_promised_fields(monkeypatch):
    """One row a policy, with its peer's figure from the same call."""
    monkeypatch.setattr(bench, "SECONDS", 0.01)
    rows = bench.bench_policy(widths=(2,))["rows"]
    fields = {"what", "d", "k", "events_per_second", "peer", "peer_events_per_second", "ratio"}
    assert all(set(row) == fields for row in rows)
    assert [row["what"].split(":")[0] for row in rows if row["peer"] is not None] == [
        "linucb",
        "linear_thompson",
        "vw_squarecb",
    ]
    assert all(row["events_per_second"] > 0 for row in rows)
