"""Each kind of proof, in a world with the effect and in one without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments.analysis import Analysis, beaten, proved, survey
from experiments.model import Experiment, Proof, ProofKind

FIXED, BANDIT = {"policy": {"name": "fixed"}}, {"policy": {"name": "thompson"}}
NOW = 1_900_000_000_000_000


def made(world, body: dict[str, Any], rates, count: int, *, moving: bool = False) -> tuple[Analysis, Experiment]:
    """What rows of such rates come to."""
    arms = 2 if callable(rates) else len(rates)
    experiment = world.experiment(body, variants=arms)
    analysis = Analysis.begun(experiment, since=1)
    law = (lambda _: world.law(arms)) if moving else None
    analysis.add(world.rows(experiment, count, rates=rates, law=law))
    return analysis, experiment


def told(world, body: dict[str, Any], rates, count: int, *, moving: bool = False) -> list[Proof]:
    """All that is proved then."""
    return proved(*made(world, body, rates, count, moving=moving), time=NOW)


def kinds(proofs: list[Proof], metric: str = "sale") -> set[tuple[ProofKind, str]]:
    """Which statements there are of a metric, over all rows."""
    return {(proof.kind, proof.variant) for proof in proofs if proof.metric == metric and proof.segment is None}


@pytest.mark.parametrize(("policy", "moving"), [(FIXED, False), (BANDIT, True)])
def test_best_beats_every_other(world, plain, policy, moving: bool) -> None:
    """A clear winner is proved best and better than the control; who it beats is known to the leader, too."""
    analysis, experiment = made(world, plain | policy, (0.1, 0.12, 0.3), 4000, moving=moving)
    proofs = proved(analysis, experiment, time=NOW)
    assert kinds(proofs) == {(ProofKind.BEST, "v2"), (ProofKind.BETTER, "v2")}
    assert beaten(analysis, experiment) == {"v0", "v1"}
    best = next(proof for proof in proofs if proof.kind is ProofKind.BEST)
    assert (best.seq, best.time, best.since, best.other, best.alpha) == (4000, NOW, 1, None, 0.05)
    assert 0 < best.low < best.estimate < best.high
    assert best.estimate == pytest.approx(0.18, abs=0.05), "the closest of its contrasts"


@pytest.mark.parametrize(("policy", "moving"), [(FIXED, False), (BANDIT, True)])
def test_without_a_difference_nothing_is_proved(world, plain, policy, moving: bool) -> None:
    """Equal variants, looked at often: no variant is best, better, worse or beaten."""
    experiment = world.experiment(plain | policy, variants=4)
    analysis = Analysis.begun(experiment, since=1)
    law = (lambda _: world.law(4)) if moving else None
    for look in range(20):
        analysis.add(world.rows(experiment, 250, rates=(0.2,) * 4, law=law, after=250 * look))
        assert proved(analysis, experiment, time=NOW) == []
        assert beaten(analysis, experiment) == frozenset()


@pytest.mark.parametrize(("policy", "moving"), [(FIXED, False), (BANDIT, True)])
@pytest.mark.parametrize("changing", [True, False])
def test_who_is_beaten_is_what_the_pairs_say(world, plain, policy, moving: bool, changing: bool) -> None:
    """The short way for the leader, and the pairs that a page shows."""
    body = plain | policy | {"may_change": changing}
    analysis, experiment = made(world, body, (0.1, 0.17, 0.2, 0.3), 2500, moving=moving)
    pairs = survey(analysis, experiment).of("sale").pairs
    losers = {pair.other for pair in pairs if pair.low > 0} | {pair.variant for pair in pairs if pair.high < 0}
    assert beaten(analysis, experiment) == losers
    assert losers


def test_a_disabled_variant_neither_wins_nor_loses(world, plain) -> None:
    """'Best' is about those that can be shown; the one that was better is out."""
    analysis, experiment = made(world, plain | BANDIT, (0.1, 0.3, 0.6), 5000, moving=True)
    keys = [{"key": "v0"}, {"key": "v1"}, {"key": "v2", "enabled": False}]
    without = world.experiment(plain | BANDIT, variants=keys, version=2)
    assert (ProofKind.BEST, "v2") in kinds(proved(analysis, experiment, time=NOW))
    assert (ProofKind.BEST, "v1") in kinds(proved(analysis.fitted(without), without, time=NOW))
    assert beaten(analysis.fitted(without), without) == {"v0"}


def test_best_needs_more_where_the_best_may_change(world, plain) -> None:
    """Pairs at 5%/(K(K - 1)/2) are wider than at 5%/(K - 1)."""
    analysis, experiment = made(world, plain | BANDIT, (0.1, 0.1, 0.1, 0.25), 4000, moving=True)
    changing = world.experiment(plain | BANDIT | {"may_change": True}, variants=4)
    one = next(proof for proof in proved(analysis, experiment, time=NOW) if proof.kind is ProofKind.BEST)
    other = next(proof for proof in proved(analysis, changing, time=NOW) if proof.kind is ProofKind.BEST)
    assert other.low < one.low


def test_worse_than_the_control(world, plain) -> None:
    """A variant that is proved to lose."""
    assert kinds(told(world, plain | FIXED, (0.3, 0.1), 3000)) == {(ProofKind.BEST, "v0"), (ProofKind.WORSE, "v1")}


def test_where_less_is_better_directions_turn(world, plain) -> None:
    """Fewer bounces are better, so the lower rate wins."""
    body = plain | FIXED | {"metrics": [{"key": "sale", "increase": False}]}
    assert kinds(told(world, body, (0.3, 0.1), 3000)) == {(ProofKind.BEST, "v1"), (ProofKind.BETTER, "v1")}
    analysis, experiment = made(world, body, (0.3, 0.1), 3000)
    assert beaten(analysis, experiment) == {"v0"}


@pytest.mark.parametrize("moving", [False, True])
def test_not_worse_than_the_margin(world, plain, moving: bool) -> None:
    """Alike is not worse by more than a fifth; a third less is."""
    body = plain | (BANDIT if moving else FIXED) | {"metrics": [{"key": "sale", "margin": 0.2}]}
    alike = [p for p in told(world, body, (0.5, 0.5), 5000, moving=moving) if p.kind is ProofKind.NOT_WORSE]
    assert [(proof.variant, proof.other, proof.high) for proof in alike] == [("v1", "v0", None)]
    assert -0.2 <= alike[0].low <= alike[0].estimate
    assert (ProofKind.NOT_WORSE, "v1") not in kinds(told(world, body, (0.5, 0.35), 5000, moving=moving))


@pytest.mark.parametrize("moving", [False, True])
def test_no_difference_that_would_matter(world, plain, moving: bool) -> None:
    """Both limits of the lift within what would matter; nothing of the kind where nobody said what that is."""
    body = plain | (BANDIT if moving else FIXED)
    matters = body | {"smallest_lift": 0.2}
    (proof,) = [p for p in told(world, matters, (0.5, 0.5), 6000, moving=moving) if p.kind is ProofKind.NO_DIFFERENCE]
    assert -0.2 < proof.low < proof.high < 0.2
    assert (ProofKind.NO_DIFFERENCE, "v1") not in kinds(told(world, matters, (0.5, 0.6), 2000, moving=moving))
    assert (ProofKind.NO_DIFFERENCE, "v1") not in kinds(told(world, body, (0.5, 0.5), 2000, moving=moving))


@pytest.mark.parametrize("moving", [False, True])
def test_a_guardrail_is_hurt_beyond_its_margin(world, full, moving: bool) -> None:
    """In this world fewer sales are more bounces: by a lot, by less than the margin, not at all."""
    body = full | (BANDIT if moving else FIXED) | {"segments": [], "context": [], "covariate": None}
    hurt = [p for p in told(world, body, (0.3, 0.05), 4000, moving=moving) if p.kind is ProofKind.HARMED]
    assert [(proof.metric, proof.variant, proof.other) for proof in hurt] == [("bounce", "v1", "v0")]
    assert 0 < hurt[0].low < hurt[0].estimate
    for rates in ((0.1, 0.07), (0.1, 0.1)):
        assert (ProofKind.HARMED, "v1") not in kinds(told(world, body, rates, 4000, moving=moving), "bounce")


def test_choosing_by_the_visitor_pays(world, full) -> None:
    """Each variant is right for one kind of visitor: what was served beats either of them for all."""
    body = full | {"policy": {"name": "linear_thompson"}, "metrics": full["metrics"][:1]}
    experiment = world.experiment(body)

    def rates(context: dict[str, Any]) -> tuple[float, float]:
        return (0.7, 0.2) if context["new"] else (0.2, 0.7)

    def law(context: dict[str, Any]) -> tuple[float, float]:
        return (0.85, 0.15) if context["new"] else (0.15, 0.85)

    analysis = Analysis.begun(experiment, since=1)
    analysis.add(world.rows(experiment, 4000, rates=rates, law=law))
    found = survey(analysis, experiment)
    proofs = proved(analysis, experiment, time=NOW, found=found)
    assert {(ProofKind.PERSONALISED, key) for key in ("v0", "v1")} <= kinds(proofs)
    assert all(proof.other is None for proof in proofs if proof.kind is ProofKind.PERSONALISED)
    assert found.of("sale").served[0].low > 0, "against uniform, too"
    segments = {(p.kind, p.variant, p.segment) for p in proofs if p.segment is not None}
    assert {(ProofKind.BETTER, "v1", "new=no"), (ProofKind.WORSE, "v1", "new=yes")} <= segments
    blind = world.experiment(body | {"policy": {"name": "thompson"}})
    assert all(proof.kind is not ProofKind.PERSONALISED for proof in proved(analysis, blind, time=NOW))


def test_choosing_by_the_visitor_does_not_pay_where_all_are_alike(world, full) -> None:
    """The same traffic, and visitors who do not care."""
    body = full | {"policy": {"name": "linear_thompson"}, "metrics": full["metrics"][:1]}
    experiment = world.experiment(body)
    analysis = Analysis.begun(experiment, since=1)
    analysis.add(
        world.rows(experiment, 4000, rates=(0.4, 0.4), law=lambda c: (0.85, 0.15) if c["new"] else (0.15, 0.85))
    )
    assert proved(analysis, experiment, time=NOW) == []


def test_secondary_metrics_and_segments_are_proved_by_their_families(world, full) -> None:
    """More sales are more income and clicks; without an effect, nothing is found in dozens of comparisons."""
    body = full | FIXED
    found = told(world, body, (0.05, 0.35), 4000)
    assert {(ProofKind.BETTER, "v1")} == kinds(found, "income") == kinds(found, "value")
    assert any(proof.segment == "device=mobile" for proof in found)
    assert all(proof.kind is ProofKind.NOT_WORSE for proof in told(world, body, (0.2, 0.2), 4000))


def test_proofs_do_not_depend_on_who_looked_when(world, full) -> None:
    """The same rows give the same proofs, also after a restart."""
    analysis, experiment = made(world, full | BANDIT, (0.05, 0.35), 3000, moving=True)
    again = Analysis.from_bytes(analysis.to_bytes())
    assert proved(again, experiment, time=NOW) == proved(analysis, experiment, time=NOW)
    later = [replace(proof, time=NOW + 1) for proof in proved(analysis, experiment, time=NOW)]
    assert proved(analysis, experiment, time=NOW + 1) == later


def test_an_unknown_limit_proves_nothing(world, plain) -> None:
    """A limit that cannot be shown is not a limit of zero."""
    analysis, experiment = made(world, plain | FIXED | {"smallest_lift": 0.2}, (0.5, 0.5), 500)
    found = survey(analysis, experiment)
    open_ended = replace(
        found.of("sale").contrasts[0], lift=0.0, lift_low=None, lift_high=None, low=None, high=None, not_worse=False
    )
    whole = replace(found.of("sale"), contrasts=(open_ended,), pairs=(open_ended,), served=(open_ended,))
    told_open = replace(found, findings={("sale", None): whole})
    assert proved(analysis, experiment, time=NOW, found=told_open) == []
