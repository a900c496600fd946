"""``python -m rlsuite.motion.synthesis FOLDER``: make the shipped clips anew."""

from __future__ import annotations

import sys

from rlsuite.motion.synthesis.shipped import write_shipped


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m rlsuite.motion.synthesis FOLDER", file=sys.stderr)
        return 2
    for path in write_shipped(arguments[0]):
        print(path)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
