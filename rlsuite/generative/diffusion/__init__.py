"""Diffusion models: noise added little by little, and a network that takes it away; schedules and samplers stand apart."""
