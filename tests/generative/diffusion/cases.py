"""Small diffusion models for the battery."""

import torch

from rlsuite.generative import create
from tests.generative.battery import Case, generator, perturbed

PAIRS = torch.randn(200, 2, generator=generator(1)) @ torch.tensor([[1.0, 0.6], [0.0, 0.5]]) + 0.3
VECTORS = 0.5 * torch.randn(200, 4, generator=generator(2)).cumsum(1)
WINDOWS = 0.3 * torch.randn(200, 4, 3, generator=generator(3)).cumsum(1)
IMAGES = torch.rand(200, 1, 5, 4, generator=generator(4))
CONDITIONS = torch.randn(200, 3, generator=generator(5))
SMALL = {"width": 8, "depth": 1, "heads": 2, "resampling": 2}
LEARNED = {"score": "learned"}  # the score is the network's own, the density its flow's


def case(label, name, data, condition=None, facts=None, size=0.1, **arguments):
    """``name`` with its weights perturbed, seeing events like ``data``."""

    def make():
        shapes = {} if condition is None else {"condition_shape": tuple(condition.shape[1:])}
        return perturbed(create(name, seed=0, event_shape=tuple(data.shape[1:]), **shapes, **arguments), size=size)

    return Case(label, make, data, condition, facts or {})


CHAIN = {**SMALL, "steps": 4}
FLOW = {**SMALL, "sample_steps": 4, "flow_steps": 8}
CASES = [
    case("ddpm", "ddpm", PAIRS, **CHAIN),
    case("ddpm-bound-small-linear", "ddpm", PAIRS, **CHAIN, objective="bound", variance="small", schedule="linear"),
    case("ddpm-hybrid-learned", "ddpm", VECTORS, **CHAIN, objective="hybrid", variance="learned", prediction="velocity"),
    case("ddpm-conditional-clean", "ddpm", VECTORS, CONDITIONS, **CHAIN, prediction="clean", guidance=1.0),
    case("ddpm-windows", "ddpm", WINDOWS, CONDITIONS, **CHAIN, sampler="dpm-solver++"),
    case("ddpm-images", "ddpm", IMAGES, **{**CHAIN, "depth": 2}, sampler="heun"),
    case("ddpm-images-conditional-learned", "ddpm", IMAGES, CONDITIONS, **CHAIN, objective="bound", variance="learned"),
    case("vp-sde", "vp-sde", PAIRS[:, :1], **FLOW, facts={"quadrature": 12.0, **LEARNED}),
    case("vp-sde-conditional", "vp-sde", PAIRS, CONDITIONS, **FLOW, schedule="linear", sampler="sde",
         facts=LEARNED),
    case("vp-sde-windows", "vp-sde", WINDOWS, **FLOW, sampler="ddim", facts=LEARNED),
    case("controlnet", "controlnet", VECTORS, CONDITIONS, **CHAIN),
    case("controlnet-windows", "controlnet", WINDOWS, WINDOWS[:, :, :1], **CHAIN, guidance=1.0),
    case("controlnet-images", "controlnet", IMAGES, IMAGES, **CHAIN),
    case("latent-diffusion", "latent-diffusion", VECTORS, codec_steps=3, codec_arguments={"latent_size": 2, "hidden": [6]},
         diffusion=FLOW),
    case("latent-diffusion-pca", "latent-diffusion", WINDOWS, CONDITIONS, codec="pca", codec_arguments={"latent_size": 2},
         diffusion=FLOW),
    case("vp-sde-images", "vp-sde", IMAGES, CONDITIONS, **FLOW, guidance=0.5, facts=LEARNED),
]  # fmt: skip
