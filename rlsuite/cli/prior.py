"""``rlsuite prior``: generative models of motion, fitted to clips; one file, as its verbs share their options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlsuite.cli.arguments import positive_int, seed

if TYPE_CHECKING:
    from rlsuite.motion.clip import MotionClip

BASELINES = {"pose": ("gaussian", "ppca"), "next": ("var",), "window": ("var",)}
LEARNED = (
    "vae, flow, maf, rnade, orderless-nade, diffusion (poses), motion-vae, cvae (next), wavenet, transformer (window)"
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "prior",
        help="fit generative models of motion; sample, score, complete and list them",
        description="Motion priors: generative models of poses, next frames or windows of motion, fitted to clips.",
        epilog="example:  rlsuite prior fit --model wavenet --out walk.safetensors && "
        "rlsuite prior sample walk.safetensors --out made.npz && rlsuite motion view made.npz",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))
    for add in (_add_fit, _add_sample, _add_score, _add_complete, _add_upsample, _add_list):
        add(verbs).add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
        )
    return parser


def run(arguments: argparse.Namespace) -> int:
    verb: Callable[[argparse.Namespace], int] = arguments.run_prior
    return verb(arguments)


def _add_fit(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "fit",
        help="fit a model to clips",
        description="Fit a model to clips: by default the shipped ones. The last fifth of every clip is held out; the score "
        "there is printed beside those of linear models, in nats per frame (lower is better), each number counted in "
        "units of its spread.",
    )
    parser.add_argument("--model", required=True, metavar="NAME", help=f"e.g. {LEARNED}")
    parser.add_argument("--kind", metavar="KIND", help="pose, next or window (default: what the model is for)")
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="CLIP",
        help="clips or folders of clips, in any format (default: the shipped clips)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.safetensors in this folder")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("--fps", type=float, default=24.0, metavar="HZ", help="rate of its frames (default: 24)")
    parser.add_argument("--past", type=positive_int, default=3, metavar="N", help="frames seen before (default: 3)")
    parser.add_argument("--length", type=positive_int, default=8, metavar="N", help="frames of a window (default: 8)")
    parser.add_argument("--no-root", action="store_true", help="joints alone, without the root's place and motion")
    parser.add_argument("--no-mirror", action="store_true", help="do not train on mirror images as well")
    parser.add_argument(
        "--blur", type=float, default=0.0, metavar="X",
        help="blur the clips by so many times 0.06 rad in a joint; 1 for a prior that rewards simulated bodies (default: 0)",
    )  # fmt: skip
    parser.add_argument("--steps", type=positive_int, default=2000, metavar="N", help="updates at most (default: 2000)")
    parser.add_argument(
        "--set", dest="assignments", nargs="+", action="extend", default=[], metavar="NAME=VALUE",
        help="a hyperparameter of the model, as JSON: hidden=[128,128], or of the fit: learning_rate=3e-4",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="default: 0")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda … (default: auto)")
    parser.add_argument("--log-dir", type=Path, metavar="FOLDER", help="for TensorBoard")
    parser.set_defaults(run_prior=fit)
    return parser


def fit(arguments: argparse.Namespace) -> int:
    """Fit, score beside the linear models, save."""
    from rlsuite.cli.motion.clips import output
    from rlsuite.errors import HyperparameterError
    from rlsuite.generative import registry
    from rlsuite.generative.capabilities import Bound, Density
    from rlsuite.motion.priors.data import motion_data
    from rlsuite.motion.priors.prior import ALIASES, KIND, MotionPrior

    name = ALIASES.get(arguments.model, arguments.model)
    cls = registry.model_class(name)
    out = arguments.out or Path(f"{arguments.model}.safetensors")
    if out.suffix != ".safetensors":
        raise HyperparameterError(f"--out {out}: models are .safetensors files")
    output(out, force=arguments.force)
    kind = arguments.kind or KIND.get(name, "pose")
    data = motion_data(
        _clips(arguments.data), kind, fps=arguments.fps, root=not arguments.no_root, past=arguments.past,
        length=arguments.length, mirror=not arguments.no_mirror,
    )  # fmt: skip
    values = dict(_assignment(text) for text in arguments.assignments)
    rows = []
    prior = MotionPrior.fit(
        name, data, steps=arguments.steps, seed=arguments.seed, blur=arguments.blur, device=arguments.device, progress=True,
        log_dir=arguments.log_dir, **values,
    )  # fmt: skip
    if issubclass(cls, Density | Bound):
        rows += [_row(prior, arguments.model)]
    else:
        print(f"{arguments.model} has no likelihood to score, nor a bound of it")
    for baseline in BASELINES[data.kind]:
        rows += _baselines(baseline, data)
    prior.save(out)
    width = max((len(row[0]) for row in rows), default=0)
    for label, nats, frames, exact in rows:
        print(f"{label:<{width}}  {'' if exact else '≤ '}{nats:9.3f} nats per frame over {frames} held-out frames")
    seconds = prior.about["seconds"]
    print(f"{out}: {arguments.model} of {kind}s at {data.fps:g} Hz, {len(data.clips)} clips, fitted in {seconds} s")
    return 0


def _row(prior: Any, label: str) -> tuple[str, float, int, bool]:
    test = prior.about["test"]
    return label, test["nats_per_frame"], test["frames"], test["exact"]


def _baselines(name: str, data: Any) -> list[tuple[str, float, int, bool]]:
    """Linear models on the same frames: every order up to the past, or every size of code that is usual."""
    from dataclasses import replace

    from rlsuite.motion.priors.prior import MotionPrior

    if name == "var":
        found = []
        for order in range(1, data.past + 1):
            nearer = replace(data, kind="next", past=order)
            found.append(_row(MotionPrior.fit("var", nearer, steps=1), f"var({order})"))
        return found
    if name == "ppca":
        sizes = [k for k in (8, 12, 16) if k < data.coordinates.size]
        return [_row(MotionPrior.fit("ppca", data, steps=1, latent_size=k), f"ppca({k})") for k in sizes]
    return [_row(MotionPrior.fit(name, data, steps=1), name)]


def _add_sample(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "sample", help="draw clips", description="Draw clips from a prior; `rlsuite motion view` plays them."
    )
    parser.add_argument("prior", type=Path, metavar="PRIOR", help="a file of `rlsuite prior fit`")
    parser.add_argument("-n", type=positive_int, default=1, help="clips, or poses (default: 1; poses: 8)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each clip (default: 4)")
    parser.add_argument("--out", type=Path, metavar="CLIP", help="default: NAME.npz; of several NAME-0.npz …")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="default: 0")
    parser.set_defaults(run_prior=sample)
    return parser


def sample(arguments: argparse.Namespace) -> int:
    """Draw clips, check and write them."""
    from rlsuite.cli.motion.clips import clip_output
    from rlsuite.motion import clip_files, quality
    from rlsuite.motion.priors.prior import MotionPrior

    prior = MotionPrior.load(arguments.prior)
    n = max(arguments.n, 8) if prior.kind == "pose" and arguments.n == 1 else arguments.n
    first = arguments.out or Path(f"{arguments.prior.stem}.npz")
    count = 1 if prior.kind == "pose" else n
    paths = [first] if count == 1 else [first.with_name(f"{first.stem}-{i}{first.suffix}") for i in range(count)]
    for path in paths:
        clip_output(path, force=arguments.force)
    for clip, path in zip(prior.sample(n, seconds=arguments.seconds, seed=arguments.seed), paths, strict=True):
        report = quality.check(clip)
        clip_files.save(report.marked(clip), path)
        print(f"{path}: {clip.n_frames} frames at {clip.fps:g} Hz, {clip.duration:.2f} s; check: {report.verdict}")
    return 0


def _add_score(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "score",
        help="how likely clips are",
        description="Nats per frame of clips under a prior: the lower, the more like its training clips.",
    )
    parser.add_argument("prior", type=Path, metavar="PRIOR", help="a file of `rlsuite prior fit`")
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="clips or folders of clips")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run_prior=score)
    return parser


def score(arguments: argparse.Namespace) -> int:
    """Score every clip."""
    from rlsuite.motion.priors.prior import MotionPrior

    prior = MotionPrior.load(arguments.prior)
    found = [(clip.name, prior.score(clip)) for clip in _clips(arguments.clips)]
    if arguments.json:
        rows = [{"clip": n, "nats_per_frame": s.nats, "frames": s.frames, "exact": s.exact} for n, s in found]
        print(json.dumps(rows, indent=1))
        return 0
    width = max(len(name) for name, _ in found)
    for name, s in found:
        print(f"{name:<{width}}  {'' if s.exact else '≤ '}{s.nats:9.3f} nats per frame ({s.frames} frames)")
    return 0


def _add_complete(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "complete",
        help="fill in missing joints or frames of a clip",
        description="Fill in what is missing from a clip by a prior whose model can complete events: orderless-nade, ppca, "
        "gaussian, diffusion. Joints by a prior of poses or windows, frames by one of windows. The rest stays as it is.",
    )
    parser.add_argument("prior", type=Path, metavar="PRIOR", help="a file of `rlsuite prior fit`")
    parser.add_argument("clip", metavar="CLIP", help="name or file")
    parser.add_argument("--missing", nargs="+", default=[], metavar="JOINT", help="joints or parts of the body")
    parser.add_argument("--frames", type=_frames, metavar="A:B", help="from A up to before B, at the prior's rate")
    parser.add_argument("--draws", type=positive_int, default=1, metavar="N", help="mean of so many draws (default: 1)")
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="default: 0")
    _add_out(parser, "completed")
    parser.set_defaults(run_prior=complete)
    return parser


def complete(arguments: argparse.Namespace) -> int:
    """Fill in and write."""
    from rlsuite.motion import catalogue
    from rlsuite.motion.priors.completion import complete as fill
    from rlsuite.motion.priors.prior import MotionPrior

    path = _out(arguments, "completed")
    made = fill(
        MotionPrior.load(arguments.prior), catalogue.find(arguments.clip), joints=arguments.missing,
        frames=arguments.frames, draws=arguments.draws, seed=arguments.seed,
    )  # fmt: skip
    return _write(made, path)


def _add_upsample(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "upsample",
        help="more frames a second, by a conditional flow",
        description="Put frames between those of a slow clip (10 a second) by a learned spline and a conditional flow, "
        "fitted to fast ones (60 a second). Compare with --draws 0, the usual spline: see the documentation.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="file of the flow; with --fit it is written first")
    parser.add_argument("clip", metavar="CLIP", help="name or file")
    parser.add_argument("--fit", nargs="+", metavar="CLIP", help="fit to these clips or folders of clips first")
    parser.add_argument("--steps", type=positive_int, default=1000, metavar="N", help="of the fit (default: 1000)")
    parser.add_argument(
        "--draws", type=int, default=2, metavar="N",
        help="mean of so many draws, every other one opposite to the one before: 2 give the learned spline, "
        "1 a lively draw, 0 the usual spline (default: 2)",
    )  # fmt: skip
    parser.add_argument("--seed", type=seed, default=0, metavar="K", help="default: 0")
    _add_out(parser, "upsampled")
    parser.set_defaults(run_prior=upsample)
    return parser


def upsample(arguments: argparse.Namespace) -> int:
    """Fit where asked, then put frames in and write."""
    from rlsuite.cli.motion.clips import output
    from rlsuite.errors import MotionError
    from rlsuite.motion import catalogue
    from rlsuite.motion.priors.upsampling import FACTOR, FPS, Upsampler

    path = _out(arguments, "upsampled")
    clip = catalogue.find(arguments.clip)
    if arguments.fit:
        output(arguments.model, force=arguments.force)
        fast = [found for found in _clips(arguments.fit) if found.fps > FPS * FACTOR * 0.99]
        if not fast:
            raise MotionError(f"--fit: none of these clips has {FPS * FACTOR:g} frames a second or more")
        flow = Upsampler.fit(fast, steps=arguments.steps, seed=arguments.seed)
        flow.save(arguments.model)
        print(f"{arguments.model}: fitted to {len(fast)} clips of {FPS * FACTOR:g} Hz in {flow.about['seconds']} s")
    flow = Upsampler.load(arguments.model)
    return _write(flow.upsample(clip, draws=arguments.draws, seed=arguments.seed), path)


def _add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"default: CLIP-{what}.npz in this folder")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def _out(arguments: argparse.Namespace, what: str) -> Path:
    from rlsuite.cli.motion.clips import clip_output

    path: Path = arguments.out or Path(f"{Path(arguments.clip).stem}-{what}.npz")
    clip_output(path, force=arguments.force)
    return path


def _write(clip: MotionClip, path: Path) -> int:
    from rlsuite.motion import clip_files, quality

    report = quality.check(clip)
    clip_files.save(report.marked(clip), path)
    print(f"{path}: {clip.n_frames} frames at {clip.fps:g} Hz, {clip.duration:.2f} s; check: {report.verdict}")
    return 0


def _frames(text: str) -> tuple[int, int]:
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not A:B, two numbers of frames")
    return int(first), int(last)


def _add_list(verbs: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        "list",
        help="models that can be fitted, or priors in a folder",
        description="Without a folder: the generative models and what they can do. With one: the priors in it.",
    )
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="with priors")
    parser.set_defaults(run_prior=list_)
    return parser


def list_(arguments: argparse.Namespace) -> int:
    """One line a model, or a prior."""
    from rlsuite.errors import MotionError, RlsuiteError
    from rlsuite.generative import registry
    from rlsuite.generative.capabilities import capabilities
    from rlsuite.motion.priors.prior import MotionPrior

    if arguments.folder is None:
        for name in registry.model_names():
            print(f"{name:<22} {', '.join(capabilities(registry.model_class(name)))}")
        return 0
    if not arguments.folder.is_dir():
        raise MotionError(f"{arguments.folder}: no such folder")
    for path in sorted(arguments.folder.glob("*.safetensors")):
        try:
            prior = MotionPrior.load(path)
        except RlsuiteError:
            continue  # a model of something else
        test = prior.about.get("test")
        nats = f"{test['nats_per_frame']:.3f} nats per frame" if test else "no likelihood"
        print(f"{path.name:<28} {prior.model.name:<16} {prior.kind:<7} {prior.fps:g} Hz  {nats}")
    return 0


def _clips(names: list[str] | None) -> list[MotionClip]:
    """The clips of these names, files and folders, in order; by default the shipped ones.

    Raises:
        RlsuiteError: one is not there or cannot be read.
    """
    from rlsuite.errors import MotionError
    from rlsuite.motion import catalogue
    from rlsuite.motion.formats import FORMATS

    suffixes = {suffix for entry in FORMATS.values() for suffix in entry.suffixes}
    found: list[MotionClip] = []
    for name in names or catalogue.NAMES:
        if Path(name).is_dir():
            files = sorted(path for path in Path(name).iterdir() if path.suffix.lower() in suffixes)
            if not files:
                raise MotionError(f"{name}: no motion files in this folder")
            found += [catalogue.find(path) for path in files]
        else:
            found.append(catalogue.find(name))
    return found


def _assignment(text: str) -> tuple[str, Any]:
    from rlsuite.errors import HyperparameterError

    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise HyperparameterError(f"--set {text!r} is not NAME=VALUE")
    try:
        return name.replace("-", "_"), json.loads(value)
    except ValueError:
        return name.replace("-", "_"), value
