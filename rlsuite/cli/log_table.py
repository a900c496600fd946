"""The table of one log entry, drawn as stable-baselines3 draws it: sorted keys in groups, in a dashed box.

----------------------------------
| rollout/           |           |
|    ep_rew_mean     | 21.7      |
| time/              |           |
|    fps             | 2130      |
----------------------------------
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAX_LENGTH = 36  # of a key or a value; the table is then at most 79 characters wide
INDENT = "   "  # of a key in its group, after the space that follows the bar


def log_table(row: Mapping[str, Any], max_length: int = MAX_LENGTH) -> str:
    """``row`` as lines that end in a newline; an empty row is the empty string.

    The part of a key up to its first slash is its group. A ``float`` has three significant digits; anything else,
    whole numbers among them, is printed in full. Longer keys and values than ``max_length`` end in three dots.
    """
    cells = [(_cut(left, max_length), _cut(right, max_length)) for left, right in _cells(row)]
    if not cells:
        return ""
    left_width, right_width = (max(map(len, column)) for column in zip(*cells, strict=True))
    rule = "-" * (left_width + right_width + len("|  |  |"))
    body = [f"| {left:<{left_width}} | {right:<{right_width}} |" for left, right in cells]
    return "\n".join([rule, *body, rule, ""])


def _cells(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Left and right cell of each line: a group's name once, before its first key."""
    header = ""
    for key in sorted(row):
        group, slash, name = key.partition("/")
        grouped = bool(group and slash)
        if grouped and header != group:
            header = group
            yield f"{group}/", ""
        yield INDENT + name if grouped else key, _text(row[key])


def _text(value: Any) -> str:
    return f"{value:<8.3g}" if isinstance(value, float) else str(value)


def _cut(text: str, max_length: int) -> str:
    return text if len(text) <= max_length else text[: max_length - 3] + "..."
