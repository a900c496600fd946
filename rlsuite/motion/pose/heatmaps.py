"""The estimator by heatmaps: each point where its heatmap peaks, between cells; and how its network is trained."""

from __future__ import annotations

from rlsuite.motion.pose.tracking import CropEstimator, Evidence, Reading
from rlsuite.motion.pose.training import train

__all__ = ["HeatmapEstimator", "train"]


class HeatmapEstimator(CropEstimator):
    """Every point for itself: the peak of its heatmap (DARK), with the mass around it for confidence."""

    name = "heatmaps"

    def read(self, evidence: Evidence) -> Reading:
        decoded = self.codec.decode(evidence.maps)
        return Reading(decoded.points / self.codec.size, decoded.confidence, evidence.relative)
