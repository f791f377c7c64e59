"""Learning: the one frozen sequence of analysis rows, its sums, the policy versions, and who may write them."""

from __future__ import annotations

from experiments.model import Experiment, Micros
from experiments.store.engine import Room
from experiments.store.values import AnalysisRow, PolicyVersion, Step


class Learning(Room):
    """What the leading keeper does between shipping and publishing."""

    def lease(self, holder: str, *, seconds: float) -> int | None:
        """Take or renew the leadership; the epoch, or None where another holds it."""
        raise NotImplementedError

    def release(self, holder: str) -> None:
        """Give the leadership up, if held."""
        raise NotImplementedError

    def next_rows(self, experiment: Experiment, *, watermark: Micros, limit: int) -> list[AnalysisRow]:
        """Matured rows that have no number yet, as they are to be numbered. Changes nothing."""
        raise NotImplementedError

    def commit_step(self, step: Step, *, epoch: int) -> None:
        """Commit rows, sums, cursor and policy version together."""
        raise NotImplementedError

    def analysis_rows(self, experiment_id: int, *, after: int = 0, limit: int = 5000) -> list[AnalysisRow]:
        """Read rows numbered above ``after``, in their order."""
        raise NotImplementedError

    def latest_policy(self, experiment_id: int) -> PolicyVersion | None:
        """Read the newest policy version, or None before the first."""
        raise NotImplementedError

    def policy_version(self, experiment_id: int, version: int) -> PolicyVersion:
        """Read one policy version."""
        raise NotImplementedError
