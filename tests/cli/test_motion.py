"""``rlsuite motion``: every sub-command, run as a user runs it."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from rlsuite.cli.main import main
from rlsuite.motion import body, catalogue, clip_files, editing, formats


def rlsuite(*arguments, cwd):
    command = [sys.executable, "-m", "rlsuite", "motion", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300)


def test_a_bvh_file_becomes_a_clip_on_the_humanoid(tmp_path):
    formats.write(editing.cut(catalogue.find("walk"), 0.0, 0.6), tmp_path / "mine.bvh")
    done = rlsuite("import", "mine.bvh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "retargeted  to 'humanoid'" in done.stdout and "0 joint-limit violations" in done.stdout
    clip = clip_files.load(tmp_path / "mine.npz")
    assert clip.skeleton.name == "humanoid" and clip.startable is not None and clip.contacts is not None
    assert [step["step"] for step in clip.provenance][:2] == ["read", "retarget"]
    # the same body: the poses come back but for what locking the feet changes
    error = np.linalg.norm(clip.bodies[0] - catalogue.find("walk").bodies[0][: clip.n_frames], axis=-1)
    assert np.median(error) < 0.03
    again = rlsuite("import", "mine.bvh", cwd=tmp_path)
    assert again.returncode == 2 and "--force" in again.stderr
    assert rlsuite("import", "mine.bvh", "--force", "--fps", "30", "--no-fix", "-v", cwd=tmp_path).returncode == 0
    assert clip_files.load(tmp_path / "mine.npz").fps == pytest.approx(30.0)


def test_another_body_is_shown_as_it_is(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my body.xml").write_text(body.mjcf(body.BodyShape(height=1.2)))
    assert main(["motion", "import", "bow", "--body", "my body.xml", "--out", "small.npz", "--no-fix"]) == 0
    assert main(["motion", "view", "small.npz", "--body", "my body.xml", "--strip", "row.png", "--poses", "2"]) == 0
    assert (tmp_path / "row.png").stat().st_size > 1000
    (tmp_path / "other.xml").write_text(
        '<mujoco><worldbody><body name="a"><freejoint/><geom size="1"/></body></worldbody></mujoco>'
    )
    assert main(["motion", "view", "small.npz", "--body", "other.xml", "--strip", "row2.png"]) == 2
    assert "no clip is on it" in capsys.readouterr().err and not (tmp_path / "row2.png").exists()


def test_films_and_strips_need_no_screen(tmp_path):
    done = rlsuite(
        "view", "walk", "idle", "--video", "two.gif", "--strip", "row.png", "--poses", "3", "--seconds", "0.2",
        "--size", "160x120", "--backend", "software", "--ghost", "run", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == "renderer: software (ray caster); chosen\n"  # and nothing of other libraries
    assert done.stdout.split() == ["two.gif", "row-1-walk.png", "row-2-idle.png"]
    from PIL import Image

    with Image.open(tmp_path / "two.gif") as film:
        assert film.n_frames == 7 and film.size == (160, 120)
    with Image.open(tmp_path / "row-1-walk.png") as row:
        assert row.width == 1600 and len(row.convert("RGB").getcolors(1 << 24)) > 100


def test_check_says_what_is_wrong_and_mends_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["motion", "check", "idle"]) == 0
    assert capsys.readouterr().out.startswith("idle: OK")
    clip_files.save(editing.translate(catalogue.find("idle"), (0.0, 0.0, -0.08)), "sunk.npz")
    assert main(["motion", "check", "sunk.npz", "--json"]) == 1
    assert "penetration" in {finding["name"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert main(["motion", "check", "sunk.npz", "--fix"]) == 0
    assert "mended: shift onto the floor" in capsys.readouterr().out
    assert clip_files.load("sunk-fixed.npz").qpos[0, 2] == pytest.approx(catalogue.find("idle").qpos[0, 2], abs=0.01)


def test_metrics_of_a_clip_against_itself_and_against_a_shifted_one(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip_files.save(editing.translate(catalogue.find("wave"), (0.1, 0.0, 0.0)), "shifted.npz")
    assert main(["motion", "metrics", "shifted.npz", "wave", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["mpjpe"] == pytest.approx(0.1) and result["mpjpe_root"] == pytest.approx(0.0, abs=1e-12)
    assert main(["motion", "metrics", "wave", "wave"]) == 0
    assert re.search(r"mpjpe +0 m", capsys.readouterr().out)


def test_synth_convert_info_and_list(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["motion", "synth"]) == 0
    assert "speed: how fast" in capsys.readouterr().out
    assert main(["motion", "synth", "walk", "--set", "speed=1.5", "--out", "brisk.npz"]) == 0
    capsys.readouterr()
    assert main(["motion", "info", "brisk.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_speed"] == pytest.approx(1.5, abs=0.005)
    assert main(["motion", "convert", "brisk.npz", "brisk.txt"]) == 0
    assert main(["motion", "list", "."]) == 0
    listed = capsys.readouterr().out
    assert "brisk.npz" in listed and "brisk.txt" in listed
    assert main(["motion", "list"]) == 0
    assert "cartwheel" in capsys.readouterr().out
    assert main(["motion", "list", "--formats"]) == 0
    assert "rlsuite[formats]" in "".join(capsys.readouterr().out.split())
    assert main(["motion", "fetch"]) == 0
    assert "deepmimic-walk" in capsys.readouterr().out


def test_a_recording_is_not_written_over_by_the_default_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    clip_files.save(catalogue.find("idle"), "mine.npz")
    before = (tmp_path / "mine.npz").read_bytes()
    assert main(["motion", "import", "mine.npz", "--force"]) == 2
    assert "mine.npz is the file that is read" in capsys.readouterr().err
    (tmp_path / "folder.npz").mkdir()
    assert main(["motion", "synth", "wave", "--out", "folder.npz", "--force"]) == 2
    assert "a folder; name a file in it" in capsys.readouterr().err
    assert (tmp_path / "mine.npz").read_bytes() == before and not list((tmp_path / "folder.npz").iterdir())


def test_reading_options_go_with_built_in_clips_too(capsys):
    assert main(["motion", "info", "walk", "--start", "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == catalogue.find("walk").n_frames - 10


def test_options_of_one_format_alone(tmp_path, capsys):
    formats.write(catalogue.find("idle"), tmp_path / "mine.bvh")
    assert main(["motion", "info", str(tmp_path / "mine.bvh"), "--json", "--option", "skip_rest_frame=true"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == catalogue.find("idle").n_frames - 1


def test_names_of_listed_files_are_whole(tmp_path, capsys):
    name = "a_recording_with_a_long_name_of_the_" + 60 * "x" + ".npz"
    clip_files.save(catalogue.find("idle"), tmp_path / name)
    assert main(["motion", "list", str(tmp_path)]) == 0
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "wlak"], "did you mean 'walk'"),
        (["chek", "walk"], "did you mean check?"),
        (["info", "nowhere/walk.bvh"], "nowhere/walk.bvh"),
        (["import", "broken.bvh"], "broken.bvh"),
        (["import", "walk", "--out", "walk.bvh"], "rlsuite motion convert"),
        (["import", "walk", "--fps", "0"], "from 1 to 1000"),
        (["import", "walk", "--body", "none.xml", "--out", "x.npz"], "none.xml"),
        (["convert", "walk", "walk.xyz"], "names no format"),
        (["convert", "walk", "walk.amc"], "names no format"),
        (["info", "walk", "--format", "bhv"], "did you mean 'bvh'"),
        (["synth", "walk", "--set", "speed=9"], "0.5 to 1.8"),
        (["synth", "wlak"], "did you mean 'walk'"),
        (["synth", "walk", "--set", "speed"], "NAME=VALUE"),
        (["view", "walk", "--video", "walk.avi"], ".mp4"),
        (["view", "walk", "--video", "walk.mp4", "--size", "99"], "960x540"),
        (["view", "walk", "--video", "walk.mp4", "--seconds", "-1"], "positive number of seconds"),
        (["view", "walk", "--video", "walk.mp4", "--seconds", "1e9"], "too long"),
        (["view", "walk", "--port", "99999"], "1 to 65535"),
        (["view", "walk", "--video", "walk.mp4", "--strip", "walk.jpg"], ".png"),
        (["view", "walk", "--video", "broken.bvh/walk.mp4"], "nothing can be written"),
        (["check", "walk", "--out", "x.npz"], "--fix"),
        (["fetch", "deepmimic-wlak"], "did you mean 'deepmimic-walk'"),
        (["list", "no-folder"], "no such folder"),
        (["info", "walk", "--option", "hight=1.8"], "did you mean height?"),
        (["info", "walk", "--option", "fps=fast"], "fps=120"),
        (["info", "broken.bvh", "--option", "height=1.8"], "has no option 'height'"),
        (["list", "broken.bvh"], "a file, and no folder"),
        (["info", "."], "a folder, and no motion file"),
        (["import", ""], "a folder, and no motion file"),
        (["info", "/dev/null"], "device or pipe"),
        (["synth", "walk", "--out", "broken.bvh/walk.npz"], "Not a directory"),
        (["convert", "walk", "broken.bvh"], "--force"),
        (["check", "walk", "--fix", "--out", "walk.bvh"], "rlsuite motion convert"),
        (["metrics", "walk", "run", "--band", "-1"], "seconds from 0"),
        (["fetch", "deepmimic-walk", "walk"], "unknown clip to download 'walk'"),
        (["import", "walk", "--body", ".", "--out", "x.npz"], "an MJCF file"),
    ],
)
def test_bad_input_is_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.bvh").write_text("HIERARCHY\nROOT hips\n{\n OFFSET 0 0")
    try:
        status = main(["motion", *arguments])
    except SystemExit as stop:  # argparse
        status = stop.code
    error = capsys.readouterr().err
    assert status == 2 and message in error and error.count("\n") == 1, error
    assert {path.name for path in tmp_path.iterdir()} == {"broken.bvh"}
