"""Where generative models meet control: reward, action space, start states and plans from any model with the capability."""

from rlsuite.envs.wrappers.latent_action import LatentAction, VectorLatentAction
from rlsuite.envs.wrappers.prior_planner import PriorPlanner, VectorPriorPlanner
from rlsuite.envs.wrappers.prior_reset import PriorReset, VectorPriorReset
from rlsuite.envs.wrappers.prior_reward import PriorReward, VectorPriorReward

__all__ = [
    "LatentAction",
    "PriorPlanner",
    "PriorReset",
    "PriorReward",
    "VectorLatentAction",
    "VectorPriorPlanner",
    "VectorPriorReset",
    "VectorPriorReward",
]
