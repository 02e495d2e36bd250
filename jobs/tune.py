"""Search families of models on a feature table or frame set, and keep the best of each with its honest score.

Random candidates, then a grid around the best, then the final fit; nested, so that no actor who chooses is one who
judges, and none who trains is either. Printed first is UAR (mean recall of the emotions) with its 95 % interval over
actors. The same command goes on where it was interrupted, and only prints what is finished. Where the store has no
such feature table, the made sample corpus is used: voices drawn by a program, for trying things out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from ravdess.search import Result, Step
    from storage import Store

EXAMPLES = """
  python jobs/tune.py --family svm                          emobox folds on <store>/features/mfcc_stats
  python jobs/tune.py --family xgboost,lightgbm --samples 20
  python jobs/tune.py --family all --protocol loao --json   leave one actor out, every family that fits
  python jobs/tune.py --family audio_cnn --features logmel  a network on <store>/frames/logmel
  python jobs/tune.py --family svm --normalise actor        declared enrolment: per-actor normalisation
  python jobs/tune.py --family svm --features voice_stats+openface     joined by take (early fusion)
  python jobs/tune.py --family fusion --members RUN,RUN/svm            weighs the answers of finished runs (late fusion)
  python jobs/tune.py --family svm --features voice_stats --teacher RUN    learns from another run's soft labels, too
  python jobs/tune.py --family lda --features voice_stats --augment        and from slower and faster voices
  python jobs/tune.py --family mlp --protocol holdout --test-actors 21,22,23,24
  python jobs/tune.py --family xgboost --search optuna --asha
  python jobs/tune.py --family svm --protocol leaky_random  only to see what a leak is worth
  ray submit cluster.yaml jobs/tune.py -- --family all --store /data/store

read the results with pandas:
  pandas.read_parquet("<store>/runs/<run>/results.parquet")

exit status: 0 all done, 1 failed, 2 wrong usage, 3 done but a candidate or a family could not be fitted
"""
SAMPLE = "sample:"
FUSION = "fusion"
LONG = 2 * 3600
SHORTER = (
    "that is long (a rough guess until the first fit is made): a GPU, a smaller frame set such as face_48, "
    "--protocol holdout and --samples 1 shorten it; stopped, the same command goes on from where it was"
)


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument(
        "--family",
        default=[],
        nargs="+",
        action="extend",
        metavar="NAME",
        help="families to search, several with spaces or commas, or all that fit the features: lda, svm, "
        "random_forest, xgboost, lightgbm, mlp for tables; audio_cnn, audio_rnn, cnn, transfer_cnn, deep_cnn, "
        "separable_cnn, temporal for frames (default: svm)",
    )
    parser.add_argument(
        "--features", default="mfcc_stats", metavar="SET", help="feature set or frame set (default: %(default)s)"
    )
    parser.add_argument(
        "--members",
        default=[],
        nargs="+",
        action="extend",
        metavar="RUN[/FAMILY]",
        help="of --family fusion: finished runs of one protocol, whose models (or the named family's) are fused",
    )
    parser.add_argument(
        "--protocol",
        default="emobox",
        help="who trains and who judges: emobox, luna, loao, holdout; leaky_random only shows the leak "
        "(default: %(default)s)",
    )
    parser.add_argument("--test-actors", metavar="NN[,NN…]", help="who judges under holdout (default: the last four)")
    parser.add_argument(
        "--samples", type=terminal.positive, metavar="N", help="candidates drawn a family (default: 8; networks 2)"
    )
    parser.add_argument(
        "--grid",
        type=_grid,
        metavar="N",
        help="most neighbours of the best tried for each judge, or all (default: 4; networks 0)",
    )
    parser.add_argument(
        "--search", choices=("random", "optuna"), default="random", help="random then grid, or Optuna's TPE"
    )
    parser.add_argument("--asha", action="store_true", help="stop candidates that are behind after a few fits")
    parser.add_argument("--normalise", choices=("actor",), help="declared enrolment: by each actor's unlabelled clips")
    parser.add_argument(
        "--teacher",
        metavar="RUN[/FAMILY]",
        help="a finished run of the same folds, such as one on faces, whose soft labels are learnt from, too",
    )
    parser.add_argument(
        "--augment",
        action="store_true",
        help="train on the same takes made otherwise, too, such as played faster (voice_stats_faster, …_slower)",
    )
    parser.add_argument(
        "--growth", action="store_true", help="of an enrolled search: the gain with 1, 2, 4 … enrolled clips a person"
    )
    parser.add_argument("--channel", choices=("speech", "song", "both"), default="speech", help="default: %(default)s")
    parser.add_argument("--corpus", help="which, when the table holds several")
    parser.add_argument("--seed", type=int, default=0, help="of draws, models and intervals (default: %(default)s)")
    parser.add_argument("--run", metavar="NAME", help="the run's name (default: one that ends in the request's hash)")
    parser.add_argument(
        "--cpus", "--workers", type=terminal.positive, metavar="N", help="CPUs of a Ray started here (default: all)"
    )
    parser.add_argument(
        "--threads", type=terminal.positive, default=1, metavar="N", help="CPUs of one fit (default: 1)"
    )
    return parser


def _grid(text: str) -> int:
    """A number of neighbours, 0 for none; "all" is -1 here."""
    if text == "all":
        return -1
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number or all, not {text!r}")
    return int(text)


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from ravdess import search as searching
    from ravdess.errors import UnknownName
    from ravdess.families import FAMILIES
    from storage import Store

    names = [name for given in args.family or ["svm"] for name in given.split(",") if name]
    families = ["all"] if "all" in names else list(dict.fromkeys(names))
    for name in families:
        if name not in ("all", FUSION):
            FAMILIES[name]  # an unknown name is said before anything is computed
    store = Store(args.store)
    if families == [FUSION]:
        return _fuse(store, args)
    if FUSION in families:
        raise UnknownName("family beside others", FUSION, FAMILIES)
    source = _source(store, args, families)
    options: dict[str, Any] = dict(searching.EFFORT["frames" if source.get("takes") else "table"])
    options |= {name: value for name, value in (("samples", args.samples), ("grid", args.grid)) if value is not None}
    if options["grid"] == -1:
        options["grid"] = None
    if args.protocol == searching.LEAKY:
        terminal.say("LEAKY: takes are dealt at random, so the same actors train and judge; no result of this is real")
    with _Live(store) as live:
        result = searching.search(
            store=store,
            **source,
            families=families,
            features=args.features,
            protocol=args.protocol,
            seed=args.seed,
            search=args.search,
            asha=args.asha,
            normalise=args.normalise,
            teacher=args.teacher,
            augment=args.augment,
            test_actors=args.test_actors.split(",") if args.test_actors else None,
            channel=args.channel,
            corpus=args.corpus,
            run=args.run,
            threads=args.threads,
            cpus=args.cpus,
            progress=live,
            **options,
        )
    told, lines = _as_json(result), _lines(result)
    if args.growth:
        from ravdess.search.growth import growth

        grown = growth(store, result.run, family=str(result.results.iloc[0]["family"]), seed=args.seed)
        told["enrolment"] = grown.to_dict("records")
        lines += ["", *_growth_lines(grown)]
    terminal.close(told, lines, as_json=args.json)
    failed = result.summary["failed_families"] or result.summary["failed_fits"]
    return terminal.REJECTS if failed else terminal.DONE


def _source(store: Store, args: argparse.Namespace, families: Sequence[str]) -> dict[str, Any]:
    """The rows that `search` takes: of a feature table, of several joined by take, or of a frame set's index."""
    from ravdess.errors import BadTable
    from ravdess.search.fusion import stored

    if "," in args.features:
        raise BadTable(
            f"a search is of one set, not of {args.features}: ask for one after another, or for tables joined by take, "
            f"{args.features.replace(',', '+')}"
        )
    if not any(store.table(f"{kind}/{args.features}").exists() for kind in ("features", "frames")):
        if made := stored(store, args.features, unless_absent=True):
            return {"table": made.frame, "fingerprint": made.fingerprint, "notes": made.notes}
        _make_sample(store, args, families)
    framed = not store.table(f"features/{args.features}").exists()
    table = store.table(f"frames/{args.features}" if framed else f"features/{args.features}")
    version = table.version()
    return {
        "table": table.read_sorted(version=version).to_pandas(),
        "takes": store.frames(args.features).only if framed else None,
        "fingerprint": table.fingerprint() or "",
        "table_version": version,
    }


def _fuse(store: Store, args: argparse.Namespace) -> int:
    """Fuse the members' answers, and print it like any search."""
    from ravdess.errors import UnknownName
    from ravdess.search.fusion import fuse

    members = [name for given in args.members for name in given.split(",") if name]
    if not members:
        raise UnknownName("members", "", [f"{run}" for run in store.runs()])
    result = fuse(store, members, seed=args.seed, run=args.run, cpus=args.cpus, say=terminal.say)
    terminal.close(_as_json(result), _lines(result), as_json=args.json)
    return terminal.DONE


def _growth_lines(frame: Any) -> list[str]:
    rows = [
        [str(row["clips"]), row["drawn"], "yes" if row["shrunken"] else "no", _interval(row, "uar"), str(row["draws"])]
        for _, row in frame.iterrows()
    ]
    return [
        "enrolled clips a person, and the UAR they give (all takes of the judged actors are asked about):",
        terminal.table(rows, ["clips", "drawn", "towards the usual speaker", "UAR [95 %]", "draws"]),
    ]


def _make_sample(store: Store, args: argparse.Namespace, families: Sequence[str]) -> None:
    """Featurize the made sample corpus into a store that has no features at all, if the families can use them."""
    from ravdess.corpora import catalogue
    from ravdess.errors import BadTable
    from ravdess.families import FAMILIES, check_input
    from ravdess.features import FEATURE_SETS, feature_set
    from ravdess.frames import FRAME_SETS
    from ravdess.pipeline import featurize

    if args.features in FRAME_SETS:
        raise BadTable(
            f"{store.url} has no frames {args.features}; make them with: python jobs/featurize.py "
            f"--features {args.features} --store {args.store}, and --source … (else of the made sample corpus)"
        )
    if args.features not in FEATURE_SETS:
        terminal.say(
            f"no table {args.features} in {store.url}; one that others measured is imported by: "
            f"python jobs/featurize.py --import {args.features}=FILE --store {args.store}"
        )
    feature_set(args.features)  # an unknown name is said before anything is made
    check_input([FAMILIES[name] for name in families if name != "all"], args.features, None)
    if there := store.feature_sets():
        raise BadTable(
            f"{store.url} has no table {args.features}, it has {there}; "
            f"make it with: python jobs/featurize.py --features {args.features} --source … --store {args.store}"
        )
    terminal.say(
        f"no features in {store.url}: using the made sample corpus (voices drawn by a program, not recorded); "
        "for real clips run jobs/featurize.py --source … first"
    )
    featurize(catalogue(SAMPLE), store, [args.features], cpus=args.cpus)


class _Live:
    """A search's progress: a bar or lines here, and the page live.html in the run's folder."""

    def __init__(self, store: Store) -> None:
        from ravdess.report.live import Live

        self._store = store
        self._page = Live(self._write)
        self._phase, self._done, self._shown = "", 0, False
        self._bar: terminal.Progress | None = None

    def __enter__(self) -> _Live:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._close()
        how = "finished" if kind is None else "interrupted or failed; the same command goes on from there"
        self._page.end(f"{how}. The whole story: python jobs/report.py --store {self._store.url}")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__()
            self._bar = None

    def __call__(self, step: Step) -> None:
        self._page(step)
        if step.phase != self._phase:
            self._close()
            self._phase, self._done = step.phase, step.done
            if step.total:
                unit = "models" if step.phase == "models" else "trials"
                self._bar = terminal.Progress(
                    step.phase, total=step.total, done=step.done, unit=unit, left=step.seconds_left
                ).__enter__()
                if (step.seconds_left or 0) > LONG and not step.fits:
                    terminal.say(SHORTER)
        elif self._bar is not None and step.done > self._done:
            note = "" if step.phase == "models" else f"{step.fits} fits, {step.folds} judging folds"
            self._bar.update(step.done - self._done, note=note, left=step.seconds_left, details=_families(step))
            self._done = step.done

    def _write(self, run: str, page: str) -> None:
        folder = self._store.folder(f"runs/{run}")
        folder.write("live.html", page.encode())
        if not self._shown:
            terminal.say(f"watch it in a browser: {folder.path('live.html')}")
            self._shown = True


def _families(step: Step) -> list[str]:
    """A line a family: its trials, and its best so far, which is an inner score (over choosing folds) and no result."""
    if step.phase == "models":
        return []
    lines = []
    for family, (done, total) in step.families.items():
        line = f"{family} {done}/{total}"
        if best := step.best.get(family):
            folds = f"{best.choosers} choosing folds" if best.choosers > 1 else "one choosing fold"
            line += f" best inner UAR {best.uar:.3f} ± {best.error:.3f} over {folds}, of {best.tried} candidates"
        lines.append(line)
    return lines


def _as_json(result: Result) -> dict[str, object]:
    """The closing summary as JSON values."""
    rows = json.loads(result.results.to_json(orient="records"))
    for row in rows:
        row["params"], row["versions"] = json.loads(row["params"] or "null"), json.loads(row["versions"])
    choices = json.loads(result.choices.to_json(orient="records"))
    for choice in choices:
        choice["params"] = json.loads(choice["params"])
    return {"run": result.run, "path": result.path, "results": rows, "choices": choices, **result.summary}


def _lines(result: Result) -> list[str]:
    """The closing summary for people."""
    summary, results = result.summary, result.results
    lines = [f"note: {note}" for note in summary["notes"]]
    lines += [f"failed: {family}: {why}" for family, why in summary["failed_families"].items()]
    if summary["failed_fits"]:
        lines.append(f"{summary['failed_fits']} fits failed: {'; '.join(summary['failed_because'])}")
    if result.found:
        lines.append("this run was finished before; nothing was computed")
    first = results.iloc[0]
    lines += [
        "",
        f"{summary['protocol']} on {summary['features']}: {first['n_takes']} takes of {len(first['actors'])} actors, "
        f"{len(first['folds'])} judging fold{'s' * (len(first['folds']) > 1)}; chance {first['chance']:.3f}",
        *([summary["label"]] if summary["label"] else []),
        "",
        terminal.table(
            [
                [
                    row["family"],
                    *(_interval(row, name) for name in ("uar", "accuracy", "macro_f1")),
                    _number(row["fold_uar_std"]),
                ]
                for _, row in results.iterrows()
            ],
            ["family", "UAR [95 %]", "accuracy [95 %]", "macro-F1 [95 %]", "std of folds"],
        ),
        "",
        "chosen for each judge, who never saw it, and for the model that is kept:",
        terminal.table(
            [
                [
                    one["family"],
                    one["judge"],
                    _number(one["judged_uar"]),
                    one["round"],
                    _candidate(one["params"], one["stage"]),
                ]
                for _, one in result.choices.iterrows()
            ],
            ["family", "judge", "UAR", "from", "candidate"],
        ),
        "",
    ]
    effort = summary["effort"]
    if effort["trials"] and not result.found:
        lines.append(
            f"{effort['trials']} trials of {effort['fits']} fits ({effort['fits_a_candidate']} a candidate for all "
            f"judges), {effort['workers']} at a time; {effort['beyond_the_fits_a_trial']:.2f} s a trial beyond the fits"
        )
    lines += [f"model: {path}" for path in summary["models"].values()]
    return [*lines, f"run: {result.path}", f'read it: pandas.read_parquet("{result.path}/results.parquet")']


def _number(value: Any) -> str:
    """Three digits, or nothing where there is no number."""
    return f"{value:.3f}" if value == value else ""  # noqa: PLR0124  # NaN differs from itself


def _interval(row: Any, name: str) -> str:
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"


def _candidate(params: str, stage: Any) -> str:
    """A candidate in a few words."""
    words = [
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in json.loads(params).items()
    ]
    return " ".join([*words, *([f"stage={stage}"] if isinstance(stage, int) else [])])


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
