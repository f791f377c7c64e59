"""What a policy would earn in worlds whose truth is known."""

from bandit.simulate.loop import Run, Simulation, simulate
from bandit.simulate.worlds import World, digits, shift

__all__ = ["Run", "Simulation", "World", "digits", "shift", "simulate"]
