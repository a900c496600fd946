"""Generative models of motion: minimal coordinates, contiguous splits; they sample, score and complete clips."""
