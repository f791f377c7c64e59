"""choose() and reward(): the order of the rules, what is journalled, and what is answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from bandit import policies
from bandit.policies.thompson import Thompson
from experiments.access import APIKey, Scope
from experiments.definition import parse
from experiments.errors import Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from experiments.journal import Journal, read_lines
from experiments.model import Experiment, Reason, State
from experiments.published import Catalog, PublishedExperiment
from experiments.records import DecisionRecord, MarkRecord, Record, RepeatRecord, RewardRecord
from experiments.secret import Secret
from experiments.service.form import Choice
from experiments.service.requests import ChooseRequest, RewardRequest
from experiments.service.service import Service
from experiments.service.tokens import REWARD_GRACE, STICKY_AGE, verify

SECRET = Secret(b"a secret of more than thirty-two characters")
VARIANTS = [{"key": "a", "content": {"headline": "A"}, "control": True}, {"key": "b"}, {"key": "c", "enabled": False}]


def published(
    *,
    state: State = State.RUNNING,
    winner: str | None = None,
    learned: bool = True,
    number: int = 1,
    **fields: Any,
) -> PublishedExperiment:
    """An experiment that runs, and its first policy version."""
    body = {"key": "spring", "variants": VARIANTS, "metrics": [{"key": "purchase"}]} | fields
    definition = parse(body)
    slots = tuple(range(len(definition.variants)))
    experiment = Experiment(number, definition, slots, version=3, phase=2, state=state, winner=winner)
    spec = definition.policy
    cold = policies.create(
        spec.name, arms=experiment.arms, schema=experiment.schema, exploration=experiment.exploration, **spec.params
    )
    return PublishedExperiment(experiment, cold.to_bytes() if learned else None, 17)


@pytest.fixture
def journal(tmp_path: Path, clock: Any) -> Iterator[Journal]:
    """A journal whose timer never ticks."""
    journal = Journal(tmp_path, clock, timer=False)
    yield journal
    journal.close()


@pytest.fixture
def serving(journal: Journal, clock: Any) -> Callable[..., Service]:
    """A function that makes a service of published experiments, or of one with these fields."""

    def make(*experiments: PublishedExperiment, **fields: Any) -> Service:
        service = Service(SECRET, journal, clock=clock)
        service.swap(Catalog(experiments or (published(**fields),), (), 1))
        return service

    return make


@pytest.fixture
def journalled(tmp_path: Path) -> Callable[[], list[Record]]:
    """A function that reads what was journalled, marks left out."""

    def read() -> list[Record]:
        lines = [line for path in tmp_path.glob("*.log") for line in read_lines(path).lines]
        return [line.record for line in lines if line.record and not isinstance(line.record, MarkRecord)]

    return read


def choose(service: Service, *, scope: Scope = Scope.SITE, **fields: Any) -> Any:
    """The answer to a visitor."""
    answer = service.choose(ChooseRequest(**{"experiment": "spring", "unit": "visitor"} | fields), scope=scope)
    return msgspec.json.decode(answer, type=Choice)


def reward(service: Service, *, scope: Scope = Scope.SITE, **fields: Any) -> None:
    """Send a reward."""
    service.reward(RewardRequest(**{"metric": "purchase"} | fields), scope=scope)


def test_a_decision_is_journalled_whole_before_it_is_answered(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]], clock: Any
) -> None:
    """The answer, the token and the record say the same."""
    context = {"undeclared": "kept", "hour": 14}
    answer = choose(serving(), context=context, request_id="r-1")
    (record,) = journalled()
    assert isinstance(record, DecisionRecord)
    token = verify(answer.decision, SECRET)
    assert (record.id, record.variant, record.probability) == (token.decision, answer.variant, answer.probability)
    assert (record.unit, record.experiment) == (SECRET.pseudonym("visitor"), 1) == (token.unit, token.experiment)
    assert (record.version, record.phase, record.policy, record.policy_version) == (3, 2, "thompson", 17)
    assert (record.context, record.request_id, record.time) == (context, "r-1", clock.now)
    assert (answer.reason, record.reason) == (Reason.POLICY, "policy")
    vector = msgspec.json.decode(record.distribution)
    assert vector == [0.5, 0.5, 0.0]
    assert vector["abc".index(answer.variant)] == answer.probability


def test_the_unit_itself_is_written_nowhere(serving: Callable[..., Service], tmp_path: Path) -> None:
    """Only its pseudonym is."""
    choose(serving(), unit="somebody@example.org")
    assert all(b"somebody" not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_visitor_gets_the_same_variant_and_visitors_split(serving: Callable[..., Service]) -> None:
    """Deterministic by unit; both enabled variants are served, the disabled one never."""
    service = serving()
    first = [choose(service, unit=f"v{i}").variant for i in range(200)]
    assert [choose(service, unit=f"v{i}").variant for i in range(200)] == first
    assert set(first) == {"a", "b"}


@pytest.mark.parametrize(
    ("fields", "reason", "variant"),
    [
        ({"state": State.DRAFT}, Reason.NOT_STARTED, "a"),
        ({"state": State.PAUSED}, Reason.PAUSED, "a"),
        ({"state": State.STOPPED}, Reason.STOPPED, "a"),
        ({"state": State.STOPPED, "winner": "b"}, Reason.WINNER, "b"),
        ({"starts_at": "2100-01-01T00:00:00Z"}, Reason.NOT_STARTED, "a"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, Reason.STOPPED, "a"),
        ({"audience": {"device": "mobile"}}, Reason.NOT_IN_AUDIENCE, "a"),
        ({"traffic": 0}, Reason.NOT_IN_TRAFFIC, "a"),
    ],
)
def test_where_nothing_is_decided_nothing_is_journalled(
    serving: Callable[..., Service],
    journalled: Callable[[], list[Record]],
    fields: dict[str, Any],
    reason: Reason,
    variant: str,
) -> None:
    """The control's or the winner's content, and why."""
    answer = choose(serving(**fields))
    assert (answer.reason, answer.variant) == (reason, variant)
    assert (answer.decision, answer.probability, answer.policy) == (None, None, None)
    assert journalled() == []


def test_the_audience_is_asked(serving: Callable[..., Service]) -> None:
    """Whoever fulfils the condition gets a decision."""
    assert choose(serving(audience={"device": "mobile"}), context={"device": "mobile"}).reason is Reason.POLICY


def test_an_unknown_or_archived_experiment_is_not_found(serving: Callable[..., Service]) -> None:
    """With its name in the message."""
    for service in (serving(key="other"), serving(state=State.ARCHIVED)):
        with pytest.raises(NotFound, match="'spring'"):
            choose(service)


def test_before_anything_is_published_everything_is_unavailable(journal: Journal, clock: Any) -> None:
    """And the service says that it is not ready."""
    service = Service(SECRET, journal, clock=clock)
    assert not service.ready
    for call in (
        lambda: choose(service),
        lambda: service.key("k"),
        lambda: reward(service, unit="u", experiment="e", scope=Scope.SERVER),
    ):
        with pytest.raises(Unavailable):
            call()


def test_without_a_policy_the_split_is_by_weights_and_exact(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]]
) -> None:
    """Degraded is logged like any other decision."""
    variants = [{"key": "a", "weight": 3}, {"key": "b", "weight": 1}, {"key": "c", "enabled": False}]
    service = serving(learned=False, variants=variants)
    answer = choose(service)
    (record,) = journalled()
    assert isinstance(record, DecisionRecord)
    assert (answer.reason, record.reason, service.degraded) == (Reason.DEGRADED, "degraded", 1)
    assert msgspec.json.decode(record.distribution) == [0.75, 0.25, 0.0]


def test_a_policy_over_other_variants_is_not_used(serving: Callable[..., Service]) -> None:
    """Until the keeper publishes one that fits."""
    other = published(variants=[{"key": "a"}, {"key": "x"}])
    assert choose(serving(replace(published(), policy=other.policy))).reason is Reason.DEGRADED


def test_a_damaged_policy_is_refused_and_the_one_before_stays(serving: Callable[..., Service]) -> None:
    """With its own version."""
    service = serving()
    service.swap(Catalog((replace(published(), policy=b"rubbish", policy_version=18),), (), 2))
    answer = choose(service)
    assert (answer.reason, answer.policy.version, service.generation) == (Reason.POLICY, 17, 2)


def test_a_distribution_that_is_none_is_not_drawn_from(
    serving: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN, negative, or a sum that is not one."""
    service = serving()
    for vector in ([np.nan, 1.0, 0.0], [-0.5, 1.5, 0.0], [0.5, 0.4, 0.0]):
        monkeypatch.setattr(Thompson, "distribution", lambda *_, answer=vector: np.array([answer]))
        service.swap(Catalog((published(name=str(vector)),), (), 2))
        assert choose(service).reason is Reason.DEGRADED


def test_a_contextual_policy_is_asked_about_the_visitor(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]]
) -> None:
    """A context of the wrong types is unknown, never an error."""
    service = serving(context=[{"name": "x", "type": "number"}], policy={"name": "linear_thompson"})
    assert choose(service, context={"x": "a text"}).reason is Reason.POLICY
    (record,) = journalled()
    assert isinstance(record, DecisionRecord)
    assert sum(msgspec.json.decode(record.distribution)) == pytest.approx(1, abs=1e-9)


def test_a_request_may_allow_fewer_variants(serving: Callable[..., Service]) -> None:
    """And only enabled ones that exist."""
    service = serving()
    assert {choose(service, unit=str(i), variants=["b", "c"]).variant for i in range(20)} == {"b"}
    with pytest.raises(Invalid, match=r"variants\[1\]: .*'x'"):
        choose(service, variants=["a", "x"])
    with pytest.raises(Invalid, match="none of them is enabled"):
        choose(service, variants=["c"])


def test_a_returning_visitor_stays_with_the_earlier_decision(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]], clock: Any
) -> None:
    """The same token, propensity and version under any later policy; only a repeat is journalled."""
    service = serving()
    first = choose(service)
    service.swap(Catalog((replace(published(variants=[*VARIANTS[:2]]), policy_version=99),), (), 2))
    again = choose(service, unit="the same person on another device", previous=first.decision)
    assert again.reason is Reason.STICKY
    assert (again.decision, again.variant, again.probability, again.policy) == (
        first.decision,
        first.variant,
        first.probability,
        first.policy,
    )
    assert journalled()[1:] == [RepeatRecord(decision=verify(first.decision, SECRET).decision, time=clock.now)]


@pytest.mark.parametrize("case", ["forged", "old", "disabled", "not allowed", "of another experiment"])
def test_a_previous_decision_that_does_not_hold_is_ignored(
    serving: Callable[..., Service], clock: Any, case: str
) -> None:
    """The visitor gets a decision anyway."""
    service = serving()
    first = choose(service)
    other = {"a": "b", "b": "a"}[first.variant]
    fields: dict[str, Any] = {"previous": first.decision}
    if case == "forged":
        fields["previous"] = first.decision[:-1] + "!"
    elif case == "old":
        clock.now += STICKY_AGE + 1
    elif case == "disabled":
        service = serving(variants=[{"key": other}, {"key": first.variant, "enabled": False}])
    elif case == "not allowed":
        fields["variants"] = [other]
    else:
        service = serving(number=2)
    assert choose(service, **fields).reason is Reason.POLICY


def test_nobody_stays_with_a_preview(serving: Callable[..., Service], journalled: Callable[[], list[Record]]) -> None:
    """A site that sends a preview's token back gets a decision, from which the policy may learn."""
    service = serving()
    looked = choose(service, preview="c", scope=Scope.SERVER)
    again = choose(service, previous=looked.decision)
    assert (again.reason, again.variant in {"a", "b"}) == (Reason.POLICY, True)
    assert choose(service, previous=again.decision).reason is Reason.STICKY
    assert [type(record) for record in journalled()] == [DecisionRecord, DecisionRecord, RepeatRecord]


def test_a_unit_is_needed_where_visitors_are_assigned(serving: Callable[..., Service]) -> None:
    """And is a choice where decisions are."""
    with pytest.raises(Invalid, match="unit"):
        choose(serving(), unit=None)
    assert choose(serving(unit="decision"), unit=None).reason is Reason.POLICY


def test_decisions_that_are_units_are_drawn_anew_unless_retried(serving: Callable[..., Service]) -> None:
    """A request id gives the same variant again, `previous` is refused."""
    service = serving(unit="decision")
    assert len({choose(service).variant for _ in range(50)}) == 2
    assert len({choose(service, request_id="r").variant for _ in range(20)}) == 1
    with pytest.raises(Invalid, match="previous"):
        choose(service, previous="anything")


def test_a_preview_is_forced_and_logged_as_such(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]]
) -> None:
    """In any state, disabled variants too, with a secret key only."""
    service = serving(state=State.DRAFT)
    answer = choose(service, preview="c", scope=Scope.SERVER)
    (record,) = journalled()
    assert isinstance(record, DecisionRecord)
    assert (answer.variant, answer.probability, answer.reason) == ("c", 1.0, Reason.PREVIEW)
    assert (record.reason, msgspec.json.decode(record.distribution)) == ("preview", [0.0, 0.0, 1.0])
    with pytest.raises(Forbidden):
        choose(service, preview="c")
    with pytest.raises(Invalid, match="'x'"):
        choose(service, preview="x", scope=Scope.ADMIN)


def test_a_full_disk_is_never_a_false_answer(serving: Callable[..., Service], journal: Journal) -> None:
    """Neither for choices nor for rewards."""
    service = serving()
    token = choose(service).decision
    journal.close()
    for call in (
        lambda: choose(service),
        lambda: choose(service, previous=token),
        lambda: reward(service, decision=token),
    ):
        with pytest.raises(Unavailable):
            call()


def test_a_reward_by_token_is_journalled(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]], clock: Any
) -> None:
    """With the decision and its unit."""
    service = serving()
    token = choose(service).decision
    reward(service, decision=token, id="order-1", value=1.0)
    assert journalled()[1:] == [
        RewardRecord(
            experiment=1,
            decision=verify(token, SECRET).decision,
            unit=SECRET.pseudonym("visitor"),
            metric="purchase",
            value=1.0,
            key="order-1",
            time=clock.now,
        )
    ]


def test_a_reward_by_unit_needs_a_secret_key(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]], clock: Any
) -> None:
    """A browser could reward anybody otherwise."""
    service = serving()
    reward(service, experiment="spring", unit="visitor", scope=Scope.SERVER)
    assert journalled() == [
        RewardRecord(experiment=1, unit=SECRET.pseudonym("visitor"), metric="purchase", value=1.0, time=clock.now)
    ]
    with pytest.raises(Forbidden):
        reward(service, experiment="spring", unit="visitor")
    with pytest.raises(NotFound):
        reward(service, experiment="other", unit="visitor", scope=Scope.SERVER)
    with pytest.raises(Invalid, match="decision"):
        reward(service, unit="visitor", scope=Scope.SERVER)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"metric": "visits"}, "metric: spring has no metric 'visits'"),
        ({"value": 1.5}, "value: 1.5 is outside the range 0 to 1"),
        ({"value": -0.1}, "value: -0.1"),
        ({"experiment": "other"}, "decision: it belongs to 'spring', not to 'other'"),
        ({"unit": "visitor"}, "unit: "),
        ({"decision": "forged"}, "decision: "),
    ],
)
def test_a_reward_that_does_not_fit_is_refused(
    serving: Callable[..., Service], journalled: Callable[[], list[Record]], fields: dict[str, Any], problem: str
) -> None:
    """With what is wrong in the message; nothing is journalled."""
    service = serving()
    token = choose(service).decision
    with pytest.raises(Invalid, match=problem):
        reward(service, **{"decision": token} | fields)
    assert len(journalled()) == 1


@pytest.mark.parametrize(
    ("metric", "value", "problem"),
    [
        ("left", 1, None),
        ("left", 2, "value: 2 is outside the range 0 to 1 of left"),
        ("seconds", 1e6, None),
        ("seconds", -1, "value: -1 is outside the range 0 to inf of seconds"),
        ("spent", -5, None),
        ("spent", -6, "value: -6 is outside the range -5 to inf of spent"),
        ("return", 1, "metric: return is a ratio of two others and takes no rewards.*Reward purchase and spent"),
    ],
)
def test_what_each_kind_takes(
    serving: Callable[..., Service],
    journalled: Callable[[], list[Record]],
    metric: str,
    value: float,
    problem: str | None,
) -> None:
    """A bounce is 0 or 1, no time is negative, money may come back, and a ratio is made of others."""
    kinds = [("left", "bounce"), ("seconds", "duration"), ("spent", "cost"), ("return", "ratio")]
    others: list[dict[str, Any]] = [{"key": key, "kind": kind, "role": "secondary"} for key, kind in kinds]
    others[2]["min"] = -5
    others[3] |= {"numerator": "purchase", "denominator": "spent"}
    service = serving(metrics=[{"key": "purchase"}, *others])
    token = choose(service).decision
    if problem is None:
        reward(service, decision=token, metric=metric, value=value)
        assert isinstance(journalled()[-1], RewardRecord)
    else:
        with pytest.raises(Invalid, match=problem):
            reward(service, decision=token, metric=metric, value=value)


def test_a_token_of_one_experiment_cannot_reward_the_metric_of_another(serving: Callable[..., Service]) -> None:
    """A metric belongs to its experiment."""
    service = serving(published(), published(key="autumn", number=2, metrics=[{"key": "signup"}]))
    with pytest.raises(Invalid, match="no metric 'signup'"):
        reward(service, decision=choose(service).decision, metric="signup")


def test_a_token_expires_a_day_after_its_window(serving: Callable[..., Service], clock: Any) -> None:
    """Rewards to stopped experiments are taken until then."""
    service = serving()
    token = choose(service).decision
    service.swap(Catalog((published(state=State.STOPPED),), (), 2))
    clock.now += 1_800_000_000 + REWARD_GRACE
    reward(service, decision=token)
    clock.now += 1
    with pytest.raises(Invalid, match="window") as caught:
        reward(service, decision=token)
    assert caught.value.code == "expired_token"


def test_a_revoked_key_is_unknown_with_the_next_catalog(serving: Callable[..., Service]) -> None:
    """Though it was used, and remembered, before."""
    service = serving()
    key = APIKey("site", Scope.SITE, "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683", (), 1)
    service.swap(Catalog((published(),), (key,), 2))
    assert service.key("key") is service.key("key") is key
    service.swap(Catalog((published(),), (replace(key, revoked=2),), 3))
    with pytest.raises(Unauthorized):
        service.key("key")
