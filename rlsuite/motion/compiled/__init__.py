"""Inverse kinematics in compiled loops over the frames; imported only where poses are searched for."""
