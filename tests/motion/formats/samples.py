"""A small BVH file, and kinematics of BVH text written apart from the package: matrices, joint by joint."""

import numpy as np

BVH = """HIERARCHY
ROOT Hips
{
	OFFSET 0.0 0.0 0.0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
	JOINT Spine
	{
		OFFSET 0.0 10.0 -1.0
		CHANNELS 3 Yrotation Zrotation Xrotation
		JOINT Head
		{
			OFFSET 0.5 50.0 2.0
			CHANNELS 3 Zrotation Yrotation Xrotation
			End Site
			{
				OFFSET 0.0 20.0 0.0
			}
		}
	}
	JOINT LeftUpLeg
	{
		OFFSET 9.0 -5.0 0.0
		CHANNELS 3 Zrotation Xrotation Yrotation
		JOINT LeftLeg
		{
			OFFSET 0.0 -45.0 1.0
			CHANNELS 1 Xrotation
			JOINT LeftFoot
			{
				OFFSET 0.0 -42.0 -2.0
				CHANNELS 2 Zrotation Xrotation
				End Site
				{
					OFFSET 0.0 -5.0 12.0
				}
			}
		}
	}
	JOINT RightUpLeg
	{
		OFFSET -9.0 -5.0 0.0
		CHANNELS 3 Zrotation Xrotation Yrotation
		JOINT RightLeg
		{
			OFFSET 0.0 -45.0 1.0
			CHANNELS 1 Xrotation
			JOINT RightFoot
			{
				OFFSET 0.0 -42.0 -2.0
				CHANNELS 2 Zrotation Xrotation
				End Site
				{
					OFFSET 0.0 -5.0 12.0
				}
			}
		}
	}
}
MOTION
Frames: {frames}
Frame Time: {time}
"""
N_CHANNELS = 24


def bvh_text(n_frames: int = 5, seed: int = 0, time: str = "0.0083333") -> str:
    """A file of this skeleton in centimetres, Y up, with a smooth random motion."""
    generator = np.random.default_rng(seed)
    waves = generator.normal(size=(3, N_CHANNELS)) * 30.0
    t = np.linspace(0.0, 1.0, n_frames)[:, None]
    rows = waves[0] + waves[1] * np.sin(3.0 * t) + waves[2] * np.cos(2.0 * t)
    rows[:, :3] = rows[:, :3] * 0.1 + np.array([3.0, 95.0, -7.0])
    lines = [" ".join(f"{value:.4f}" for value in row) for row in rows]
    return BVH.replace("{frames}", str(n_frames)).replace("{time}", time) + "\n".join(lines) + "\n"


def axis_matrix(axis: str, degrees: float) -> np.ndarray:
    """``(3, 3)`` turn about a coordinate axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrices = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return np.array(matrices[axis])


def bvh_positions(text: str, frames: list[int]) -> tuple[list[str], np.ndarray]:
    """Names of joints and their positions ``(len(frames), n, 3)`` in the file's axes and units, from the text alone.

    Position channels of a root take the place of its offset, which holds for the files that the tests use.
    """
    head, _, body = text.partition("MOTION")
    rows = [line.split() for line in body.strip().splitlines()[2:] if line.strip()]
    names, parents, offsets, channels, open_ = [], [], [], [], []
    for line in head.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in ("ROOT", "JOINT"):
            parents.append(open_[-1] if open_ else None)
            open_.append(len(names))
            names.append(words[1])
        elif words[0] == "End":
            open_.append(None)
        elif words[0] == "OFFSET" and open_[-1] is not None:
            offsets.append(np.array([float(w) for w in words[1:]]))
        elif words[0] == "CHANNELS":
            channels.append(words[2:])
        elif words[0] == "}":
            open_.pop()
    out = np.empty((len(frames), len(names), 3))
    for i, frame in enumerate(frames):
        numbers = iter([float(w) for w in rows[frame]])
        turns = []
        for joint, parent in enumerate(parents):
            place, turn = offsets[joint].copy(), np.eye(3)
            for channel in channels[joint]:
                value = next(numbers)
                if channel.endswith("position"):
                    place["XYZ".index(channel[0])] = value
                else:
                    turn = turn @ axis_matrix(channel[0].lower(), value)
            if parent is not None:
                place = out[i, parent] + turns[parent] @ place
                turn = turns[parent] @ turn
            out[i, joint] = place
            turns.append(turn)
    return names, out


def in_suite(points: np.ndarray, metres: float) -> np.ndarray:
    """Y up, Z forward and file units to Z up, X forward and metres."""
    return points[..., [2, 0, 1]] * metres
