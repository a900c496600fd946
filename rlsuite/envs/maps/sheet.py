"""A picture of many maps: walls, starts, goals, pits, the shortest way, and a line below each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlsuite.envs.finite.rendering import AGENT, CELL_COLOURS, GRID, INK, PAPER
from rlsuite.envs.maps.cells import FREE, GOAL, PIT, START, Chars, solution

if TYPE_CHECKING:
    from PIL import ImageDraw

MAP_SIDE = 168  # pixels, about
GAP, CAPTION = 16, 22
SMOOTHING = 3  # drawn so many times larger, then reduced
WAY, FAULT = (147, 184, 245), (220, 38, 38)
MARKS = {START: AGENT, GOAL: (22, 163, 74), PIT: (153, 27, 27)}


def write_sheet(path: str | Path, maps: Chars, captions: Sequence[str] = (), columns: int | None = None) -> Path:
    """Draw ``(n, rows, cols)`` maps to an image file; maps that cannot be solved have a red frame. Returns the path."""
    from PIL import Image, ImageDraw, ImageFont

    n, rows, cols = maps.shape
    columns = columns or min(n, max(4, math.ceil(math.sqrt(1.6 * n))))
    cell = max(4, MAP_SIDE // max(rows, cols))
    width, height = cols * cell, rows * cell
    down, right = height + GAP + (CAPTION if captions else 0), width + GAP
    size = (columns * right + GAP, -(-n // columns) * down + GAP)
    image = Image.new("RGB", (size[0] * SMOOTHING, size[1] * SMOOTHING), PAPER)
    draw = ImageDraw.Draw(image)
    for i, cells in enumerate(maps):
        left, top = GAP + i % columns * right, GAP + i // columns * down
        _draw_map(draw, cells, left * SMOOTHING, top * SMOOTHING, cell * SMOOTHING)
        if i < len(captions):
            font = ImageFont.load_default(12 * SMOOTHING)
            at = ((left + width / 2) * SMOOTHING, (top + height + 12) * SMOOTHING)
            draw.text(at, captions[i], fill=INK, font=font, anchor="mm")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.resize(size, Image.Resampling.LANCZOS).save(path)
    return path


def _draw_map(draw: ImageDraw.ImageDraw, cells: Chars, left: int, top: int, side: int) -> None:
    rows, cols = cells.shape

    def middle(row: int, col: int) -> tuple[float, float]:
        return left + (col + 0.5) * side, top + (row + 0.5) * side

    for row in range(rows):
        for col in range(cols):
            character = str(cells[row, col])
            box = (left + col * side, top + row * side, left + (col + 1) * side, top + (row + 1) * side)
            colour = CELL_COLOURS[character if character != PIT else FREE]
            draw.rectangle(box, fill=colour, outline=GRID if character != "#" else colour)
    way = solution(cells)
    if way:
        draw.line([middle(*cell) for cell in way], fill=WAY, width=max(1, side // 5), joint="curve")
    for row in range(rows):
        for col in range(cols):
            mark = MARKS.get(str(cells[row, col]))
            if mark is not None:
                (x, y), r = middle(row, col), 0.32 * side
                draw.ellipse((x - r, y - r, x + r, y + r), fill=mark)
    frame = (left - 1, top - 1, left + cols * side + 1, top + rows * side + 1)
    draw.rectangle(frame, outline=INK if way else FAULT, width=SMOOTHING if way else 3 * SMOOTHING)
