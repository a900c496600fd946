"""Latent-variable models: autoencoders, and variational ones of every kind."""
