"""Deep agents: networks on torch, learning from batches of environments."""
