"""The report as one self-contained page."""

from deepfake_ensemble.pages.document import document
from deepfake_ensemble.pages.html import Child, element
from deepfake_ensemble.pages.numbers import count, given, percent
from deepfake_ensemble.studies.ensemble.report import figures, sections
from deepfake_ensemble.studies.ensemble.report.answer import answer, failures, weights_matter
from deepfake_ensemble.studies.ensemble.report.study import Study

TITLE = "Weighted averaging of deepfake detectors"


def render(study: Study, flip: tuple[bytes, bytes]) -> str:
    """Return the page; `flip` are the images before and after the flip, as PNG."""
    header = [
        _banner(study),
        [element("p", sentence, class_="banner", role="note") for sentence in failures(study.validation)],
        [element("p", sentence, class_="answer") for sentence in answer(study.evaluations)],
        element("p", weights_matter(study.evaluations[0])),
        sections.pair(
            study,
            figures.with_intervals,
            "Accuracy and AUC of the members and their ensemble on {}, with intervals.",
        ),
        element("p", _about(study), class_="about"),
    ]
    content = {
        "The detectors": sections.detectors(study),
        "Is it more than chance?": sections.tests(study),
        "What each member adds": sections.members(study),
        "Do the weights matter?": sections.weightings(study),
        "Are the probabilities right?": sections.calibration(study),
        "Other thresholds": sections.operating_points(study),
        "Across data sets": sections.across(study),
        "Training": sections.training(study),
        "Data": sections.data(study),
        "How it was made": sections.making(study, flip),
    }
    return document(TITLE, header, content, _footer())


def _about(study: Study) -> Child:
    compared = study.evaluations[0].compared
    return [
        f"Profile {study.run['profile']}. Figures in small print are ",
        percent(compared["confidence"], 2),
        " intervals from ",
        count(compared["resamples"]),
        " resamples of the images; an image is called fake from P(fake) = ",
        given(compared["threshold"]),
        " on. The ensemble is the average of its members' P(fake), weighted by ",
        study.run["params"]["ensemble"]["weighting"].replace("_", " "),
        " on validation. Click on a table's head to sort it.",
    ]


def _banner(study: Study) -> Child:
    if study.source != "sample":
        return None
    return element(
        "p",
        element("strong", "These figures say nothing about real deepfakes."),
        " This run is the sample: small images synthesised from a dozen photographs, to show that everything "
        "works. For the study's own data choose another profile in ",
        element("code", "params.yaml"),
        ".",
        class_="banner",
        role="note",
    )


def _footer() -> Child:
    """Name the pages beside this one, which it does not wait for."""
    return [
        "Every figure on this page stands in a JSON file beside it. Pages of their own: ",
        element("a", "what the detectors lose on perturbed images", href="robustness.html"),
        ", and ",
        element("a", "where they look and what they get wrong", href="explanations/index.html"),
        " (made by ",
        element("code", "dvc repro"),
        ", fetched by ",
        element("code", "dvc pull"),
        ").",
    ]
