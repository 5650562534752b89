"""Measure what tells images that are unlike those of training: pixels' statistics, or the networks' features.

    python benchmarks/unlike.py --faces data/local/faces.zip

Compared are the pixels' statistics, the Mahalanobis distance that the model file carries, and similarity to
the tenth nearest neighbour among validation images (Sun et al. 2022): for kinds of images that the detectors
were not trained on, the AUC against the internal test's and the share flagged, at a limit that 1 % of
validation images exceed when they are scored by what was fitted to others. Takes models/ensemble.onnx,
data/packed and an archive of faces, adds its part, by profile, to docs/measurements/unlike.json and writes
the part of docs/using.md that shows it.
"""

import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.portable import feature_distance, out_of_distribution
from deepfake_ensemble.portable.classifier import Classifier, inference_session
from deepfake_ensemble.portable.graph import INPUT, showing_features
from deepfake_ensemble.reading.images import decode, resize
from deepfake_ensemble.reading.records import PackedImages
from deepfake_ensemble.sample import photographs, synthesis
from deepfake_ensemble.workflow.generated import refresh, table
from harness import FOLDER, keep, kept, options

FILE = FOLDER / "unlike.json"
PAGE = Path("docs/using.md")
MOST = 300  # images of a kind
NEIGHBOUR = 10
FOLDS = 5

Features = NDArray[np.float64]
Scorer = Callable[[Features], Callable[[Features], NDArray[np.float64]]]


def _evenly(images: list[Any]) -> list[Any]:
    return [images[i] for i in np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST)).astype(int))]


def _faces(archive: Path, label: int) -> list[Image.Image]:
    layout = LAYOUTS["faces"]
    with zipfile.ZipFile(archive) as file:
        of_label = [n for n in sorted(file.namelist()) if (at := layout.place(n)) and at.label == label]
        return [decode(file.read(name)) for name in _evenly(of_label)]


def _crops(draw: np.random.Generator) -> Iterator[Image.Image]:
    """Yield squares of photographs without faces."""
    names = [*photographs.COLOUR_PHOTOGRAPHS[1:], *photographs.MORE_PHOTOGRAPHS[2:]]
    for number in range(MOST):
        image = Image.fromarray(photographs.read(names[number % len(names)]).pixels).convert("RGB")
        side = int(draw.integers(min(image.size) // 3, min(image.size) + 1))
        x, y = (int(draw.integers(0, free - side + 1)) for free in image.size)
        yield image.crop((x, y, x + side, y + side))


def _drawings(draw: np.random.Generator) -> Iterator[Image.Image]:
    for _ in range(MOST):
        image = Image.new("RGB", (256, 256), tuple(draw.integers(200, 256, 3).tolist()))
        pen = ImageDraw.Draw(image)
        for _ in range(int(draw.integers(5, 25))):
            ends, colour = draw.integers(0, 256, (2, 2)), tuple(draw.integers(0, 256, 3).tolist())
            box, width = (
                [*ends.min(axis=0).tolist(), *(ends.max(axis=0) + 1).tolist()],
                int(draw.integers(1, 8)),
            )
            match draw.integers(3):
                case 0:
                    pen.line(ends.ravel().tolist(), colour, width)
                case 1:
                    pen.ellipse(box, colour, "black", width)
                case _:
                    pen.rectangle(box, None, colour, width)
        yield image


def kinds(archive: Path, size: int, interpolation: Any) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield images (n, size, size, 3) by kind: validation and test, then others."""
    draw = np.random.default_rng(42)

    def stack(images: Any) -> NDArray[np.uint8]:
        return np.stack([np.asarray(resize(image, size, interpolation)) for image in images])

    for name, folder in {"val": "internal/val", "test": "internal/test", "CIFAKE": "cifake"}.items():
        packed = PackedImages(Path("data/packed") / folder)
        yield name, stack(decode(packed[i]) for i in _evenly(list(range(len(packed)))))
    real = _faces(archive, 0)
    yield "real faces", stack(real)
    yield "StyleGAN's faces", stack(_faces(archive, 1))
    yield "faces of a simulated GAN", stack(decode(synthesis.gan(np.asarray(face), draw)) for face in real)
    yield (
        "outlines of faces",
        stack(face.convert("L").filter(ImageFilter.CONTOUR).convert("RGB") for face in real),
    )
    yield "photographs without faces", stack(_crops(draw))
    yield "noise", draw.integers(0, 256, (MOST, size, size, 3), dtype=np.uint8)
    yield "drawings", stack(_drawings(draw))


def _pixels(reference: Features) -> Callable[[Features], NDArray[np.float64]]:
    usual = out_of_distribution.fit(reference)
    return lambda features: out_of_distribution.scores(features, usual)


def _mahalanobis(reference: Features) -> Callable[[Features], NDArray[np.float64]]:
    usual = feature_distance.fit(reference)
    return lambda features: feature_distance.distances(features, usual)


def _neighbours(reference: Features) -> Callable[[Features], NDArray[np.float64]]:
    def of_length_one(features: Features) -> Features:
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    near = of_length_one(reference)
    return lambda features: -np.sort(of_length_one(features) @ near.T, axis=1)[:, -NEIGHBOUR]


def measure(model: Path, archive: Path) -> dict[str, Any]:
    about = Classifier(model).metadata
    probe = inference_session(showing_features(onnx.load(model)).SerializeToString())
    pixels: dict[str, Features] = {}
    features: dict[str, Features] = {}
    for name, images in kinds(archive, about.image_size, about.interpolation):
        pixels[name] = np.stack([out_of_distribution.features(image) for image in images])
        some = (images[first : first + 64] for first in range(0, len(images), 64))
        found = np.concatenate([probe.run(None, {INPUT: seen})[0] for seen in some])
        features[name] = found.astype(np.float64)
        print(name, len(images), flush=True)
    return {
        "images": {name: len(of) for name, of in pixels.items()},
        "pixels": _told(_pixels, pixels),
        "features": _told(_mahalanobis, features),
        "features_by_neighbours": _told(_neighbours, features),
    }


def _told(fit: Scorer, features: Mapping[str, Features]) -> dict[str, dict[str, float | None]]:
    """Return AUC against the test's images, and share flagged, by kind."""
    val = features["val"]
    fold = np.arange(len(val)) % FOLDS
    apart = np.concatenate([fit(val[fold != k])(val[fold == k]) for k in range(FOLDS)])
    limit, score = np.quantile(apart, out_of_distribution.QUANTILE, method="higher"), fit(val)
    usual = score(features["test"])
    told: dict[str, dict[str, float | None]] = {
        "internal test": {"auc": None, "flagged": round(float((usual > limit).mean()), 3)}
    }
    for name, of in features.items():
        if name in ("val", "test"):
            continue
        other = score(of)
        both = np.concatenate([usual, other])
        ranks = both.argsort().argsort() / len(both)  # AUC takes them as it would the scores
        labels = np.repeat([0, 1], [len(usual), len(other)])
        told[name] = {
            "auc": round(metrics(labels, ranks).auc, 3),
            "flagged": round(float((other > limit).mean()), 3),
        }
    return told


def part(results: Mapping[str, Any]) -> str:
    """Return what the page says of it, in Markdown: a column for each profile and score."""
    profiles = results["profiles"]
    told = {
        f"`{profile}`, by {score}": of[score]
        for profile, of in profiles.items()
        for score in ("pixels", "features")
    }
    rows = [[kind, *(_cell(of[kind]) for of in told.values())] for kind in next(iter(told.values()))]
    return table(["images", *told], rows)


def _cell(told: Mapping[str, float | None]) -> str:
    auc = "–" if told["auc"] is None else f"{told['auc']:.2f}"
    return f"{auc}, {100 * (told['flagged'] or 0):.0f} %"


def main() -> None:
    parser = options(__doc__, FILE)
    parser.add_argument(
        "--page", action="store_true", help="measure nothing: only write the page's part anew"
    )
    parser.add_argument("--model", type=Path, default=Path("models/ensemble.onnx"), help="the model file")
    parser.add_argument(
        "--faces", type=Path, default=Path("data/local/faces.zip"), help="real faces, and others"
    )
    asked = parser.parse_args()
    if not asked.page:
        profile = Classifier(asked.model).metadata.profile
        found = kept(asked.file).get("profiles", {}) | {profile: measure(asked.model, asked.faces)}
        keep(asked.file, {"profiles": found})
    if asked.file == FILE:
        refresh(PAGE, {"unlike": part(kept(FILE))})


if __name__ == "__main__":
    main()
