"""The order and the number of times that records arrive in change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.records import Record

NUMBERS = st.integers(1, 6)
DECISIONS = st.lists(
    st.fixed_dictionaries(
        {
            "number": NUMBERS,
            "at": st.integers(0, 120),
            "who": st.sampled_from(["x", "y", None]),
            "variant": st.sampled_from(["a", "b"]),
            "reason": st.sampled_from(["policy", "policy", "policy", "degraded", "preview"]),
        }
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda facts: facts["number"],
)
REWARDS = st.lists(
    st.fixed_dictionaries(
        {
            "number": NUMBERS,
            "at": st.integers(0, 200),
            "metric": st.sampled_from(["sale", "seconds"]),
            "key": st.sampled_from(["", "i", "j"]),
            "value": st.sampled_from([0.1, 0.7, 3.0]),
        }
    ),
    max_size=8,
    unique_by=lambda facts: (facts["number"], facts["metric"], facts["key"]),
)
BY_UNIT = st.lists(
    st.fixed_dictionaries(
        {
            "who": st.sampled_from(["x", "y", "z"]),
            "at": st.integers(0, 200),
            "key": st.sampled_from(["k", "l"]),
            "value": st.sampled_from([0.1, 0.7]),
        }
    ),
    max_size=4,
    unique_by=lambda facts: (facts["who"], facts["key"]),
)


@pytest.mark.parametrize("unit", ["visitor", "decision"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(decisions=DECISIONS, rewards=REWARDS, by_unit=BY_UNIT, data=st.data())
def test_any_order(
    sites: Callable[..., Any],
    unit: str,
    decisions: list[dict[str, Any]],
    rewards: list[dict[str, Any]],
    by_unit: list[dict[str, Any]],
    data: st.DataObject,
) -> None:
    """Any permutation, duplication and cut into batches of the records gives the same rows and sums."""
    metrics = [
        {"key": "sale", "kind": "revenue", "window_seconds": 60},
        {"key": "seconds", "kind": "duration", "role": "secondary", "window_seconds": 90},
        {"key": "left", "kind": "bounce", "role": "secondary", "window_seconds": 30},
    ]

    def records(site: Any) -> list[Record]:
        made = [
            site.decision(
                facts["number"], at=facts["at"], who=facts["who"], variant=facts["variant"], reason=facts["reason"]
            )
            for facts in decisions
        ]
        made += [site.reward(f["number"], **{name: f[name] for name in f if name != "number"}) for f in rewards]
        return made + [site.reward(who=f["who"], at=f["at"], key=f["key"], value=f["value"]) for f in by_unit]

    plain, mixed = sites(unit=unit, metrics=metrics), sites(unit=unit, metrics=metrics)
    plain.ship(*records(plain))
    every = records(mixed)
    again = data.draw(st.lists(st.sampled_from(every), max_size=4), label="again")
    order = data.draw(st.permutations(every + again), label="order")
    cut = data.draw(st.integers(0, len(order)), label="cut")
    mixed.ship(*order[:cut])
    mixed.ship(*order[cut:], file=f"{mixed.experiment.key}-2.log")
    assert facts_of(plain) == facts_of(mixed)
    assert plain.sums() == mixed.sums()
    assert plain.traffic() == mixed.traffic()


def facts_of(site: Any) -> list[tuple[object, ...]]:
    """Everything of the rows that learning reads; one step a row in one, one step for all in the other."""
    return [
        (
            *(row.seq, row.decision, row.unit, row.phase, row.time, row.variant),
            *(row.distribution.tobytes(), row.outcomes, row.crossed),
        )
        for row in site.learn()
    ]
