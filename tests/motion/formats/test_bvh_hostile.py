"""Bad BVH and AMC files raise MotionFormatError that says where and what, and nothing else, soon and in little memory."""

import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rlsuite.errors import MotionError, MotionFormatError
from rlsuite.motion import formats
from rlsuite.motion.formats import number_rows
from rlsuite.motion.formats.bvh import read_channels
from tests.motion.formats.samples import bvh_text
from tests.motion.formats.test_acclaim import ASF, FRAMES, amc_text

GOOD = bvh_text(4)
FIRST = GOOD.splitlines().index("MOTION") + 4  # line of the first frame
NUMBERS = GOOD.splitlines()[FIRST - 1 :]


def change_row(row, change):
    lines = GOOD.splitlines()
    lines[FIRST - 1 + row] = change(lines[FIRST - 1 + row])
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (change_row(2, lambda r: r + " 1.0"), rf"line {FIRST + 2}: 24 numbers expected, one for each channel, found 25"),
        (change_row(2, lambda r: r.rsplit(" ", 1)[0]), rf"line {FIRST + 2}: 24 numbers expected.*found 23"),
        (change_row(1, lambda r: "x" + r), rf"line {FIRST + 1}: number 1 of 24: 'x.*' is not a finite decimal number"),
        (change_row(1, lambda r: r.rsplit(" ", 1)[0] + " nan"), rf"line {FIRST + 1}: number 24 of 24: 'nan'"),
        (change_row(3, lambda r: r.rsplit(" ", 1)[0] + " -inf"), rf"line {FIRST + 3}: number 24 of 24: '-inf'"),
        (change_row(3, lambda r: r.rsplit(" ", 1)[0] + " 1,5"), rf"line {FIRST + 3}: .*'1,5'.*a point, not a comma"),
        (change_row(3, lambda r: r.rsplit(" ", 1)[0] + " 1.#IND"), rf"line {FIRST + 3}: .*'1.#IND'"),
        (change_row(3, lambda r: r.rsplit(" ", 1)[0] + " 0x10"), rf"line {FIRST + 3}: .*'0x10'"),
        (change_row(3, lambda r: r.rsplit(" ", 1)[0] + " 1e300"), r"frame 3, number 24: beyond 1e\+09"),
        (change_row(3, lambda r: r.rsplit(" ", 1)[0] + " 1e999"), r"frame 3, number 24: beyond 1e\+09"),
        (GOOD + NUMBERS[0] + "\n", rf"line {FIRST + 4}: 4 frames were announced, but here is one more line"),
        (GOOD + "\n\n garbage", r"4 frames were announced, but here is one more line: 'garbage'|' garbage'"),
        ("\n".join(GOOD.splitlines()[:-1]), r"ends after 3 of 4 frames; it is truncated \(stop=3 reads what there is\)"),
        (GOOD.replace("Frames: 4", "Frames: 6"), r"ends after 4 of 6 frames"),
        (GOOD.replace("Frames: 4", "Frames: 3"), r"3 frames were announced"),
        (GOOD.replace("Frames: 4", "Frames: 999999999999"), r"999999999999 frames of 24 numbers cannot be in a file of"),
        (GOOD.replace("Frames: 4", "Frames: -4"), r"Frames: a positive whole number expected, found '-4'"),
        (GOOD.replace("Frames: 4", "Frames: 0"), r"Frames: a positive whole number expected, found '0'"),
        (GOOD.replace("Frames: 4", "Frames: four"), r"Frames: a positive whole number expected, found 'four'"),
        (GOOD.replace("Frames: 4\n", ""), rf"line {FIRST - 2}: 'Frames: …' expected, found 'Frame Time: 0.0083333'"),
        (GOOD.replace("Frame Time: 0.0083333\n", ""), r"'Frame Time: …' expected, found"),
        (GOOD.replace("0.0083333", "0"), r"Frame Time: seconds between frames, a positive number, expected, found '0'"),
        (GOOD.replace("0.0083333", "-1"), r"Frame Time: seconds between frames"),
        (GOOD.replace("0.0083333", "nan"), r"Frame Time: a finite number"),
        (GOOD.replace("LeftLeg", "LeftUpLeg"), r"a second joint 'LeftUpLeg' \(the first is in line 20\)"),
        (GOOD.replace("JOINT Spine", "JOINT"), r"line 6: a name expected after JOINT"),
        (GOOD.replace("OFFSET 0.0 10.0 -1.0", "OFFSET 0.0 ten -1.0"), r"line 8: OFFSET: a number expected, found 'ten'"),
        (GOOD.replace("OFFSET 0.0 10.0 -1.0", "OFFSET 0.0 10.0"), r"OFFSET: a number expected, found 'CHANNELS'"),
        (GOOD.replace("\t\tOFFSET 0.0 10.0 -1.0\n", ""), r"OFFSET expected in joint 'Spine'"),
        (GOOD.replace("OFFSET 0.0 10.0", "OFFSET 0.0 1e40"), r"a finite number of at most 1e\+09 expected, found '1e40'"),
        (GOOD.replace("CHANNELS 3 Y", "CHANNELS 4 Y"), r"CHANNELS: Xposition, …, found 'JOINT'|found 'JOINT'"),
        (GOOD.replace("CHANNELS 3 Y", "CHANNELS -3 Y"), r"CHANNELS: a number from 0 to 6 expected, found '-3'"),
        (GOOD.replace("Yrotation Zrotation", "Yrotation Yrotation"), r"two rotations about the same axis in succession"),
        (GOOD.replace("CHANNELS 3 Y", "CHANNELS 3 W"), r"found 'Wrotation'"),
        (GOOD.replace("MOTION\n", "}\nMOTION\n"), r"ROOT or MOTION expected, found '}'"),
        (GOOD.replace("}\nMOTION", "MOTION"), r"expected, found 'MOTION'"),
        (GOOD[: GOOD.index("MOTION")], r"the file ends within the hierarchy; MOTION expected"),
        (GOOD[:200], r"expected"),
        ("HIERARCHY\nMOTION\nFrames: 1\nFrame Time: 1\n\n", r"line 2: ROOT expected before MOTION"),
        ("HIERARCHY\n" + "ROOT a\n{\n" * 2, r"OFFSET, CHANNELS, JOINT, End Site or } expected, found 'ROOT'"),
        ("HIERARCHY ROOT a { OFFSET 0 0 0 End Site { JOINT b {", r"OFFSET or } expected, found 'JOINT'"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_where(tmp_path, monkeypatch, text, message, compiled):
    monkeypatch.setattr(number_rows, "worth_compiling", lambda size: compiled)
    path = tmp_path / "bad.bvh"
    path.write_text(text)
    with pytest.raises(MotionFormatError, match=rf"bad\.bvh, line \d+: .*({message})|bad\.bvh, {message}"):
        formats.read(path, format="bvh")


def test_files_that_cannot_be_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.bvh")
    (tmp_path / "folder.bvh").mkdir()
    for name, message in [
        ("none", "no such file"),
        ("pipe", "not a file"),
        ("folder", "not a file"),
        ("a\0b", "read|file"),
    ]:
        for format in (None, "bvh", "acclaim"):
            with pytest.raises(MotionFormatError, match=message):
                formats.read(tmp_path / f"{name}.bvh", format=format)


def test_bombs(tmp_path):
    """Nesting without end, endless lines, and announcements that no file can keep, in bounded memory."""
    path = tmp_path / "bomb.bvh"
    nested = "HIERARCHY\nROOT a { OFFSET 0 0 0\n" + "".join(f"JOINT j{i} {{ OFFSET 0 0 0\n" for i in range(100_000))
    bombs = {
        nested: "more than 2048 joints",
        "HIERARCHY\n" + "ROOT " + "a" * 10_000_000: "a line of more than 65536 bytes",
        "HIERARCHY\n" + "{" * 3_000_000: "a line of more than",
        "HIERARCHY" + "\n" * 10_000_000: "within 65536 lines",
        GOOD.replace("Frames: 4", "Frames: 100") + "1" * 30_000_000: "a line of more than 9600 bytes for 24 numbers",
        GOOD.replace("Frames: 4", "Frames: 1" + "0" * 5000): "cannot be in a file",
    }  # fmt: skip
    for text, message in bombs.items():
        path.write_text(text)
        tracemalloc.start()
        with pytest.raises(MotionFormatError, match=message):
            formats.read(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
        tracemalloc.stop()


def test_reading_a_part_takes_memory_for_that_part(tmp_path, monkeypatch):
    """A file of any length streams: 200 000 frames here, in blocks that are a hundredth of it."""
    monkeypatch.setattr(number_rows, "BLOCK_BYTES", 1 << 18)
    path, n = tmp_path / "long.bvh", 200_000
    head = GOOD[: GOOD.index("MOTION")]
    rows = ["1 2 3 " + " ".join([str(i % 90)] * 21) for i in range(100)]
    path.write_text(f"{head}MOTION\nFrames: {n}\nFrame Time: 0.01\n" + ("\n".join(rows) + "\n") * (n // 100))
    tracemalloc.start()
    _, channels = read_channels(path, start=150_003, stop=150_103, stride=10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(channels[:, 3], np.arange(3, 103, 10) % 90)
    assert peak < 4_000_000 < path.stat().st_size


KINDS = st.sampled_from(["delete", "insert", "replace", "double"])
WORDS = b"nan - 1e400 { } 7 999999999 End Site CHANNELS JOINT OFFSET \xff\xfe : begin end root".split()
PIECES = st.one_of(st.binary(max_size=8), st.sampled_from([b"\n", b"\0", b" ", *(b" %s " % word for word in WORDS)]))
MUTATIONS = st.lists(st.tuples(KINDS, st.floats(0.0, 1.0), st.integers(0, 300), PIECES), min_size=1, max_size=6)


def mutated(raw, mutations):
    for kind, place, length, new in mutations:
        at = int(place * len(raw))
        if kind == "delete":
            raw = raw[:at] + raw[at + length :]
        elif kind == "insert":
            raw = raw[:at] + new + raw[at:]
        elif kind == "replace":
            raw = raw[:at] + new + raw[at + len(new) :]
        else:
            raw = raw[: at + length] + raw[at:]
    return raw


def outcome(path, **options):
    """What reading gives: the clip's poses, or the message; any other error is the test's."""
    try:
        return formats.read(path, **options).qpos
    except MotionFormatError as error:
        message = str(error)
    assert str(path.parent) in message
    return message


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MUTATIONS)
@example([("replace", 0.0, 0, b"\xff\xfe")])
def test_mutations_raise_nothing_else_and_both_tokenisers_agree(tmp_path, mutations):
    path = tmp_path / "fuzz.bvh"
    path.write_bytes(mutated(GOOD.encode(), mutations))
    results = []
    with pytest.MonkeyPatch.context() as patch:
        for compiled in (False, True):
            patch.setattr(number_rows, "worth_compiling", lambda size, value=compiled: value)
            results.append(outcome(path, format="bvh"))
    assert type(results[0]) is type(results[1])
    if not isinstance(results[0], str):
        np.testing.assert_allclose(results[0], results[1], atol=1e-9, rtol=1e-9)
    outcome(path)  # as whatever it now looks like


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MUTATIONS, st.booleans())
def test_mutations_of_acclaim_raise_nothing_else(tmp_path, mutations, of_the_skeleton):
    asf, amc = tmp_path / "07.asf", tmp_path / "07_01.amc"
    asf.write_bytes(mutated(ASF.encode(), mutations) if of_the_skeleton else ASF.encode())
    amc.write_bytes(amc_text(FRAMES).encode() if of_the_skeleton else mutated(amc_text(FRAMES).encode(), mutations))
    outcome(amc, format="acclaim")
    outcome(asf, format="acclaim")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", b"HIERARCHY\n", b"PK\x03\x04", b"\xff\xfe", b"{", b":bonedata\n", b"1\nroot 0 0 0\n"]),
)
def test_garbage_is_refused(tmp_path, garbage, begin):
    path = tmp_path / "garbage.bvh"
    path.write_bytes(begin + garbage)
    assert isinstance(outcome(path, format="bvh"), str)
    assert isinstance(outcome(path, format="acclaim"), str)
    outcome(path)


def test_options_are_checked(tmp_path):
    path = tmp_path / "a.bvh"
    path.write_text(GOOD)
    with pytest.raises(MotionError, match="no option 'colour'; it takes unit, up, forward"):
        formats.read(path, colour="red")
    with pytest.raises(MotionError, match="stride at least 1"):
        formats.read(path, stride=0)


numbers = st.one_of(
    st.floats(-1e9, 1e9).map(repr), st.floats(-1e9, 1e9).map("{:.6f}".format), st.floats(-1e3, 1e3).map("{:.3e}".format),
    st.integers(-(10**8), 10**8).map(str), st.decimals(-1000, 1000, places=20).map("{:f}".format),
    st.sampled_from(["0", "-0.0", ".5", "5.", "+1", "1E-5", "1e-320", "3e-400", "0e999", "00012.50", "1234567890123456e-9"]),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(numbers, min_size=3, max_size=3))
def test_numbers_are_those_that_python_reads(words):
    """To the last bit up to 15 digits, else to some units in the last place."""
    line = " ".join(words).encode()
    for tokenise in (number_rows.tokenise_plainly, number_rows.tokenise_compiled):
        out = np.full((1, 3), np.nan)
        end = len(line) + (tokenise is number_rows.tokenise_compiled)  # which adds a line feed
        assert tokenise(line, len(line), out, 0, 1, 0, 1) == (1, 1, end, False, np.abs(out).max())
        for word, value in zip(words, out[0], strict=True):
            exact = len(word.lower().partition("e")[0].strip("+-0").replace(".", "")) <= 15 and "e" not in word.lower()
            assert value == float(word) if exact else value == pytest.approx(float(word), rel=2e-15, abs=1e-307)
