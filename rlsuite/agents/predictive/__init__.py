"""Predictive control: agents that plan anew in every step, by simulating the environment from the state it is in."""
