"""Checking motion: what is wrong with a clip, in which frames, and by how much."""

from rlsuite.motion.quality.checking import check
from rlsuite.motion.quality.findings import Finding
from rlsuite.motion.quality.limits import Limits
from rlsuite.motion.quality.report import QualityReport

__all__ = ["Finding", "Limits", "QualityReport", "check"]
