"""Models known by an energy or by a Markov chain: Boltzmann machines, generative stochastic networks."""
