"""What goes on the page of a comparison: sections of figures and tables, task by task."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlsuite.experiments import figures_curves as curves
from rlsuite.experiments import figures_lines, figures_maps, figures_scores, maps
from rlsuite.experiments.figures import Picture
from rlsuite.experiments.measures import final_scores, is_exact, normalisable, sees_the_state, thresholds, usable
from rlsuite.experiments.records import slug
from rlsuite.experiments.report_results import results_table
from rlsuite.experiments.results import Comparison, Entry, Task
from rlsuite.experiments.tables import Table, format_value
from rlsuite.experiments.verdict import Verdict

if TYPE_CHECKING:
    from markupsafe import Markup

COST = ("efficiency", "speed", "regret", "online", "online-pairs", "steps-pairs", "episodes-pairs")
MOST_MAPS = 12  # algorithms drawn on the map; the first ones


@dataclass(frozen=True)
class Film:
    """An animated GIF beside the page, and what it shows."""

    path: Path
    title: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: its heading. text: paragraphs, shown as they are written (never as HTML).
        html: trusted markup, for what text, pictures and tables cannot say.
        pictures, films, tables: shown in this order below the text.
        children: sections within it.
        folded: whether the reader opens it by hand.
    """

    title: str
    text: tuple[str, ...] = ()
    html: Markup | None = None
    pictures: tuple[Picture, ...] = ()
    films: tuple[Film, ...] = ()
    tables: tuple[Table, ...] = ()
    children: tuple[Section, ...] = ()
    folded: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.text or self.html or self.pictures or self.films or self.tables or self.children)

    def walk(self) -> Iterator[Section]:
        """This section and all within it, in reading order."""
        yield self
        for child in self.children:
            yield from child.walk()


def comparison_sections(comparison: Comparison, verdict: Verdict, films: dict[str, list[Film]]) -> list[Section]:
    """One section across tasks where there are several, one per task, and how to read and repeat it all.

    ``films`` holds the episodes to show, by environment id.
    """
    tables = {table.name: table for table in verdict.tables}
    sections = [_across(comparison, verdict, tables)] if verdict.normalised else []
    if len(comparison.tasks) > 1 and any(task.deep for task in comparison.tasks):
        sections.append(Section("All results", tables=(results_table(comparison, verdict),)))
    sections += [_task(comparison, task, tables, films.get(task.env_id, [])) for task in comparison.tasks]
    if tables:
        sections.append(Section("More tables", tables=tuple(tables.values())))
    sections.append(Section("Settings", tables=(hyperparameter_table(comparison),), folded=True))
    return [section for section in sections if not section.is_empty]


def hyperparameter_table(comparison: Comparison) -> Table:
    """Every hyperparameter of every algorithm, defaults included; per environment where presets differ."""
    rows: list[tuple[str, ...]] = []
    differ = any(task.budgets_differ for task in comparison.tasks)
    for i, label in enumerate(comparison.labels):
        found = [(task.env_id, task.entries[i]) for task in comparison.tasks]
        texts = {env_id: (entry.algo, _values(entry, differ), entry.origin) for env_id, entry in found}
        alike = len(set(texts.values())) == 1
        names = [label] if alike else [f"{label} on {env_id}" for env_id in texts]
        rows += [(name, *text) for name, text in zip(names, texts.values(), strict=False)]
    caption = "All hyperparameters, defaults included; “from”: what set those that are not the algorithm's defaults."
    columns = ("label", "algorithm", "hyperparameters", "from")
    return Table("hyperparameters", "Hyperparameters", caption, columns, ("text", "text", "text", "text"), tuple(rows))


def _values(entry: Entry, budgets_differ: bool) -> str:
    learns = {"n_timesteps": entry.budget} if budgets_differ else {}
    values = {**learns, **({"n_envs": entry.n_envs} if entry.deep else {}), **entry.hyperparameters}
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "none"


# -- across tasks ------------------------------------------------------------------------------------------------------


def _across(comparison: Comparison, verdict: Verdict, tables: dict[str, Table]) -> Section:
    tasks = [task for task in comparison.tasks if normalisable(task)]
    labels, shown = comparison.labels, tuple(verdict.normalised)
    among = f"{len(tasks)} environments"
    floor = curves.NORMALISED_FLOOR
    scale = f"Scores are normalised: 0 is the uniformly random policy, 1 the exact optimum; the axis ends at {floor:g}."
    pictures = [
        Picture(
            "across-learning",
            "Learning across tasks",
            f"Interquartile mean over all runs on {among}, with its 95 % bootstrap band. {scale}",
            f"Normalised learning curves of {_names(shown)} over {among}.",
            curves.aggregate_curves(comparison, tasks, shown),
        ),
        Picture(
            "across-profile",
            "Performance profile across tasks",
            f"Share of runs whose final score lies above each threshold τ; higher and further right is better. {scale}",
            f"Performance profiles of {_names(shown)} over {among}.",
            figures_scores.profile_plot(
                verdict.normalised, labels, "normalised score τ", (1.0, "optimum"), floor=floor
            ),
        ),
    ]
    chosen = [tables.pop(name) for name in ("across", "across-pairs") if name in tables]
    for table in chosen:
        if table.name == "across":
            pictures.insert(
                1,
                Picture(
                    "across-final",
                    "Final performance across tasks",
                    f"Aggregates over {among} with 95 % stratified-bootstrap intervals. {scale}",
                    f"Intervals of normalised final scores of {_names(shown)}.",
                    figures_scores.interval_plot(table, labels, "normalised score", (1.0, "optimum"), floor),
                ),
            )
        else:
            pictures.append(_matrix_picture("across", table, labels, "final performance across tasks"))
    return Section("Across environments", pictures=tuple(pictures), tables=tuple(chosen))


# -- one task ----------------------------------------------------------------------------------------------------------


def _task(comparison: Comparison, task: Task, tables: dict[str, Table], films: list[Film]) -> Section:
    def take(*names: str) -> tuple[Table, ...]:
        found = (tables.pop(f"{slug(task.env_id)}-{name}", None) for name in names)
        return tuple(table for table in found if table is not None)

    final = take("final")
    pairs = take("pairs")
    children = [
        Section("Learning", pictures=tuple(_curve_pictures(task))),
        Section(
            "Final performance",
            pictures=tuple(_score_pictures(task, comparison.labels, final, pairs)),
            tables=final,
        ),
        Section("Every pair compared", tables=pairs, folded=True),
        Section("Cost of learning", tables=take(*COST), folded=not task.deep),
        *_state_sections(task),
        Section("Episodes of the learned policies", films=tuple(films), folded=True),
    ]
    return Section(task.env_id, text=(_facts(task),), children=tuple(child for child in children if not child.is_empty))


def _facts(task: Task) -> str:
    """What was asked of the agents, in one sentence."""
    runs = sorted({len(entry.runs) for entry in task.entries})
    runs_text = _count(runs[0], "run") if len(runs) == 1 else f"{runs[0]} to {_count(runs[-1], 'run')}"
    spent = [max(int(getattr(run, _axis(task))[-1]) for run in e.runs) for e in task.entries if e.runs]
    budget = min(spent, default=0) if task.deep else max(spent, default=0)  # deep agents end with a whole iteration
    given = sorted({entry.budget for entry in task.entries if entry.budget is not None})
    arguments = f"{', '.join(f'{k}={v!r}' for k, v in task.env_kwargs.items())}; " if task.env_kwargs else ""
    size = f"{_count(task.mdp.n_states, 'state')}, {_count(task.mdp.n_actions, 'action')}; " if task.mdp else ""
    gamma = f"γ = {task.gamma:g}, " if task.mdp is not None or not task.deep else ""
    unit = "episode" if task.budget_unit == "episodes" else "environment step"
    spent_text = _count(budget, unit)
    if task.budgets_differ:
        spent_text = (
            f"{format_value(given[0], 'integer')} to {_count(given[-1], unit)} (each algorithm has its own budget)"
        )
    judged = "scores are exact" if task.mdp is not None else "scores are estimated by simulation"
    return (
        f"{arguments}{size}{runs_text} per algorithm of {spent_text}, "
        f"{gamma}episodes of at most {_count(task.horizon, 'step')}; {judged}.{_discounted(task)}"
    )


def _discounted(task: Task) -> str:
    """V* at the agents' discount factor: what they maximise, which is not what scores (undiscounted) are in."""
    if task.mdp is None or task.reference is None or math.isnan(task.reference.start_value):
        return ""
    seeing = "" if task.mdp.fully_observed else ", for an agent that sees the state"
    return f" Discounted at γ, the optimal value at the start is {task.reference.start_value:.4g}{seeing}."


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'s' if number != 1 else ''}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _axis(task: Task) -> str:
    return "episodes" if task.budget_unit == "episodes" else "steps"


def _curve_pictures(task: Task) -> Iterator[Picture]:
    entries = [entry.label for entry in task.entries if usable(entry)]
    if not entries:
        return
    name, faint = slug(task.env_id), f"the first {curves.FAINT_RUNS} runs are drawn faintly"
    what = "return of the learned policy, without exploration" if task.metric == "return" else "error of the values"
    ends = " Each curve ends with its algorithm's budget." if task.budgets_differ else ""
    planners = " Planners are level lines: they know the model and need no experience."
    has_planner = any(is_exact(task, entry) for entry in task.entries)
    yield Picture(
        f"{name}-learning",
        "Learning curves",
        f"The {what}: interquartile mean over runs with its 95 % bootstrap band; {faint}.{ends}"
        + planners * has_planner,
        f"Learning curves of {_names(entries)} on {task.env_id}.",
        curves.learning_curves(task),
    )
    training = curves.training_curves(task) if task.metric == "return" else None
    if training is not None:
        yield Picture(
            f"{name}-training",
            "Returns while training",
            f"What the agents collected with exploration, averaged {_window(task)}: interquartile mean over runs "
            f"with its 95 % band; {faint}.",
            f"Training returns on {task.env_id}.",
            training,
        )
    reached = "a learned policy with a return" if task.metric == "return" else "an error"
    for threshold in thresholds(task)[:1]:
        figure = curves.efficiency_curves(task, threshold)
        if figure is not None:
            yield Picture(
                f"{name}-efficiency",
                "Sample efficiency",
                f"Share of runs that have reached {reached} of {threshold.score:.4g}, {threshold.meaning}.",
                f"Share of runs that reached the threshold over time on {task.env_id}.",
                figure,
            )


def _window(task: Task) -> str:
    if task.deep and task.budget_unit == "timesteps":
        whose = "the algorithm's own" if task.budgets_differ else "the"
        return f"over the episodes that ended in the last {curves.TRAINING_WINDOW:.0%} of {whose} steps".replace(
            "%", " %"
        )
    return "between checkpoints"


def _score_pictures(
    task: Task, labels: tuple[str, ...], final: tuple[Table, ...], pairs: tuple[Table, ...]
) -> Iterator[Picture]:
    name, optimum = slug(task.env_id), None
    usable_entries = [entry for entry in task.entries if usable(entry)]
    if not usable_entries:
        return
    if task.reference is not None and task.metric == "return":
        optimum = (task.reference.optimum, "exact optimum" if sees_the_state(task) else "optimum seeing the state")
    elif task.threshold is not None:
        optimum = (task.threshold, "reward threshold")
    what = "return of the learned policy" if task.metric == "return" else "RMS error of the values"
    for table in final:
        yield Picture(
            f"{name}-final",
            "Final performance",
            "Centres of the final scores with 95 % bootstrap intervals.",
            f"Intervals of the final scores on {task.env_id}; the numbers are in the table below.",
            figures_scores.interval_plot(table, labels, what, optimum),
        )
    for table in pairs:
        if table.rows:
            yield _matrix_picture(name, table, labels, "final performance")
    learners = {e.label: [final_scores(task, e)] for e in usable_entries if not is_exact(task, e)}
    if learners and max(scores[0].size for scores in learners.values()) > 1:
        beyond = "above" if task.higher_is_better else "below"
        yield Picture(
            f"{name}-profile",
            "Performance profile",
            f"Share of runs that end {beyond} each score τ, with 95 % bands.",
            f"Performance profiles on {task.env_id}.",
            figures_scores.profile_plot(learners, labels, "final score τ", optimum, task.higher_is_better),
        )


def _matrix_picture(name: str, table: Table, labels: tuple[str, ...], of: str) -> Picture:
    return Picture(
        f"{name}-improvement",
        "Probability of improvement",
        f"How often a run of the row's algorithm beats one of the column's in {of}, ties counted half. Orange is below "
        "one half, purple above.",
        "Matrix of the probability that one algorithm beats another; the numbers are in the table of pairs.",
        figures_scores.improvement_matrix(table, labels),
    )


# -- on the map --------------------------------------------------------------------------------------------------------


def _state_sections(task: Task) -> Iterator[Section]:
    if task.mdp is None or task.mdp.layout is None:
        return
    layout, name = task.mdp.layout, slug(task.env_id)
    drawn = [entry for entry in task.entries if entry.tables is not None][:MOST_MAPS]
    if not drawn:
        return
    tables = [(entry.label, maps.learned(task, entry)) for entry in drawn]
    exact = maps.exact(task)
    best = "optimal" if task.metric == "return" else "exact"
    pictures: list[Picture] = []
    if maps.is_line(layout):
        pictures.append(
            Picture(
                f"{name}-values",
                "Values along the line",
                f"State values that the run with the median final score learned; dashed: {best}.",
                f"State values of {_names([label for label, _ in tables])} on {task.env_id}.",
                figures_lines.value_line(layout, tables, exact, best),
            )
        )
    else:
        limits = maps.shared_limits([table for _, table in tables], exact)
        shown = ([(best, exact, "exact")] if exact else []) + [(label, table, "") for label, table in tables]
        for i, (label, table, kind) in enumerate(shown):
            pictures.append(
                Picture(
                    f"{name}-values-{'exact' if kind else f'{i}-{slug(label)[:60]}'}",
                    label,
                    _map_caption(task, drawn, label, kind),
                    f"Value and policy of {label} on the map of {task.env_id}.",
                    figures_maps.value_map(layout, table, limits, f"value, γ = {task.gamma:g}"),
                )
            )
    said = "Each algorithm is shown by its run with the median final score."
    if not maps.is_line(layout):
        said += " Colours are state values; grey states were never visited, or the episode is over there."
        if task.metric == "return" and layout.action_arrows is not None:
            said += " Arrows are the learned policy's actions, several where they tie or are about as probable."
    yield Section("What was learned", text=(said,), pictures=tuple(pictures))
    counts = [(entry, maps.visits(task, entry)) for entry in drawn]
    counted = [(entry, count) for entry, count in counts if count is not None]
    if counted and not (maps.is_line(layout) and layout.panels[0].states.shape[1] > 25):
        largest = float(max(np.nanmax(count) for _, count in counted))
        yield Section(
            "Where the agents went",
            text=("Mean number of actions that a run took in each state while training; all maps share one scale.",),
            pictures=tuple(
                Picture(
                    f"{name}-visits-{i}-{slug(entry.label)[:60]}",
                    entry.label,
                    "",
                    f"Visits of {entry.label} to the states of {task.env_id}.",
                    figures_maps.visit_map(layout, count, largest),
                )
                for i, (entry, count) in enumerate(counted)
            ),
        )


def _map_caption(task: Task, drawn: list[Entry], label: str, kind: str) -> str:
    if kind:
        return "Exact, from the model." if task.metric == "return" else "Exact values of the uniformly random policy."
    entry = next(entry for entry in drawn if entry.label == label)
    assert entry.tables is not None
    score = next((run.score[-1] for run in entry.runs if run.seed == entry.tables.seed), None)
    if entry.kind == "planning":
        return "Planned with the model."
    return f"Run {entry.tables.seed}" + (f", final score {score:.4g}." if score is not None else ".")


def _names(labels: tuple[str, ...] | list[str]) -> str:
    return ", ".join(labels)
