"""What a policy would earn in worlds whose truth is known."""

from bandit.simulate.delayed import DelayedRun, DelayedSimulation, DelayedWorld, Learning, simulate_delayed
from bandit.simulate.loop import Run, Simulation, simulate
from bandit.simulate.worlds import World, digits, shift

__all__ = [
    "DelayedRun",
    "DelayedSimulation",
    "DelayedWorld",
    "Learning",
    "Run",
    "Simulation",
    "World",
    "digits",
    "shift",
    "simulate",
    "simulate_delayed",
]
