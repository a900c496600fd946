"""Small fitted models of maps."""

import pytest

from rlsuite.envs.maps import generators, model


@pytest.fixture(scope="package")
def file(tmp_path_factory):
    """A model of 5 x 5 rooms, its starts and goals learned."""
    maps = generators.generate(["rooms"], 5, 300, seed=1)
    fitted, _ = model.fit(maps, "made", steps=150, seed=0, hyperparameters={"hidden": (64,)}, learning_rate=5e-3)
    return fitted.save(tmp_path_factory.mktemp("maps") / "rooms.safetensors")
