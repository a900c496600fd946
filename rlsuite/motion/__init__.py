"""Motion: bodies, clips, readers, retargeting, checking, metrics and pictures."""
