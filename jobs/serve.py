"""Open a page on this machine that guesses the emotion acted in a voice, a face or a file, live.

Speak into the microphone, look into the camera, or drop a sound or video file. Nothing that arrives is kept. Only
this machine reaches the page, unless --host names another address; then every call must carry a token, which is made
and shown when none is given.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravdess import terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ravdess.predict import Predictor
    from ravdess.search.shelf import Kept

EXAMPLES = """
  python jobs/serve.py                                 the store's best model, on http://localhost:8000/
  python jobs/serve.py --open                          and show it in the browser
  python jobs/serve.py --model svm-voice_stats --port 0
  python jobs/serve.py --host 0.0.0.0                  for others too, with a token that is made and shown
  ssh -L 8000:localhost:8000 machine                   and the page of another machine has your microphone

stop it with Ctrl-C. exit status: 0 stopped, 1 failed, 2 wrong usage
"""


def arguments() -> argparse.ArgumentParser:
    """The job's arguments."""
    parser = terminal.parser(__doc__, EXAMPLES)
    parser.add_argument("--model", metavar="NAME[/N]", help="which of the store (default: the best by its score)")
    parser.add_argument("--host", default="localhost", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=8000, help="0 for any that is free (default: %(default)s)")
    parser.add_argument(
        "--token", metavar="TEXT", help="what every call must carry (default: one is made for another --host)"
    )
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 65535, not {text!r}")
    return int(text)


def main(args: argparse.Namespace) -> int:
    """Run the job and return its exit status."""
    from ravdess.serve.process import LOCAL, needs_extra, serve

    needs_extra()
    from ravdess.predict import Predictor
    from ravdess.search.shelf import companion, default_model, load_model
    from ravdess.serve.about import about
    from ravdess.serve.house import House
    from storage import Store

    store = Store(args.store)
    best = None if args.model else default_model(store, films=True)
    title = args.model or (best.title if best else "")
    predictor = Predictor(load_model(store, title))
    second = companion(store, best) if best else None
    other = Predictor(load_model(store, second.title)) if second else None
    shown_title = "/".join(Path(title).parts[-2:])  # of a folder, not where it lies
    told = about(predictor.bundle, name=shown_title, picture=_picture(predictor, second))
    if second:
        told["facts"].append(["Beside it", f"{second.title}, for {'pictures' if predictor.hears else 'sound'}"])
    token = args.token or ("" if args.host in LOCAL else secrets.token_urlsafe(16))
    house = House(predictor, other=other, about=told)
    shown: list[str] = []

    def ready(address: str) -> None:
        shown.append(address)
        _say(address, title, told, args)

    house.warm()
    serve(house, host=args.host, port=args.port, token=token, ready=ready)
    counts = {name: house.counts[name] for name in ("visitors", "utterances", "files", "pictures")}
    summary = {"address": shown[0] if shown else None, "model": title, **counts}
    told_counts = ", ".join(f"{number} {name}" for name, number in counts.items())
    terminal.close(summary, [f"stopped; {told_counts} were judged and none is kept"], as_json=args.json)
    return terminal.DONE


def _picture(predictor: Predictor, second: Kept | None) -> str:
    """What becomes of a face."""
    if predictor.sees:
        return "It is judged, together with the voice where one speaks." if predictor.hears else "It is judged."
    if second:
        return f"It is judged by {second.title} while nobody speaks."
    return "This page has no picture model, so a face is found and not judged."


def _say(address: str, title: str, told: Mapping[str, Any], args: argparse.Namespace) -> None:
    """Where the page is, once it answers; to stderr, where --json leaves room for it."""
    terminal.say(f"{address}\nmodel: {title}. {told['trained']}\nlicence: {told['licence']}\nstop with Ctrl-C")
    if args.open:
        import webbrowser

        webbrowser.open(address)


if __name__ == "__main__":
    sys.exit(terminal.run(main, arguments().parse_args()))
