"""Ask a model which emotion it hears, or sees, in sound and video files.

Any file of any usual format; up to 8 s it is judged whole, a longer one by a window of 3 s each second, where something
is heard or a face is seen. Beside each answer stands how sure the model may be, by what it said of actors whom it never
saw. Below its threshold, and of silence, music, no face, several faces, or what is unlike all that it was trained on,
the answer is "not sure". Files are decoded in processes with limits; one that cannot be read is named, and the job goes
on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.bundle import Bundle
    from ravdess.fused import FusedBundle
    from ravdess.predict import Answer, Predictor
    from ravdess.predict.asking import Given
    from ravdess.predict.inputs import Input
    from storage import Store

EXAMPLES = """
  python jobs/predict.py speech.mp3                        the best model of the store that needs only sound
  python jobs/predict.py talk.mp4                          the best that needs sound, pictures or both
  python jobs/predict.py ~/recordings --out predictions.parquet
  ffmpeg -i talk.mkv -f wav - | python jobs/predict.py -   what comes through a pipe
  python jobs/predict.py --models                          which models there are
  python jobs/predict.py clip.wav --model svm-voice_stats/2 --json
  python jobs/predict.py clip.wav --model RUN/svm/emobox-2        the model by which a run judged that fold
  python jobs/predict.py clip.wav --enrol my_voice/        an enrolled model, and clips of the same person
  python jobs/predict.py --export-onnx emotion.onnx        the model for other programs

exit status: 0 all done, 1 failed, 2 wrong usage, 3 done but some files could not be read
"""


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument("files", nargs="*", metavar="FILE|FOLDER|-", help="what to judge; - is standard input")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="NAME (its newest number), NAME/NUMBER, the folder of a bundle, or RUN/FAMILY/FOLD (default: the best)",
    )
    parser.add_argument(
        "--enrol", nargs="+", metavar="CLIP|FOLDER", help="clips of the same person, unlabelled, for enrolled models"
    )
    parser.add_argument("--out", metavar="FILE", type=_parquet, help="keep the answers as a Parquet table")
    parser.add_argument("--export-onnx", metavar="FILE", help="write the model as FILE, with FILE.json beside it")
    parser.add_argument("--models", action="store_true", help="list the store's models, and stop")
    return parser


def _parquet(text: str) -> Path:
    if not text.endswith(".parquet"):
        raise argparse.ArgumentTypeError(f"{text!r} does not end in .parquet")
    return Path(text)


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from storage import Store

    store = Store(args.store)
    if args.models:
        return _list_models(store, args)
    if args.export_onnx:
        return _export(*_model(store, args, films=False), args)
    if not args.files:
        terminal.say("error: nothing to judge: name files or folders, - for standard input, or --models")
        return terminal.USAGE
    from ravdess.predict import Decoder, Predictor
    from ravdess.predict.inputs import inputs

    wanted, own = inputs(args.files), inputs(args.enrol) if args.enrol else []
    with Decoder().start() as decoder:  # it starts while the model is loaded
        title, bundle = _model(store, args, films=all(one.film for one in wanted))
        return _judge(title, Predictor(bundle, decoder), wanted, own, args)


def _model(store: Store, args: argparse.Namespace, *, films: bool) -> tuple[str, Bundle | FusedBundle]:
    """The model that is named, or the store's best for what is asked about, and what it is called."""
    from ravdess.search.shelf import default_model, load_model

    title = args.model or default_model(store, enrolled=bool(args.enrol), films=films).title
    return title, load_model(store, title)


def _judge(
    title: str, predictor: Predictor, wanted: Sequence[Input], own: Sequence[Input], args: argparse.Namespace
) -> int:
    from ravdess.errors import BadClip

    bundle = predictor.bundle
    if predictor.note:
        terminal.say(f"note: {predictor.note}")
    who = _enrolment(predictor, own) if own else None
    answers: list[tuple[Input, Answer]] = []
    rejects: list[dict[str, str]] = []
    with terminal.Progress("predict", total=len(wanted), unit="files") as progress:
        for one in wanted:
            try:
                data = one.read(predictor.most_bytes)
                answers += [(one, answer) for answer in predictor.file(data, name=one.name, enrol=who)]
            except BadClip as error:
                rejects.append({"clip": one.name, "source": one.source, "reason": str(error)})
            progress.update(1, note=f"{len(rejects)} rejects" if rejects else "")
    if args.out:
        _write(args.out, title, answers)
    summary = {
        "predictions": [{**answer.to_json(), "source": one.source} for one, answer in answers],
        "rejects": rejects,
        "model": {"name": title, **_about(bundle), "note": predictor.note},
        "out": str(args.out) if args.out else None,
    }
    terminal.close(summary, _lines(title, bundle, answers, rejects, args), as_json=args.json)
    return terminal.REJECTS if rejects else terminal.DONE


def _enrolment(predictor: Predictor, own: Sequence[Input]) -> Given:
    """Learn a voice from its clips. One that cannot be used ends the job: a voice half learnt judges wrongly."""
    from ravdess.errors import BadClip

    voices = []
    for one in own:
        try:
            voices.append(predictor.decode(one.source, name=one.name))
            predictor.check(*voices[-1])
        except BadClip as error:
            raise BadClip(f"{one.source} cannot be used to enrol: {error}") from error
    if len(voices) < 10:
        terminal.say(f"note: {len(voices)} clips tell little of a voice; ten or more, in several moods, tell more")
    return predictor.enrolment(voices)


def _about(bundle: Bundle | FusedBundle) -> dict[str, Any]:
    calibration = bundle.calibration
    return {
        "family": bundle.family,
        "features": bundle.features,
        "fingerprint": bundle.fingerprint,
        "enrolled": bundle.enrolled,
        "protocol": bundle.facts.get("protocol"),
        "uar": bundle.scores.get("uar"),
        "threshold": None if calibration is None else calibration.threshold,
        "licence": bundle.licence,
    }


def _write(path: Path, title: str, answers: Sequence[tuple[Input, Answer]]) -> None:
    """Keep the answers: one row each, the numbers of each emotion in columns of their own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ravdess.clips import EMOTIONS

    rows = []
    for one, answer in answers:
        told = answer.to_json()
        named = {"clip": told["clip"], "source": one.source, "model": title}
        plain = {name: told[name] for name in ("start", "end", "emotion", "likeliest", "confidence", "distance")}
        own = {f"p_{word}": answer.probabilities.get(word) for word in EMOTIONS}
        honest = {f"calibrated_{word}": answer.calibrated.get(word) for word in EMOTIONS}
        rows.append({**named, **plain, **own, **honest, "remarks": "; ".join(answer.remarks)})
    numbers = [f"{kind}_{word}" for kind in ("p", "calibrated") for word in EMOTIONS]
    words = ("clip", "source", "model", "emotion", "likeliest", "remarks")
    names = [*words, "start", "end", "confidence", "distance", *numbers]
    schema = pa.schema([(name, pa.string() if name in words else pa.float64()) for name in names])
    part = path.with_name(f".{path.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part)
    part.replace(path)


def _lines(
    title: str,
    bundle: Bundle | FusedBundle,
    answers: Sequence[tuple[Input, Answer]],
    rejects: Sequence[dict[str, str]],
    args: argparse.Namespace,
) -> list[str]:
    """The closing summary for people."""
    lines = [f"rejected: {one['source']}: {one['reason']}" for one in rejects]
    if answers:
        lines += ["", terminal.table([_row(answer) for _, answer in answers], _HEADER), ""]
    unsure = sum(answer.emotion == "not sure" for _, answer in answers)
    lines.append(
        f"{len(answers)} answers to {len({one.source for one, _ in answers})} files, {unsure} of them not sure"
        f"{f'; {len(rejects)} files could not be read' if rejects else ''}"
    )
    lines.append(f"model: {title}, {_worth(bundle)}")
    lines.append(f"licence: {bundle.licence}")
    return [*lines, *([f'read it: pandas.read_parquet("{args.out}")'] if args.out else [])]


_HEADER = ("clip", "seconds", "emotion", "confidence", "then", "remarks")


def _row(answer: Answer) -> list[str]:
    ranked = sorted(answer.calibrated.items(), key=lambda pair: -pair[1])
    told = [f"{word} {p:.0%}" for word, p in ranked[:3]]
    sure = answer.emotion == answer.likeliest
    return [
        answer.clip,
        f"{answer.start:.1f}-{answer.end:.1f}",
        answer.emotion,
        f"{answer.confidence:.0%}" if ranked else "",
        ", ".join(told[1:] if sure else told),
        "; ".join(answer.remarks),
    ]


def _worth(bundle: Bundle | FusedBundle) -> str:
    """What the model was found to be worth, in a few words."""
    scores, facts = bundle.scores, bundle.facts
    if "uar_low" not in scores:
        return f"{bundle.family} on {bundle.features}; its bundle tells no scores"
    said = (
        f"{bundle.family} on {bundle.features}: UAR {scores['uar']:.3f} [{scores['uar_low']:.3f}, "
        f"{scores['uar_high']:.3f}] under {facts.get('protocol', 'an unknown protocol')} (chance 0.125)"
    )
    if facts.get("made"):
        said += ", of made clips: it knows nothing of real people"
    if bundle.calibration is not None:
        said += (
            f"; sure of {bundle.calibration.answered:.0%} of unseen actors' takes, and right in "
            f"{bundle.calibration.right:.0%} of these"
        )
    return said


def _list_models(store: Store, args: argparse.Namespace) -> int:
    from ravdess.search.shelf import default_model, kept_models

    kept = kept_models(store)
    if not kept:
        default_model(store)  # says how to make one
    rows = [
        [
            one.title,
            one.protocol,
            "" if one.uar is None or one.uar_low is None else f"{one.uar:.3f} [{one.uar_low:.3f}, {one.uar_high:.3f}]",
            "" if one.answered is None else f"{one.answered:.0%}",
            "" if one.right is None else f"{one.right:.0%}",
            one.about["facts"].get("channel", ""),
            ", ".join(
                word
                for word, true in (
                    ("made clips", one.made),
                    ("no file gives " + ", ".join(one.senses.absent), bool(one.senses.absent)),
                    ("sees", one.senses.sees),
                    ("needs --enrol", one.enrolled),
                )
                if true
            ),
        ]
        for one in kept
    ]
    header = ["model", "protocol", "UAR [95 %]", "answers", "right", "channel", "notes"]
    summary = {
        "models": [
            {
                "name": one.name,
                "number": one.number,
                "path": one.path,
                "family": one.family,
                "features": one.features,
                "protocol": one.protocol,
                "uar": one.uar,
                "uar_low": one.uar_low,
                "uar_high": one.uar_high,
                "answered": one.answered,
                "right": one.right,
                "enrolled": one.enrolled,
                "made": one.made,
                "hears": one.senses.hears,
                "sees": one.senses.sees,
                "whole": one.senses.whole,
            }
            for one in kept
        ]
    }
    about = "UARs of different protocols are different questions; card.md in a model's folder tells all of it"
    terminal.close(summary, [terminal.table(rows, header), "", about], as_json=args.json)
    return terminal.DONE


def _export(title: str, bundle: Bundle | FusedBundle, args: argparse.Namespace) -> int:
    from ravdess.onnx import export

    path, beside = export(bundle, Path(args.export_onnx))
    columns = json.loads(beside.read_text(encoding="utf-8"))["columns"]
    lines = [
        f"model: {title}, {_worth(bundle)}",
        f"licence: {bundle.licence}",
        f"wrote {path}: input features (n, {len(columns)}), outputs probabilities and calibrated (n, 8)",
        f"wrote {beside}: labels, columns, and how the features are made from sound",
    ]
    summary = {"model": {"name": title, **_about(bundle)}, "onnx": str(path), "about": str(beside)}
    terminal.close(summary, lines, as_json=args.json)
    return terminal.DONE


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
