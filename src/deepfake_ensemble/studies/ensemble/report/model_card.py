"""The ensemble's model card (Mitchell et al. 2019): what it is for, what it does, and where it fails."""

from collections.abc import Mapping

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.detectors import title
from deepfake_ensemble.pages.numbers import count, given, percent, share
from deepfake_ensemble.studies.ensemble.report.answer import (
    Sentence,
    answer,
    as_text,
    failures,
    weights_matter,
)
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, Study

_METRICS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "auc": "AUC"}

_SAMPLE_WARNING = """\
> **Do not use this model.** It was trained on the sample: small synthetic images which show that everything
> works. Its figures say nothing about real deepfakes."""

_WARNING = """\
> **Warning.** Detectors of this kind fail without notice on generators, sizes and compressions that they have
> not seen. Measure it on images of your own before you rely on it."""

_USE = """\
Research and teaching: to measure whether averaging detectors of AI-made faces helps, and how detectors carry
over to images of another origin. It is one signal among others where somebody looks at the image and decides.

It is not for decisions about people: not for evidence, not for moderation without a human, not for accusing
anyone of forgery. A high P(fake) is no proof, and a low one no certificate."""

_LIMITS = """\
- One training with one seed: the intervals do not cover how much another training would differ.
- One generator of faces in training: nothing is learnt of face swaps, of video, or of newer generators.
- Images of another origin ({outside}) are measured, not trained on. Their size and compression differ too, so
  what is lost there is not the generator's alone.
- How errors spread over age, sex, skin and pose is not known: the data sets do not say.
- Nobody tried to fool it. Changes made to deceive are likely to."""


def render(study: Study) -> str:
    """Return the card as Markdown."""
    outside = ", ".join(title(each.name) for each in study.evaluations if each.drop) or "none here"
    sections = {
        "The model": _model(study),
        "Intended use": _USE,
        "Data": _data(study),
        "Metrics": "\n\n".join([as_text(_about(study)), *map(_metrics, study.evaluations)]),
        "What the figures say": "\n\n".join(map(as_text, _findings(study))),
        "Limits": _LIMITS.format(outside=outside),
    }
    warning = _SAMPLE_WARNING if study.source == "sample" else _WARNING
    parts = ["# Model card: weighted average of deepfake detectors", warning]
    parts += [f"## {heading}\n\n{text}" for heading, text in sections.items()]
    return "\n\n".join(parts) + "\n"


def _model(study: Study) -> str:
    params = study.run["params"]
    profile = params[f"profiles.{study.run['profile']}"]
    weights = [as_text([f"- {title(model)}: ", share(weight)]) for model, weight in study.weights.items()]
    method = params["ensemble"]["weighting"]
    made: Sentence = [
        "Input: an RGB image, brought to ",
        given(profile["image_size"]),
        " pixels a side. Output: P(fake); an image is called fake from ",
        given(params["evaluation"]["threshold"]),
        f" on. Initial weights: {profile['initial_weights']}. Profile: `{study.run['profile']}`.",
    ]
    return "\n\n".join(
        [
            f"The average of its members' P(fake), weighted by `ensemble.weighting: {method}` on validation:",
            "\n".join(weights),
            as_text(made),
        ]
    )


def _data(study: Study) -> str:
    made = "synthesised in the layout of" if study.source == "sample" else "from"
    kaggle = {name: of["kaggle"] for name, of in study.run["params"]["data_sets"].items()}
    lines = []
    for name, of in study.splits.items():
        splits = ", ".join(as_text([f"{split} ", count(images)]) for split, images in of["images"].items())
        lines.append(f"- {title(name)}, {made} `{kaggle[name]}`: {splits}")
    return "Images in each split, half of them fake:\n\n" + "\n".join(lines)


def _about(study: Study) -> Sentence:
    compared = study.evaluations[0].compared
    return [
        "Fake is the positive class. In brackets ",
        percent(compared["confidence"], 2),
        " intervals from ",
        count(compared["resamples"]),
        " resamples of the images: they cover other images of the same origin, not another training.",
    ]


def _metrics(evaluation: Evaluation) -> str:
    compared = evaluation.compared
    head = ["detector", *_METRICS.values()]
    rows = [
        [title(name), *(_interval(of[metric], evaluation.digits) for metric in _METRICS)]
        for name, of in compared["detectors"].items()
    ]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]
    return as_text([f"On {evaluation.place} (", count(compared["n"]), " images):\n\n"]) + "\n".join(lines)


def _interval(figure: Mapping[str, float], digits: int) -> str:
    value, low, high = (share(figure[end], digits).text for end in ("value", "ci_low", "ci_high"))
    return f"{value} ({low}–{high})"


def _findings(study: Study) -> list[Sentence]:
    return [
        *failures(study.validation),
        *answer(study.evaluations),
        weights_matter(study.evaluations[0]),
        *map(_errors, study.evaluations),
    ]


def _errors(evaluation: Evaluation) -> Sentence:
    point = evaluation.compared["operating_points"][ENSEMBLE]["default"]
    return [
        f"On {evaluation.place} it calls ",
        percent(point["false_positive_rate"]["value"], evaluation.digits),
        " of the real images fake, and finds ",
        percent(point["true_positive_rate"]["value"], evaluation.digits),
        " of the fakes; where fakes are rarer than here, more of what it calls fake is real.",
    ]
