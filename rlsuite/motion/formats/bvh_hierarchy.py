"""The head of a BVH file: its joints with offsets and channels, the number of frames and the time between them.

Biovision's format as its readers take it: keywords in any case, names up to the end of the line (3ds Max writes spaces),
braces on their own lines or not, one or several roots. Nesting is a list, never the call stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from rlsuite.motion.formats.text import TextFile, name_of, shortened

MAX_JOINTS = 2048
MAX_HEADER_LINES = 1 << 16
CHANNELS = {
    "xposition": "X", "yposition": "Y", "zposition": "Z", "xrotation": "x", "yrotation": "y", "zrotation": "z",
}  # fmt: skip
COMMON_RATES = (24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 150, 180, 200, 240, 250, 300, 360, 400, 480, 500, 1000)


@dataclass(eq=False)
class BvhJoint:
    """One joint of the file, in its coordinates and units.

    Attributes:
        parent: index, -1 for a root. offset: from the parent. ends: offsets of its end sites.
        channels: one letter for each: ``XYZ`` positions along, ``xyz`` rotations about the axis.
        column: of its first channel.
    """

    name: str
    parent: int
    line: int
    offset: tuple[float, ...] | None = None
    channels: str | None = None
    column: int = 0
    ends: list[tuple[float, ...]] = field(default_factory=list)

    @property
    def positions(self) -> str:
        return "".join(c for c in self.channels or "" if c.isupper())

    @property
    def rotations(self) -> str:
        """Order of the rotations, intrinsic."""
        return "".join(c for c in self.channels or "" if c.islower())

    def columns(self, channels: str) -> list[int]:
        """Where the channels named by these letters stand; a letter that comes twice stands at both."""
        return [self.column + i for i, c in enumerate(self.channels or "") if c in channels]


@dataclass(frozen=True)
class Hierarchy:
    """joints: parents before children. frame_time: seconds, as written; fps: the rate that it stands for."""

    joints: tuple[BvhJoint, ...]
    n_channels: int
    n_frames: int
    frame_time: float
    fps: float


def parse(file: TextFile) -> Hierarchy:
    """Read ``file`` up to the first line of numbers.

    Raises:
        MotionFormatError: it is not the head of a BVH file.
    """
    words = _words(file)
    word = next(words, b"")
    if word.upper() != b"HIERARCHY":
        file.fail(f"HIERARCHY expected at the beginning of a BVH file, found {shortened(word)}", max(1, file.line))
    joints, n_channels = _joints(file, words)
    n_frames, frame_time, fps = _motion(file)
    return Hierarchy(joints, n_channels, n_frames, frame_time, fps)


def _words(file: TextFile) -> Iterator[bytes]:
    """Words of the hierarchy, braces apart; what follows ROOT, JOINT and End on the line is one word."""
    while line := file.read_line():
        if file.line > MAX_HEADER_LINES:
            file.fail(f"MOTION expected within {MAX_HEADER_LINES} lines")
        rest = line.replace(b"{", b" { ").replace(b"}", b" } ").replace(b"\0", b" ").strip()
        while rest:
            word, _, rest = rest.replace(b"\t", b" ").partition(b" ")
            rest = rest.lstrip()
            yield word
            if word.upper() in (b"ROOT", b"JOINT", b"END"):
                name, brace, rest = rest.partition(b"{")
                yield b" ".join(name.split())
                rest = brace + rest


def _joints(file: TextFile, words: Iterator[bytes]) -> tuple[tuple[BvhJoint, ...], int]:
    joints: list[BvhJoint] = []
    lines: dict[str, int] = {}
    open_: list[BvhJoint | None] = []  # None: an end site
    n_channels = 0
    for word in words:
        keyword, inside = word.upper(), open_[-1] if open_ else None
        if keyword == b"MOTION" and not open_:
            if not joints:
                file.fail("ROOT expected before MOTION")
            return tuple(joints), n_channels
        if keyword == (b"JOINT" if open_ else b"ROOT") and (not open_ or inside is not None):
            name = name_of(next(words, b""))
            if not name:
                file.fail(f"a name expected after {keyword.decode()}")
            if name in lines:
                file.fail(f"a second joint {shortened(name)} (the first is in line {lines[name]}); names must differ")
            if len(joints) == MAX_JOINTS:
                file.fail(f"more than {MAX_JOINTS} joints")
            lines[name] = file.line
            joint = BvhJoint(name, -1 if inside is None else joints.index(inside), file.line)
            joints.append(joint)
            open_.append(joint)
            _brace(file, words)
        elif keyword == b"END" and inside is not None:
            next(words, b"")  # Site
            open_.append(None)
            _brace(file, words)
            inside.ends.append((0.0, 0.0, 0.0))
        elif keyword == b"OFFSET" and open_:
            offset = tuple(file.number(name_of(next(words, b"")), "OFFSET") for _ in range(3))
            if inside is not None:
                inside.offset = offset
            else:
                site = open_[-2]
                if site is not None:
                    site.ends[-1] = offset
        elif keyword == b"CHANNELS" and inside is not None:
            if inside.channels is not None:
                file.fail(f"a second CHANNELS in joint {shortened(inside.name)}")
            inside.channels, inside.column = _channels(file, words), n_channels
            n_channels += len(inside.channels)
        elif keyword == b"}" and open_:
            closed = open_.pop()
            if closed is not None and closed.offset is None:
                file.fail(f"OFFSET expected in joint {shortened(closed.name)}")
        else:
            expected = (
                "ROOT or MOTION"
                if not open_
                else "OFFSET or }"
                if inside is None
                else "OFFSET, CHANNELS, JOINT, End Site or }"
            )
            file.fail(f"{expected} expected, found {shortened(word)}")
    file.fail("the file ends within the hierarchy; MOTION expected" if joints else "ROOT expected, the file ends")


def _brace(file: TextFile, words: Iterator[bytes]) -> None:
    word = next(words, b"")
    if word != b"{":
        file.fail(f"{{ expected, found {shortened(word)}")


def _channels(file: TextFile, words: Iterator[bytes]) -> str:
    count = name_of(next(words, b""))
    if not count.isascii() or not count.isdigit() or int(count[:9]) > 6:
        file.fail(f"CHANNELS: a number from 0 to 6 expected, found {shortened(count)}")
    channels = ""
    for _ in range(int(count)):
        name = name_of(next(words, b""))
        if name.lower() not in CHANNELS:
            file.fail(f"CHANNELS: Xposition, …, Zposition, Xrotation, …, Zrotation expected, found {shortened(name)}")
        channels += CHANNELS[name.lower()]
    rotations = [c for c in channels if c.islower()]
    positions = [c for c in channels if c.isupper()]
    if len(positions) != len(set(positions)) or len(rotations) > 3:
        file.fail("CHANNELS: each position once and at most 3 rotations expected")
    if any(a == b for a, b in pairwise(rotations)):
        file.fail("CHANNELS: two rotations about the same axis in succession")
    return channels


def _motion(file: TextFile) -> tuple[int, float, float]:
    count = _value(file, b"Frames")
    if not count.isascii() or not count.isdigit() or int(count[:16]) == 0:
        file.fail(f"Frames: a positive whole number expected, found {shortened(count)}")
    n_frames = int(count[:16])
    text = _value(file, b"Frame Time")
    frame_time = file.number(text, "Frame Time")
    if not 1e-6 <= frame_time <= 1e6:
        file.fail(f"Frame Time: seconds between frames, a positive number, expected, found {shortened(text)}")
    return n_frames, frame_time, rate_of(text, frame_time)


def _value(file: TextFile, key: bytes) -> str:
    """What stands after ``key:`` on the next line that is not blank."""
    line = b""
    while not line and (raw := file.read_line()):
        line = b" ".join(raw.split())
    name, colon, value = line.partition(b":")
    if not colon or name.strip().lower() != key.lower():
        file.fail(f"'{key.decode()}: …' expected, found {shortened(line) if line else 'the end of the file'}")
    return name_of(value.strip())


def rate_of(text: str, frame_time: float) -> float:
    """Frames per second that a printed, so rounded, frame time stands for: ``.0083333`` is 120, ``0.033367`` is 29.97.

    A whole rate where the reciprocal is one; else the nearest usual rate that is printed like this; else the reciprocal.
    """
    rate = 1.0 / frame_time
    if abs(rate - round(rate)) <= 1e-9 * rate:
        return float(round(rate))
    digits = text.lower().partition("e")[0].partition(".")[2]
    exponent = int(text.lower().partition("e")[2] or 0)
    half = 0.5000001 * 10.0 ** (exponent - len(digits))
    usual = [float(r) for r in COMMON_RATES] + [r / 1.001 for r in (24, 30, 60, 120)]
    printed_alike = [r for r in usual if abs(1.0 / r - frame_time) <= half]
    truncated_alike = [r for r in usual if 0.0 <= 1.0 / r - frame_time <= 2.0 * half]
    return min(printed_alike or truncated_alike, key=lambda r: (r % 1.0 > 0.0, abs(r - rate)), default=rate)
