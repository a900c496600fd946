r"""Policy evaluation as a system of linear equations: :math:`(I - \gamma P_\pi)\, v = r_\pi`.

Sutton & Barto (2018), eq. 4.4. Discounted, the matrix is always regular. Undiscounted, a *proper* policy (one that
ends the episode from every state with probability 1) has a value; an improper one has a recurrent class of states in
which episodes go on for ever. Where no reward is collected in that class its value is 0; where some is, the sum of
rewards does not exist (Bertsekas & Tsitsiklis 1991) and we say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.errors import ConvergenceError

if TYPE_CHECKING:
    import scipy.sparse


def policy_matrix(mdp: FiniteMDP, policy: NDArray[np.float64]) -> tuple[scipy.sparse.csr_matrix, NDArray[np.float64]]:
    """``(P_pi, r_pi)`` of a policy over states: probabilities of going on ``(n_states, n_states)`` and mean reward."""
    import scipy.sparse

    n, k = mdp.n_states, mdp.n_actions
    pairs = np.flatnonzero(policy)
    mixture = scipy.sparse.csr_matrix((policy.ravel()[pairs], (pairs // k, pairs)), shape=(n, n * k))
    transition = mixture @ mdp.continuation
    transition.eliminate_zeros()
    return transition, (policy * mdp.expected_reward).sum(axis=1)


def endless_states(transition: scipy.sparse.csr_matrix) -> NDArray[np.bool_]:
    """``(n_states,)`` states in recurrent classes: from there the episode never ends."""
    from scipy.sparse.csgraph import connected_components

    n, label = connected_components(transition, directed=True, connection="strong")
    edges = transition.tocoo()
    open_class = np.zeros(n, np.bool_)
    open_class[label[edges.row[label[edges.row] != label[edges.col]]]] = True
    # a row that sums to less than 1 may end the episode
    open_class[label[np.asarray(transition.sum(axis=1)).ravel() < 1.0 - 1e-9]] = True
    return np.asarray(~open_class[label])


def solve_policy(mdp: FiniteMDP, policy: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """``(n_states,)`` values of a policy ``(n_states, n_actions)``, exact up to rounding.

    Raises:
        ConvergenceError: undiscounted, and the policy may collect rewards for ever.
    """
    import scipy.sparse
    import scipy.sparse.linalg

    transition, reward = policy_matrix(mdp, policy)
    solved = np.ones(mdp.n_states, np.bool_)
    if gamma == 1.0:
        endless = endless_states(transition)
        paid = endless & ((policy > 0) & paying_pairs(mdp).reshape(policy.shape)).any(axis=1)
        if paid.any():
            raise ConvergenceError(
                f"{mdp.name}: undiscounted, the policy never ends an episode that comes to state "
                f"{int(np.argmax(paid))} and goes on collecting rewards there, so its value does not exist; "
                "use gamma < 1 or a finite horizon"
            )
        solved = ~endless
    values = np.zeros(mdp.n_states)
    inner = transition[solved][:, solved]
    if solved.any():
        system = scipy.sparse.identity(inner.shape[0], format="csc") - gamma * inner.tocsc()
        values[solved] = scipy.sparse.linalg.spsolve(system, reward[solved])
    return values


def paying_pairs(mdp: FiniteMDP) -> NDArray[np.bool_]:
    """``(n_pairs,)`` whether some outcome of the pair has a reward."""
    paying = mdp.pair[(mdp.reward != 0.0) & (mdp.probability > 0.0)]
    return np.asarray(np.bincount(paying, minlength=mdp.n_states * mdp.n_actions) > 0)
