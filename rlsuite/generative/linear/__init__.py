"""Linear models with closed forms: the baselines that others must beat, and the oracles that test them."""
