"""A policy that performs a clip as a section of a page: what was measured, and a film with the reference beside it."""

from __future__ import annotations

from pathlib import Path

from rlsuite.experiments.imitation.episodes import evaluation_env, lasting, play
from rlsuite.experiments.imitation.evaluation import EPISODES, ROWS, summary
from rlsuite.experiments.imitation.filming import film
from rlsuite.experiments.imitation.performers import Performer, performer
from rlsuite.experiments.report_sections import Film, Section
from rlsuite.experiments.tables import Table

FILM_SECONDS, FILM_WIDTH, FILM_HEIGHT = 4.0, 480, 270
SEED = 0


def policy_section(name: str, out: Path) -> Section:
    """Of a shipped policy, measured anew: the table of ``rlsuite evaluate`` less its pushes, and a film.

    Raises:
        RecordError: there is no such policy, or its file is damaged.
    """
    who = performer(name)
    env = evaluation_env(who.env_kwargs, EPISODES)
    found = summary(play(who.act, env, SEED))
    env.close()
    rows = tuple((label, found[key], unit) for key, (unit, label) in ROWS.items() if key in found)
    table = Table(
        f"policy-{who.name}", "", f"{EPISODES} episodes of 20 s from random phases, the policy deterministic.",
        ("what", "value", "unit"), ("text", "number", "text"), rows,
    )  # fmt: skip
    text = (f"A policy that comes with the package performs {who.about.get('clip', who.name)!r}.",)
    return Section(f"{who.name}: a simulated humanoid performs a clip", text, tables=(table,), films=(_film(who, out),))


def run_film(folder: Path, out: Path, checkpoint: str | None, *, trust: bool = False) -> Film:
    """What the policy of a run in ``folder`` performs."""
    return _film(performer(folder, checkpoint, trust=trust), out)


def _film(who: Performer, out: Path) -> Film:
    env = evaluation_env(who.env_kwargs, 1, seconds=FILM_SECONDS)
    (episode,) = play(who.act, env, SEED, options=None if lasting(env) else {"time": 0.0})
    env.close()
    path = out / "figures" / f"policy-{who.name}.gif"
    path.parent.mkdir(parents=True, exist_ok=True)
    film(path, episode, seconds=FILM_SECONDS, width=FILM_WIDTH, height=FILM_HEIGHT)
    caption = f"The body that {who.name} moves; in blue, the reference."
    return Film(path, caption, f"A simulated humanoid moved by the policy {who.name}, and its reference")
