import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

import study as made_up
from deepfake_ensemble.comparison.comparison import compare, cross_data_set
from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.studies.ensemble.report import model_card, page
from deepfake_ensemble.studies.ensemble.report.method_figures import before_and_after
from deepfake_ensemble.studies.ensemble.report.study import read
from measuring import settings
from page_parser import Page, leaves

FLIP = (np.zeros((4, 4, 3), np.uint8),) * 2
# Digits that are part of a name.
NAMES = ("ResNet50", "EfficientNet-B4", "F1", "figure 3.1", "figure 3.2", "0 to 255")


@pytest.fixture(scope="module")
def text(study):
    return (study / "reports/report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def parsed(text):
    return Page(text)


@pytest.fixture(scope="module")
def stored(study):
    """Every key and value of the JSON files beside the page."""
    files = sorted((study / "reports").rglob("*.json"))
    assert len(files) > 10
    return [leaf for file in files for leaf in leaves(json.loads(file.read_text(encoding="utf-8")))]


def shown(text):
    """Return the number that a figure's text shows, and by how much its value may differ."""
    digits = re.sub(r"[\s,+%<]", "", text).replace("−", "-")
    places = len(re.sub(r"e.*", "", digits).partition(".")[2])
    scale = 10.0 ** int(digits.partition("e")[2] or 0)
    return float(digits), 0.5001 * scale / 10**places


def test_every_figure_of_the_page_stands_in_a_json_file_beside_it(parsed, stored):
    numbers = {leaf for leaf in stored if isinstance(leaf, int | float) and not isinstance(leaf, bool)}
    assert len(parsed.figures) > 1000
    for value, text in parsed.figures:
        assert float(value) in numbers, (value, text)


def test_what_is_shown_of_a_figure_is_its_value_rounded(parsed):
    for stored_as, text in parsed.figures:
        value, (number, tolerance) = float(stored_as), shown(text)
        if text.startswith("<"):
            assert value < number
            continue
        # In percent and percentage points, and without a sign where words tell which way it goes.
        forms = [scale * v for scale in (1, 100) for v in (value, abs(value))]
        assert any(abs(number - form) <= tolerance for form in forms), (value, text)


def test_no_other_number_is_in_the_page(parsed, stored):
    strings = {leaf for leaf in stored if isinstance(leaf, str)}
    known = {word for leaf in strings for word in re.findall(r"[\w.:]+", leaf)}
    said = "\n".join(parsed.words)
    for name in NAMES:
        said = said.replace(name, "")
    for word in re.findall(r"[\w.:]*\d[\w.:]*", said):
        a_key = word[0].isalpha() and all(part in known for part in word.split("."))
        assert a_key or word.rstrip(".:") in known


def test_the_page_opens_with_the_banner_and_the_answer(parsed):
    said = parsed.said.split("The detectors")[0]
    assert said.index("say nothing about real deepfakes") < said.index("weighted averaging")
    assert said.index("On the internal test") < said.index("On CIFAKE")


def test_the_page_needs_nothing_from_outside(parsed, text):
    for tag, attributes in parsed.elements:
        assert tag not in ("link", "iframe", "object"), tag
        for name in ("src", "href", "xlink:href"):
            beside = ("robustness.html", "explanations/index.html")
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,", *beside))
    outside_of_figures = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
    assert "http" not in outside_of_figures and "@import" not in text


def test_links_lead_to_sections_and_no_identifier_occurs_twice(parsed):
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    hrefs = [attributes["href"] for tag, attributes in parsed.elements if tag == "a"]
    links = [href for href in hrefs if href.startswith("#")]
    assert {link.removeprefix("#") for link in links} <= set(ids)


def test_what_follows_the_answer_is_folded_below_headings(parsed):
    tags = [tag for tag, _ in parsed.elements if tag in ("section", "details", "h2", "main", "nav")]
    assert tags[:4] == ["main", "section", "details", "h2"] and "nav" not in tags
    sections = [i for i, tag in enumerate(tags) if tag == "section"]
    assert len(sections) == 12 and all(tags[i + 1 : i + 3] == ["details", "h2"] for i in sections)
    assert not any("open" in attributes for tag, attributes in parsed.elements if tag == "details")


def test_the_disclaimer_is_printed_once_as_a_banner(parsed, text):
    assert text.count("say nothing about real deepfakes") == 1
    assert [attributes for _, attributes in parsed.elements if attributes.get("class") == "banner"]


def test_a_figure_draws_a_letter_by_the_page_s_one_outline_of_it(text):
    outlines = re.findall(r'<path id="(letter-\d+)" d="([^"]+)"', text)
    assert len(outlines) > 30 and len({outline for _, outline in outlines}) == len(outlines)
    letters = set(re.findall(r'href="#(letter-\d+)"', text))
    assert letters == {name for name, _ in outlines}
    assert len(text) < 800_000 and text.count("scale(0.015625)") == len(outlines)


def test_a_constant_answer_stands_beside_accuracies_and_f1(study, text, parsed):
    constant = json.loads((study / "reports/comparison/internal.json").read_text(encoding="utf-8"))[
        "constant"
    ]
    assert constant == {"accuracy": 0.5, "f1": 0.6666666667, "log_loss": 0.6931471806}
    row = text.partition('<th scope="row">a constant answer</th>')[2].partition("</tr>")[0]
    assert re.findall(r"<td.*?>(?:<data.*?>)?([\d.–]+)", row)[6] == "0.693"
    assert text.count('<th scope="row">a constant answer</th>') == 2
    captions = re.findall(r"<caption><span>(.*?)</span>", text, re.DOTALL)
    for about in ("Weightings on", "Ensembles of every subset", "Thresholds on", "From the internal test"):
        (first, *_) = [caption for caption in captions if caption.startswith(about)]
        assert "a constant answer: accuracy" in first, about
    (training,) = [caption for caption in captions if caption.startswith("Training")]
    assert "a constant answer is right on half of the images" in training
    subjects = text.partition("by what the images show</span>")[2].partition("</thead>")[0]
    assert "a constant answer" in subjects
    assert "; a constant answer has" in parsed.said


def test_trivial_features_have_units(parsed):
    for unit in ("file size (bytes)", "brightness (mean grey level", "sharpness (variance of the Laplacian"):
        assert unit in parsed.said


@pytest.mark.parametrize(
    ("weighting", "headline", "ensemble"),
    [
        ("accuracy", "Weighted averaging of deepfake detectors", "weighted by their shares of validation"),
        ("uniform", "Equal-weight averaging of deepfake detectors", "all of the same weight"),
        ("log_loss", "Least-log-loss averaging of deepfake detectors", "with the weights of least log loss"),
    ],
)
def test_the_page_and_the_card_say_how_the_ensemble_averages(study, weighting, headline, ensemble):
    found = made_up.found(study)
    found = replace(found, settings=replace(found.settings, weighting=weighting))
    for said in (Page(page.render(found, FLIP)).said, model_card.render(found)):
        averaging = headline.removesuffix(" of deepfake detectors").lower()
        assert headline.lower() in said.lower() and ensemble in said and f", {averaging} " in said
        assert (" weighted averaging" in said) == (weighting == "accuracy"), said
        assert "weighted by uniform" not in said


def test_the_page_shows_the_studys_figures_and_no_image_of_the_data(parsed, study):
    captions = parsed.said
    assert "figure 3.1" in captions and "figure 3.2" in captions
    images = [attributes for tag, attributes in parsed.elements if tag == "img"]
    assert [image["alt"] for image in images] == ["a face", "the same face, mirrored"]


def test_the_run_is_told_in_full(study):
    run = json.loads((study / "reports/run.json").read_text(encoding="utf-8"))
    assert run["profile"] == "sample" and run["params"]["profiles.sample"]["source"] == "sample"
    assert set(run["predictions"]) == set(made_up.SKILLS)
    assert {"numpy", "pillow"} <= set(run["versions"]) and len(run["digest"]) == 64
    assert "reports/comparison/drop/cifake.json" in run["data"]


def test_the_model_card_warns_and_its_figures_stand_in_the_json_files(study, stored):
    card = (study / "reports/model_card.md").read_text(encoding="utf-8")
    assert "**Do not use this model.**" in card.splitlines()[2]
    for heading in ("Intended use", "Data", "Metrics", "Limits"):
        assert f"\n## {heading}\n" in card
    numbers = [abs(leaf) for leaf in stored if isinstance(leaf, int | float)]
    strings = {leaf for leaf in stored if isinstance(leaf, str)}
    for name in (*NAMES, *(string for string in strings if "/" in string)):
        card = card.replace(name, "")
    found = re.findall(r"\d[\d,]*(?:\.\d+)?", card)
    assert len(found) > 150
    for text in found:
        number, tolerance = shown(text)
        assert any(abs(number - scale * n) <= tolerance for scale in (1, 100) for n in numbers), text


def test_another_process_writes_the_same_bytes(study, text):
    again = made_up.found(study)
    assert page.render(again, before_and_after(again.settings.image_size, "bilinear")) == text
    assert model_card.render(again) == (study / "reports/model_card.md").read_text(encoding="utf-8")


def test_without_the_sample_there_is_no_banner_but_a_warning(study):
    real = made_up.found(study, source="local")
    assert "real deepfakes" not in page.render(real, FLIP)
    assert "> **Warning.**" in model_card.render(real)


@pytest.mark.parametrize("name", ["comparison/internal.json", "evaluation/cifake/confusion.csv"])
def test_a_missing_file_is_named(study, tmp_path, name):
    shutil.copytree(study / "reports", tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    sound = made_up.found(study)
    with pytest.raises(UserError, match=f"{name}: missing; `dvc repro"):
        read(tmp_path, sound.run, sound.settings)


def degenerate(labels):
    """Detectors that are always right, always wrong, always undecided, and half right."""
    p_fake = (labels, 1 - labels, np.full(len(labels), 0.5), np.arange(len(labels)) % 4 // 2)
    paths = tuple(f"{i}.jpg" for i in range(len(labels)))
    return Aligned(paths, labels, {n: p.astype(float) for n, p in zip(made_up.SKILLS, p_fake, strict=True)})


def test_detectors_that_are_always_right_or_always_wrong_make_a_page_too(study):
    labels = np.arange(24) % 2
    predictions = degenerate(labels)
    shares = dict.fromkeys(predictions.p_fake, 0.0) | {"resnet50": 1.0}
    measured = settings(resamples=100)
    sound = made_up.found(study)
    evaluations = []
    for each in sound.evaluations:
        compared = compare(predictions, predictions, shares, measured, data_set=each.name)
        subjects = ["real cat" if label == 0 else "fake dog" for label in labels]
        drop = each.drop and cross_data_set(
            predictions, predictions, shares, measured, names=("internal", "cifake"), subjects=subjects
        )
        evaluations.append(replace(each, compared=compared, drop=drop))
    made = Page(page.render(replace(sound, evaluations=evaluations), FLIP))
    said = made.said
    assert "every resample gives the same" in said
    assert "there are no fake images of it" in said
    assert "no temperature is best" in said
    assert "nan" not in said.lower().split()
    assert model_card.render(replace(sound, evaluations=evaluations))


def test_of_a_detector_alone_nothing_is_told_of_averaging(study, tmp_path):
    made_up.make_alone(tmp_path, study, "xception")
    card = (tmp_path / "reports/model_card.md").read_text(encoding="utf-8")
    html = (tmp_path / "reports/report.html").read_text(encoding="utf-8")
    # Behind this the parameters are shown as they are.
    told = Page(html).said.partition("Configuration: profile")[0]
    for said in (card, told):
        assert "Xception, a deepfake detector" in said
        assert re.search(r"On the internal test \(.*? images\) Xception classifies .*? correctly", said)
        found = re.findall(
            r"(?i).{30}(?:ensemble|averaging|average(?! precision)|member|weight(?!s)).{30}", said
        )
        assert not found
    assert "Warning" not in made_up.run(tmp_path, "report").stderr  # of figures with nothing in them
