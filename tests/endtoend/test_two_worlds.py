from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from dashboard.demo.scenarios import METRIC
from experiments.model import Experiment
from experiments.secret import Secret
from experiments.service.tokens import verify
from experiments.store import LoggedDecision, Store


@pytest.fixture(scope="session")
def rows(store: Store) -> Callable[[Experiment], dict[str, LoggedDecision]]:
    """The raw rows of an experiment by decision; reading one twice would be a failure of its own."""
    read: dict[str, dict[str, LoggedDecision]] = {}

    def rows_of(experiment: Experiment) -> dict[str, LoggedDecision]:
        if experiment.key not in read:
            found = [row for batch in store.log(experiment.id) for row in batch]
            read[experiment.key] = {row.decision: row for row in found}
            assert len(read[experiment.key]) == len(found)
        return read[experiment.key]

    return rows_of


def test_every_decision_is_stored_once_as_it_was_answered(run, experiment, rows, secret: Secret) -> None:
    """Each acknowledged decision is in the store exactly once, with its propensity and whole distribution."""
    stored = rows(experiment)
    acknowledged = {verify(visit.answer["decision"], secret).decision: visit for visit in run.visits[experiment.key]}
    assert stored.keys() == acknowledged.keys()
    for decision, visit in acknowledged.items():
        row = stored[decision]
        answered = (visit.answer["variant"], visit.answer["probability"], visit.answer["policy"]["version"])
        assert (row.variant, row.probability, row.policy_version) == answered
        assert (row.unit, dict(row.context)) == (secret.pseudonym(visit.unit), visit.context)
        assert row.variants == experiment.variant_keys
        assert row.distribution[row.variants.index(row.variant)] == row.probability
        assert np.isclose(row.distribution.sum(), 1, rtol=0, atol=1e-9)
        assert row.distribution.min() >= experiment.exploration / len(row.variants) - 1e-9


def test_every_reward_is_stored_once(run, experiment, rows, secret: Secret) -> None:
    """Each acknowledged reward counts once for its decision, however often it was sent; nobody else has one."""
    stored = rows(experiment)
    for visit in run.visits[experiment.key]:
        row = stored[verify(visit.answer["decision"], secret).decision]
        assert row.rewards[METRIC] == float(visit.converted)


def test_duplicates_are_counted_as_such(run, store: Store) -> None:
    """The store knows how many rewards came a second time, and finds nothing late, lost or contradictory."""
    health = [store.health(store.experiment(scenario.key).id) for scenario in run.worlds]
    assert sum(one.duplicates for one in health) == run.twice > 0
    for one in health:
        assert (one.late, one.unmatched, one.conflicting, one.quarantined) == (0, 0, 0, 0)


def test_analysis_rows_are_one_gapless_sequence(experiment, rows) -> None:
    """Every visitor's first decision is an analysis row, numbered 1, 2, 3..."""
    stored = rows(experiment).values()
    assert sorted(row.seq for row in stored) == list(range(1, len(stored) + 1))


def test_report_raw_rows_and_sums_agree(run, experiment, rows, store: Store) -> None:
    """``report.json``, a recomputation from the raw rows and the running sums give the same numbers."""
    status, body = run.get(f"/experiments/{experiment.key}/report.json")
    assert status == 200
    report = json.loads(body)
    counted = Counter(row.variant for row in rows(experiment).values())
    rewarded = Counter(row.variant for row in rows(experiment).values() if row.rewards[METRIC] == 1.0)
    sums = {found.variant: found for found in store.sums(experiment.id) if found.metric == METRIC}
    assert report["rows"] == counted.total()
    for variant in report["variants"]:
        key = variant["key"]
        assert (variant["visitors"], variant["conversions"]) == (counted[key], rewarded[key])
        assert (sums[key].rows, sums[key].total, sums[key].squares) == (counted[key], rewarded[key], rewarded[key])
        assert variant["rate"] == pytest.approx(rewarded[key] / counted[key], rel=1e-12)
        assert variant["share"] == pytest.approx(counted[key] / counted.total(), rel=1e-12)
        assert variant["low"] <= variant["estimate"] <= variant["high"]
        assert variant["interval"] == "always valid, 95%"
    assert report["simulated"] is True


def test_thompson_sends_most_traffic_to_the_best(run) -> None:
    """Of the last quarter the bandit sends more than half to the variant that is really best."""
    world = next(scenario.world for scenario in run.worlds if scenario.key == "hero")
    visits = run.visits["hero"]
    late = Counter(visit.answer["variant"] for visit in visits[3 * len(visits) // 4 :])
    assert late.most_common(1)[0][0] == world.best_single()[0]
    assert late[world.best_single()[0]] > 0.5 * late.total()


def test_contextual_bandit_beats_the_best_single_variant(run) -> None:
    """By the true rates, choosing by context earned more than the best single page would have, learning included."""
    world = next(scenario.world for scenario in run.worlds if scenario.key == "personal")
    earned = world.expected([(visit.answer["variant"], visit.context) for visit in run.visits["personal"]])
    assert earned > world.best_single()[1]


def test_the_page_shows_the_report(run, experiment, pages) -> None:
    """The numbers in the browser are those of ``report.json``, and the page says that its visitors were simulated."""
    shown, text = pages[experiment.key]
    report = json.loads(run.get(f"/experiments/{experiment.key}/report.json")[1])
    assert shown.keys() == {variant["key"] for variant in report["variants"]}
    for variant in report["variants"]:
        cells = shown[variant["key"]]
        for name in ("visitors", "conversions"):
            assert int("".join(filter(str.isdigit, cells[name]))) == variant[name]
        for name in ("rate", "share"):
            assert float(cells[name].rstrip("%")) == pytest.approx(100 * variant[name], abs=0.051)
    assert "always valid" in text.lower()
    assert "simulated" in text.lower()
