"""The reader of NumPy's arrays: equal to NumPy's own on what NumPy writes."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlsuite.errors import MotionFormatError
from rlsuite.motion.formats import checks

KINDS = st.one_of(
    hnp.floating_dtypes(sizes=(16, 32, 64)), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.boolean_dtypes(),
    hnp.unicode_string_dtypes(min_len=1, max_len=5), hnp.byte_string_dtypes(min_len=1, max_len=5),
)  # fmt: skip
PLACE = Path("file.npz")


@settings(max_examples=200, deadline=None)
@given(array=hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)), fortran=st.booleans())
def test_arrays_are_those_that_numpy_wrote(array: np.ndarray, fortran: bool) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(array) if fortran and array.ndim > 1 else array)
    read = checks.npy_array(PLACE, buffer.getvalue(), "x")
    buffer.seek(0)
    expected = np.load(buffer, allow_pickle=False)
    assert read.shape == expected.shape
    if array.size:
        assert read.dtype == expected.dtype and read.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.0, np.nan]), r"x\[1\] is nan; expected a finite number of at most 1e\+06"),
        (np.array([[0.0, -2e6]]), r"x\[0, 1\] is -2e\+06"),
        (np.array(np.inf), "x is inf"),
        (np.frombuffer(b"\x00\x00\xa0\x7f", "<f4"), r"x\[0\] is nan"),  # signalling
    ],
)
def test_numbers_that_are_none(values: np.ndarray, message: str) -> None:
    with pytest.raises(MotionFormatError, match=f"^file.npz: {message}"):
        checks.finite(PLACE, values, "x")


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(MotionFormatError, match="not a file"):
        checks.read_bytes(Path("/dev/zero"))
    (tmp_path / "a").write_bytes(b"ab")
    with pytest.raises(MotionFormatError, match="more than 0 MiB"):
        checks.read_bytes(tmp_path / "a", limit=1)
    assert checks.read_bytes(tmp_path / "a", limit=2) == b"ab"


def test_words_fit_on_a_line() -> None:
    assert checks.printable("a\nb\x07" + "c" * 300) == "a?b?" + "c" * 196
    assert checks.words(np.array([b"\xe9", b"x\0"])) == ["é", "x"]
