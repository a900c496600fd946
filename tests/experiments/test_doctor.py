"""The doctor finds what is amiss, says how to mend it, and fails only where training needs it."""

import os
import sys
from collections import namedtuple
from importlib.metadata import PackageNotFoundError, version

import numba
import pytest
import torch

from rlsuite.agents.tabular.kernels import cache_directory
from rlsuite.experiments import doctor
from rlsuite.experiments.doctor import (
    check_device,
    check_extras,
    check_folder,
    check_imports,
    check_packages,
    check_rendering,
    check_screen,
    check_suite,
    check_threads,
    rendering_back_ends,
    usable_cores,
)
from rlsuite.kernel_cache import cache_root

PRINTS = "import os; print('contrast', {'egl': 200, 'osmesa': 0}.get(os.environ['MUJOCO_GL'], 'none'))"


@pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")  # importing Box2D crashes where it is an error
def test_this_installation_is_sound(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "rendering_back_ends", lambda: dict.fromkeys(doctor.BACK_ENDS, "not tried"))
    checks = list(doctor.examine(tmp_path / "runs"))
    assert [check for check in checks if check.status == "failing"] == []
    assert all(bool(check.remedy) == (check.status != "ok") for check in checks)
    packages = next(check for check in checks if check.name == "packages").detail
    for name in ("torch", "gymnasium", "numba", "numpy", "stable-baselines3", "tensorboard", "mujoco"):
        assert f"{name} {version(name)}" in packages
    assert list(tmp_path.iterdir()) == []


def test_the_suite_is_named_with_its_commit(monkeypatch):
    monkeypatch.setattr(doctor, "git_commit", lambda: "abc123")
    assert "(commit abc123)" in check_suite().detail


def declare(monkeypatch, *requirements, extras=()):
    fields = {"Requires-Dist": list(requirements), "Provides-Extra": list(extras), "Requires-Python": [">=3.11"]}
    monkeypatch.setattr(doctor, "_metadata", lambda field: fields[field])


def test_packages_missing_and_too_old_are_named_with_the_command(monkeypatch):
    declare(monkeypatch, "numpy>=1", "gymnasium[box2d]>=999", "no-such-package>=2", "optuna>=4; extra == 'tune'")
    summary, old, missing = check_packages()
    assert (summary.status, summary.detail) == ("ok", f"numpy {version('numpy')}")
    assert (old.status, missing.status) == ("failing", "failing")
    assert old.detail == f"gymnasium {version('gymnasium')} is installed; >=999 is needed"
    assert old.remedy == f"{sys.executable} -m pip install 'gymnasium[box2d]>=999'"
    assert missing.detail == "no-such-package is not installed"


def test_a_suite_that_is_not_installed_fails(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "metadata", missing)
    (check,) = check_packages()
    assert check.status == "failing" and "pip install -e" in check.remedy
    assert check_extras() == []


def test_a_missing_extra_is_a_warning_and_one_for_developers_is_not_told(monkeypatch):
    declare(
        monkeypatch,
        "numpy",
        "no-such-package; extra == 'tune'",
        "numpy; extra == 'onnx'",
        "no-such-package; extra == 'dev'",
        extras=("dev", "tune", "onnx"),
    )
    onnx, tune = check_extras()
    assert (onnx.name, onnx.status, onnx.detail) == ("extra onnx", "ok", f"numpy {version('numpy')}")
    assert (tune.name, tune.status) == ("extra tune", "warning")
    assert tune.remedy == f"{sys.executable} -m pip install 'rlsuite[tune]'"


@pytest.mark.parametrize(
    ("name", "error", "remedy"),
    [
        ("numba", ImportError("libm.so.7 is missing"), "pip install --force-reinstall numba"),
        ("mujoco", RuntimeError("invalid value for environment variable MUJOCO_GL: no"), "unset MUJOCO_GL"),
    ],
)
def test_a_package_that_does_not_load_fails(name, error, remedy, monkeypatch):
    def load(wanted):
        if wanted == name:
            raise error

    monkeypatch.setattr(doctor, "import_module", load)
    check = check_imports()
    assert check.status == "failing"
    assert f"{name} ({type(error).__name__}: {error})" in check.detail
    assert check.remedy.endswith(remedy)


# -- hardware ----------------------------------------------------------------------------------------------------------


def test_a_gpu_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: "H200")
    check = check_device()
    assert (check.status, check.detail) == ("ok", f"torch {torch.__version__}: cpu, cuda:0 H200")


@pytest.mark.parametrize(
    ("driver", "cuda", "hidden", "detail", "remedy"),
    [
        (False, None, None, "no NVIDIA driver here; training needs none", "with a GPU: its driver"),
        (True, None, None, "torch is built without CUDA", "--force-reinstall torch --index-url"),
        (True, "12.8", None, "built for CUDA 12.8 but no GPU answers", "nvidia-smi"),
        (True, "12.8", "", "(CUDA_VISIBLE_DEVICES='')", "unset CUDA_VISIBLE_DEVICES"),
    ],
)
def test_why_there_is_no_gpu(driver, cuda, hidden, detail, remedy, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(doctor, "DRIVER", tmp_path if driver else tmp_path / "none")
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if hidden is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    check = check_device()
    assert check.status == "warning"
    assert detail in check.detail and remedy in check.remedy


def test_back_ends_are_judged_by_their_image():
    assert rendering_back_ends(PRINTS) == {
        "egl": None,
        "osmesa": "the image is of one colour",
        "glfw": "exit status 0",
    }
    broken = "import os; os._exit(7) if os.environ['MUJOCO_GL'] == 'egl' else [][0]"
    found = rendering_back_ends(broken)
    assert found["egl"] == "exit status 7"
    assert found["glfw"] == "IndexError: list index out of range"
    slow = rendering_back_ends("import time; time.sleep(60)", seconds=0.05)
    assert set(slow.values()) == {"no image after 0.05 seconds"}


def test_the_real_probe_answers_for_each_back_end():
    results = rendering_back_ends()
    assert tuple(results) == doctor.BACK_ENDS
    assert all(failure is None or failure for failure in results.values())


@pytest.mark.parametrize(
    ("working", "chosen", "status", "remedy"),
    [
        (("egl",), None, "ok", ""),
        (("egl", "glfw"), "glfw", "ok", ""),
        (("osmesa",), "egl", "warning", "export MUJOCO_GL=osmesa"),
        ((), None, "warning", "apt-get install"),
    ],
)
def test_rendering_is_never_needed(working, chosen, status, remedy, monkeypatch):
    results = {name: None if name in working else "RuntimeError: no" for name in doctor.BACK_ENDS}
    monkeypatch.setattr(doctor, "rendering_back_ends", lambda: results)
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    if chosen:
        monkeypatch.setenv("MUJOCO_GL", chosen)
    check = check_rendering()
    assert check.status == status
    assert remedy in check.remedy and bool(remedy) == bool(check.remedy)
    assert all(name in check.detail for name in doctor.BACK_ENDS)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a screen")
def test_a_screen_is_found_by_its_name(monkeypatch):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":7")
    assert check_screen().detail == "windows open on :7"
    monkeypatch.delenv("DISPLAY")
    assert check_screen().detail.startswith("none")


def test_more_threads_than_cores_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "usable_cores", lambda: 3)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    check = check_threads()
    assert (check.status, check.remedy) == ("warning", "export OMP_NUM_THREADS=3")
    assert f"torch 8, numba {numba.get_num_threads()} threads" in check.detail
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(numba, "get_num_threads", lambda: 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    check = check_threads()
    assert check.status == "ok" and "OMP_NUM_THREADS=3" in check.detail


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", 4), ("150000 100000", 2), ("5000 100000", 1), ("x", 4)])
def test_a_containers_share_counts(quota, cores, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(doctor.Path, "read_text", lambda path: quota)
    assert usable_cores() == cores


# -- disk --------------------------------------------------------------------------------------------------------------

Usage = namedtuple("Usage", "total used free")


def test_a_folder_that_can_be_made_is_well(tmp_path):
    check = check_folder("runs folder", tmp_path / "a" / "b", "failing", "mend")
    assert check.status == "ok" and str(tmp_path / "a" / "b") in check.detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("otherwise", ["failing", "warning"])
def test_a_folder_that_cannot_be_made_is_not(otherwise, tmp_path):
    (tmp_path / "file").touch()
    check = check_folder("runs folder", tmp_path / "file" / "runs", otherwise, "mend it so")
    assert (check.status, check.remedy) == (otherwise, "mend it so")


@pytest.mark.parametrize(("gib", "status"), [(0.0625, "failing"), (1, "warning"), (50, "ok")])
def test_a_full_disk_is_told(gib, status, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(0, 0, int(gib * 2**30)))
    check = check_folder("runs folder", tmp_path, "failing", "elsewhere")
    assert check.status == status
    assert f"{gib:.1f} GiB free" in check.detail


def test_the_cache_looked_at_is_the_one_in_use():
    assert cache_directory().parent == cache_root()
