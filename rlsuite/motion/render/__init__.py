"""Pictures of bodies in motion, with or without a graphics driver."""
