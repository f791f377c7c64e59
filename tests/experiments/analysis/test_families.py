"""Families: what could have been asked is counted, and nothing that is removed afterwards makes it less."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from experiments.analysis import Analysis, Engine, MetricFindings, proved, survey
from experiments.analysis.families import discovered, held
from experiments.analysis.question import Question
from experiments.analysis.values import ContrastFinding
from experiments.model import Proof, ProofKind
from experiments.statistics.sequential import ALPHA

FIXED, BANDIT = {"policy": {"name": "fixed"}}, {"policy": {"name": "thompson"}}
NOW = 1_900_000_000_000_000
TOLD = ContrastFinding("v1", "v0", difference=0.1, low=0.0, high=0.2, p_value=0.02, log_e=math.log(50))
SECONDARY = [{"key": key, "role": "secondary"} for key in ("income", "clicks", "more")]


def some(family: int, *contrasts: ContrastFinding) -> MetricFindings:
    """The findings of one metric."""
    return MetricFindings("sale", None, Engine.FIXED, 100, ALPHA / family, family, (), contrasts)


def counted(world, body: dict[str, Any], rates, count: int) -> Analysis:
    """What rows of such rates come to."""
    experiment = world.experiment(body, variants=len(rates))
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, count, rates=rates))
    return analysis


def of_kind(proofs: list[Proof], kind: ProofKind) -> list[Proof]:
    """Those proofs."""
    return [proof for proof in proofs if proof.kind is kind]


def test_what_is_not_there_any_more_counts_as_nothing_shown() -> None:
    """A p-value of 2% is enough alone, and not among eight; an e-value of 50 likewise."""
    assert [found.separated for found in held([TOLD], family=1)] == [True]
    (among,) = held([TOLD], family=8)
    assert (among.adjusted_p, among.separated) == (pytest.approx(0.16), False)
    assert discovered([some(1, TOLD)])[0].contrasts[0].separated
    (kept,) = discovered([some(8, TOLD)])
    assert (len(kept.contrasts), kept.contrasts[0].separated) == (1, False)
    assert kept.contrasts[0].adjusted_p == pytest.approx(8 / 50)


@pytest.mark.parametrize("policy", [FIXED, BANDIT])
def test_removing_variants_makes_no_family_smaller(world, plain, policy) -> None:
    """The level of each contrast, and what Holm asks of it, stay; also what 'choosing pays' is proved at."""
    analysis = counted(world, plain | policy, (0.1,) * 6, 2000)
    before = world.experiment(plain | policy, variants=6)
    after = world.experiment(plain | policy, variants=2, version=2)
    fitted = analysis.fitted(after)
    old, new = survey(analysis, before).of("sale"), survey(fitted, after).of("sale")
    assert (old.family, new.family, new.alpha) == (5, 5, 0.05 / 5)
    assert new.contrasts[0].low == old.contrasts[0].low
    p = old.contrasts[0].p_value
    assert new.contrasts[0].adjusted_p == pytest.approx(min(5 * p, 1.0))
    assert [found.alpha for found in new.served] == [found.alpha for found in old.served][: len(new.served)]
    assert proved(fitted, after, time=NOW) == proved(analysis, before, time=NOW) == []


def test_removing_secondary_metrics_makes_their_family_no_smaller(world, plain) -> None:
    """Also once another one has come in the place of the removed."""
    body = plain | FIXED | {"metrics": [*plain["metrics"], *SECONDARY]}
    analysis = counted(world, body, (0.1, 0.15), 3000)
    assert analysis.secondary == ("income", "clicks", "more")
    fewer = world.experiment(body | {"metrics": body["metrics"][:2]}, version=2)
    other = {"key": "other", "role": "secondary"}
    swapped = world.experiment(body | {"metrics": [*body["metrics"][:2], other]}, version=3)
    fitted = Analysis.from_bytes(analysis.fitted(fewer).to_bytes())
    assert survey(fitted, fewer).of("income").family == 3
    again = fitted.fitted(swapped)
    assert survey(again, swapped).of("income").family == 4
    assert again.secondary == ("income", "clicks", "more", "other")


def test_a_proof_never_contradicts_its_limits(world, plain) -> None:
    """Told apart by its family is one thing; a proof has limits that leave zero out, and are those beside it."""
    analysis = counted(world, plain | FIXED, (0.1, 0.2), 3000)
    experiment = world.experiment(plain | FIXED)
    found = survey(analysis, experiment)
    whole = found.of("sale")
    assert of_kind(proved(analysis, experiment, time=NOW, found=found), ProofKind.BETTER)
    wide = replace(whole.contrasts[0], low=-0.01, separated=True)
    told = replace(found, findings={("sale", None): replace(whole, contrasts=(wide,))})
    assert not of_kind(proved(analysis, experiment, time=NOW, found=told), ProofKind.BETTER)
    proof = of_kind(proved(analysis, experiment, time=NOW), ProofKind.BETTER)[0]
    assert (proof.low, proof.high) == (whole.contrasts[0].low, whole.contrasts[0].high)


def test_best_names_whom_it_beat(world, plain) -> None:
    """With another variant it is another statement, proved anew once it holds over that one, too."""
    analysis = counted(world, plain | BANDIT, (0.1, 0.4), 2000)
    two, three = world.experiment(plain | BANDIT), world.experiment(plain | BANDIT, variants=3, version=2)
    (first,) = of_kind(proved(analysis, two, time=NOW), ProofKind.BEST)
    assert (first.variant, first.rivals) == ("v1", ("v0",))
    fitted = analysis.fitted(three)
    assert of_kind(proved(fitted, three, time=NOW), ProofKind.BEST) == []
    fitted.add(world.rows(three, 3000, rates=(0.1, 0.4, 0.1), after=2000))
    (second,) = of_kind(proved(fitted, three, time=NOW), ProofKind.BEST)
    assert (second.variant, second.rivals) == ("v1", ("v0", "v2"))
    assert first.identity != second.identity


def test_a_proof_says_since_when_there_is_what_it_speaks_of(world, plain) -> None:
    """Of a variant or metric that came later, since its first row; the dates survive a restart."""
    analysis = counted(world, plain | BANDIT, (0.1, 0.1), 1000)
    begun = analysis.first
    assert analysis.firsts == {"v0": begun, "v1": begun}
    assert (analysis.begins, analysis.first_of("sale", ["v0"])) == ({"sale": begun}, begun)
    metrics = [*plain["metrics"], SECONDARY[1] | {"kind": "count"}]
    later = world.experiment(plain | BANDIT | {"metrics": metrics}, variants=3, version=2)
    fitted = analysis.fitted(later)
    assert fitted.first_of("sale", ["v0", "v2"]) == fitted.first_of("clicks", ["v0"]) == 0
    rows = world.rows(later, 2500, rates=(0.1, 0.1, 0.6), after=1000)
    without = [replace(row, outcomes={"sale": row.outcomes["sale"]}) for row in rows[:10]]
    fitted.add([*without, *rows[10:]])
    fitted = Analysis.from_bytes(fitted.to_bytes())
    assert fitted.firsts == {"v0": begun, "v1": begun, "v2": rows[0].time}
    assert fitted.begins == {"sale": begun, "clicks": rows[10].time}
    proofs = proved(fitted, later, time=NOW)
    dates = {(proof.kind, proof.metric): proof.first for proof in proofs}
    assert dates[ProofKind.BEST, "sale"] == dates[ProofKind.BETTER, "sale"] == rows[0].time
    assert fitted.first_of("clicks", ["v2"]) == rows[10].time
    gone = fitted.fitted(world.experiment(plain | BANDIT, variants=3, version=3))
    assert gone.begins == {"sale": begun}


def test_a_proof_keeps_what_it_was_proved_against(world, full, plain) -> None:
    """The margin of 'not worse' and of harm, and the difference that would matter; nothing of any other."""
    body = plain | FIXED | {"smallest_lift": 0.3, "metrics": [{"key": "sale", "margin": 0.2}]}
    analysis = counted(world, body, (0.5, 0.5), 6000)
    proofs = proved(analysis, world.experiment(body), time=NOW)
    assert {proof.kind: proof.margin for proof in proofs} == {ProofKind.NO_DIFFERENCE: 0.3, ProofKind.NOT_WORSE: 0.2}
    body = full | FIXED | {"segments": [], "context": [], "covariate": None}
    proofs = proved(counted(world, body, (0.3, 0.05), 4000), world.experiment(body), time=NOW)
    (harm,) = of_kind(proofs, ProofKind.HARMED)
    assert (harm.margin, harm.high) == (0.2, None)
    assert 0 <= harm.low < harm.estimate
    assert {proof.margin for proof in of_kind(proofs, ProofKind.WORSE)} == {None}


@pytest.mark.parametrize("numbers", [(-0.02, -0.05, 0.03), (-0.02, -0.05, -0.01), (1.2, 1.1, 1.4), (0.5, -1.0, 2.0)])
def test_a_mean_is_within_its_limits_wherever_they_are_cut(numbers: tuple[float, float, float]) -> None:
    """No mean of a conversion is below 0 or above 1, and none is outside of its own limits."""
    estimate, low, high = Question(ALPHA, 1000, bounds=(0.0, 1.0)).clipped(*numbers)
    assert 0 <= low <= estimate <= high <= 1


def test_a_mean_of_moving_traffic_is_within_its_limits(world, plain) -> None:
    """A variant that never converts, and rarely had a chance."""
    experiment = world.experiment(plain | BANDIT)
    for _ in range(10):
        analysis = Analysis.begun(experiment, since=1)
        analysis.add(
            world.rows(
                experiment,
                1000,
                rates=(0.05, 0.0),
                law=lambda _: (0.97, 0.03) if world.rng.random() < 0.5 else (0.93, 0.07),
            )
        )
        for found in survey(analysis, experiment).of("sale").variants:
            assert found.estimate is None or found.low <= found.estimate <= found.high
