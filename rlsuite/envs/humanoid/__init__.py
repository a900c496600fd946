"""The simulated humanoid: imitation of a clip as Gymnasium environments, one at a time or many on MuJoCo's thread pool."""
