"""Levels: gridworld maps made by generators, read from files, learned by generative models, and played as environments."""
