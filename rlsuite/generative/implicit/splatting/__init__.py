"""Gaussian splatting: a scene as a cloud of coloured Gaussians, its pictures, and clouds fitted to pictures."""
