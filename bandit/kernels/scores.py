"""The scores of all arms in a context at once, and the answers that rules make of them.

With A_k⁻¹ = F_k F_k', F_k upper triangular, arm k has mean z'θ_k and deviation |F_k'z| in a context z = (1, x). All
arms' F and θ lie interleaved in one *scorer*, a row for each z_j: what a z_j adds to the scores of all arms is then a
single run of memory, and a context takes one pass over the rows whose z_j is not 0.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np

from bandit.kernels.jit import kernel, long_kernel
from bandit.kernels.lanes import LANES, add_multiple, add_product, fill, load, padded, store
from bandit.kernels.rules import share_out
from bandit.types import Bools, Floats

MANY = 1024
"""Contexts, from which on they are shared out among the processor's cores; each is answered as it is alone."""


def empty_scorer(arms: int, size: int) -> Floats:
    """Return zeros for the scorer of K arms and contexts z of ``size`` numbers."""
    return np.zeros((size, padded((size + 1) * arms)))


@kernel
def interleave(touched: Bools, factor: Floats, theta: Floats, scorer: Floats) -> None:
    """Write F (K, D, D) and θ (K, D) of the ``touched`` arms to ``scorer``: in row j what z_j adds to F'z and z'θ."""
    size, arms = len(scorer), len(touched)
    for k in range(arms):
        if touched[k]:
            for j in range(size):
                scorer[j, size * arms + k] = theta[k, j]
                for i in range(j, size):
                    scorer[j, i * arms + k] = factor[k, j, i]


@kernel
def answer_one(
    rule: int, strong: float, exploration: float, context: Floats, allowed: Bools, scorer: Floats, answer: Floats
) -> None:
    """Write the distribution for one visitor: the rule's law over the allowed arms, mixed with exploration."""
    room = np.empty(_room(len(allowed), scorer))
    found = _law(rule, strong, context, allowed, scorer, room, answer)
    if exploration > 0:
        share = exploration / found
        for k in range(len(answer)):
            if allowed[k]:
                answer[k] = answer[k] * (1 - exploration) + share


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def answer_many(rule: int, strong: float, contexts: Floats, allowed: Bools, scorer: Floats) -> Floats:
    """Return the (n, K) laws; ``allowed`` has one row for all contexts, or one for each.

    Many contexts are shared out among the cores that this process may use.
    """
    laws = np.empty((len(contexts), allowed.shape[1]))
    count = 1 if len(contexts) < MANY else cores()
    if count == 1:
        _laws(rule, strong, contexts, allowed, scorer, laws)
        return laws
    bounds = np.linspace(0, len(contexts), count + 1).astype(int)
    with ThreadPoolExecutor(count) as pool:  # made for the call: threads do not outlive a fork
        parts = [slice(*pair) for pair in pairwise(bounds)]
        masks = [allowed if len(allowed) == 1 else allowed[part] for part in parts]
        jobs = [
            pool.submit(_laws, rule, strong, contexts[part], mask, scorer, laws[part])
            for part, mask in zip(parts, masks, strict=True)
        ]
        for job in jobs:
            job.result()
    return laws


@long_kernel
def _laws(rule: int, strong: float, contexts: Floats, allowed: Bools, scorer: Floats, laws: Floats) -> None:
    room = np.empty(_room(allowed.shape[1], scorer))
    for row in range(len(contexts)):
        _law(rule, strong, contexts[row], allowed[row if len(allowed) > 1 else 0], scorer, room, laws[row])


@kernel
def _room(arms: int, scorer: Floats) -> int:
    return int(scorer.shape[1] + LANES + 4 * padded(arms))


@kernel
def _law(rule: int, strong: float, context: Floats, allowed: Bools, scorer: Floats, room: Floats, law: Floats) -> int:
    """Write a rule's law in a context, 0 where not allowed, and return how many arms are."""
    arms, wide = len(allowed), padded(len(allowed))
    total, mean, sd, shares = room[4 * wide :], room[:wide], room[wide : 2 * wide], room[2 * wide : 3 * wide]
    _score(context, scorer, arms, total, mean, sd)
    found = 0
    for k in range(arms):
        if allowed[k]:
            mean[found], sd[found] = mean[k], sd[k]
            found += 1
    share_out(rule, strong, mean[:found], sd[:found], shares[:found])
    place = 0
    for k in range(arms):
        law[k] = shares[place] if allowed[k] else 0.0
        place += allowed[k]
    return found


@kernel
def _score(context: Floats, scorer: Floats, arms: int, total: Floats, mean: Floats, sd: Floats) -> None:
    """Write mean z'θ and deviation |F'z| of all arms."""
    size, stride = scorer.shape
    if len(context) != size - 1:
        raise ValueError("contexts must be as wide as the schema")
    flat = scorer.reshape(-1)
    for i in range(0, stride, LANES):
        store(total, i, load(flat, i))
    _add_rows(context, flat, stride, arms, total)
    for k in range(0, arms, LANES):
        square = fill(0.0)
        for i in range(size):
            part = load(total, i * arms + k)
            square = add_product(part, part, square)
        store(sd, k, square)
    for k in range(arms):
        mean[k] = total[size * arms + k]
        sd[k] = math.sqrt(sd[k])


@kernel
def _add_rows(context: Floats, flat: Floats, stride: int, arms: int, total: Floats) -> None:
    """Add x_j times row j + 1 of the scorer for every x_j that is not 0, four rows a pass, in order."""
    a, b, c, waiting = 0, 0, 0, 0
    for j in range(len(context)):
        if context[j] == 0.0:  # one-hot contexts are mostly zeros
            continue
        if waiting == 3:
            _add_four(context, a, b, c, j, flat, stride, arms, total)
            waiting = 0
            continue
        a, b, c = (j, b, c) if waiting == 0 else (a, j, c) if waiting == 1 else (a, b, j)
        waiting += 1
    for place in range(waiting):
        j = a if place == 0 else b if place == 1 else c
        row = (j + 1) * stride
        for i in range((j + 1) * arms // LANES * LANES, stride, LANES):
            store(total, i, add_multiple(context, j, load(flat, row + i), load(total, i)))


@kernel
def _add_four(
    context: Floats, a: int, b: int, c: int, d: int, flat: Floats, stride: int, arms: int, total: Floats
) -> None:
    """Add four rows; each is 0 before its own beginning, so that all can begin with the first."""
    first, second, third, fourth = (a + 1) * stride, (b + 1) * stride, (c + 1) * stride, (d + 1) * stride
    for i in range((a + 1) * arms // LANES * LANES, stride, LANES):
        eight = add_multiple(context, a, load(flat, first + i), load(total, i))
        eight = add_multiple(context, b, load(flat, second + i), eight)
        eight = add_multiple(context, c, load(flat, third + i), eight)
        store(total, i, add_multiple(context, d, load(flat, fourth + i), eight))
