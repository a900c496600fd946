"""Map files: round trips, and faults with their lines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlsuite.envs.maps import generators, map_files
from rlsuite.errors import MapFormatError


def test_what_is_written_is_read(tmp_path):
    maps = generators.generate(["rooms", "cave"], 8, 5, seed=0)
    path = map_files.write_maps(tmp_path / "maps.txt", maps, [f"map {i}" for i in range(5)])
    assert np.array_equal(map_files.read_maps(path), maps)
    assert path.read_text().startswith("; map 0\n") and path.read_text().count("\n\n") == 4


def test_gymnasium_s_frozen_lake_is_a_map(tmp_path):
    from gymnasium.envs.toy_text.frozen_lake import MAPS

    path = tmp_path / "lake.txt"
    path.write_text("\r\n".join(MAPS["8x8"]) + "\r\n")
    maps = map_files.read_maps(path)
    assert maps.shape == (1, 8, 8) and maps[0, 0, 0] == "S" and (maps == "H").sum() == 10 and not (maps == "F").any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("S.\n.G\n\nS.\n.x\n", r"maps\.txt, line 5, column 2: 'x' is no cell"),
        ("S.\n.G.\n", r"line 2: 3 cells where other rows have 2"),
        ("S.\n.G\n\n\n; remark\nS..\n..G\n", r"line 6: 3 cells where other rows have 2"),
        ("S.\n.G\n\nS.\n.G\n..\n", r"line 6: a map of 3 rows where the first has 2"),
        ("S.\n..\n", r"line 2: the map that ends here has 1 starts and 0 goals"),
        ("S.\n.G\n\n..\n..\n", r"line 5: some maps of this file have a start"),
        ("SG\n", r"line 1: a map of 1 rows"),
        ("S\nG\n", r"line 1: 1 cells; a map has 2 to 64"),
        ("; nothing\n\n", r"holds no map"),
        ("", r"holds no map"),
    ],
)
def test_faults_are_named_with_their_line(tmp_path, text, message):
    path = tmp_path / "maps.txt"
    path.write_text(text)
    with pytest.raises(MapFormatError, match=message):
        map_files.read_maps(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(MapFormatError, match="No such file"):
        map_files.read_maps(tmp_path / "absent.txt")
    with pytest.raises(MapFormatError, match="directory"):
        map_files.read_maps(tmp_path)
    (tmp_path / "bytes.txt").write_bytes(b"S.\n\xff\xfe\n")
    with pytest.raises(MapFormatError, match="line 2: is no text"):
        map_files.read_maps(tmp_path / "bytes.txt")
    (tmp_path / "large.txt").write_bytes(b"." * (map_files.LARGEST_FILE + 1))
    with pytest.raises(MapFormatError, match="more than 16 MiB"):
        map_files.read_maps(tmp_path / "large.txt")


@given(st.binary(max_size=200))
def test_any_bytes_are_maps_or_a_format_error(tmp_path_factory, raw):
    path = tmp_path_factory.mktemp("any") / "maps.txt"
    path.write_bytes(raw)
    try:
        maps = map_files.read_maps(path)
    except MapFormatError:
        return
    assert maps.ndim == 3 and set(maps.ravel()) <= set(".#SGH")
