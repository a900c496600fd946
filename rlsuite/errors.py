"""Typed errors. Each message says what was wrong, where, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RlsuiteError(Exception):
    """Base of every error a user can cause; the command line prints it as one line and exits with 2."""


class UnknownNameError(RlsuiteError, LookupError):
    """A name that nothing is registered under; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, choices: Iterable[str], hint: str = "") -> None:
        self.kind, self.name = kind, name
        self.nearest = nearest(name, choices)
        message = f"unknown {kind} {name!r}"
        if self.nearest:
            message += "; did you mean " + " or ".join(repr(n) for n in self.nearest) + "?"
        if hint:
            message += f" ({hint})"
        super().__init__(message)


class HyperparameterError(RlsuiteError, ValueError):
    """A hyperparameter with an unknown name, of the wrong type or out of its range."""


class InvalidEnvironmentError(RlsuiteError, ValueError):
    """An environment that cannot be made or does not fit what was asked of it."""


class InvalidMDPError(RlsuiteError, ValueError):
    """Arrays or a ``P`` dictionary that do not describe a finite Markov decision process."""


class ModelUnavailableError(RlsuiteError, TypeError):
    """The environment does not expose its dynamics as a finite MDP."""


class ConvergenceError(RlsuiteError, ArithmeticError):
    """An iteration that did not, or cannot, converge."""


class DivergenceError(RlsuiteError, ArithmeticError):
    """A loss or a network output that is no longer a finite number."""


class RecordError(RlsuiteError, ValueError):
    """A run record, checkpoint or configuration file that is missing, truncated or malformed."""


class SkeletonError(RlsuiteError, ValueError):
    """A kinematic tree that is not one, or a body, joint or pose that it does not have."""


class MotionFormatError(RlsuiteError, ValueError):
    """A motion file that is missing, truncated or malformed; the message gives the file, the place and what is expected."""


class MotionError(RlsuiteError, ValueError):
    """A motion, or an operation on one, that makes no sense: no frames, wrong sizes, skeletons that do not match."""


class MapFormatError(RlsuiteError, ValueError):
    """A file of gridworld maps that is missing or malformed; the message gives the file, the line and what is expected."""


class FetchError(RlsuiteError, OSError):
    """A download that failed or is not the file that was expected; the message says how to get it by hand."""


class CapabilityError(RlsuiteError, TypeError):
    """A generative model that cannot do what was asked of it; the message names the missing capability."""


class AgentCheckError(RlsuiteError, AssertionError):
    """An agent that does not keep the agent contract; raised by :func:`rlsuite.agents.check_agent`."""


def nearest(name: str, choices: Iterable[str], n: int = 3) -> list[str]:
    """Up to ``n`` names close to ``name``, compared without case, closest first."""
    by_lower = {choice.lower(): choice for choice in choices}
    found = difflib.get_close_matches(name.lower(), by_lower, n=n, cutoff=0.5)
    if not found:  # a bare "fourrooms" for "rlsuite/FourRooms-v0"
        found = [low for low in by_lower if name.lower() in low][:n]
    return [by_lower[low] for low in found]
