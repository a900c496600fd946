"""What a study found: the best setting as a ``--config`` file, a table of trials, history and importances as pictures."""

from __future__ import annotations

import csv
import html
import io
import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.experiments.figures import SERIES, canvas, plain, style
from rlsuite.experiments.records import dump_yaml
from rlsuite.experiments.tuning import TuningPlan, best_plan
from rlsuite.experiments.tuning_storage import counted, require_optuna
from rlsuite.files import write_atomically

if TYPE_CHECKING:
    import optuna

BEST, TRIALS, PAGE = "best.yaml", "trials.csv", "index.html"


def write_report(plan: TuningPlan, study: optuna.Study) -> Path:
    """Write everything into ``plan.folder``; the path of the best setting.

    Raises:
        RlsuiteError: no trial is complete.
    """
    best = best_plan(plan, study)
    settings = {
        "env": best.env_id,
        "env_kwargs": best.env_kwargs,
        "preprocessing": best.preprocessing.as_dict(),
        "algo": best.algo,
        "n_timesteps": best.n_timesteps,
        "n_envs": best.n_envs,
        "hyperparameters": best.values,
    }
    found = f"# best of {len(counted(study))} trials: mean return {study.best_value:g} (on the seeds of the search)\n"
    use = f"# use: rlsuite train --config {plan.folder / BEST}\n"
    write_atomically(plan.folder / BEST, found + use + dump_yaml({k: v for k, v in settings.items() if v != {}}))
    write_atomically(plan.folder / TRIALS, _table(study))
    weights = importances(study)
    with style():
        write_atomically(plan.folder / "history.png", _history(study))
        if weights:
            write_atomically(plan.folder / "importances.png", _bars(weights))
        else:
            (plan.folder / "importances.png").unlink(missing_ok=True)
    write_atomically(plan.folder / PAGE, _page(plan, study, bool(weights)))
    return plan.folder / BEST


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each hyperparameter in the variance of good scores (PED-ANOVA, Watanabe et al. 2023), largest first;
    nothing where the complete trials are too few, or all alike, to tell."""
    optuna = require_optuna()
    values = [t.value for t in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))]
    if len(values) < 8 or len(set(values)) < 3:
        return {}
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: value for name, value in found.items() if math.isfinite(value)}


def outcome(trial: Any) -> str:
    """How a trial ended, in a word or a number."""
    if trial.value is not None and trial.state.name == "COMPLETE":
        return f"{trial.value:.4g}"
    return str({"PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}.get(trial.state.name, "waiting"))


def _table(study: optuna.Study) -> str:
    trials = counted(study)
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "value", *names, "failure"])
    for t in trials:
        values = [t.params.get(name, "") for name in names]
        writer.writerow([t.number, t.state.name.lower(), t.value, *values, t.user_attrs.get("failure", "")])
    return text.getvalue()


def _history(study: optuna.Study) -> bytes:
    figure, axes = canvas(width=6.4, height=3.2)
    complete = [(t.number, t.value) for t in counted(study) if t.state.name == "COMPLETE"]
    pruned = [
        (t.number, t.intermediate_values[max(t.intermediate_values)])
        for t in counted(study)
        if t.state.name == "PRUNED" and t.intermediate_values
    ]
    numbers, values = [number for number, _ in complete], [value for _, value in complete]
    axes.scatter(numbers, values, s=18, color=SERIES[0], label="complete")
    if pruned:
        x, y = zip(*pruned, strict=True)
        axes.scatter(x, y, s=18, color=SERIES[1], marker="x", label="pruned, last score")
    best = list(itertools.accumulate(values, max))
    axes.step(numbers, best, where="post", color=SERIES[2], label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel("mean return")
    axes.legend()
    return _png(figure)


def _bars(weights: dict[str, float]) -> bytes:
    figure, axes = canvas(width=6.4, height=0.9 + 0.28 * len(weights), left=1.9)
    names = list(weights)[::-1]
    axes.barh([plain(name) for name in names], [weights[name] for name in names], color=SERIES[0])
    axes.set_xlabel("importance")
    return _png(figure)


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150, facecolor="white", metadata={"Software": None})
    return file.getvalue()


def _page(plan: TuningPlan, study: optuna.Study, has_importances: bool) -> str:
    trials = counted(study)
    names = list(study.best_trial.params)
    done = sorted((t for t in trials if t.state.name == "COMPLETE"), key=lambda t: -t.value)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in (
            str(t.number), outcome(t), *(_shown(t.params.get(name, "")) for name in names))) + "</tr>\n"
        for t in [*done, *(t for t in trials if t.state.name != "COMPLETE")]
    )  # fmt: skip
    head = "".join(f"<th>{html.escape(text)}</th>" for text in ("trial", "mean return", *names))
    title = html.escape(f"{plan.training.algo} on {plan.training.env_id}: {len(trials)} trials")
    picture = '<p><img src="importances.png" alt="importances of the hyperparameters"></p>' if has_importances else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1d2733}}
img{{max-width:100%}}.wide{{overflow-x:auto}}table{{border-collapse:collapse;font-size:.85rem}}
th,td{{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #d3d9e0;white-space:nowrap}}</style></head><body>
<h1>{title}</h1>
<p>Best: <strong>{study.best_value:.4g}</strong> (trial {study.best_trial.number}), the mean return over
{plan.n_seeds} seed(s) that all trials share. The best of many trials looks better on these seeds than it is: train
<code>{BEST}</code> with other seeds and report those.</p>
<p><img src="history.png" alt="scores of the trials in their order, and the best so far"></p>
{picture}
<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>
{rows}</tbody></table></div></body></html>
"""


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
