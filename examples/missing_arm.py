"""An arm that was not recorded: models of poses put it back, and the error tells which of them knows more of motion.

    python missing_arm.py [CLIP…] [--steps 600] [--out made]

Each model is fitted to poses of the clips (shipped ones, unless others are named), the right arm is taken from every clip,
and put back by what the model finds usual given the rest of the body: PPCA by the exact conditional of a Gaussian, the
orderless NADE entry by entry, the mean of eight draws each. `rlsuite motion view made/*.npz` shows the clips side by side.
"""

import argparse
from pathlib import Path

from rlsuite.motion import clip_files, metrics
from rlsuite.motion.catalogue import find
from rlsuite.motion.priors.completion import at_rate, complete
from rlsuite.motion.priors.prior import MotionPrior, motion_data

ARM = ("right_upper_arm", "right_lower_arm")
MODELS = ("ppca", "orderless-nade")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clips", nargs="*", default=["walk", "walk_slow", "walk_fast", "run"], metavar="CLIP")
    parser.add_argument("--steps", type=int, default=600, help="of a fit (default: 600)")
    parser.add_argument("--out", type=Path, default=Path("made"), help="folder of the clips that are made")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    clips = [find(name) for name in options.clips]
    poses = motion_data(clips, "pose")
    print("mean error over all bodies, mm:", *(f"{clip.name:>12}" for clip in clips))
    for model in MODELS:
        prior = MotionPrior.fit(model, poses, steps=options.steps, seed=0)
        errors = []
        for clip in clips:
            truth = at_rate(clip, prior.fps)
            whole = complete(prior, truth, joints=ARM, draws=8, seed=0)
            clip_files.save(whole, options.out / f"{clip.name}-{model}.npz")
            errors.append(1000 * metrics.compare(truth, whole)["mpjpe"])
        print(f"{model:30}", *(f"{error:12.1f}" for error in errors))


if __name__ == "__main__":
    main()
