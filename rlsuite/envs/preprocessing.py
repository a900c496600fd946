"""Preprocessing of image observations by flags: Gymnasium's own wrappers, in the one order that makes sense.

The order is that of Mnih et al. (2015): pixels, frame skip with the maximum of the last two frames (of raw frames, since
what flickers is there), grey, resize, and last the stack, which holds frames that are already small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from rlsuite.errors import HyperparameterError, InvalidEnvironmentError


@dataclass(frozen=True)
class Preprocessing:
    """Which wrappers to put around an environment; the default is none.

    Attributes:
        pixels: observe ``env.render()`` instead of what the environment tells; made with ``render_mode="rgb_array"``.
        max_and_skip: repeat each action this often and observe the maximum of the last two frames; rewards are summed.
        grayscale: the luminance of a colour image: ``(H, W, 3)`` becomes ``(H, W, 1)``, or ``(H, W)`` under a stack.
        resize: side of the square to which an image is resized, by area.
        frame_stack: the last this many observations, oldest first: a leading axis, ``(4, H, W)`` for grey images.

    Raises:
        HyperparameterError: a value of the wrong type or out of its range.
    """

    pixels: bool = False
    max_and_skip: int | None = None
    grayscale: bool = False
    resize: int | None = None
    frame_stack: int | None = None

    def __post_init__(self) -> None:
        for name in ("pixels", "grayscale"):
            if not isinstance(getattr(self, name), bool):
                raise HyperparameterError(f"{name} must be true or false, not {getattr(self, name)!r}")
        for name, least in (("max_and_skip", 2), ("resize", 1), ("frame_stack", 1)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise HyperparameterError(f"{name} must be an integer of at least {least}, or left out, not {value!r}")

    def __bool__(self) -> bool:
        return self != Preprocessing()

    def apply(self, env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
        """``env`` inside the wrappers.

        Raises:
            InvalidEnvironmentError: it does not observe what a wrapper needs; the message says what would.
        """
        if self.pixels:
            if env.render_mode != "rgb_array":
                raise InvalidEnvironmentError(
                    f"{_name(env)} has the render mode {env.render_mode!r}; pixels need render_mode='rgb_array'"
                )
            env = gym.wrappers.AddRenderObservation(env, render_only=True)
        if self.max_and_skip is not None:
            if not isinstance(env.observation_space, spaces.Box):
                raise InvalidEnvironmentError(
                    f"max_and_skip needs arrays to take the maximum of; {_name(env)} observes {env.observation_space}"
                )
            env = gym.wrappers.MaxAndSkipObservation(env, skip=self.max_and_skip)
        if self.grayscale:
            _require_image(env, "grayscale", colour=True)
            env = gym.wrappers.GrayscaleObservation(env, keep_dim=self.frame_stack is None)
        if self.resize is not None:
            _require_image(env, "resize")
            env = gym.wrappers.ResizeObservation(env, (self.resize, self.resize))
        if self.frame_stack is not None:
            env = gym.wrappers.FrameStackObservation(env, self.frame_stack)
        return env

    def as_dict(self) -> dict[str, Any]:
        """The flags that are set, for a configuration file."""
        default = Preprocessing()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}

    @classmethod
    def from_dict(cls, flags: Mapping[str, Any]) -> Preprocessing:
        """The inverse of :meth:`as_dict`.

        Raises:
            HyperparameterError: an unknown flag, or a value out of its range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [str(name) for name in flags if name not in known]
        if unknown:
            raise HyperparameterError(f"unknown preprocessing {', '.join(unknown)}; there is {', '.join(known)}")
        return cls(**flags)


def _require_image(env: gym.Env[Any, Any], flag: str, colour: bool = False) -> None:
    space = env.observation_space
    needed = "a colour image: uint8 of 0…255, shape (H, W, 3)" if colour else "an image: uint8 of 0…255"
    is_image = (
        isinstance(space, spaces.Box)
        and space.dtype == np.uint8
        and len(space.shape) in ((3,) if colour else (2, 3))
        and (not colour or space.shape[-1] == 3)
        and bool((space.low == 0).all() and (space.high == 255).all())
    )
    if not is_image:
        raise InvalidEnvironmentError(
            f"{flag} needs {needed}; {_name(env)} observes {space} (pixels=true observes what it renders)"
        )


def _name(env: gym.Env[Any, Any]) -> str:
    return env.spec.id if env.spec else type(env.unwrapped).__name__
