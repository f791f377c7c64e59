"""Four regressions an arm, weighed by their own record, in two generations: the numerics of `auto`, compiled.

Models, all learning from every row of their arm (F F' is the inverse precision of each, see ``kernels/laplace.py``):

    0  ridge on z = (1, x)         2  ridge on curved columns of x (:mod:`bandit.kernels.columns`)
    1  logistic on z               3  logistic on curved columns

Record: each model forecasts the reward before it learns it; its loss is -log of the chance that it gave to the reward
(0..1 rewards), or the Gaussian -log density (others), summed with a discount of γ = 0.998 a row. The weight of model j
is w_j ∝ exp(-loss_j / 3), and an arm's score is its blended upper bound

    Σ_j w_j·b_j,    b = mean + c·σ̂·sd for ridge,    b = p(mean + c·sd) for logistic, p(u) = 1/(1 + e⁻ᵘ),

σ̂² the model's own mean squared error: where rewards are certain the bound closes, whatever their unit.

Generations: two such sets learn side by side; the leader answers, the other is younger. It is made anew when the
leader's losses are found to have risen, or rewards to have fallen (:mod:`bandit.drift`), and at ages 500, 2,000 and
8,000 in turn. It takes over as soon as the sum of the differences of their squared errors, less a twentieth of the
rewards' variance each, exceeds three times the root of the sum of their squares: a false alarm costs nothing.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from bandit.drift import watch
from bandit.kernels.columns import curve
from bandit.kernels.jit import kernel
from bandit.kernels.laplace import dot, logistic, mode
from bandit.kernels.strips import add_evidence, project
from bandit.types import Bools, Floats, Ints

MODELS: Final = 4
WARM: Final = 32
"""Rows after which the scale of contexts and rewards is settled, and curved models begin."""
FADE: Final = 0.998
TEMPERATURE: Final = 3.0
LEAST: Final = 1e-3
"""Models of less weight are not asked."""
FALSE_ALARMS: Final = 0.01
SURE: Final = 3.0
YOUNGEST: Final = 16
"""Rows that the younger generation must have seen before it may lead, where an alarm began it."""
GROWN: Final = 400.0
"""The same, where none did: a leader that has just begun explores, and errs while it does."""
TRIFLE: Final = 0.05
"""Share of the rewards' variance by which it must forecast better: less is no reason to give up what is known."""
FARTHEST: Final = 100.0
"""Scaled context columns are cut off here."""
HEAVIEST: Final = 1e6
"""Weights are cut off here."""
_WIDTHS = np.array([1.0, 1.0, 0.8, 0.85])
"""c of the bounds, by model."""

# Places in the book, a vector of single numbers.
ROWS: Final = 0
LEAD: Final = 1
AGE: Final = 2
LIMIT: Final = 3
SETTLED: Final = 4
NUMERIC: Final = 5
MIDDLE: Final = 6
UNIT: Final = 7
MEAN: Final = 8
SQUARE: Final = 9
GAIN: Final = 10
SPREAD: Final = 11
STRETCH: Final = 12
ALARMED: Final = 13
BOOK: Final = 14


class Mind(NamedTuple):
    """What is learned: all of a policy's state but its counts. G = 4: two generations of ridge and logistic."""

    straight: Floats
    """(K, G, D(D + 1)/2) factors of the models on z."""
    straight_theta: Floats
    """(K, G, D) their coefficients."""
    curved: Floats
    """(K, G, C(C + 1)/2) factors of the models on curved columns; C may be 0."""
    curved_theta: Floats
    """(K, G, C)"""
    record: Floats
    """(2, 4, 3) loss, mean squared error and rows of each generation's models."""
    scale: Floats
    """(3, d) middle and unit of the context columns, and their middle once scaled."""
    moments: Floats
    """(2, d) sums and sums of squares of the first contexts."""
    history: Floats
    """(2, ...) of the leader's losses, and of rewards missed, see :mod:`bandit.drift`."""
    book: Floats
    """(BOOK,) single numbers."""


class Maps(NamedTuple):
    """From contexts to columns: nothing here is learned."""

    lines: Floats
    """(d, D - 1) projection of contexts that are too wide for room; no rows else."""
    powers: Ints
    waves: Floats
    held: Floats
    """(C,) ridge of each curved column."""


@kernel
def place(context: Floats, scale: Floats, lines: Floats, z: Floats) -> None:
    """Write z = (1, x), x the scaled columns, projected where there are ``lines``."""
    z[0] = 1.0
    z[1:] = 0.0
    for i in range(len(context)):
        x = min(max((context[i] - scale[0, i]) / scale[1, i], -FARTHEST), FARTHEST)
        if len(lines) == 0:
            z[1 + i] = x
        else:
            for j in range(lines.shape[1]):
                z[1 + j] += x * lines[i, j]


@kernel
def scaled(context: Floats, scale: Floats, whole: Floats) -> None:
    """Write (1, x) without projection: what curved columns are made of."""
    whole[0] = 1.0
    for i in range(len(context)):
        whole[1 + i] = min(max((context[i] - scale[0, i]) / scale[1, i], -FARTHEST), FARTHEST)


@kernel
def weigh(record: Floats, book: Floats, curved: int, weights: Floats) -> None:
    """Write the (4,) weights of one generation's models."""
    least = math.inf
    for j in range(MODELS):
        if takes_part(j, book, curved):
            least = min(least, record[j, 0])
    for j in range(MODELS):
        weights[j] = math.exp((least - record[j, 0]) / TEMPERATURE) if takes_part(j, book, curved) else 0.0
    weights /= weights.sum()


@kernel
def takes_part(j: int, book: Floats, curved: int) -> bool:
    """Tell whether a model is of use: logistic for rewards in [0, 1], curved where there is room and a scale."""
    if j % 2 == 1 and book[NUMERIC] > 0:
        return False
    return j < 2 or (curved > 0 and book[SETTLED] > 0)


@kernel
def choose(contexts: Floats, allowed: Bools, mind: Mind, maps: Maps, width: float, law: Floats) -> None:
    """Write the law into zeros: all to the allowed arm of the highest score, shared evenly where some tie exactly."""
    size, lead = mind.curved_theta.shape[2], int(mind.book[LEAD])
    z, whole, columns = np.empty(mind.straight_theta.shape[2]), np.empty(contexts.shape[1] + 1), np.empty(size)
    weights, score, projected = np.empty(MODELS), np.empty(law.shape[1]), np.empty(max(size, len(z)))
    weigh(mind.record[lead], mind.book, size, weights)
    for row in range(len(contexts)):
        mask = allowed[row if len(allowed) > 1 else 0]
        place(contexts[row], mind.scale, maps.lines, z)
        if weights[2] >= LEAST or weights[3] >= LEAST:
            scaled(contexts[row], mind.scale, whole)
            curve(whole, maps.powers, maps.waves, mind.scale[2], mind.book[STRETCH], columns)
        score[:] = 0.0
        for j in range(MODELS):
            if weights[j] >= LEAST:
                reach = width * _WIDTHS[j]
                if j % 2 == 0:
                    reach *= math.sqrt(mind.record[lead, j, 1])
                at = 2 * lead + j % 2
                if j < 2:
                    _add_bounds(z, mind.straight, mind.straight_theta, at, mask, weights[j], reach, projected, score)
                else:
                    _add_bounds(columns, mind.curved, mind.curved_theta, at, mask, weights[j], reach, projected, score)
        _share(score, mask, law[row])


@kernel
def _add_bounds(
    z: Floats,
    factor: Floats,
    theta: Floats,
    at: int,
    allowed: Bools,
    weight: float,
    reach: float,
    projected: Floats,
    score: Floats,
) -> None:
    """Add ``weight`` times the upper bounds of the models at ``at`` to the scores of the allowed arms."""
    room = projected[: len(z)]
    for k in range(len(allowed)):
        if allowed[k]:
            upper = dot(z, theta[k, at]) + reach * math.sqrt(project(z, factor[k, at], room))
            score[k] += weight * (logistic(upper) if at % 2 == 1 else upper)


@kernel
def _share(score: Floats, allowed: Bools, law: Floats) -> None:
    highest, ties = -math.inf, 0
    for k in range(len(law)):
        if allowed[k]:
            if score[k] > highest:
                highest, ties = score[k], 1
            elif score[k] == highest:
                ties += 1
    for k in range(len(law)):
        if allowed[k] and score[k] == highest:
            law[k] = 1.0 / ties


@kernel
def learn(
    contexts: Floats, arms: Ints, rewards: Floats, row_weights: Floats, mind: Mind, maps: Maps, counts: Floats
) -> None:
    """Learn rows one by one; ``counts`` (K, 2, 3) are rows, sums and squares of each generation."""
    size, book = mind.curved_theta.shape[2], mind.book
    z, whole, columns = np.empty(mind.straight_theta.shape[2]), np.empty(contexts.shape[1] + 1), np.empty(size)
    projected, losses = np.empty(max(size, len(z))), np.empty(2)
    for row in range(len(contexts)):
        weight = min(row_weights[row], HEAVIEST)
        if weight > 0:
            notice(contexts[row], rewards[row], mind, maps, counts)
            place(contexts[row], mind.scale, maps.lines, z)
            if book[SETTLED] > 0 and size > 0:
                scaled(contexts[row], mind.scale, whole)
                curve(whole, maps.powers, maps.waves, mind.scale[2], book[STRETCH], columns)
            reward, k = (rewards[row] - book[MIDDLE]) / book[UNIT], arms[row]
            for g in range(2):
                losses[g] = _learn_row(g, k, z, columns, reward, weight, mind, projected)
                counts[k, g, 0] += weight
                counts[k, g, 1] += weight * rewards[row]
                counts[k, g, 2] += weight * rewards[row] ** 2
            compare(losses, reward, mind, maps, counts)


@kernel
def _learn_row(
    g: int, k: int, z: Floats, columns: Floats, reward: float, weight: float, mind: Mind, projected: Floats
) -> float:
    """Let one generation forecast and learn a row, and return the squared error of its forecast, in [0, 1]."""
    weights, forecast, numeric = np.empty(MODELS), 0.0, mind.book[NUMERIC] > 0
    weigh(mind.record[g], mind.book, len(columns), weights)
    for j in range(MODELS):
        if takes_part(j, mind.book, len(columns)):
            at = 2 * g + j % 2
            if j < 2:
                guess = _update(z, reward, weight, j % 2, mind.straight[k, at], mind.straight_theta[k, at], projected)
            else:
                guess = _update(columns, reward, weight, j % 2, mind.curved[k, at], mind.curved_theta[k, at], projected)
            _note(reward - guess, guess, reward, numeric, mind.record[g, j])
            forecast += weights[j] * guess
    if numeric:
        square = (reward - forecast) ** 2
        return square / (square + 1) if square < 1e300 else 1.0
    return (reward - min(max(forecast, 0.0), 1.0)) ** 2


@kernel
def _update(
    z: Floats, reward: float, weight: float, kind: int, factor: Floats, theta: Floats, projected: Floats
) -> float:
    """Return a model's forecast, and let it learn: kind 0 is ridge, 1 logistic."""
    room = projected[: len(z)]
    variance, mean = project(z, factor, room), dot(z, theta)
    if kind == 0:
        add_evidence(weight, weight * (reward - mean) / (1 + weight * variance), room, factor, theta)
        return mean
    p = logistic(mode(mean, variance, reward, weight))
    add_evidence(weight * p * (1 - p), weight * (reward - p), room, factor, theta)
    return logistic(mean)


@kernel
def _note(error: float, guess: float, reward: float, numeric: bool, record: Floats) -> None:
    """Add a forecast to a model's record: (3,) discounted loss, mean squared error, rows."""
    if numeric:
        loss = 0.5 * math.log(record[1]) + 0.5 * min(error * error / record[1], 16.0)
    else:
        chance = min(max(guess, 0.02), 0.98)
        loss = -reward * math.log(chance) - (1 - reward) * math.log(1 - chance)
    record[0] = FADE * record[0] + loss
    # At 100 units squared one row would fix the bound's width for thousands.
    record[1] += (min(error * error, 1e4) - record[1]) / (record[2] + 20)
    record[1] = max(record[1], 1e-12)
    record[2] = min(record[2] + 1, 2000.0)


@kernel
def compare(losses: Floats, reward: float, mind: Mind, maps: Maps, counts: Floats) -> None:
    """Let the younger generation lead if it has shown to forecast better; begin it anew when that is due."""
    book = mind.book
    lead = int(book[LEAD])
    variance = max(book[SQUARE] - book[MEAN] ** 2, 0.0) / book[UNIT] ** 2
    better = losses[lead] - losses[1 - lead] - TRIFLE * variance
    book[GAIN] = FADE * book[GAIN] + better
    book[SPREAD] = FADE * book[SPREAD] + better * better
    book[AGE] += 1
    missed = 0.5 - 0.5 * reward / (1 + abs(reward)) if book[NUMERIC] > 0 else 1 - reward
    worse, poorer = (
        watch(mind.history[0], losses[lead], FALSE_ALARMS),
        watch(mind.history[1], missed, FALSE_ALARMS),
    )
    old_enough = book[AGE] >= (YOUNGEST if book[ALARMED] > 0 else GROWN)
    overtaken = old_enough and book[GAIN] > SURE * math.sqrt(book[SPREAD])
    if overtaken:
        lead = 1 - lead
        book[LEAD] = lead
    elif not (worse or poorer) and book[AGE] >= book[LIMIT]:
        book[LIMIT] = 500.0 if book[LIMIT] >= 8000 else book[LIMIT] * 4
    elif not (worse or poorer):
        return
    if overtaken or worse or poorer:
        mind.history[:] = 0.0
    renew(1 - lead, mind, maps, counts)
    book[AGE] = book[GAIN] = book[SPREAD] = 0.0
    book[ALARMED] = 0.0 if overtaken or not (worse or poorer) else 1.0


@kernel
def renew(g: int, mind: Mind, maps: Maps, counts: Floats) -> None:
    """Let a generation forget everything."""
    for at in range(2 * g, 2 * g + 2):
        for k in range(len(counts)):
            mind.straight[k, at] = 0.0
            mind.curved[k, at] = 0.0
            mind.straight_theta[k, at] = 0.0
            mind.curved_theta[k, at] = 0.0
            _diagonal(mind.straight[k, at], np.ones(mind.straight_theta.shape[2]))
            _diagonal(mind.curved[k, at], maps.held)
    for k in range(len(counts)):
        counts[k, g] = 0.0
    for j in range(MODELS):
        mind.record[g, j, 0] = 0.0
        mind.record[g, j, 1] = 1.0 if mind.book[NUMERIC] > 0 else 0.25
        mind.record[g, j, 2] = 0.0


@kernel
def _diagonal(factor: Floats, ridge: Floats) -> None:
    """Write the diagonal of the factor of a prior, whose rows are stored from their diagonal on."""
    start = 0
    for i in range(len(ridge)):
        factor[start] = 1 / math.sqrt(ridge[i])
        start += len(ridge) - i


@kernel
def notice(context: Floats, reward: float, mind: Mind, maps: Maps, counts: Floats) -> None:
    """Take note of the scale of contexts and rewards before a row is learned; begin anew where it was mistaken."""
    book = mind.book
    book[ROWS] += 1
    book[MEAN] += (reward - book[MEAN]) / book[ROWS]
    book[SQUARE] += (reward * reward - book[SQUARE]) / book[ROWS]
    strange = book[NUMERIC] == 0 and reward != 0 and reward != 1
    if strange:
        book[NUMERIC] = 1.0
    if book[SETTLED] == 0:
        for i in range(len(context)):
            held = min(max(context[i], -1e100), 1e100)
            mind.moments[0, i] += held
            mind.moments[1, i] += held * held
        if book[ROWS] < WARM:
            return
        settle(mind)
        strange = strange or book[NUMERIC] > 0
        for g in range(2):
            if (mind.scale[1] != 1.0).any() or (mind.scale[0] != 0.0).any():
                renew(g, mind, maps, counts)
            best = min(mind.record[g, 0, 0], mind.record[g, 1, 0])
            mind.record[g, 2, 0] = mind.record[g, 3, 0] = best
    if book[NUMERIC] > 0 and book[SETTLED] > 0:
        _measure(strange, mind, maps, counts)


@kernel
def settle(mind: Mind) -> None:
    """Settle the scale of the columns: large ones are standardised, others stay as they are.

    Small ones do, too: a rare category has a small spread, and would be blown up to drown all others.
    """
    book, scale = mind.book, mind.scale
    book[SETTLED] = 1.0
    apart = 0.0
    for i in range(scale.shape[1]):
        mean = mind.moments[0, i] / book[ROWS]
        sd = math.sqrt(max(mind.moments[1, i] / book[ROWS] - mean * mean, 0.0))
        if sd <= 1e-9 * abs(mean):
            sd = 0.0
        if sd > 2 or abs(mean) > 3:
            scale[0, i] = mean
            scale[1, i] = sd if sd > 0 else max(1.0, abs(mean))
        scale[2, i] = (mean - scale[0, i]) / scale[1, i]
        apart += 2 * (sd / scale[1, i]) ** 2
    # Two visitors that are as far apart as two usually are have a kernel of exp(-1/4).
    book[STRETCH] = 1 / math.sqrt(2 * apart) if apart > 0 else 1.0


@kernel
def _measure(strange: bool, mind: Mind, maps: Maps, counts: Floats) -> None:
    """Express rewards in their own spread; a spread that grew or shrank fourfold rescales what is known."""
    book = mind.book
    unit = math.sqrt(max(book[SQUARE] - book[MEAN] ** 2, 0.0))
    unit = unit if unit > 1e-9 * abs(book[MEAN]) and unit > 0 else max(abs(book[MEAN]), 1.0)
    if strange:
        book[MIDDLE] = book[MEAN]
        book[UNIT] = unit
        renew(0, mind, maps, counts)
        renew(1, mind, maps, counts)
        mind.history[:] = 0.0
        book[AGE] = book[GAIN] = book[SPREAD] = 0.0
    elif not 0.25 <= unit / book[UNIT] <= 4:
        ratio = book[UNIT] / unit
        book[UNIT] = unit
        mind.straight_theta[:] *= ratio
        mind.curved_theta[:] *= ratio
        for g in range(2):
            for j in range(MODELS):
                mind.record[g, j, 1] = max(mind.record[g, j, 1] * ratio * ratio, 1e-12)
                mind.record[g, j, 0] = 0.0
