"""bettermdptools' vectorized value iteration on a saved MDP; run by value_iteration.py in an environment of its own."""

import sys
import time
import warnings

import numpy as np
from bettermdptools.algorithms.planner import Planner

problem, answer, gamma, n = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
mdp = np.load(problem)
columns = [mdp[name].tolist() for name in ("probability", "next_state", "reward", "terminated")]
outcomes, offset, k = list(zip(*columns, strict=True)), mdp["offset"].tolist(), int(mdp["n_actions"])
P = {
    s: {a: outcomes[offset[s * k + a] : offset[s * k + a + 1]] for a in range(k)} for s in range((len(offset) - 1) // k)
}
warnings.simplefilter("ignore")  # it warns that the number of iterations, which we give it, was used up
began = time.perf_counter()
values, _, _ = Planner(P).value_iteration_vectorized(gamma=gamma, n_iters=n + 1, theta=0.0, dtype=np.float64)
np.savez(answer, seconds=time.perf_counter() - began, values=values)
