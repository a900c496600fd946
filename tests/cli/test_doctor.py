"""``rlsuite doctor``: lines or JSON, and an exit status that scripts can ask."""

import json

import pytest

from rlsuite.cli.main import main
from rlsuite.experiments import doctor
from rlsuite.experiments.doctor import Check

WELL = Check("python", "ok", "CPython 3.11 [fast]")
WARNED = Check("device", "warning", "cpu only", "install a driver")
FAILED = Check("numpy", "failing", "numpy is not installed", "python -m pip install 'numpy>=2.0'")


@pytest.mark.parametrize(("checks", "status"), [([WELL], 0), ([WELL, WARNED], 0), ([WELL, WARNED, FAILED], 1)])
def test_only_failing_checks_fail_the_command(checks, status, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: iter(checks))
    assert main(["doctor"]) == status
    assert main(["doctor", "--json"]) == status


def test_each_line_says_how_to_mend_it(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(doctor, "examine", lambda: iter([WELL, WARNED, FAILED]))
    main(["doctor"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "ok       python         CPython 3.11 [fast]",
        "warning  device         cpu only",
        "                        to mend it: install a driver",
        "failing  numpy          numpy is not installed",
        "                        to mend it: python -m pip install 'numpy>=2.0'",
        "",
        "1 ok, 1 warning, 1 failing",
    ]


def test_json_holds_the_same(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "examine", lambda: iter([WELL, FAILED]))
    main(["doctor", "--json"])
    assert json.loads(capsys.readouterr().out) == {"checks": [vars(WELL), vars(FAILED)]}
