"""Drawing an agent on its map: as text, as an image, in a window."""

from __future__ import annotations

import math
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from rlsuite.envs.finite.layout import Layout, Panel

if TYPE_CHECKING:
    from PIL import Image, ImageFont

PAPER, INK, GRID = (255, 255, 255), (71, 85, 105), (222, 227, 234)
AGENT = (37, 99, 235)
CELL_COLOURS = {
    "#": (55, 65, 81),
    ".": (248, 250, 252),
    "S": (224, 236, 253),
    "G": (213, 243, 222),
    "H": (253, 228, 226),
    "C": (240, 171, 130),
    "K": (254, 243, 199),
    "D": (222, 202, 178),
    "T": (232, 236, 241),
    " ": PAPER,
}
LETTER_COLOURS = {"S": (96, 140, 210), "K": (180, 130, 20), "D": (120, 84, 48)}
LARGEST_CELL, LARGEST_SIDE = 64, 800  # pixels
SMOOTHING = 4  # everything is drawn this many times larger and then reduced


def text(layout: Layout, state: int, action: int | None) -> str:
    """The panel that holds ``state``, with the agent as ``@``, below the last action."""
    panel, (row, col) = locate(layout, state)
    cells = panel.cells.copy()
    cells[row, col] = "@"
    lines = [f"({layout.action_names[action]})" if action is not None else ""]
    if panel.title:
        lines.append(panel.title)
    width = max((len(label) for label in panel.row_labels), default=0)
    for r, line in enumerate(cells):
        label = f"{panel.row_labels[r]:>{width}} " if panel.row_labels else ""
        lines.append(label + " ".join(line))
    return "\n".join(lines) + "\n"


def locate(layout: Layout, state: int) -> tuple[Panel, tuple[int, int]]:
    """The first panel on which ``state`` lies, and its cell there."""
    for panel in layout.panels:
        at = np.argwhere(panel.states == state)
        if at.size:
            return panel, (int(at[0, 0]), int(at[0, 1]))
    raise ValueError(f"no panel of the layout shows state {state}")


class Painter:
    """Draws frames of one layout; the empty map is drawn once."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._backgrounds: dict[int, Image.Image] = {}
        shape = np.max([panel.cells.shape for panel in layout.panels], axis=0)
        self.cell = int(np.clip(LARGEST_SIDE // int(shape.max()), 1, LARGEST_CELL))
        panels = layout.panels
        self.margin = 10
        self.left = self.margin + (30 if any(p.row_labels for p in panels) else 0)
        self.left += 22 if any(p.row_name for p in panels) else 0
        self.top = self.margin + (24 if any(p.title for p in panels) else 0)
        self.top += (18 if any(p.col_labels for p in panels) else 0) + (20 if any(p.col_name for p in panels) else 0)
        self.footer = 0 if layout.action_arrows is not None else 26
        width = self.left + int(shape[1]) * self.cell + self.margin
        height = self.top + int(shape[0]) * self.cell + self.margin + self.footer
        self.size = (max(width + width % 2, 160), height + height % 2)  # even sides: video encoders want them

    def frame(self, state: int, action: int | None) -> NDArray[np.uint8]:
        """``(height, width, 3)`` picture of the agent in ``state`` after ``action``."""
        panel, (row, col) = locate(self.layout, state)
        image = self._background(panel).copy()
        agent = self._agents[action if self._arrows else None]
        image.paste(agent, (self.left + col * self.cell, self.top + row * self.cell), agent)
        if self.footer and action is not None:
            from PIL import ImageDraw

            name = self.layout.action_names[action]
            caption = ImageDraw.Draw(image)
            at = (self.left, self.size[1] - self.margin - 8)
            caption.text(at, f"action: {name}", fill=INK, font=_font(15), anchor="lm")
        return np.asarray(image, dtype=np.uint8).copy()

    @property
    def _arrows(self) -> bool:
        return self.layout.action_arrows is not None

    @cached_property
    def _agents(self) -> dict[int | None, Image.Image]:
        """One transparent tile per action: the agent with an arrow in the direction it last went."""
        tiles: dict[int | None, Image.Image] = {None: self._agent(None)}
        if self.layout.action_arrows is not None:
            tiles |= {a: self._agent(arrow) for a, arrow in enumerate(self.layout.action_arrows)}
        return tiles

    def _agent(self, arrow: NDArray[np.int64] | None) -> Image.Image:
        from PIL import Image, ImageDraw

        side = self.cell * SMOOTHING
        tile = Image.new("RGBA", (side, side), (*AGENT, 0))
        draw = ImageDraw.Draw(tile)
        inset = 0.14 * side if self.cell >= 12 else 0
        draw.ellipse((inset, inset, side - 1 - inset, side - 1 - inset), fill=(*AGENT, 255))
        if arrow is not None and self.cell >= 12:
            if np.any(arrow):
                draw.polygon(_arrowhead(side, arrow), fill=(255, 255, 255, 255))
            else:
                r = 0.08 * side
                draw.ellipse((side / 2 - r, side / 2 - r, side / 2 + r, side / 2 + r), fill=(255, 255, 255, 255))
        return tile.resize((self.cell, self.cell), Image.Resampling.BOX)

    # -- the empty map ------------------------------------------------------------------------------------------------

    def _background(self, panel: Panel) -> Image.Image:
        key = id(panel)
        if key not in self._backgrounds:
            self._backgrounds[key] = self._draw_background(panel)
        return self._backgrounds[key]

    def _draw_background(self, panel: Panel) -> Image.Image:
        from PIL import Image

        colours = np.empty((*panel.cells.shape, 3), np.uint8)
        for character in np.unique(panel.cells):
            colours[panel.cells == character] = CELL_COLOURS.get(str(character), CELL_COLOURS["."])
        tiles = colours.repeat(self.cell, axis=0).repeat(self.cell, axis=1)
        if self.cell >= 6:
            for r, c in np.argwhere(~np.isin(panel.cells, (" ", "#"))):
                box = tiles[r * self.cell : (r + 1) * self.cell, c * self.cell : (c + 1) * self.cell]
                box[0] = box[-1] = box[:, 0] = box[:, -1] = GRID
        image = Image.new("RGB", self.size, PAPER)
        image.paste(Image.fromarray(tiles), (self.left, self.top))
        if self.cell >= 14:
            for r, c in np.argwhere(~np.isin(panel.cells, (".", "#", " "))):
                mark = self._mark(str(panel.cells[r, c]))
                image.paste(mark, (self.left + int(c) * self.cell, self.top + int(r) * self.cell), mark)
        self._write_labels(image, panel)
        return image

    def _mark(self, character: str) -> Image.Image:
        """A transparent tile with the sign of a cell: a star, a hole, rocks, or a letter."""
        from PIL import Image, ImageDraw

        side = self.cell * SMOOTHING
        tile = Image.new("RGBA", (side, side), (255, 255, 255, 0))
        draw = ImageDraw.Draw(tile)
        if character == "G":
            draw.polygon(_star(side), fill=(22, 163, 74, 255))
        elif character == "H":
            draw.ellipse((0.22 * side, 0.3 * side, 0.78 * side, 0.7 * side), fill=(153, 27, 27, 255))
            draw.ellipse((0.27 * side, 0.37 * side, 0.73 * side, 0.69 * side), fill=(69, 10, 10, 255))
        elif character == "C":
            for x, y, size in ((0.34, 0.74, 0.3), (0.62, 0.74, 0.46)):
                peak = [
                    (side * (x - size / 2), side * y),
                    (side * x, side * (y - size)),
                    (side * (x + size / 2), side * y),
                ]
                draw.polygon(peak, fill=(146, 72, 32, 255))
        else:
            colour = (*LETTER_COLOURS.get(character, INK), 255)
            draw.text((side / 2, side / 2), character, fill=colour, font=_font(side * 0.5), anchor="mm")
        return tile.resize((self.cell, self.cell), Image.Resampling.BOX)

    def _write_labels(self, image: Image.Image, panel: Panel) -> None:
        from PIL import Image, ImageDraw

        draw = ImageDraw.Draw(image)
        n_rows, n_cols = panel.cells.shape
        middle = self.left + n_cols * self.cell / 2
        y = self.margin
        if panel.title:
            draw.text((self.left, y + 8), panel.title, fill=INK, font=_font(16), anchor="lm")
            y += 24
        if panel.col_name:
            draw.text((middle, y + 8), panel.col_name, fill=INK, font=_font(14), anchor="mm")
        for c, label in enumerate(panel.col_labels):
            if self._label_fits(c, n_cols):
                x = self.left + (c + 0.5) * self.cell
                draw.text((x, self.top - 9), label, fill=INK, font=_font(13), anchor="mm")
        for r, label in enumerate(panel.row_labels):
            if self._label_fits(r, n_rows):
                draw.text(
                    (self.left - 6, self.top + (r + 0.5) * self.cell), label, fill=INK, font=_font(13), anchor="rm"
                )
        if panel.row_name:
            strip = Image.new("RGB", (n_rows * self.cell, 20), PAPER)
            ImageDraw.Draw(strip).text((strip.width / 2, 10), panel.row_name, fill=INK, font=_font(14), anchor="mm")
            image.paste(strip.rotate(90, expand=True), (self.margin - 4, self.top))

    def _label_fits(self, i: int, n: int) -> bool:
        return self.cell >= 18 or i % math.ceil(18 / self.cell) == 0


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _star(side: float) -> list[tuple[float, float]]:
    """Corners of a five-pointed star in a square tile."""
    corners = []
    for i in range(10):
        radius = side * (0.34 if i % 2 == 0 else 0.14)
        angle = math.pi * (i / 5 - 0.5)
        corners.append((side / 2 + radius * math.cos(angle), side / 2 + radius * math.sin(angle) + 0.02 * side))
    return corners


def _arrowhead(side: float, arrow: NDArray[np.int64]) -> list[tuple[float, float]]:
    """Corners of an arrow in a square tile that points along ``arrow`` (down, right)."""
    angle = math.atan2(float(arrow[0]), float(arrow[1]))
    shape = [(0.22, 0.0), (0.02, 0.17), (0.02, 0.06), (-0.2, 0.06), (-0.2, -0.06), (0.02, -0.06), (0.02, -0.17)]
    cos, sin = math.cos(angle), math.sin(angle)
    return [(side * (0.5 + x * cos - y * sin), side * (0.5 + x * sin + y * cos)) for x, y in shape]


class Window:
    """A window on the screen, by pygame, which is imported when the first one opens."""

    def __init__(self, title: str, shape: tuple[int, int], fps: int) -> None:
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        try:
            import pygame
        except ImportError as error:
            raise gym.error.DependencyNotInstalled(
                'human rendering needs pygame; install it with: pip install "gymnasium[toy-text]"'
            ) from error
        self._pygame: Any = pygame
        self._fps = fps
        pygame.display.init()
        self._screen = pygame.display.set_mode((shape[1], shape[0]))
        pygame.display.set_caption(title)
        self._clock = pygame.time.Clock()

    def show(self, frame: NDArray[np.uint8]) -> None:
        """Put a frame on the screen and wait until it is due."""
        self._pygame.event.pump()
        self._pygame.surfarray.blit_array(self._screen, frame.swapaxes(0, 1))
        self._pygame.display.flip()
        self._clock.tick(self._fps)

    def close(self) -> None:
        self._pygame.display.quit()
