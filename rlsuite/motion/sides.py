"""Left and right, told by names: which of a skeleton's bodies are each other's mirror images."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Where a name may tell its side. Generous, because a swap counts only where it gives the name of another body:
# left and right anywhere; a lone l or r that begins or ends the name or a part of it; FL, RR, ... of four-legged robots.
_SIDES = re.compile(
    r"(?i:left|right)|(?:^|(?<=[_.\-: ]))[lrLR](?=[A-Za-z_.\-: ])|(?<=[_.\-: ])[lrLR](?=[_.\-: ]|$)"
    r"|(?<=[a-z0-9])[LR]$|(?:(?<=^[FRH])|(?<=[_.\-: ][FRH]))[LR](?=[_.\-: ]|$)"
)
_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}


def partners(names: Sequence[str]) -> tuple[int, ...]:
    """For each name the index of the one on the other side; a name without a side, or a partner, is its own."""
    index = {name: i for i, name in reversed(list(enumerate(names)))}
    found = []
    for name in names:
        swapped = (name[: m.start()] + _other_side(m.group()) + name[m.end() :] for m in _SIDES.finditer(name))
        found.append(next((index[other] for other in swapped if other in index), -1))
    return tuple(j if j >= 0 and found[j] == i else i for i, j in enumerate(found))


def _other_side(word: str) -> str:
    other = _OTHER_SIDE[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other
