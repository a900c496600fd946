"""Implicit models: shapes and colours as functions of a point in space, and pictures of them.

A field answers questions about points (:mod:`.field`); a renderer asks it along the rays of a camera. Pure torch: poses,
MuJoCo and files of motion are known to :mod:`rlsuite.motion`, whose ``Camera`` has what :class:`.cameras.Pinhole` asks for.
"""
