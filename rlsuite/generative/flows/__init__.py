"""Normalizing flows: an invertible map from events to codes whose density is known."""
