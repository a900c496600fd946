"""Pictures of bodies in motion, with or without a graphics driver."""

from rlsuite.motion.render.look import DAYLIGHT, PAPER, Look
from rlsuite.motion.render.picture import Render
from rlsuite.motion.render.renderer import Renderer
from rlsuite.motion.render.scene import Actor, Label, Mark, Scene
from rlsuite.motion.render.strip import pose_strip, write_strip
from rlsuite.motion.render.video import Track, write_video

__all__ = [
    "DAYLIGHT", "PAPER", "Actor", "Label", "Look", "Mark", "Render", "Renderer", "Scene", "Track", "pose_strip",
    "write_strip", "write_video",
]  # fmt: skip
