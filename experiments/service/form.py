"""A decision is told three times: in the journal, in its token and in the answer.

What all decisions for one variant under one policy version share is encoded once, as a :class:`Form`; a decision fills
in its own name, unit, time, context and probabilities.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from experiments.model import Experiment, Reason
from experiments.secret import Secret
from experiments.service.requests import ChooseRequest
from experiments.service.tokens import complete, stub

_encode = msgspec.json.Encoder().encode


class PolicyName(Struct, frozen=True):
    """Which policy made a decision."""

    name: str
    version: int


class Choice(Struct, frozen=True, kw_only=True):
    """The answer of ``POST /choose``; its first, fifth and sixth fields are None where nothing was decided."""

    decision: str | None = None
    experiment: str
    variant: str
    content: Raw
    probability: float | None = None
    policy: PolicyName | None = None
    reason: Reason

    def to_json(self) -> bytes:
        """The answer as it is sent."""
        return _encode(self)


class _Shared(Struct, frozen=True, kw_only=True, tag="d", tag_field="t"):
    """The fields of a :class:`~experiments.records.DecisionRecord` that decisions share, as they stand in its JSON."""

    experiment: int
    version: int
    phase: int
    variant: str
    policy: str
    policy_version: int
    reason: str


class _Said(Struct, frozen=True, kw_only=True):
    """The fields of a :class:`Choice` that decisions share, as they stand in its JSON."""

    experiment: str
    variant: str
    content: Raw
    policy: PolicyName
    reason: Reason


class Form:
    """All that is said alike of the decisions for one variant under one policy version.

    Parameters
    ----------
    secret
        The installation's secret, which signs tokens.
    experiment
        The experiment, as it is served.
    variant
        The key of the variant.
    content
        Its content, encoded.
    policy
        The policy version that decides.
    reason
        ``policy``, ``degraded`` or ``preview``.
    """

    __slots__ = ("_answer", "_record", "_secret", "_token")

    def __init__(
        self, secret: Secret, experiment: Experiment, *, variant: str, content: Raw, policy: PolicyName, reason: Reason
    ) -> None:
        self._secret = secret
        self._token = stub(
            secret,
            experiment=experiment.id,
            variant=variant,
            policy_version=policy.version,
            preview=reason is Reason.PREVIEW,
        )
        shared = _Shared(
            experiment=experiment.id,
            version=experiment.version,
            phase=experiment.phase,
            variant=variant,
            policy=policy.name,
            policy_version=policy.version,
            reason=reason,
        )
        self._record = _encode(shared).removesuffix(b"}")
        said = _Said(experiment=experiment.key, variant=variant, content=content, policy=policy, reason=reason)
        self._answer = _encode(said).removeprefix(b"{")

    def tell(
        self,
        request: ChooseRequest,
        *,
        decision: str,
        unit: str | None,
        time: int,
        probability: float,
        distribution: bytes,
    ) -> tuple[bytes, bytes]:
        """The decision as its :class:`~experiments.records.DecisionRecord` and as its :class:`Choice`, both in JSON.

        ``distribution`` is encoded already.
        """
        number = _encode(probability)
        record = b'%b,"id":"%b","time":%d,"probability":%b,"distribution":%b,"context":%b' % (
            self._record,
            decision.encode(),
            time,
            number,
            distribution,
            _encode(request.context),
        )
        if unit is not None:
            record += b',"unit":"%b"' % unit.encode()
        if request.request_id is not None:
            record += b',"request_id":%b' % _encode(request.request_id)
        token = complete(self._token, self._secret, decision=decision, unit=unit, probability=probability, time=time)
        return record + b"}", b'{"decision":"%b","probability":%b,%b' % (token, number, self._answer)
