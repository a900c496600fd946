"""Speed of the motion wing beside its peers, in one run: ``python benchmarks/motion.py [--quick] [--only PART …]``.

(a) reading BVH against the Python readers of the package index, in an environment of their own
    (``sh benchmarks/bvh_readers_env.sh`` makes it), equal outputs asserted;
(b) forward kinematics of 10 000 poses and 4096 reference states in one call against loops and torch, likewise;
(c) retargeting to the humanoid against real time, on one core.

Times are the processor's, on one core. Prints a table for each, what the suite aims at, and, as its last line, one JSON
object of named ratios, rounded down.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before numpy

import motion_bvh
import motion_retarget
import motion_sampling

PARTS = ("bvh", "sampling", "retarget")
AIMS = {
    "bvh/channels/over-fastest": 5.0,
    "bvh/channels/over-bvh": 20.0,
    "bvh/clip/over-fastest": 5.0,
    "bvh/clip/over-fastest-quaternions": 5.0,
    "bvh/clip/over-bvh": 20.0,
    "kinematics/over-mj_kinematics-loop": 1.0,
    "sampling/over-slerp-loop": 1.0,
    "retarget/real-time": 10.0,
    "retarget/slowest": 10.0,
    "import/slowest": 10.0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: smaller files, fewer rounds")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="the parts to run; default: all")
    parser.add_argument("--bvh", type=Path, metavar="FILE", help="a BVH file to read instead of a synthetic one")
    parser.add_argument("--clips", nargs="+", type=Path, metavar="FILE", help="motion files to retarget")
    arguments = parser.parse_args()
    ratios: dict[str, float] = {}
    for part in arguments.only:
        print(f"\n({'abc'[PARTS.index(part)]})", end=" ")
        if part == "bvh":
            ratios |= motion_bvh.benchmark(arguments.quick, arguments.bvh)
        elif part == "sampling":
            ratios |= motion_sampling.benchmark(arguments.quick)
        else:
            ratios |= motion_retarget.benchmark(arguments.quick, arguments.clips)
    print(f"\n{'ratio':<40}{'measured':>10}{'aim':>8}")
    for name, aim in AIMS.items():
        if name in ratios:
            print(f"{name:<40}{ratios[name]:>10}{aim:>8.0f}{'' if ratios[name] >= aim else '  missed'}")
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
