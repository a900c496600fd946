"""Which denoising network an event gets: by its shape, unless told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlsuite.errors import HyperparameterError, UnknownNameError
from rlsuite.generative.diffusion.image_network import ImageNetwork
from rlsuite.generative.diffusion.networks import Network, VectorNetwork
from rlsuite.generative.diffusion.window_network import WindowNetwork

NETWORKS: dict[str, Callable[..., Network]] = {"vector": VectorNetwork, "window": WindowNetwork, "image": ImageNetwork}
BY_RANK = {1: "vector", 2: "window", 3: "image"}


def network_for(
    event_shape: Sequence[int], condition_size: int, *, network: str, width: int, depth: int, heads: int, outputs: int
) -> Network:
    """A network for events of that shape. ``auto`` takes vectors, windows ``(frames, features)`` and images apart.

    Raises:
        UnknownNameError: there is no network of that name.
        HyperparameterError: sizes that make none.
    """
    if depth < 1:
        raise HyperparameterError(f"depth is at least 1, not {depth!r}")
    name = BY_RANK.get(len(event_shape), "vector") if network == "auto" else network
    if name not in NETWORKS:
        raise UnknownNameError("denoising network", name, ("auto", *NETWORKS))
    if name == "window":
        return WindowNetwork(event_shape, condition_size, width, depth, outputs, heads)
    return NETWORKS[name](event_shape, condition_size, width, depth, outputs)
