"""Definitions change while it runs: what is known of everything else stays."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from experiments.analysis import Analysis, SegmentValue, survey

CONTENT = {"key": "v0", "content": {"title": "Hello"}}


def variants(*keys: str) -> list[dict[str, Any]]:
    """Variants without contents."""
    return [{"key": key} for key in keys]


def sums_of(analysis: Analysis, key: str) -> list[float]:
    """What is known of one variant, whatever its place."""
    ledger = analysis.ledger("sale")
    place = ledger.variants.index(key)
    return [*ledger.tallies[:, place].tolist(), *ledger.sums.total[:, place, place].tolist()]


def test_another_version_alone_changes_nothing_else(world, full) -> None:
    """A new version that touches nothing that is counted keeps all sums, in another object."""
    experiment = world.experiment(full)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, 300))
    later = analysis.fitted(world.experiment(full | {"name": "New name"}, version=2))
    assert (analysis.version, later.version, later.since) == (1, 2, 1)
    before = analysis.to_bytes()
    rows = world.rows(experiment, 100, after=300)
    later.add(rows)
    assert analysis.to_bytes() == before
    analysis.add(rows)
    analysis.version = 2
    assert analysis.to_bytes() == later.to_bytes()


def test_a_new_variant_begins_cold_and_moves_nobody(world, full) -> None:
    """What is known of the others stays, wherever the new one stands; rows of all of them go on."""
    experiment = world.experiment(full)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, 300))
    wider = world.experiment(full, variants=variants("new", "v1", "v0"), version=2)
    fitted = analysis.fitted(wider)
    assert fitted.variants == ("v0", "v1", "new")
    assert sums_of(fitted, "v0") == sums_of(analysis, "v0")
    assert sums_of(fitted, "v1") == sums_of(analysis, "v1")
    assert not any(sums_of(fitted, "new"))
    assert fitted.weights == {"v0": 0.5, "v1": 0.5, "new": 0.0}
    fitted.add(world.rows(wider, 300, rates=(0.1, 0.1, 0.1), after=300))
    assert fitted.moved
    assert min(fitted.visitors.values()) > 50


def test_a_removed_variant_stays_known(world, plain) -> None:
    """Late rows of it are counted, so that nobody else's numbers are selected by what it brought; it may come back."""
    both = world.experiment(plain)
    analysis = Analysis.begun(both, since=1)
    analysis.add(world.rows(both, 200))
    alone = world.experiment(plain, variants=variants("v0"), version=2)
    fitted = analysis.fitted(alone)
    assert fitted.variants == ("v0", "v1")
    fitted.add(world.rows(both, 100, after=200))
    assert sum(fitted.visitors.values()) == 300
    back = fitted.fitted(world.experiment(plain, version=3))
    assert sums_of(back, "v1") == sums_of(fitted, "v1")
    found = survey(fitted, alone).of("sale")
    assert [variant.variant for variant in found.variants] == ["v0"]


def test_very_many_removed_variants_are_forgotten(world, plain) -> None:
    """Memory stays bounded however often contents are exchanged for new ones."""
    many = world.experiment(plain, variants=variants(*(f"a{k}" for k in range(150))))
    others = world.experiment(plain, variants=variants("a0", *(f"b{k}" for k in range(149))), version=2)
    analysis = Analysis.begun(many, since=1)
    analysis.add(world.rows(many, 300, rates=[0.1] * 150))
    fitted = analysis.fitted(others)
    assert fitted.variants == others.variant_keys
    assert sums_of(fitted, "a0") == sums_of(analysis, "a0")
    fitted.add(world.rows(many, 100, rates=[0.1] * 150, after=300))
    assert fitted.rows <= 310, "rows of forgotten variants are passed over"


def test_other_content_under_the_same_key_begins_anew(world, plain) -> None:
    """What visitors saw before under that key was something else."""
    first = world.experiment(plain, variants=[CONTENT, {"key": "v1"}])
    analysis = Analysis.begun(first, since=1)
    analysis.add(world.rows(first, 200))
    changed = [CONTENT | {"content": {"title": "Welcome"}}, {"key": "v1"}]
    second = world.experiment(plain, variants=changed, version=2)
    fitted = analysis.fitted(second)
    assert (fitted.since, fitted.seq, fitted.rows) == (2, 200, 0)
    fitted.add(world.rows(first, 50, after=200))
    assert (fitted.seq, fitted.rows) == (250, 0), "decisions under the old content"
    fitted.add(world.rows(second, 50, after=250))
    assert fitted.rows == 50


def test_a_variant_that_comes_back_with_other_content_begins_anew(world, plain) -> None:
    """Removing it in between hides nothing."""
    analysis = Analysis.begun(world.experiment(plain, variants=[CONTENT, {"key": "v1"}]), since=1)
    without = analysis.fitted(world.experiment(plain, variants=variants("v1"), version=2))
    changed = CONTENT | {"content": {"title": "Welcome"}}
    assert without.fitted(world.experiment(plain, variants=[changed, {"key": "v1"}], version=3)).since == 3


def test_metrics_come_and_go(world, full, plain) -> None:
    """A metric that is added counts from its own rows on; one that is removed leaves nothing behind."""
    experiment = world.experiment(plain)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add([replace(row, outcomes={"sale": row.outcomes["sale"]}) for row in world.rows(experiment, 200)])
    more = plain | {"metrics": full["metrics"]}
    fitted = analysis.fitted(world.experiment(more, version=2))
    fitted.add(world.rows(experiment, 100, after=200))
    assert fitted.ledger("sale").rows == 300
    assert fitted.ledger("value").rows == fitted.ledger("income").rows == 100
    fewer = fitted.fitted(world.experiment(plain, version=3))
    assert fewer.ledger("income") is None
    assert sums_of(fewer, "v0") == sums_of(fitted, "v0")


def test_another_context_begins_other_forecasts_and_keeps_the_sums(world, full) -> None:
    """What the old columns said does not fit the new ones."""
    experiment = world.experiment(full)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, 300))
    wider = full | {"context": [*full["context"], {"name": "os", "type": "category", "values": ["ios"]}]}
    fitted = analysis.fitted(world.experiment(wider, version=2))
    assert sums_of(fitted, "v1") == sums_of(analysis, "v1")
    assert analysis.metrics["sale"].plugin.to_arrays()["rows"][0] == 300
    assert fitted.metrics["sale"].plugin.to_arrays()["rows"][0] == 0
    fitted.add(world.rows(experiment, 50, after=300))
    assert fitted.ledger("sale").rows == 350


def test_a_new_value_of_a_segment_begins_cold(world, full) -> None:
    """The others keep what they have."""
    experiment = world.experiment(full)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, 300))
    context = [full["context"][0] | {"values": ["tv", "mobile", "desktop"]}, *full["context"][1:]]
    fitted = analysis.fitted(world.experiment(full | {"context": context}, version=2))
    mobile, tv = SegmentValue("device", "mobile"), SegmentValue("device", "tv")
    kept = fitted.ledger("income", mobile)
    np.testing.assert_array_equal(kept.tallies, analysis.ledger("income", mobile).tallies)
    assert fitted.ledger("income", tv).rows == 0
    assert analysis.ledger("income", tv) is None


@pytest.mark.parametrize("portion", [13, 50])
def test_a_history_of_versions_is_a_fold_too(world, full, plain, portion: int) -> None:
    """Rows and versions in their order give the same bytes, whatever portions rows are added in."""
    history = [
        world.experiment(full),
        world.experiment(full, variants=variants("v1", "v2", "v0"), version=2),
        world.experiment(full | {"metrics": full["metrics"][:2]}, variants=variants("v1", "v2"), version=3),
    ]
    rows = []
    for experiment in history:
        law = partial(world.law, len(experiment.variant_keys))
        told = world.rows(experiment, 120, rates=(0.1, 0.2, 0.3), law=lambda _, law=law: law(), after=120 * len(rows))
        rows.append(told)
    blobs = set()
    for size in (portion, 120):
        analysis = Analysis.begun(history[0], since=1)
        for experiment, own in zip(history, rows, strict=True):
            analysis = analysis.fitted(experiment)
            for start in range(0, len(own), size):
                analysis = Analysis.from_bytes(analysis.to_bytes())
                analysis.add(own[start : start + size])
        blobs.add(analysis.to_bytes())
    assert len(blobs) == 1
