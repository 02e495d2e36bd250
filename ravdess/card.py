"""The model card of a bundle: what people must know before they use it, in Markdown, made from the bundle alone.

The headings follow Mitchell et al. 2019, "Model Cards for Model Reporting", doi 10.1145/3287560.3287596.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ravdess.clips import EMOTIONS

if TYPE_CHECKING:
    from ravdess.bundle import Bundle

NAME: Final = "card.md"

_INTENDED: Final = """\
Research and teaching on acted emotional speech; a baseline that other systems are compared with under the same
protocol; a demonstration of what such a model can and cannot tell."""

_NEVER: Final = (
    "to judge a person: hiring, school, credit, insurance, policing, border control, health, or any other decision",
    "to infer what anyone feels. It was taught what actors showed on request, which is not what people feel",
    "on anyone who does not know of it and has not agreed; in the European Union, emotion recognition at work and in "
    "education is prohibited (Regulation (EU) 2024/1689, Article 5(1)(f))",
    "commercially, where the licence below forbids it",
)


def card(bundle: Bundle) -> str:
    """The card of a bundle, in Markdown."""
    return "\n".join(_card(bundle)) + "\n"


def _card(bundle: Bundle) -> Iterator[str]:
    scores, facts = bundle.scores, bundle.facts
    enrolled = ", enrolled" if bundle.enrolled else ""
    yield f"# {bundle.family} on {bundle.features}{enrolled}"
    yield ""
    yield from _model(bundle)
    yield from _section("Training data", _data(bundle))
    if scores:
        yield from _section("Results", _results(scores, facts))
        yield from _section("Recall of each emotion", _table(("emotion", "recall"), _recalls(scores)))
        yield from _section("UAR of each actor", _table(("actor", "UAR"), _actors(scores)))
    else:
        yield from _section("Results", ["None yet: this model is one by which a run judged some of its actors."])
    yield from _section("Confidence", _confidence(bundle))
    yield from _section("Intended use", [_INTENDED])
    yield from _section("It must not be used", [f"- {use};" for use in _NEVER])
    yield from _section("Limits", [f"- {limit}" for limit in _limits(bundle)])
    yield from _section("Licence", [bundle.licence or "Not known: nothing says what it was trained on."])
    yield from _section("How to make it again", _again(bundle))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield from lines
    yield ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _model(bundle: Bundle) -> Iterator[str]:
    params = ", ".join(f"{name} {_short(value)}" for name, value in sorted(bundle.params.items()))
    yield f"A classifier of the family `{bundle.family}` ({params or 'defaults'})."
    taken = (
        f"the {len(bundle.columns)} numbers of the feature set `{bundle.features}`, standardised by its training rows"
    )
    if bundle.shape is not None:
        taken = f"the frames {bundle.shape} of the frame set `{bundle.features}`"
    yield (
        f"It takes {taken} (fingerprint `{bundle.fingerprint}`), and gives a probability for each of: "
        f"{', '.join(bundle.labels)}."
    )
    if bundle.needs:
        yield f"Clips alone are not enough: {bundle.needs}"
    yield ""


def _data(bundle: Bundle) -> Iterator[str]:
    facts = bundle.facts
    people = facts.get("trained_on", [])
    takes = f", {facts['takes']} takes in all" if "takes" in facts else ""
    channel = {"both": "speech and song"}.get(facts.get("channel", ""), facts.get("channel", "clips"))
    yield f"The corpus {', '.join(bundle.corpora)} ({channel}{takes}); table version {facts.get('table_version')}."
    yield ""
    yield f"- trained on {len(people)} actors: {_people(people)}"
    if left_out := facts.get("left_out"):
        yield f"- never saw: {_people(left_out)}"
    if others := facts.get("augment"):
        yield f"- trained on the same takes made otherwise, too, by which nobody was judged: {', '.join(others)}"
    if facts.get("made"):
        yield "- these voices are drawn by a program: the model knows nothing of real people"
    if bundle.enrolled:
        yield (
            "- enrolled: each person's clips are normalised by that person's own, unlabelled clips, here and in every "
            "number below; to judge someone it needs several clips of them"
        )


def _results(scores: Mapping[str, Any], facts: Mapping[str, Any]) -> Iterator[str]:
    judged = facts.get("folds", {})
    yield (
        f"Protocol `{facts.get('protocol', '?')}`: whole actors are left out, a model is chosen and fitted without "
        f"them, and judges them once. So {scores.get('rows', '?')} takes were judged by models that never saw their "
        "actor; this model is fitted in the same way on everyone above. Intervals are 95 %, by resampling actors; "
        "chance is a UAR of 1/8 where all eight emotions occur."
    )
    yield ""
    if facts.get("leaky"):
        yield "**LEAKY: the same actors train and judge. These numbers mean nothing for new people.**"
        yield ""
    rows = []
    for title, name in (("UAR (mean recall)", "uar"), ("accuracy", "accuracy"), ("macro-F1", "macro_f1")):
        if name in scores:
            low, high = scores.get(f"{name}_low"), scores.get(f"{name}_high")
            told = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
            rows.append((title, f"{scores[name]:.3f}", told))
    yield from _table(("score", "", "95 % interval"), rows)
    if judged:
        yield ""
        yield from _table(
            ("fold", "judging actors", "UAR"),
            [
                (name, _people(members), f"{scores.get('folds', {}).get(name, float('nan')):.3f}")
                for name, members in judged.items()
            ],
        )


def _recalls(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    recalls = scores.get("recalls", {})
    return [(word, f"{recalls[word]:.3f}") for word in EMOTIONS if word in recalls]


def _actors(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(actor, f"{uar:.3f}") for actor, uar in sorted(scores.get("actors", {}).items())]


def _confidence(bundle: Bundle) -> Iterator[str]:
    fitted = bundle.calibration
    if fitted is None:
        yield "Not calibrated: its probabilities are only an order, and it never says that it is not sure."
        return
    yield (
        f"Temperature {fitted.temperature:.3f}, fitted on the {fitted.takes} out-of-fold predictions. Without the "
        f"judged fold it brings the expected calibration error from {fitted.error_before:.3f} to {fitted.error:.3f}."
    )
    yield ""
    yield (
        f'Below a calibrated confidence of {fitted.threshold:.3f} the answer is "not sure": the lowest one from which '
        f"{fitted.target:.0%} of the out-of-fold answers are right. With all of it chosen without the judged fold, "
        f"{fitted.answered:.0%} of the takes were answered, and {fitted.right:.0%} of these rightly."
    )


def _limits(bundle: Bundle) -> Iterator[str]:
    if bundle.facts.get("made"):
        yield "The voices are drawn by a program: of real people it knows nothing at all."
    else:
        yield "Actors showed each emotion on request, two sentences in North American English, in a studio."
    yield 'The eight words are all it knows. What is none of them is called one of them, or "not sure".'
    yield "Other sentences, languages, ages, rooms and microphones were not tried."
    yield "Results differ from person to person, as the table of actors shows; a new person may lie outside it."
    if bundle.usual is not None:
        yield (
            'Sound further than usual from the training data is answered "not sure"; the rule finds tones, noise and '
            "music, not every case that should be refused."
        )


def _again(bundle: Bundle) -> Iterator[str]:
    facts = bundle.facts
    versions = ", ".join(f"{name} {version}" for name, version in bundle.versions.items())
    source = "" if facts.get("made") else " --source FOLDER"
    if not bundle.foreign:
        made = f"python jobs/featurize.py{source} --features {bundle.features}"
    else:
        made = f"python jobs/featurize.py --import {bundle.features}=FILE"
    if "protocol" in facts:
        words = ["python jobs/tune.py", f"--family {bundle.family}", f"--features {bundle.features}"]
        words += [f"--protocol {facts['protocol']}", f"--seed {facts.get('seed', 0)}"]
        words += [f"--samples {facts['samples']}"] if "samples" in facts else []
        if "grid" in facts and facts.get("search") == "random":
            words.append(f"--grid {'all' if facts['grid'] is None else facts['grid']}")
        words += [f"--search {facts['search'].removesuffix('+asha')}"] if "search" in facts else []
        words += ["--asha"] if str(facts.get("search", "")).endswith("+asha") else []
        if facts["protocol"] == "holdout":
            words.append(f"--test-actors {_people(facts.get('left_out', ())).replace(' ', '')}")
        words += ["--normalise actor"] if bundle.enrolled else []
        words += [f"--channel {facts['channel']}"] if "channel" in facts else []
        yield "```sh"
        yield made
        yield " ".join(words)
        yield "```"
        yield ""
    yield f"Made with {versions}."


def _people(names: Iterable[str]) -> str:
    return ", ".join(str(name).rpartition("/")[2] for name in names)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
