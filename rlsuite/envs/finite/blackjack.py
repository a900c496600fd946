r"""The dynamics of Gymnasium's Blackjack, built from its rules because the environment has no ``P``.

An infinite deck makes the game a finite MDP (Sutton & Barto 2018, example 5.1). A hit draws a card: 10 with
probability 4/13, every other value with 1/13. A stick plays the dealer out, and the distribution of his final score
given his showing card follows by recursion over his hand.

States are the ranks of Gymnasium's observations ``(sum, dealer's card, usable ace)``, so that tables agree with those
learned by stepping the environment. Where a natural (ace and ten on the first two cards) is paid differently from
another soft 21, it is a state of its own after these, with the same observation: the player cannot tell from the
observation, but the dealer can.

Rules of ``gymnasium.envs.toy_text.blackjack``: with ``sab`` a player's natural beats every dealer's hand but a
natural (the reverse does not hold); otherwise, with ``natural``, a player's natural *that wins* is paid 1.5.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from rlsuite.envs.finite.mdp import FiniteMDP
from rlsuite.envs.finite.spaces import DiscreteIndex

CARDS = tuple((value, 4 / 13 if value == 10 else 1 / 13) for value in range(1, 11))
STICK, HIT = 0, 1
_BUST, _DEALER_NATURAL = 0, 22  # final scores of the dealer beside 17 … 21

Hand = tuple[int, bool]  # sum, and whether an ace in it counts as 11


def add_card(hand: Hand, card: int) -> Hand:
    """The hand after drawing ``card``; an ace counts as 11 unless that busts."""
    total, soft = hand
    if card == 1 and not soft and total + 11 <= 21:
        return total + 11, True
    total += card
    return (total - 10, False) if soft and total > 21 else (total, soft)


@cache
def dealer_scores(hand: Hand, n_cards: int) -> dict[int, float]:
    """Distribution of the dealer's final score from ``hand``: 17 … 21, 0 for bust, 22 for a natural."""
    total, soft = hand
    if total > 21:
        return {_BUST: 1.0}
    if total >= 17:
        return {_DEALER_NATURAL if total == 21 and soft and n_cards == 2 else total: 1.0}
    scores: dict[int, float] = {}
    for card, probability in CARDS:
        for score, p in dealer_scores(add_card(hand, card), n_cards + 1).items():
            scores[score] = scores.get(score, 0.0) + probability * p
    return scores


def stick_rewards(total: int, dealer: int, player_natural: bool, *, natural: bool, sab: bool) -> dict[float, float]:
    """Distribution of the reward for sticking at ``total`` against the showing card ``dealer``."""
    rewards: dict[float, float] = {}
    for score, probability in dealer_scores(add_card((0, False), dealer), 1).items():
        dealer_natural = score == _DEALER_NATURAL
        dealer_total = 21 if dealer_natural else score
        reward = float(total > dealer_total) - float(total < dealer_total)
        if sab and player_natural and not dealer_natural:
            reward = 1.0
        elif not sab and natural and player_natural and reward == 1.0:
            reward = 1.5
        rewards[reward] = rewards.get(reward, 0.0) + probability
    return rewards


def blackjack_mdp(index: DiscreteIndex, *, natural: bool = False, sab: bool = False) -> FiniteMDP:
    """Blackjack under the given rules.

    Args:
        index: of the environment's observation space ``Tuple(Discrete(32), Discrete(11), Discrete(2))``.
        natural, sab: as Gymnasium's arguments of these names.
    """
    naturals_matter = natural or sab
    dealers = range(1, 11)
    observation = [*range(index.n), *(index.index((21, d, 1)) for d in dealers if naturals_matter)]
    initial = np.zeros(len(observation))
    transitions: dict[int, dict[int, list[tuple[float, int, float, bool]]]] = {
        # observations that never occur (a sum below 4, a bust, …) end at once
        s: {a: [(1.0, s, 0.0, True)] for a in (STICK, HIT)}
        for s in range(len(observation))
    }

    def state(hand: Hand, dealer: int) -> int:
        return index.index((hand[0], dealer, int(hand[1])))

    def fill(s: int, hand: Hand, dealer: int, player_natural: bool) -> None:
        rewards = stick_rewards(hand[0], dealer, player_natural, natural=natural, sab=sab)
        transitions[s][STICK] = [(p, s, reward, True) for reward, p in sorted(rewards.items())]
        drawn = [(add_card(hand, card), probability) for card, probability in CARDS]
        transitions[s][HIT] = [(p, state(new, dealer), -1.0 if new[0] > 21 else 0.0, new[0] > 21) for new, p in drawn]

    hands = [(total, False) for total in range(4, 22)] + [(total, True) for total in range(12, 22)]
    for dealer in dealers:
        for hand in hands:
            fill(state(hand, dealer), hand, dealer, player_natural=False)
        if naturals_matter:
            fill(index.n + dealer - 1, (21, True), dealer, player_natural=True)

    for dealer, p_dealer in CARDS:
        for first, p_first in CARDS:
            for second, p_second in CARDS:
                hand = add_card(add_card((0, False), first), second)
                is_natural = naturals_matter and {first, second} == {1, 10}
                s = index.n + dealer - 1 if is_natural else state(hand, dealer)
                initial[s] += p_dealer * p_first * p_second
    return FiniteMDP.from_transitions(transitions, initial, observation=np.array(observation))
