"""The report as one self-contained page."""

from deepfake_ensemble.report import figures, sections, style
from deepfake_ensemble.report.answer import answer, weights_matter
from deepfake_ensemble.report.html import Child, Markup, element
from deepfake_ensemble.report.numbers import count, given, percent
from deepfake_ensemble.report.study import Study

TITLE = "Weighted averaging of deepfake detectors"


def render(study: Study, flip: tuple[bytes, bytes]) -> str:
    """Return the page; `flip` are the images before and after the flip, as PNG."""
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
    anchors = {heading: heading.lower().rstrip("?").replace(" ", "-") for heading in content}
    links = [element("li", element("a", name, href=f"#{anchor}")) for name, anchor in anchors.items()]
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", TITLE),
        element("style", Markup(style.CSS)),
    ]
    body = [
        element(
            "header",
            element("h1", TITLE),
            _banner(study),
            [element("p", sentence, class_="answer") for sentence in answer(study)],
            element("p", weights_matter(study.evaluations[0])),
            sections.pair(
                study,
                figures.with_intervals,
                "Accuracy and AUC of the members and their ensemble on {}, with intervals.",
            ),
            element("p", _about(study), class_="about"),
        ),
        element("nav", element("ul", links), aria_label="Contents"),
        element(
            "main",
            [
                element("section", element("h2", heading), section, id=anchors[heading])
                for heading, section in content.items()
            ],
        ),
        element("footer", "Every figure on this page stands in a JSON file beside it."),
        element("script", Markup(style.JS)),
    ]
    page = element("html", element("head", head), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"


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
