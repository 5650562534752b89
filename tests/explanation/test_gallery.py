"""Galleries: each picture with its own name, probabilities and map, whatever the order and the batches."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.evaluation.predictions import Aligned
from deepfake_ensemble.explanation import gallery
from deepfake_ensemble.explanation.choice import OUTCOMES
from deepfake_ensemble.explanation.gallery import Gallery, galleries, summary
from deepfake_ensemble.explanation.settings import ExplanationParams
from deepfake_ensemble.reading.batches import BatchReader
from pictures import pack

SIZE, WEIGHTS = 32, {"cnn": 0.25, "xception": 0.75}
SETTINGS = ExplanationParams(of_each_outcome=5, misclassified=3)


class Brightest:
    """Explains an image by its red channel, so that a map tells which image it is of."""

    def __init__(self, detector: Any) -> None:
        self.channel = detector.channel

    def maps(self, images: np.ndarray, towards_fake: np.ndarray) -> np.ndarray:
        assert len(images) <= 8
        sign = np.where(towards_fake, 1, -1)[:, None, None]
        return (images[:, ::8, ::8, self.channel] / 255 * sign).astype(np.float32)


@pytest.fixture
def readers(tmp_path: Path) -> dict[str, BatchReader]:
    return {
        name: BatchReader(pack(tmp_path / name, n), SIZE) for name, n in (("internal", 24), ("cifake", 6))
    }


@pytest.fixture
def members(readers) -> dict[str, Aligned]:
    rng = np.random.default_rng(7)
    found = {}
    for name, reader in readers.items():
        _, labels = reader.read(np.arange(len(reader)))
        paths = tuple(f"{name}/{i}.jpg" for i in range(len(reader)))
        found[name] = Aligned(paths, labels[:, 0], {model: rng.random(len(reader)) for model in WEIGHTS})
    return found


@pytest.fixture
def found(members, readers, monkeypatch) -> dict[str, Gallery]:
    monkeypatch.setattr(gallery, "GradCam", Brightest)
    told: list[int] = []
    made = galleries(
        members,
        readers,
        WEIGHTS,
        lambda model: SimpleNamespace(channel=list(WEIGHTS).index(model)),
        threshold=0.5,
        settings=SETTINGS,
        advance=told.append,
    )
    explained = sum(len(images) for of in made.values() for images in of.outcomes.values())
    assert sum(told) == explained * len(WEIGHTS)
    return made


def test_every_image_comes_with_its_own_pixels_probabilities_and_maps(found, members, readers):
    for name, of in found.items():
        split = members[name]
        for shown in (*(image for images in of.outcomes.values() for image in images), *of.misclassified):
            row = split.paths.index(shown.path)
            pixels = readers[name].read(np.array([row]))[0][0]
            assert np.array_equal(shown.pixels, pixels)
            assert shown.is_fake == bool(split.labels[row])
            for model in WEIGHTS:
                assert shown.p_fake[model] == split.p_fake[model][row]
            ensemble = sum(weight * split.p_fake[model][row] for model, weight in WEIGHTS.items())
            assert shown.p_fake["ensemble"] == pytest.approx(ensemble)
            if shown.heat:
                sign = 1 if ensemble >= 0.5 else -1
                for channel, model in enumerate(WEIGHTS):
                    expected = gallery.enlarged(
                        (sign * (pixels[None, ::8, ::8, channel] / 255)).astype(np.float32), SIZE
                    )
                    np.testing.assert_allclose(shown.heat[model], expected[0], atol=1e-6)
                assert "ensemble" in shown.heat


def test_an_ensemble_of_one_member_is_not_shown_beside_it(members, readers, monkeypatch) -> None:
    monkeypatch.setattr(gallery, "GradCam", Brightest)
    alone = {name: replace(of, p_fake={"cnn": of.p_fake["cnn"]}) for name, of in members.items()}
    made = galleries(
        alone,
        readers,
        {"cnn": 1.0},
        lambda _: SimpleNamespace(channel=0),
        threshold=0.5,
        settings=SETTINGS,
        advance=lambda _: None,
    )
    for of in made.values():
        for shown in (image for images in of.outcomes.values() for image in images):
            assert list(shown.p_fake) == list(shown.heat) == ["cnn"]
        assert all(list(shown.p_fake) == ["cnn"] for shown in of.misclassified)


def test_outcomes_hold_what_they_say_and_errors_are_counted(found, members):
    for name, of in found.items():
        for outcome, (is_fake, called_fake) in OUTCOMES.items():
            for shown in of.outcomes[outcome]:
                assert (shown.is_fake, shown.p_fake["ensemble"] >= 0.5) == (is_fake, called_fake)
        split = members[name]
        wrong = np.any(
            [(p >= 0.5) != (split.labels == 1) for p in split.p_fake.values()], axis=0
        )  # where a member is wrong; the ensemble is not wrong alone
        assert (
            of.wrong >= wrong.sum() > SETTINGS.misclassified == len(of.misclassified)
            or len(of.misclassified) == of.wrong
        )
        assert all(not shown.heat for shown in of.misclassified)


def test_the_summary_is_fit_for_json_and_names_every_image(found):
    for of in found.values():
        said = json.loads(json.dumps(summary(of), allow_nan=False))
        assert [image["path"] for image in said["misclassified"]] == [it.path for it in of.misclassified]
        assert said["wrong"] == of.wrong
