"""Vowpal Wabbit's contextual bandits. This file alone knows the library, and keeps its ways inside.

A decision goes in as text of our own making, numbers and hashes only, so that nothing a user wrote can break a line:

    shared |s 1:0.5 7:1            the context, zeros left out; s crosses with a (-q sa)
    |a 2166136261                  an arm, by the hash of its key: an arm keeps its weights wherever it stands
    0:-1:0.25 |a 3735928559        the chosen arm, in learning: action, cost = -reward, logged probability / weight

The workspace is not thread-safe, so that each use of it holds a lock, and does not release the GIL. It accepts NaN
without a word: none gets past the checks, and a model that overflowed is refused. It leaks examples that are not
finished. Its model bytes carry running statistics of whatever it was asked since it was loaded; saving, loading and
saving again leaves those out, so that bytes depend on what was learned alone.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import threading
import weakref
from abc import abstractmethod
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from vowpalwabbit import Workspace

from bandit.features import LIMIT
from bandit.parameters import Parameter
from bandit.policy import Policy
from bandit.serialization import Arrays
from bandit.types import Arms, Batch, Bools, Floats
from bandit.validation import InvalidInput, require

REWARD_LIMIT = 1e9
"""Vowpal Wabbit computes in single precision: larger rewards would overflow its updates."""

LEARNING_RATE = Parameter("learning_rate", 2.0, 1e-4, 100.0, "", "how far one reward moves the model")
SEED = Parameter("seed", 1, 0, 2**31 - 1, "", "start of its random numbers", kind="int")


class VowpalPolicy(Policy):
    """``--cb_explore_adf`` over the encoded context crossed with the arm; a subclass says how it explores.

    Its distributions are single precision, renormalised here, and may be exactly 0: exploration ε > 0 is what keeps
    every allowed arm's probability positive. The state is no sum: it learns in one place, in row order.
    """

    contextual = True
    mergeable = False
    stepwise: ClassVar[bool] = True
    """Whether it goes on after a load as if never saved. Where not, every step of learning starts from saved bytes."""

    @abstractmethod
    def _explore(self) -> str:
        """Return the options of the exploration; they are given at creation only and live in the model."""

    def _cold(self) -> Arrays:
        rate, seed = self.params["learning_rate"], self.params["seed"]
        options = f"{self._explore()} --learning_rate {rate!r} --random_seed {seed}"
        workspace = Workspace(arg_list=f"--cb_explore_adf -q sa -b 18 --quiet --no_stdin {options}".split())
        try:
            return {"model": _settled(workspace)}
        finally:
            workspace.finish()

    def _derive(self) -> None:
        self._lock = threading.Lock()
        self._unsaved = False
        self._names = [f"|a {_identity(key)}" for key in self.arms.keys]
        self._model = _Model(self.state["model"], self._names)
        # Answering once proves that the model is sound before anybody relies on it.
        self._law(np.zeros((1, self.schema.width)), None)

    def _save(self) -> None:
        if self._unsaved:
            self.state = {"model": _settled(self._model.workspace)}
            self._model = _Model(self.state["model"], self._names)
            self._unsaved = False

    def _law(self, contexts: Floats, allowed: Bools | None) -> Floats:
        law = np.zeros((len(contexts), len(self.arms)))
        for row, context in enumerate(contexts):
            if allowed is None:
                law[row] = self._shares(context, None)
            else:
                chosen = np.flatnonzero(allowed[row])
                law[row, chosen] = self._shares(context, chosen.tolist())
        return law

    def _law_one(self, context: Floats, allowed: Bools | None) -> Floats:
        return (
            np.array(self._shares(context, None)) if allowed is None else self._law(context[None, :], allowed[None])[0]
        )

    def _shares(self, context: Floats, chosen: list[int] | None) -> list[float]:
        """Return the probabilities of the chosen arms, or of all."""
        line = _shared(context)
        with self._lock:
            found = self._model.predict(line, chosen)
        shares = [0.0 if share < 0 else share for share in found]  # what is not a number stays, and is refused
        total = math.fsum(shares)
        require(math.isfinite(total) and total > 0, f"the model of {self.name} must give probabilities")
        return [share / total for share in shares]

    def check_rewards(self, rewards: Floats) -> None:
        """Refuse rewards that Vowpal Wabbit would overflow on."""
        good = bool((np.abs(rewards) <= REWARD_LIMIT).all())
        require(good, f"rewards of {self.name} must lie within ±{REWARD_LIMIT:g}, found {np.abs(rewards).max():g}")

    def _absorb(self, batch: Batch) -> None:
        with self._lock:
            if not self.stepwise:
                self._model = _Model(self.state["model"], self._names)
            for row in range(len(batch)):
                if batch.weights[row] > 0:
                    self._model.workspace.learn(self._lines(batch, row))
            self._unsaved = True
            if not self.stepwise:
                self._save()

    def _lines(self, batch: Batch, row: int) -> list[str]:
        chosen = int(batch.arms[row])
        lines = [_shared(batch.contexts[row])]
        for k in np.flatnonzero(batch.distributions[row] > 0):
            lines.append(self._names[k])
            if k == chosen:
                # Dividing by the probability is how Vowpal Wabbit weighs a row; a weight is a divisor of that.
                probability = batch.distributions[row, chosen] / batch.weights[row]
                lines[-1] = f"0:{-batch.rewards[row]:.9g}:{probability:.9g} {lines[-1]}"
        return lines

    def with_arms(self, arms: Arms) -> Policy:
        """Return the same model over another set of arms: weights belong to the hash of an arm's key."""
        with self._lock:
            self._save()
        return self._over(arms, {"model": self.state["model"].copy()})

    def to_bytes(self) -> bytes:
        """Return the policy as bytes, which :func:`bandit.policies.from_bytes` reads back."""
        with self._lock:
            self._save()
        return super().to_bytes()

    def _accept(self, arrays: Arrays) -> None:
        model = arrays.get("model")
        if model is None or len(arrays) != 1 or model.dtype != np.uint8 or model.ndim != 1:
            raise InvalidInput(f"the state of {self.name} must be one model, found {sorted(arrays)}")
        self._set_state(arrays)


class _Model:
    """A loaded model, and a copy that reads what is only asked: reading a line counts in a model's bytes.

    The reader has the model's own options, because these lay out the features of what it reads. The arms' lines are
    read once. Whatever was read must be given back, or its memory is lost.
    """

    def __init__(self, model: Any, names: list[str]) -> None:
        self.workspace = _load(model)
        self._reader = _load(model)
        self._arms = self._reader.parse(["shared |s", *names])
        self._every = self._arms[1:]
        weakref.finalize(self, _close, self.workspace, self._reader, self._arms).atexit = False

    def predict(self, shared: str, chosen: list[int] | None) -> list[float]:
        first = self._reader.parse(shared)
        arms = self._every if chosen is None else [self._every[k] for k in chosen]
        try:
            return list(self.workspace.predict(first + arms))
        finally:
            self._reader.finish_example(first)


def _close(workspace: Workspace, reader: Workspace, examples: list[Any]) -> None:
    reader.finish_example(examples)
    reader.finish()
    workspace.finish()


class SquareCB(VowpalPolicy):
    """Inverse gap weighting: the further an arm's prediction is below the best, the less often it is shown.

    p_k = 1 / (K + γ·(f_best - f_k)) for all but the best, which takes the rest; γ grows with the number of rows,
    by ``gamma_scale``·rows^(1/2). Reference: Foster and Rakhlin, ICML 2020, algorithm 1.
    """

    name = "vw_squarecb"
    parameters = (
        Parameter("gamma_scale", 30.0, 0.1, 1e5, "", "larger trusts the predictions more"),
        LEARNING_RATE,
        SEED,
    )

    def _explore(self) -> str:
        return f"--squarecb --gamma_scale {self.params['gamma_scale']!r}"


class Epsilon(VowpalPolicy):
    """The arm with the best prediction, and with probability ``epsilon`` any arm.

    Reference: Langford and Zhang, NIPS 2007.
    """

    name = "vw_epsilon"
    parameters = (
        Parameter("epsilon", 0.05, 0.0, 1.0, "share", "share of decisions spread over all variants"),
        LEARNING_RATE,
        SEED,
    )

    def _explore(self) -> str:
        return f"--epsilon {self.params['epsilon']!r}"


class Bag(VowpalPolicy):
    """``models`` bootstrapped models vote; an arm's probability is its share of the votes, 0 for one without any.

    Each row teaches each model a Poisson number of times. Reference: Agarwal et al., ICML 2014, section 5.
    """

    name = "vw_bag"
    stepwise = False
    parameters = (
        Parameter("models", 5, 1, 100, "models", "more make finer probabilities", kind="int"),
        LEARNING_RATE,
        SEED,
    )

    def _explore(self) -> str:
        return f"--bag {self.params['models']}"


class Cover(VowpalPolicy):
    """Online cover: ``models`` that are taught to disagree share the decisions.

    ``psi`` weighs disagreement; an arm that none chooses gets 0. Reference: Agarwal et al., ICML 2014, algorithm 5.
    """

    name = "vw_cover"
    stepwise = False
    parameters = (
        Parameter("models", 5, 1, 100, "models", "more explore more widely", kind="int"),
        Parameter("psi", 0.01, 0.0, 100.0, "", "larger explores more"),
        LEARNING_RATE,
        SEED,
    )

    def _explore(self) -> str:
        return f"--cover {self.params['models']} --psi {self.params['psi']!r} --nounif"


class Softmax(VowpalPolicy):
    """Probabilities proportional to exp(``sharpness``·prediction); far losers underflow to 0.

    Reference: Boltzmann exploration, Cesa-Bianchi et al., NIPS 2017.
    """

    name = "vw_softmax"
    parameters = (
        Parameter("sharpness", 20.0, 0.0, 1e4, "1/reward", "larger trusts the predictions more"),
        LEARNING_RATE,
        SEED,
    )

    def _explore(self) -> str:
        return f"--softmax --lambda {self.params['sharpness']!r}"


def _shared(context: Floats) -> str:
    """Return a context as a line; values are cut where encoded contexts are, for single precision's sake."""
    values = context.tolist()
    if values and (max(values) > LIMIT or min(values) < -LIMIT):
        values = [min(LIMIT, max(-LIMIT, value)) for value in values]
    if 0.0 in values:
        return "shared |s " + " ".join([f"{i}:{value:.9g}" for i, value in enumerate(values) if value != 0.0])
    return _form(len(values)) % tuple(values)


@cache
def _form(width: int) -> str:
    """Return the line of a context without zeros, to be filled: formatting all at once takes half the time."""
    return "shared |s " + " ".join([f"{i}:%.9g" for i in range(width)])


def _identity(key: str) -> int:
    """Return 31 bits of a hash that is the same in every process; Vowpal Wabbit takes a number for its own hash."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "little") >> 1


def _settled(workspace: Workspace) -> Any:
    """Return the model's bytes without its running statistics."""
    copy = _load(_dump(workspace))
    try:
        return _dump(copy)
    finally:
        copy.finish()


def _dump(workspace: Workspace) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        workspace.save(str(path))
        return np.frombuffer(path.read_bytes(), dtype=np.uint8)


def _load(model: Any) -> Workspace:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        path.write_bytes(model.tobytes())
        try:
            return Workspace(arg_list=["--quiet", "--no_stdin", "--initial_regressor", str(path)])
        except RuntimeError as error:
            raise InvalidInput(f"a model must be one that Vowpal Wabbit wrote, found another: {error}") from error
