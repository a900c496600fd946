"""A recorded training run as a section of a page: its learning curve, what it was run with, an episode of its policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlsuite.errors import RecordError, RlsuiteError
from rlsuite.experiments.figures import INK, MUTED, Picture, canvas, legend_above, legend_height, pen, style
from rlsuite.experiments.records import CONFIG, EVALUATIONS, METRICS, read_config, read_rows, slug
from rlsuite.experiments.report_sections import Film, Section
from rlsuite.experiments.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = "time/total_timesteps"


def is_shipped_policy(run: str | Path) -> bool:
    """Whether ``run`` is no folder but the name of a policy that comes with the package."""
    from rlsuite.experiments.imitation import policies

    return not Path(run).exists() and str(run) in policies.shipped()


def require_run(run: str | Path) -> None:
    """Raise where :func:`run_section` could show nothing of the run in folder ``run``.

    Raises:
        RecordError: there is no run, or it was never evaluated.
    """
    folder = Path(run)
    if is_shipped_policy(run):
        return
    if not (folder / CONFIG).exists():
        raise RecordError(f"{folder} is not a run: it has no {CONFIG}")
    if next(iter(read_rows(folder / EVALUATIONS)), None) is None:
        raise RecordError(f"{folder} has no evaluations to show")


def run_section(run: str | Path, out: Path, *, film: bool = True, trust: bool = False) -> Section:
    """The section of the run in folder ``run``, or of a shipped policy by its name; its film goes to ``out/figures``.

    Raises:
        RecordError: as :func:`require_run`, or its files are damaged.
    """
    folder = Path(run)
    require_run(folder)
    if is_shipped_policy(run):
        from rlsuite.experiments.imitation.sections import policy_section

        return policy_section(str(run), out)
    config = read_config(folder)
    evaluations, metrics = list(read_rows(folder / EVALUATIONS)), list(read_rows(folder / METRICS))
    env_id, algo, name = str(config["env"]), str(config["algo"]), slug("-".join(folder.parts[-3:]))
    best = max(evaluations, key=lambda row: row["eval/mean_reward"])
    text = (
        f"Trained for {evaluations[-1][STEPS]:,.0f} steps with seed {config['seed']}. The best of {len(evaluations)} "
        f"evaluations gave a mean return of {best['eval/mean_reward']:.4g} over "
        f"{config.get('eval_episodes', '?')} episodes, after {best[STEPS]:,.0f} steps.",
    )
    picture = Picture(
        name=f"run-{name}",
        title=f"{algo} on {env_id}",
        caption="Mean return of the policy at each evaluation, with its standard deviation over episodes, and of the "
        "last 100 training episodes.",
        alt=f"Learning curve of {algo} on {env_id}: from {evaluations[0]['eval/mean_reward']:.4g} to "
        f"{evaluations[-1]['eval/mean_reward']:.4g}",
        figure=learning_curve(env_id, evaluations, metrics),
    )
    films, trouble = _film(folder, out, env_id, algo, name, trust) if film else ((), ())
    settings = Section("Settings of the run", tables=(_table(config, name),), folded=True)
    title = f"{algo} on {env_id}, one run"
    return Section(title, text + trouble, pictures=(picture,), films=films, children=(settings,))


def learning_curve(env_id: str, evaluations: list[dict[str, Any]], metrics: list[dict[str, Any]]) -> Figure:
    """Evaluations with their spread, training returns behind them, the environment's threshold dashed."""
    labels = ["evaluation", "training"]
    threshold = _threshold(env_id)
    labels += [f"threshold {threshold:g}"] if threshold is not None else []
    with style():
        figure, axes = canvas(2.6 + legend_height(labels), top=0.12 + legend_height(labels))
        at = np.array([row[STEPS] for row in evaluations])
        mean = np.array([row["eval/mean_reward"] for row in evaluations])
        spread = np.array([row["eval/std_reward"] for row in evaluations])
        training = [(row[STEPS], row["rollout/ep_rew_mean"]) for row in metrics if "rollout/ep_rew_mean" in row]
        lines = axes.plot(at, mean, color=pen(0).color, marker="o", markersize=3)
        axes.fill_between(at, mean - spread, mean + spread, color=pen(0).color, alpha=0.15, lw=0)
        lines += axes.plot(*np.array(training).reshape(-1, 2).T, color=pen(1).color, ls=pen(1).dashes)
        if threshold is not None:
            lines.append(axes.axhline(threshold, color=MUTED, ls="--", lw=1))
        axes.set_xlabel("environment steps", color=INK)
        axes.set_ylabel("return")
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
        legend_above(axes, lines, labels)
    return figure


def _threshold(env_id: str) -> float | None:
    from rlsuite.envs.registration import find_spec

    try:
        return find_spec(env_id).reward_threshold if ":" not in env_id else None
    except RlsuiteError:
        return None


def _table(config: dict[str, Any], name: str) -> Table:
    rows = [("steps", str(config.get("n_timesteps", ""))), ("environments", str(config.get("n_envs", 1)))]
    rows += [(key, str(value)) for key, value in dict(config.get("hyperparameters", {})).items()]
    return Table(f"run-{name}", "", "As recorded in config.yaml.", ("setting", "value"), ("text", "text"), tuple(rows))


def _film(
    folder: Path, out: Path, env_id: str, algo: str, name: str, trust: bool
) -> tuple[tuple[Film, ...], tuple[str, ...]]:
    """An episode of the best policy; a reason instead where it cannot be shown."""
    from rlsuite.agents.evaluation import episode_seeds
    from rlsuite.experiments.imitation import is_imitation
    from rlsuite.experiments.loading import checkpoint_names, load
    from rlsuite.experiments.video import record_episodes
    from rlsuite.films import write_gif
    from rlsuite.seeding import run_seeds

    path = out / "figures" / f"run-{name}.gif"
    try:
        best = "best" if "best" in checkpoint_names(folder) else None
        if is_imitation(env_id):
            from rlsuite.experiments.imitation.sections import run_film

            return (run_film(folder, out, best, trust=trust),), ()
        agent = load(folder, best, trust=trust)
        recording = record_episodes(agent, env_id, episode_seeds(int(run_seeds(agent.seed).evaluation), 1))
        write_gif(path, recording.frames, recording.fps)
    except RlsuiteError as error:
        return (), (f"No episode is shown: {error}",)
    return (Film(path, f"An episode of {algo}", f"An episode of {algo} on {env_id}"),), ()
