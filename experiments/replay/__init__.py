"""Questions to logs: read any, evaluate a policy on it, replay one over it, import and export."""

from experiments.replay.answers import EvaluationReport
from experiments.replay.evaluation import evaluate
from experiments.replay.exporting import export
from experiments.replay.log import Log, Recorded
from experiments.replay.reading import read_log
from experiments.replay.rejection import ReplayReport, replay

__all__ = ["EvaluationReport", "Log", "Recorded", "ReplayReport", "evaluate", "export", "read_log", "replay"]
