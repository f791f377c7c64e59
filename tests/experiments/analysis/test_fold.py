"""The analysis is a fold over rows: portions, restarts and rescans change no bit."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bandit.serialization import pack
from bandit.validation import InvalidInput
from experiments.analysis import Analysis

COUNT = 700


@pytest.fixture(scope="module")
def folded(make_world):
    """Rows of a bandit, and what they come to when they are added at once."""
    world, body = make_world()
    experiment = world.experiment(body, variants=3)
    rows = world.rows(experiment, COUNT, rates=(0.1, 0.2, 0.3), law=lambda _: world.law(3))
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows)
    return experiment, rows, analysis.to_bytes()


@settings(max_examples=12)
@given(cuts=st.lists(st.integers(0, COUNT), max_size=6))
def test_where_steps_end_changes_no_bit(folded, cuts: list[int]) -> None:
    """Rows in any portions, some of them empty, give the bytes of rows at once."""
    experiment, rows, expected = folded
    analysis = Analysis.begun(experiment, since=1)
    ends = [0, *sorted(cuts), COUNT]
    for start, end in pairwise(ends):
        analysis.add(rows[start:end])
    assert analysis.to_bytes() == expected


@settings(max_examples=10)
@given(cut=st.integers(0, COUNT))
def test_it_goes_on_after_a_restart_as_if_there_had_been_none(folded, cut: int) -> None:
    """Bytes read back know everything, forecasts between two refits among it."""
    experiment, rows, expected = folded
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows[:cut])
    resumed = Analysis.from_bytes(analysis.to_bytes())
    resumed.add(rows[cut:])
    assert resumed.to_bytes() == expected


def test_what_is_counted_is_read_back_as_it_was(folded) -> None:
    """Being fitted to the same definition then moves nothing: no forecast begins anew."""
    experiment, _, blob = folded
    analysis = Analysis.from_bytes(blob)
    assert analysis.frame == Analysis.begun(experiment, since=1).frame
    assert analysis.fitted(experiment).to_bytes() == blob


def test_memory_does_not_grow_with_rows(folded) -> None:
    """One row or many: the arrays are the same."""
    experiment, rows, expected = folded
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows[:1])
    assert abs(len(analysis.to_bytes()) - len(expected)) < 200


def test_a_damaged_blob_is_refused(folded) -> None:
    """A single bit is enough."""
    _, _, blob = folded
    damaged = bytearray(blob)
    damaged[len(blob) // 2] ^= 1
    with pytest.raises(InvalidInput, match="checksum"):
        Analysis.from_bytes(bytes(damaged))


def test_the_bytes_of_something_else_are_refused(folded) -> None:
    """A policy has the same container and is no analysis."""
    for header in ({"policy": "thompson"}, {"format": 1}):
        with pytest.raises(InvalidInput, match="analysis"):
            Analysis.from_bytes(pack(header, {}))


def test_rows_that_lack_a_metric_are_none_of_it(world, full) -> None:
    """A metric that was added later has only the rows that carry it, and a ratio those that carry both."""
    experiment = world.experiment(full)
    rows = world.rows(experiment, 400)
    early = [replace(row, outcomes={"sale": row.outcomes["sale"]}) for row in rows[:100]]
    broken = [replace(row, outcomes=row.outcomes | {"clicks": float("nan")}) for row in rows[100:110]]
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(early + broken + rows[110:])
    counts = {key: analysis.ledger(key).rows for key in ("sale", "income", "clicks", "value")}
    assert counts == {"sale": 400, "income": 300, "clicks": 290, "value": 290}


def test_what_cannot_have_been_drawn_is_passed_over(world, plain) -> None:
    """Rows of unknown variants, earlier contents or probability zero move the number on and nothing else."""
    experiment = world.experiment(plain, version=3)
    row = world.rows(experiment, 1)[0]
    strange = [
        replace(row, seq=1, variant="gone", variants=("gone", "v1"), distribution=np.array([0.5, 0.5])),
        replace(row, seq=2, version=2),
        replace(row, seq=3, variant="v0", distribution=np.array([0.0, 1.0])),
        replace(row, seq=4, variant="v0", variants=("gone", "v0"), distribution=np.array([1.0, 0.0])),
    ]
    analysis = Analysis.begun(experiment, since=3)
    analysis.add(strange)
    assert (analysis.seq, analysis.rows, analysis.visitors) == (4, 0, {"v0": 0, "v1": 0})
    analysis.add([])
    assert analysis.seq == 4


def test_it_counts_visitors_and_those_who_crossed(world, plain) -> None:
    """Every fiftieth unit was served something else later."""
    experiment = world.experiment(plain)
    rows = world.rows(experiment, 500)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows)
    assert sum(analysis.visitors.values()) == analysis.rows == 500
    assert sum(analysis.crossings.values()) == 10
    assert (analysis.first, analysis.last) == (rows[0].time, rows[-1].time)


def test_it_knows_whether_one_weight_vector_drew_all(world, plain) -> None:
    """A single row with another one is enough, and it stays so."""
    experiment = world.experiment(plain)
    analysis = Analysis.begun(experiment, since=1)
    assert analysis.weights is None
    analysis.add(world.rows(experiment, 50))
    assert analysis.weights == {"v0": 0.5, "v1": 0.5}
    analysis.add(world.rows(experiment, 1, law=lambda _: [0.6, 0.4], after=50))
    assert analysis.moved
    assert analysis.weights is None
    analysis.add(world.rows(experiment, 50, after=51))
    assert analysis.weights is None


def test_sums_are_those_of_the_rows(world, full) -> None:
    """Tallies agree with sums over the rows, in every lane."""
    experiment = world.experiment(full)
    rows = world.rows(experiment, 600, law=lambda _: world.law(2))
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(rows)
    for lane in analysis.frame.lanes:
        own = [row for row in rows if lane is None or _value(lane.attribute, row.context) == lane.value]
        for key in experiment.variant_keys:
            values = [row.outcomes["income"] for row in own if row.variant == key]
            moments = analysis.ledger("income", lane).moments[key]
            assert moments.rows == len(values)
            assert moments.total == pytest.approx(sum(values), rel=1e-12)
            assert moments.squares == pytest.approx(sum(value**2 for value in values), rel=1e-12)
    joint = analysis.ledger("value").joint["v1"]
    assert joint.xy == pytest.approx(
        sum(r.outcomes["income"] * r.outcomes["clicks"] for r in rows if r.variant == "v1")
    )


def _value(attribute: str, context: dict[str, object]) -> str:
    value = context[attribute]
    if attribute == "age":
        return "under 30" if value < 30 else "30 to 50" if value < 50 else "50 and more"
    if attribute == "new":
        return "yes" if value else "no"
    return value if value in ("mobile", "desktop") else "other"


def test_the_last_days_are_those_of_the_last_rows(world, plain) -> None:
    """A variant that was better long ago and worse lately is not ahead recently; the whole average still is."""
    experiment = world.experiment(plain)
    day = 86_400_000_000
    rows = [
        replace(row, time=row.time + (seq // 200) * day)
        for seq, row in enumerate(world.rows(experiment, 4000, rates=(0.2, 0.5)))
    ]
    late = [
        replace(row, time=rows[-1].time + (2 + seq // 200) * day)
        for seq, row in enumerate(world.rows(experiment, 2000, rates=(0.5, 0.2), after=4000))
    ]
    analysis = Analysis.begun(experiment, since=1)
    assert analysis.recently("v1", "v0") is None
    analysis.add(rows)
    assert analysis.recently("v1", "v0") == pytest.approx(0.3, abs=0.1)
    analysis.add(late)
    assert analysis.recently("v1", "v0") == pytest.approx(-0.3, abs=0.1)
    assert analysis.recently("v1", "gone") is None
