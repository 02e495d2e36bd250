"""Train a face base on FER2013, so that transfer_cnn need not begin at noise.

FER2013 is 48 × 48 grey faces with seven emotions (Goodfellow et al. 2013), as Parquet (image, emotion, usage), as the
challenge's csv (emotion, pixels, Usage), or as folders train/<emotion>/*.png and test/<emotion>/*.png. Training
pictures that stand in a test too, contradict each other or show nothing are left out and counted. PublicTest chooses
the epoch; PrivateTest, where it is there, judges once. Killed at any moment, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.pretraining.fer2013 import Cleaned, Faces
    from ravdess.pretraining.train import Step
    from storage import Folder, Store

EXAMPLES = """
  python jobs/pretrain.py --source fer2013.parquet                    the seed deck's base, 241,950 parameters
  python jobs/pretrain.py --source fer2013.csv --network strong       a residual base with batch normalisation
  python jobs/pretrain.py --source fer2013/ --epochs 3 --json         folders <usage>/<emotion>/*.png

use it:
  python jobs/tune.py --family transfer_cnn --features face_48

exit status: 0 all done, 1 failed, 2 wrong usage, 3 done but some pictures could not be read
"""
EPOCHS = 40
DROPOUT = {"plain": 0.1, "strong": 0.25}
HIDDEN = {"plain": 0.0, "strong": 0.25}
"""How much larger the hidden patch and the dropout may be for a network that would learn the pictures by heart."""
SUMMARY = "summary.json"


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--source", type=Path, required=True, metavar="FILE|DIR", help="FER2013: .parquet, .csv, folder"
    )
    parser.add_argument(
        "--network",
        choices=("plain", "base", "strong"),
        default="plain",
        help="plain (or base): the deck's, without normalisation; strong: residual, batch norm (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=terminal.positive, metavar="N", help="default: 40")
    parser.add_argument(
        "--batch", type=terminal.positive, default=64, metavar="N", help="pictures a step (default: %(default)s)"
    )
    parser.add_argument("--rate", type=float, default=2e-3, metavar="R", help="greatest learning rate (default: 0.002)")
    parser.add_argument("--adamw", action="store_true", help="AdamW for all weights, not Muon for the trunk's kernels")
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="what layers compute in; auto: bfloat16 where the machine is faster at it (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and variation (default: %(default)s)")
    parser.add_argument("--threads", type=terminal.positive, metavar="N", help="CPUs (default: all)")
    return parser


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from ravdess.pretraining import fer2013
    from storage import Store

    store = Store(args.store)
    network = "strong" if args.network == "strong" else "plain"
    faces = fer2013.read(args.source)
    for name, reason in faces.damaged[:20]:
        terminal.say(f"skipped {name}: {reason}")
    if len(faces.damaged) > 20:
        terminal.say(f"… and {len(faces.damaged) - 20} more")
    cleaned = fer2013.clean(faces)
    summary = _trained(args, network, store, faces, cleaned)
    terminal.close(summary, _lines(summary), as_json=args.json)
    return terminal.REJECTS if faces.damaged else terminal.DONE


def _trained(args: argparse.Namespace, network: str, store: Store, faces: Faces, cleaned: Cleaned) -> dict[str, Any]:
    """Train, or go on, or find it finished; keep the base; tell what came of it."""
    from ravdess.families import backend
    from ravdess.pretraining.augment import Augmentation
    from ravdess.pretraining.fer2013 import LABELS
    from ravdess.pretraining.optimiser import Recipe
    from ravdess.pretraining.train import train

    backend.tensorflow(threads := args.threads or os.cpu_count() or 1)
    quick = args.precision == "auto" and backend.quick_bfloat16()
    precision = "bfloat16" if quick else args.precision.replace("auto", "float32")
    recipe = Recipe(args.epochs or EPOCHS, args.batch, args.rate, muon=not args.adamw, precision=precision)
    augmentation = Augmentation(hidden=HIDDEN[network])
    params = {"dropout": DROPOUT[network]}
    pictures = hashlib.sha256(faces.images.tobytes() + faces.labels.tobytes() + "".join(faces.usages).encode())
    asked = {
        "network": network,
        "recipe": {**asdict(recipe), **asdict(augmentation), **params, "seed": args.seed},
        "pictures": pictures.hexdigest(),
    }
    run = f"pretrain-{network}-{hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]}"
    folder = store.folder(f"runs/{run}")
    if folder.exists(SUMMARY):
        return {**json.loads(folder.read(SUMMARY)), "found": True}
    folder.write("asked.json", json.dumps(asked, indent=1).encode())
    with _Live(f"pretrain {network}") as live:
        model, curve = train(
            cleaned.images,
            cleaned.labels,
            faces.of("PublicTest"),
            network=network,
            classes=len(LABELS),
            params=params,
            recipe=recipe,
            augmentation=augmentation,
            seed=args.seed,
            folder=folder,
            threads=threads,
            progress=live,
        )
    facts = {
        "left_out": {**cleaned.counts, "damaged": len(faces.damaged)},
        "epoch": curve.best,
        "epochs": recipe.epochs,
        "curve": vars(curve),
        "recipe": asked["recipe"],
    }
    summary = {"network": network, "parameters": model.count_params(), "run": folder.path(), **facts}
    summary |= _keep(store, folder, model, network, faces, facts)
    folder.write(SUMMARY, json.dumps(summary, indent=1).encode())
    return {**summary, "found": False}


def _keep(  # noqa: PLR0917
    store: Store, run: Folder, model: Any, network: str, faces: Faces, facts: dict[str, Any]
) -> dict[str, Any]:
    """Judge the trained base, keep it, load it again, and judge it once more before its score is told."""
    from ravdess.errors import BadBundle
    from ravdess.pretraining import base
    from ravdess.pretraining.train import accuracy

    choosers = faces.of("PublicTest")
    scores = {
        "PublicTest": accuracy(model, *choosers),
        "PublicTest, with the mirror": accuracy(model, *choosers, mirrored=True),
    }
    judged = "PrivateTest was not at hand, so nothing has judged it yet."
    if "PrivateTest" in faces.usages:
        scores["PrivateTest"] = accuracy(model, *faces.of("PrivateTest"))
        judged = "PrivateTest was looked at once, at the end."
    home = _home(store, run, base.NAMES[network])
    files = base.to_files(model, network, scores=scores, facts={**facts, "judged": judged})
    for name, data in files.items():
        home.write(name, data)
    again = accuracy(base.load_base(home).model, *choosers)
    if again != scores["PublicTest"]:
        raise BadBundle(f"the base in {home.path()} scores {again} after loading, {scores['PublicTest']} before")
    return {"scores": scores, "judged": judged, "model": home.path()}


def _home(store: Store, folder: Folder, name: str) -> Folder:
    """The model's folder: a new number once, the same one when an interrupted run goes on."""
    if folder.exists("home.json"):
        return store.folder(json.loads(folder.read("home.json"))["model"])
    home = store.new_model(name)
    folder.write("home.json", json.dumps({"model": home.name}).encode())
    return home


class _Live:
    """A training's progress, from where it is taken up."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._done = 0
        self._bar: terminal.Progress | None = None

    def __enter__(self) -> _Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.__exit__(*_)

    def __call__(self, step: Step) -> None:
        if self._bar is None:
            self._bar = terminal.Progress(self._label, total=step.total, done=step.done, unit="steps").__enter__()
        else:
            self._bar.update(step.done - self._done, note=step.note)
        self._done = step.done


def _lines(summary: dict[str, Any]) -> list[str]:
    """The closing summary for people."""
    left, seconds = summary["left_out"], sum(summary["curve"]["seconds"])
    lines = ["this training was finished before; nothing was computed"] if summary["found"] else []
    lines += [
        f"left out of training: {left['two_usages']} pictures that stand in a test too, {left['conflicting']} copies "
        f"under several labels, {left['repeated']} copies under one, {left['constant']} of one colour, "
        f"{left['damaged']} damaged",
        f"{summary['network']}, {summary['parameters']:,} parameters, {left['trained_on']:,} pictures; "
        f"epoch {summary['epoch']} of {summary['epochs']} chosen; {terminal.duration(seconds)}",
        terminal.table([(name, f"{value:.4f}") for name, value in summary["scores"].items()], ("accuracy", "")),
        summary["judged"],
        f"model: {summary['model']}",
        "use it: python jobs/tune.py --family transfer_cnn --features face_48",
    ]
    return lines


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
