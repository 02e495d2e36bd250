"""Published numbers on RAVDESS speech, eight emotions, no actor in both training and test; each was seen in its source.

Left out: what only says a random split, what names no metric or fewer classes, and what could not be checked. UAR is
called UA or balanced accuracy by some, accuracy WA. Fractions in 0 … 1.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Published(NamedTuple):
    """One published number.

    Attributes
    ----------
    modality : "sound", "face" or "both"
    system : str
        Features and model.
    protocol : str
    actors : str
    source, url : str
    differs : str
        What is otherwise than here: who chose, what was trained on elsewhere.
    uar, accuracy, macro_f1 : float or None
    spread : str
        What stands behind "±" in the source.
    """

    modality: str
    system: str
    protocol: str
    actors: str
    source: str
    url: str
    differs: str
    uar: float | None = None
    accuracy: float | None = None
    macro_f1: float | None = None
    spread: str = ""


_EMOBOX: Final = (
    ("Whisper large v3", 0.7532, 0.7587, 0.7519),
    ("WavLM large", 0.7200, 0.7222, 0.7142),
    ("data2vec 2.0 large", 0.7115, 0.7163, 0.7094),
    ("HuBERT large", 0.7000, 0.7029, 0.6954),
    ("HuBERT base", 0.6543, 0.6621, 0.6531),
    ("data2vec 2.0 base", 0.6466, 0.6484, 0.6418),
    ("WavLM base", 0.6156, 0.6210, 0.6118),
    ("data2vec large", 0.5930, 0.5950, 0.5874),
    ("wav2vec 2.0 base", 0.5433, 0.5540, 0.5399),
    ("data2vec base", 0.5192, 0.5222, 0.5110),
)
_LUNA: Final = (
    ("sound", "fine-tuned XLSR wav2vec 2.0, MLP", 0.8182, "± .0199", "network of 300 M parameters trained elsewhere"),
    ("sound", "mean XLSR wav2vec 2.0, MLP", 0.5653, "± .0256", "features of a network trained elsewhere"),
    ("sound", "mean XLSR wav2vec 2.0, SVC", 0.5312, "± .0258", "features of a network trained elsewhere"),
    ("sound", "mean XLSR wav2vec 2.0, kNN", 0.3865, "", "features of a network trained elsewhere"),
    ("sound", "people, as cited there", 0.6700, "", "listeners, not a model"),
    ("face", "OpenFace action units, bi-LSTM with attention", 0.6213, "± .0251", "sequences"),
    ("face", "mean OpenFace action units, MLP", 0.6022, "± .0253", ""),
    ("face", "mean OpenFace action units, SVC", 0.5993, "", ""),
    ("face", "mean OpenFace action units, kNN", 0.5540, "", ""),
    ("face", "people, as cited there", 0.7500, "", "viewers, not a model"),
    (
        "both",
        "two action-unit models and fine-tuned XLSR, fused",
        0.8670,
        "",
        "network trained elsewhere; three models",
    ),
)
PUBLISHED: Final = (
    *(
        Published(
            "sound",
            f"{name}, frozen; small head",
            "emobox: 6 folds",
            "24",
            "EmoBox 2024, leaderboard",
            "https://github.com/emo-box/EmoBox",
            "network trained elsewhere; stopped on a random 20 % of the training actors' takes",
            uar=uar,
            accuracy=accuracy,
            macro_f1=macro_f1,
        )
        for name, uar, accuracy, macro_f1 in _EMOBOX
    ),
    Published(
        "sound",
        "34 MFCC and 12 chroma a frame, ResLSTM with attention (46.8 k parameters)",
        "5 folds of its own",
        "24",
        "arXiv 2606.03359",
        "https://arxiv.org/abs/2606.03359",
        "sequences; other folds; mean of 10 runs",
        uar=0.6232,
        spread="± .0119",
    ),
    *(
        Published(
            modality,
            system,
            "" if system.startswith("people") else "luna: 5 folds",
            "24",
            "Luna-Jiménez et al. 2022, doi 10.3390/app12010327",
            "https://doi.org/10.3390/app12010327",
            "; ".join(part for part in (differs, "± is their 95 % interval" if spread else "") if part),
            accuracy=accuracy,
            spread=spread,
        )
        for modality, system, accuracy, spread, differs in _LUNA
    ),
    Published(
        "both",
        "fine-tuned CNN-14 on sound, STN and bi-LSTM on faces, fused",
        "5 folds of actors",
        "24",
        "Luna-Jiménez et al. 2021, Sensors 21(22):7665",
        "https://digibug.ugr.es/handle/10481/71614",
        "networks trained elsewhere",
        accuracy=0.8008,
    ),
)
