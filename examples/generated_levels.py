"""Does an agent learn to solve mazes, or only the mazes it has seen? Levels of a generative model tell.

    rlsuite maps fit --model made --from rooms --maps 5000 --steps 1500 --out rooms.safetensors
    python generated_levels.py rooms.safetensors

PPO learns on 1, 10, 100 or 1000 levels or on a new one in every episode, and is tested on 200 that none of them saw. Each
agent sees the walls and the goal from where it stands, and acts by its stochastic policy: without a memory, one that is
certain walks to and fro for ever where it errs. The first line is of an agent that has learned nothing.
"""

import argparse

import gymnasium as gym

import rlsuite

ID = "rlsuite/GeneratedMaze-v0"
TESTED = 200
UNSEEN = (
    10**9
)  # the number of the first level to test on: sets to learn on end long before, and the rest is chosen from 2^62


def solved(agent: object, model: str, first_level: int, levels: int) -> float:
    """Share of the levels in which the agent reaches the goal within 50 steps."""
    env = rlsuite.make_env(ID, model=model, observation="centred", max_episode_steps=50)
    successes = 0
    for level in range(first_level, first_level + levels):
        observation, _ = env.reset(seed=level, options={"level": level})
        over = cut = False
        reward = 0.0
        while not (over or cut):
            action, _ = agent.predict(observation, deterministic=False)
            observation, reward, over, cut, _ = env.step(int(action))
        successes += over and reward > 0.0
    return successes / levels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="file that `rlsuite maps fit` wrote")
    parser.add_argument("-n", "--n-timesteps", type=int, default=300_000)
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 10, 100, 1000, 0], help="0: always new ones")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print("| levels to learn on | solved of those | solved of unseen ones |\n|---:|---:|---:|")
    for levels in arguments.levels:
        env = gym.make_vec(
            ID, num_envs=8, vectorization_mode="sync", model=arguments.model, levels=levels or None,
            observation="centred", max_episode_steps=50,
        )  # fmt: skip
        agent = rlsuite.agent(
            "ppo", env, seed=arguments.seed, n_steps=128, batch_size=256, n_epochs=4, ent_coef=0.01, learning_rate=1e-3
        )
        if levels == arguments.levels[0]:
            print(f"| none | – | {solved(agent, arguments.model, UNSEEN, TESTED):.0%} |", flush=True)
        agent.learn(arguments.n_timesteps)
        seen = f"{solved(agent, arguments.model, 0, min(levels, TESTED)):.0%}" if levels else "–"
        print(
            f"| {levels or 'always new'} | {seen} | {solved(agent, arguments.model, UNSEEN, TESTED):.0%} |", flush=True
        )


if __name__ == "__main__":
    main()
