"""Generative models of motion: coordinates, data sets with contiguous splits, and models that sample, score, complete clips."""
