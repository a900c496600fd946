"""Where a study lives: Optuna's journal in one file that survives a kill at any instant and serves many processes."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.errors import InvalidEnvironmentError, RecordError

if TYPE_CHECKING:
    import optuna

STALE = "stale"  # attribute of a trial that was killed and is tried again


def require_optuna() -> Any:
    """The module, quiet.

    Raises:
        InvalidEnvironmentError: it is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise InvalidEnvironmentError("tune needs Optuna: pip install 'rlsuite[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file ``path``, which the system releases when its holder dies.

    Raises:
        RecordError: another process holds it, and ``wait`` is off.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError:
            raise RecordError(f"another process is tuning in {path.parent}; give this one another --out") from None
        yield
    finally:
        os.close(descriptor)


def _damage() -> tuple[type[Exception], ...]:
    """What Optuna and the database raise on files that they did not write."""
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    return (
        OptunaError, SQLAlchemyError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, AssertionError,
    )  # fmt: skip


def open_storage(path: Path) -> Any:
    """The storage in ``path``: SQLite for ``.db`` and ``.sqlite3``, else a journal.

    Raises:
        RecordError: the file is neither, or is damaged.
    """
    optuna = require_optuna()
    try:
        if path.suffix in (".db", ".sqlite3"):
            return optuna.storages.RDBStorage(f"sqlite:///{path}")
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        return JournalStorage(JournalFileBackend(str(path), lock_obj=_file_lock(path)))
    except _damage() as error:
        raise RecordError(f"{path} is not the storage of a study: {' '.join(str(error).split())}") from None


def _file_lock(path: Path) -> Any:
    from optuna.storages.journal._file import BaseJournalFileLock

    class FileLock(BaseJournalFileLock):
        """Optuna's own locks are files that a killed process leaves behind; this one ends with its holder."""

        def acquire(self) -> bool:
            self.holding = locked(path.with_name(f".{path.name}.lock"))
            self.holding.__enter__()
            return True

        def release(self) -> None:
            self.holding.__exit__(None, None, None)

    return FileLock()


def mend(path: Path) -> None:
    """Cut the line that a kill left half written, so that the next one does not continue it."""
    if path.suffix in (".db", ".sqlite3") or not path.exists():
        return
    with path.open("rb+") as file:
        data = file.read()
        if data and not data.endswith(b"\n"):
            file.truncate(data.rfind(b"\n") + 1)


def open_study(
    path: Path, name: str, settings: dict[str, Any], sampler: Any = None, pruner: Any = None
) -> optuna.Study:
    """The study called ``name``, begun where there is none; ``settings`` are what its trials must have in common.

    Raises:
        RecordError: the storage is damaged, or its study tunes under other settings.
    """
    optuna = require_optuna()
    try:
        study = optuna.create_study(
            storage=open_storage(path), study_name=name, direction="maximize", load_if_exists=True, sampler=sampler,
            pruner=pruner,
        )  # fmt: skip
        before = study.user_attrs.get("settings")
    except RecordError:
        raise
    except _damage() as error:
        raise RecordError(f"{path} is not the storage of a study: {' '.join(str(error).split())}") from None
    settings = json.loads(json.dumps(settings))
    if before is None:
        study.set_user_attr("settings", settings)
    elif before != settings:
        names = [key for key in settings if not isinstance(before, dict) or before.get(key) != settings[key]]
        raise RecordError(
            f"the study {name!r} in {path} was begun with another {', '.join(names) or 'plan'}; "
            "choose another --study-name or --out"
        )
    return study


def retry_killed(study: optuna.Study) -> int:
    """Trials that no process runs any more count as failed, and their settings are tried again; how many."""
    optuna = require_optuna()
    killed = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    for trial in killed:
        abandon(study, trial)
    return len(killed)


def abandon(study: optuna.Study, trial: Any) -> None:
    """Give a trial up that was stopped from outside, and put its settings first in the queue."""
    optuna = require_optuna()
    study._storage.set_trial_user_attr(trial._trial_id, STALE, True)
    study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    if trial.params:
        study.enqueue_trial(trial.params)


def counted(study: optuna.Study) -> list[Any]:
    """Trials that were begun and not given up."""
    optuna = require_optuna()
    waiting = optuna.trial.TrialState.WAITING
    return [t for t in study.get_trials(deepcopy=False) if t.state != waiting and not t.user_attrs.get(STALE)]
