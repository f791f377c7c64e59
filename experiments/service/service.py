"""``choose()`` and ``reward()``: the two walks that visitors wait for, over memory and one append-only file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from experiments.access import APIKey, Scope
from experiments.errors import Forbidden, Invalid, NotFound, Unauthorized, Unavailable
from experiments.journal import Journal
from experiments.model import Metric, Micros, Reason, State
from experiments.published import Catalog
from experiments.records import RepeatRecord, RewardRecord
from experiments.secret import Secret
from experiments.service.form import Choice, PolicyName
from experiments.service.identity import DecisionIds
from experiments.service.requests import ChooseRequest, RewardRequest
from experiments.service.served import Odds, Served, serve
from experiments.service.tokens import verify


@dataclass(frozen=True, slots=True)
class _Memory:
    """All that is published, taken over as a whole by one assignment."""

    served: Mapping[str, Served]
    by_id: Mapping[int, Served]
    keys: Mapping[str, APIKey]
    generation: int
    known: dict[str, APIKey] = field(default_factory=dict)
    """Keys as they came in, once their hash was found; forgotten with the catalog, so a revoked key dies with it."""


class Service:
    """Chooses and takes rewards for all experiments of an installation.

    Parameters
    ----------
    secret
        The installation's secret.
    journal
        Where what was accepted is written, before it is answered.
    clock
        The time in µs since 1970 UTC.
    """

    def __init__(self, secret: Secret, journal: Journal, *, clock: Callable[[], Micros]) -> None:
        self._secret = secret
        self._journal = journal
        self._clock = clock
        self._ids = DecisionIds()
        self._memory: _Memory | None = None
        self.degraded = 0

    @property
    def ready(self) -> bool:
        """Whether anything is published yet."""
        return self._memory is not None

    @property
    def generation(self) -> int:
        """The generation of the catalog that is served, -1 before the first."""
        return -1 if self._memory is None else self._memory.generation

    @property
    def origins(self) -> frozenset[str]:
        """The origins from which browsers may call with some ``site`` key; ``*`` is among them where any may."""
        keys = () if self._memory is None else self._memory.keys.values()
        return frozenset(origin for key in keys if key.scope is Scope.SITE for origin in key.origins or ("*",))

    @property
    def journal_failures(self) -> int:
        """How often the journal could not be written or synced."""
        return self._journal.failures

    def swap(self, catalog: Catalog) -> None:
        """Serve ``catalog`` from the next request on."""
        before = {} if self._memory is None else self._memory.by_id
        served = [
            serve(published, before.get(published.experiment.id), secret=self._secret)
            for published in catalog.experiments
            if published.experiment.state is not State.ARCHIVED
        ]
        self._memory = _Memory(
            served={one.experiment.key: one for one in served},
            by_id={one.experiment.id: one for one in served},
            keys={key.sha256: key for key in catalog.keys if key.revoked is None},
            generation=catalog.generation,
        )

    def key(self, text: str) -> APIKey:
        """The API key that ``text`` is, as it was sent: with or without ``Bearer`` before it.

        Raises
        ------
        Unauthorized
            It is unknown or revoked.
        Unavailable
            Nothing is published yet.
        """
        memory = self._published()
        key = memory.known.get(text)
        if key is None:
            bare = text[7:] if text[:7].lower() == "bearer " else text
            key = memory.keys.get(sha256(bare.encode()).hexdigest())
            if key is None:
                raise Unauthorized("the API key is unknown or revoked", hint="Make one with: landit key add NAME")
            memory.known[text] = key
        return key

    def choose(self, request: ChooseRequest, *, scope: Scope) -> bytes:
        """Choose a variant, journal the decision, and return the :class:`~experiments.service.form.Choice` as JSON.

        Raises
        ------
        NotFound
            No such experiment.
        Invalid
            A field does not fit the experiment.
        Forbidden
            A preview is asked for with a ``site`` key.
        Unavailable
            Nothing is published, or the journal cannot be written.
        """
        served = self._published().served.get(request.experiment)
        if served is None:
            raise NotFound(f"experiment: there is no experiment {request.experiment!r}")
        if request.preview is not None and not scope.covers(Scope.SERVER):
            raise Forbidden("preview: a site key may not preview", hint="Use a server key.")
        with self._journal.lock:
            return self._decide(served, request, self._journal.time())

    def reward(self, request: RewardRequest, *, scope: Scope) -> None:
        """Journal a reward for a decision (by its token) or for a unit (with a secret key).

        Raises
        ------
        Invalid
            The token, the metric or the value is wrong, or the token is too old.
        Forbidden
            A reward by unit is sent with a ``site`` key.
        NotFound
            No such experiment.
        Unavailable
            Nothing is published, or the journal cannot be written.
        """
        if request.decision is None:
            served, decision, unit = self._by_unit(request, scope=scope)
        else:
            served, decision, unit = self._by_token(request, request.decision)
        metric = _metric(served, request.metric)
        _check_value(metric, request.value)
        with self._journal.lock:
            self._journal.write(
                RewardRecord(
                    experiment=served.experiment.id,
                    decision=decision,
                    unit=unit,
                    metric=metric.key,
                    value=request.value,
                    key=request.id,
                    time=self._journal.time(),
                    at=None if request.at is None else _micros(request.at),
                )
            )

    # -- choose -------------------------------------------------------------------------------------------------

    def _decide(self, served: Served, request: ChooseRequest, now: Micros) -> bytes:
        """Decide at ``now``, the time of the journal; the caller holds its lock."""
        if request.preview is None:
            reason = _not_served(served, request, now)
            if reason is not None:
                return served.unserved(reason)
        decision = self._ids.next(now)
        unit = None if request.unit is None else self._secret.pseudonym(request.unit)
        if request.preview is not None:
            odds, index = served.forced(request.preview), served.index[request.preview]
            return self._record(request, odds=odds, index=index, decision=decision, unit=unit, time=now)
        draw_key = unit if served.by_visitor and unit is not None else request.request_id or decision
        if served.traffic < 1 and not served.draws.in_traffic(draw_key, share=served.traffic):
            return served.unserved(Reason.NOT_IN_TRAFFIC)
        subset = None if request.variants is None else tuple(request.variants)
        if request.previous is not None:
            answer = self._stay(served, request.previous, subset, now)
            if answer is not None:
                return answer
        odds = served.odds(request.context, subset)
        if odds.degraded:
            self.degraded += 1
        index = served.draws.variant(draw_key, slots=served.slots, p=odds.p)
        return self._record(request, odds=odds, index=index, decision=decision, unit=unit, time=now)

    def _stay(self, served: Served, previous: str, subset: tuple[str, ...] | None, now: Micros) -> bytes | None:
        """The earlier decision that ``previous`` is the token of; None where it does not hold here any more."""
        try:
            token = verify(previous, self._secret)
        except Invalid:
            return None
        ours = token.experiment == served.experiment.id and token.sticks(now)
        if not ours or not served.allows(token.variant, subset):
            return None
        self._journal.write(RepeatRecord(decision=token.decision, time=now))
        return Choice(
            decision=previous,
            experiment=served.experiment.key,
            variant=token.variant,
            content=served.contents[served.index[token.variant]],
            probability=token.probability,
            policy=PolicyName(served.experiment.definition.policy.name, token.policy_version),
            reason=Reason.STICKY,
        ).to_json()

    def _record(
        self, request: ChooseRequest, *, odds: Odds, index: int, decision: str, unit: str | None, time: Micros
    ) -> bytes:
        """Journal the decision, whole, and answer it."""
        record, answer = odds.forms[index].tell(
            request, decision=decision, unit=unit, time=time, probability=odds.p.item(index), distribution=odds.json
        )
        self._journal.append(record)
        return answer

    # -- reward -------------------------------------------------------------------------------------------------

    def _by_token(self, request: RewardRequest, text: str) -> tuple[Served, str, str | None]:
        token = verify(text, self._secret)
        served = self._published().by_id.get(token.experiment)
        if served is None:
            raise NotFound("decision: its experiment is not served any more")
        if request.unit is not None:
            raise Invalid("unit: a reward names a decision or a unit, not both")
        if request.experiment is not None and request.experiment != served.experiment.key:
            raise Invalid(f"decision: it belongs to {served.experiment.key!r}, not to {request.experiment!r}")
        if not token.rewardable(self._clock(), window=_metric(served, request.metric).window):
            raise Invalid("decision: its reward window closed more than a day ago", code="expired_token")
        return served, token.decision, token.unit

    def _by_unit(self, request: RewardRequest, *, scope: Scope) -> tuple[Served, str | None, str | None]:
        if request.unit is None or request.experiment is None:
            raise Invalid(
                "decision: a reward needs the token of its decision",
                hint="With a server key, `experiment` and `unit` do as well.",
            )
        if not scope.covers(Scope.SERVER):
            raise Forbidden("unit: a site key rewards by decision only", hint="Send `decision`, or use a server key.")
        served = self._published().served.get(request.experiment)
        if served is None:
            raise NotFound(f"experiment: there is no experiment {request.experiment!r}")
        return served, None, self._secret.pseudonym(request.unit)

    def _published(self) -> _Memory:
        if self._memory is None:
            raise Unavailable("nothing is published yet", hint="Try again shortly; the keeper publishes every second.")
        return self._memory


def _not_served(served: Served, request: ChooseRequest, now: Micros) -> Reason | None:
    """Why nothing is decided for a request that asks for no preview, or None; a unit that does not fit is refused."""
    if not served.opens <= now < served.closes:
        return served.closed(now)
    _check_unit(served, request)
    if served.in_audience is not None and not served.in_audience(request.context):
        return Reason.NOT_IN_AUDIENCE
    return None


def _check_unit(served: Served, request: ChooseRequest) -> None:
    if served.by_visitor:
        if request.unit is None:
            raise Invalid("unit: this experiment assigns visitors, so it needs one", hint="Send a visitor id.")
    elif request.previous is not None:
        raise Invalid("previous: this experiment decides every time anew", hint="Leave `previous` out.")


def _metric(served: Served, key: str) -> Metric:
    metric = served.experiment.metric(key)
    if metric is None:
        raise Invalid(f"metric: {served.experiment.key} has no metric {key!r}")
    if not metric.has_outcome:
        hint = f"Reward {metric.numerator} and {metric.denominator}."
        raise Invalid(f"metric: {key} is a ratio of two others and takes no rewards", hint=hint)
    return metric


def _check_value(metric: Metric, value: float) -> None:
    if not metric.min <= value <= metric.highest:
        raise Invalid(f"value: {value:g} is outside the range {metric.min:g} to {metric.highest:g} of {metric.key}")


def _micros(at: datetime) -> Micros:
    return round(at.timestamp() * 1_000_000)
