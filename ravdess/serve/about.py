"""What the page says of its model: what it learned from, how good it was found, how sure it is, what it is not for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ravdess.bundle import Bundle
    from ravdess.fused import FusedBundle

HEARD = "Acted emotion, performed in English by adults in a quiet studio, is all that it knows."
FOR_NO_JUDGEMENT = "It must not be used to judge people: not at work, not at school, not for health, not by the police."


def about(bundle: Bundle | FusedBundle, *, name: str, picture: str) -> dict[str, Any]:
    """The model in words, as JSON values.

    Parameters
    ----------
    bundle : Bundle or FusedBundle
    name : str
        Under which the store keeps it.
    picture : str
        What becomes of a face: a sentence.
    """
    return {
        "emotions": list(bundle.labels),
        "enrolled": bundle.enrolled,
        "trained": _trained(bundle),
        "facts": [["Model", f"{name}: {bundle.family} on {bundle.features}"], *_judged(bundle), *_sure(bundle)],
        "limits": FOR_NO_JUDGEMENT if bundle.facts.get("made") else f"{HEARD} {FOR_NO_JUDGEMENT}",
        "licence": bundle.licence,
        "picture": picture,
    }


def _trained(bundle: Bundle | FusedBundle) -> str:
    who = len(bundle.facts.get("trained_on", ()))
    if bundle.facts.get("made"):
        what = f"{who or 'some'} voices that a program made, in eight emotions"
        return f"It learned from {what}. It knows nothing of people."
    sings = {"song": "sang", "both": "spoke and sang"}.get(str(bundle.facts.get("channel")), "spoke")
    if set(bundle.corpora) == {"ravdess"}:
        return (
            f"It learned from {who or 'the'} professional actors of RAVDESS, who {sings} two sentences in English, "
            "acting each of eight emotions in a studio."
        )
    return f"It learned from {who or 'the'} people of {', '.join(bundle.corpora)}."


def _judged(bundle: Bundle | FusedBundle) -> list[list[str]]:
    scores, facts = bundle.scores, bundle.facts
    if "uar" not in scores:
        return [["Judged", "not yet: nobody knows how good it is"]]
    count, by = len(scores.get("actors", ())), facts.get("protocol", "unknown protocol")
    never = "LEAKY: they also trained it, so no number here is real" if facts.get("leaky") else "whom it never met"
    told = [
        ["Judged by", f"{count} actors {never} ({by}{', enrolled' if bundle.enrolled else ''})"],
        [
            "Mean recall",
            f"{scores['uar']:.3f}, 95 % interval {scores['uar_low']:.3f} to {scores['uar_high']:.3f}; "
            f"guessing gives {1 / len(bundle.labels):.3f}",
        ],
    ]
    if recalls := scores.get("recalls"):
        best, worst = (choose(recalls, key=recalls.__getitem__) for choose in (max, min))
        told.append(["By emotion", f"best {best}, {recalls[best]:.0%} found; weakest {worst}, {recalls[worst]:.0%}"])
    return told


def _sure(bundle: Bundle | FusedBundle) -> list[list[str]]:
    if (one := bundle.calibration) is None:
        return [["Not sure", "never: this model was not calibrated, so take its probabilities with doubt"]]
    return [
        [
            "Not sure",
            f"below {one.threshold:.0%}; it answered {one.answered:.0%} of the takes, {one.right:.0%} of them rightly",
        ]
    ]
