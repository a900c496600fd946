"""Autoregressive models: p(x) = Πᵢ p(xᵢ | x₁ … xᵢ₋₁), exact densities, one entry drawn after the other."""
