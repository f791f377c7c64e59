"""Who gets what, decided by hashing: the same unit, experiment and distribution always give the same variant."""

from __future__ import annotations

import math
from hashlib import blake2b

import numpy as np

from bandit.kernels.jit import kernel
from bandit.types import Floats, Ints


class Draws:
    """The draws of one experiment.

    Every purpose hashes under a word of its own, so that no two choices share their chance.

    Parameters
    ----------
    salt
        The installation's draw salt (:attr:`experiments.secret.Secret.draw_salt`).
    experiment
        The experiment's id.
    """

    __slots__ = ("_traffic", "_variant")

    def __init__(self, salt: bytes, experiment: int) -> None:
        prefix = b"%d/" % experiment
        self._variant = blake2b(prefix, key=salt, person=b"draw", digest_size=8)
        self._traffic = blake2b(prefix, key=salt, person=b"traffic", digest_size=8)
        _race(0, np.zeros(1, np.int64), np.ones(1))  # compiled now, not under the first visitor

    def variant(self, draw_key: str, *, slots: Ints, p: Floats) -> int:
        r"""Return the index of the variant drawn from ``p`` by a race of exponential clocks.

        .. math:: \arg\min_k -\ln(U_k) / p_k, \qquad U_k \in (0, 1]

        The law is exactly p, whatever the order of the variants; a small change of p moves hardly more units than
        it must, and a new variant takes its share from the others without shuffling them.

        Parameters
        ----------
        draw_key
            What is hashed: the unit's pseudonym, the request id or the decision id.
        slots
            (K,) distinct number of each variant, given at its creation and never reused: U_k belongs to the slot.
        p
            (K,) probabilities; a variant with 0 is never drawn.

        Raises
        ------
        ValueError
            No entry of ``p`` is positive.
        """
        digest = self._variant.copy()
        digest.update(draw_key.encode())
        winner = _race(int.from_bytes(digest.digest(), "little", signed=True), slots, p)
        if winner < 0:
            raise ValueError(f"no variant has a positive probability: {p}")
        return winner

    def in_traffic(self, draw_key: str, *, share: float) -> bool:
        """Whether the unit is in the ``share`` of all that take part; a larger share keeps everybody who was in.

        >>> Draws(b"salt", 1).in_traffic("somebody", share=1.0), Draws(b"salt", 1).in_traffic("somebody", share=0.0)
        (True, False)
        """
        digest = self._traffic.copy()
        digest.update(draw_key.encode())
        return int.from_bytes(digest.digest(), "little") < share * 2.0**64


@kernel
def _race(seed: int, slots: Ints, p: Floats) -> int:
    """Expand ``seed`` (int64) by slot and return the first clock to ring, or -1 where no ``p`` is positive.

    SplitMix64 (Steele, Lea and Flood 2014), 53 bits of it a slot. Compiled: 0.4 µs for K = 10 against 2.8 in Python.
    """
    winner, first = -1, np.inf
    for k in range(len(p)):
        if p[k] > 0.0:
            x = np.uint64(seed) + np.uint64(slots[k] + 1) * np.uint64(0x9E3779B97F4A7C15)
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            uniform = (np.float64((x ^ (x >> np.uint64(31))) >> np.uint64(11)) + 1.0) * 2.0**-53
            ring = -math.log(uniform) / p[k]
            if ring < first:
                winner, first = k, ring
    return winner
