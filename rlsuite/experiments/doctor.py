"""Whether this machine can train, watch and record: one check a subject, each with how to mend what is amiss.

A check fails where something that training needs is missing, and warns where the suite does with less: without a GPU it
trains on the CPU, without MuJoCo's graphics it trains and makes no films. Nothing is written but a file that is
removed at once.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, metadata, version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import rlsuite
from rlsuite.experiments.provenance import git_commit
from rlsuite.kernel_cache import cache_root
from rlsuite.screen import has_screen

if TYPE_CHECKING:
    from packaging.requirements import Requirement

Status = Literal["ok", "warning", "failing"]

BACK_ENDS = ("egl", "osmesa", "glfw")  # of MuJoCo's graphics, as MUJOCO_GL names them
PROBE_SECONDS = 60.0
COMPILED = ("numpy", "scipy", "numba", "torch", "mujoco", "gymnasium", "Box2D", "pygame")  # can be there and not load
NOT_FOR_USERS = {"dev", "docs", "bench"}  # extras for work on the suite itself
LITTLE, TOO_LITTLE = 2.0, 0.1  # GiB of free disk
DRIVER = Path("/proc/driver/nvidia/version")

_RENDER = """
import gymnasium
env = gymnasium.make("InvertedPendulum-v5", render_mode="rgb_array", width=32, height=32)
env.reset(seed=0)
print("contrast", int(env.render().max()) - int(env.render().min()))
"""


@dataclass(frozen=True)
class Check:
    """What was looked at and found; ``remedy`` says how to mend it where the status is not ``ok``."""

    name: str
    status: Status
    detail: str
    remedy: str = ""


def examine(runs: str | Path = "runs") -> Iterator[Check]:
    """Every check in turn; ``runs`` is the folder that runs will be written to."""
    yield check_python()
    yield check_suite()
    yield from check_packages()
    yield from check_extras()
    yield check_imports()
    yield check_device()
    yield check_rendering()
    yield check_screen()
    yield check_threads()
    yield check_folder("runs folder", Path(runs), "failing", "choose another folder: rlsuite train … --out FOLDER")
    yield check_folder(
        "kernel cache", cache_root(), "warning", "choose another folder: export RLSUITE_CACHE_DIR=FOLDER"
    )


# -- software ----------------------------------------------------------------------------------------------------------


def check_python() -> Check:
    """The interpreter and the system it runs on."""
    from packaging.specifiers import SpecifierSet

    found = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"
    needed = _metadata("Requires-Python")
    if needed and not SpecifierSet(needed[0]).contains(platform.python_version(), prereleases=True):
        return Check("python", "failing", f"{found}; {needed[0]} is needed", "install rlsuite into a newer Python")
    return Check("python", "ok", found)


def check_suite() -> Check:
    """The suite's own version, and its commit where it runs from a checkout."""
    commit = git_commit()
    where = f"commit {commit}" if commit else "no checkout"
    return Check("rlsuite", "ok", f"{rlsuite.__version__} ({where}) in {Path(rlsuite.__file__).parent}")


def check_packages() -> list[Check]:
    """Whether everything that the suite declares to need is installed in a version that it allows."""
    found, wrong = [], []
    for requirement in _requirements(""):
        installed, problem = _look_up(requirement)
        if problem:
            wrong.append(Check(requirement.name, "failing", problem, _install(_specifier(requirement))))
        else:
            found.append(f"{requirement.name} {installed}")
    if not found:
        detail = "rlsuite is not installed as a package: what it needs is not known, and no algorithm is registered"
        return [*wrong, Check("packages", "failing", detail, _install("-e", str(Path(rlsuite.__file__).parents[1])))]
    return [Check("packages", "ok", ", ".join(found)), *wrong]


def check_extras() -> list[Check]:
    """Which optional parts are installed."""
    checks = []
    for extra in sorted({*_metadata("Provides-Extra")} - NOT_FOR_USERS):
        found, missing = [], []
        for requirement in _requirements(extra):
            installed, problem = _look_up(requirement)
            if problem:
                missing.append(problem)
            else:
                found.append(f"{requirement.name} {installed}")
        remedy = _install(f"rlsuite[{extra}]") if missing else ""
        checks.append(Check(f"extra {extra}", "warning" if missing else "ok", ", ".join(missing or found), remedy))
    return checks


def check_imports() -> Check:
    """Whether the packages with machine code load: one can be installed, and built for another system."""
    broken = {}
    for name in COMPILED:
        try:
            import_module(name)
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            broken[name] = f"{name} ({_one_line(error)})"
    if broken:
        wrong_back_end = [*broken] == ["mujoco"] and "MUJOCO_GL" in broken["mujoco"]
        remedy = "unset MUJOCO_GL" if wrong_back_end else _install("--force-reinstall", *broken)
        return Check("imports", "failing", f"installed but not loading: {', '.join(broken.values())}", remedy)
    return Check("imports", "ok", f"{', '.join(COMPILED)} load")


def _requirements(extra: str) -> list[Requirement]:
    """What the installed suite declares to need, alone or for an extra."""
    from packaging.requirements import Requirement

    declared = [Requirement(line) for line in _metadata("Requires-Dist")]

    def applies(requirement: Requirement, extra: str) -> bool:
        return requirement.marker is None or requirement.marker.evaluate({"extra": extra})

    wanted = [requirement for requirement in declared if applies(requirement, extra)]
    return [r for r in wanted if not (extra and applies(r, ""))]


def _metadata(field: str) -> list[str]:
    """The values of a field of the installed suite's metadata; none where it is not installed."""
    try:
        return metadata("rlsuite").get_all(field) or []
    except PackageNotFoundError:
        return []


def _look_up(requirement: Requirement) -> tuple[str, str]:
    """The installed version, and what is wrong with it (nothing: the empty string)."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return "", f"{requirement.name} is not installed"
    if not requirement.specifier.contains(installed, prereleases=True):
        return installed, f"{requirement.name} {installed} is installed; {requirement.specifier} is needed"
    return installed, ""


def _specifier(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return f"{requirement.name}{extras}{requirement.specifier}"


def _install(*what: str) -> str:
    return shlex.join([sys.executable, "-m", "pip", "install", *what])


# -- hardware ----------------------------------------------------------------------------------------------------------


def check_device() -> Check:
    """What torch can compute on besides the CPU, or why on nothing else."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("device", "failing", f"torch does not load: {_one_line(error)}", _install("torch"))
    built = f"torch {torch.__version__}"
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Check("device", "ok", f"{built}: cpu, " + ", ".join(f"cuda:{i} {n}" for i, n in enumerate(names)))
    if torch.backends.mps.is_available():
        return Check("device", "ok", f"{built}: cpu, mps")
    cuda = "https://download.pytorch.org/whl/cu128"
    if not (DRIVER.exists() or shutil.which("nvidia-smi")):
        detail = f"{built}: cpu only, no NVIDIA driver here; training needs none"
        return Check(
            "device", "warning", detail, f"with a GPU: its driver, then {_install('torch', '--index-url', cuda)}"
        )
    if torch.version.cuda is None:
        detail = f"{built}: cpu only, an NVIDIA driver is here but torch is built without CUDA"
        return Check("device", "warning", detail, _install("--force-reinstall", "torch", "--index-url", cuda))
    detail = f"{built}: cpu only, built for CUDA {torch.version.cuda} but no GPU answers"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return Check("device", "warning", f"{detail} (CUDA_VISIBLE_DEVICES={hidden!r})", "unset CUDA_VISIBLE_DEVICES")
    return Check(
        "device", "warning", detail, f"see what `nvidia-smi` says; the driver must allow CUDA {torch.version.cuda}"
    )


def check_rendering() -> Check:
    """Which graphics back end of MuJoCo renders here: needed for films of its environments, not for training."""
    try:
        name = f"MuJoCo {version('mujoco')}"
    except PackageNotFoundError:
        return Check("rendering", "failing", "MuJoCo is not installed", _install("mujoco"))
    results = rendering_back_ends()
    working = [back_end for back_end, failure in results.items() if failure is None]
    if not working:
        failures = "; ".join(f"{back_end}: {failure}" for back_end, failure in results.items())
        remedy = "install a software renderer: sudo apt-get install -y libegl1 libgl1-mesa-dri libosmesa6"
        return Check("rendering", "warning", f"{name}: no back end renders ({failures})", remedy)
    idle = [back_end for back_end in results if back_end not in working]
    detail = f"{name} renders with {' and '.join(working)}" + (f", not with {' or '.join(idle)}" if idle else "")
    chosen = os.environ.get("MUJOCO_GL")
    if chosen is not None and chosen not in working:
        return Check("rendering", "warning", f"{detail}, but MUJOCO_GL={chosen}", f"export MUJOCO_GL={working[0]}")
    return Check("rendering", "ok", detail)


def rendering_back_ends(program: str = _RENDER, seconds: float = PROBE_SECONDS) -> dict[str, str | None]:
    """Why each back end does not render (``None``: it does); each is tried in a process of its own, all at once.

    ``program`` renders one frame with the back end of ``MUJOCO_GL`` and prints ``contrast`` and the range of its pixels:
    a broken driver can give an image of one colour without complaint.
    """
    with tempfile.TemporaryDirectory() as folder:  # MuJoCo writes its log to the current folder
        processes = {
            back_end: subprocess.Popen(
                [sys.executable, "-c", program],
                env={**os.environ, "MUJOCO_GL": back_end},
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for back_end in BACK_ENDS
        }
        return {back_end: _failure(process, seconds) for back_end, process in processes.items()}


def _failure(process: subprocess.Popen[str], seconds: float) -> str | None:
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return f"no image after {seconds:g} seconds"
    contrast = re.search(r"^contrast (\d+)$", output, re.MULTILINE)
    if contrast is None:
        lines = [line for line in errors.splitlines() if re.match(r"[\w.]+(Error|Exception): ", line)]
        return lines[-1] if lines else f"exit status {process.returncode}"
    return None if int(contrast[1]) > 0 else "the image is of one colour"


def check_screen() -> Check:
    """Whether a window can be opened."""
    if has_screen():
        return Check(
            "screen", "ok", f"windows open{_on(os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'))}"
        )
    return Check(
        "screen", "ok", "none (neither DISPLAY nor WAYLAND_DISPLAY is set): films are written instead of windows"
    )


def _on(display: str | None) -> str:
    return f" on {display}" if display else ""


def check_threads() -> Check:
    """How many threads the libraries start, against the processors that this process may use."""
    usable = usable_cores()
    threads = _threads()
    limits = [f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ]
    detail = f"{usable} of {os.cpu_count()} cores usable; " + ", ".join(f"{lib} {n}" for lib, n in threads.items())
    detail += f" threads ({', '.join(limits) or 'OMP_NUM_THREADS unset'})"
    if max(threads.values(), default=0) > usable:
        return Check("threads", "warning", f"{detail}: more threads than cores", f"export OMP_NUM_THREADS={usable}")
    if usable > 1:
        detail += "; for several runs at once, give each OMP_NUM_THREADS=1"
    return Check("threads", "ok", detail)


def usable_cores() -> int:
    """Processors of this process: its affinity, and the share of them that its container grants."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return cores
    return cores if quota == "max" else max(1, min(cores, round(int(quota) / int(period))))


def _threads() -> dict[str, int]:
    found = {}
    counters: dict[str, Callable[[], int]] = {
        "torch": lambda: import_module("torch").get_num_threads(),
        "numba": lambda: import_module("numba").get_num_threads(),
    }
    for library, count in counters.items():
        try:
            found[library] = count()
        except (ImportError, OSError):  # check_imports tells
            continue
    return found


# -- disk --------------------------------------------------------------------------------------------------------------


def check_folder(name: str, folder: Path, otherwise: Status, remedy: str) -> Check:
    """Whether files can be written to ``folder`` (or to where it would be made), and how much room is left."""
    folder = folder.expanduser().absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"rlsuite")
    except OSError as error:
        return Check(name, otherwise, f"{folder} cannot be written: {error.strerror} ({existing})", remedy)
    free = shutil.disk_usage(existing).free / 2**30
    detail = f"{folder} can be written, {free:.1f} GiB free"
    if free < TOO_LITTLE:
        return Check(name, otherwise, detail, f"free space on that disk (see `df -h {existing}`), or {remedy}")
    if free < LITTLE:
        return Check(name, "warning", detail, f"checkpoints may fill the disk (see `df -h {existing}`); {remedy}")
    return Check(name, "ok", detail)


def _one_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
