"""Measure how faces are found in photographs and cut out of them, and what that costs a detector.

    python benchmarks/faces.py alignment
    python benchmarks/faces.py found
    python benchmarks/faces.py detector
    python benchmarks/faces.py others
    python benchmarks/faces.py people --animals ARCHIVE
    python benchmarks/faces.py pictures
    python benchmarks/faces.py page

All take the faces of data/local/faces.zip, or --archive, 256 pixels a side, and keep figures only.
`alignment` measures how large a square around the landmarks that are found these images are. `found` counts
the faces found as they are, and pasted into the sample's photographs: at several sizes, turned by up to 30°,
and compressed as JPEG with qualities from 60 to 95; and those found where there is none. `detector` trains a
few small networks on the faces for some minutes and compares their AUC on the originals with that on faces
found and cut out, and on faces as small and as compressed as these but cut out as the data set has them: what
these lose, no finder brings back. `others` counts as `found` does for other finders of PyPI, as far as they
are installed: opencv-python-headless below 5, yuface. `people` counts in groups of twelve, by how dark or
pale a face is in the picture (the individual typology angle between eyes and mouth), and on the animals of
CIFAKE's photographs, enlarged. `pictures` looks for faces in what packages of the environment carry, and in
changed ones: a profile, sunglasses, a mask, what stands for drawings and statues. Each adds its part to
docs/measurements/faces.json and writes the parts of docs/using.md that show it; `page` writes these anew and
measures nothing.
"""

import io
import math
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.evaluation.metrics import metrics
from deepfake_ensemble.faces import alignment
from deepfake_ensemble.faces.alignment import is_face_crop, square
from deepfake_ensemble.faces.cropping import Square, crop_face
from deepfake_ensemble.faces.finding import Face, find
from deepfake_ensemble.reading.images import decode, resize
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.use.wording import percent
from deepfake_ensemble.workflow.generated import refresh, table
from harness import FOLDER, keep, kept, options

FILE = FOLDER / "faces.json"
PAGE = Path("docs/using.md")
SIZES = (64, 128, 256, 512)
TURNED = 30  # degrees
QUALITIES = (60, 95)
FAR = 0.15  # a square whose corners lie farther off, on average, as a share of its side, is not the face's
SEEN = 64  # pixels a side, by the networks that are trained here
EPOCHS = 24
# What one of them loses is 0.02 off that of another, so the mean of four would not be known to 0.001.
NETWORKS = 8
AIM = 0.02  # of AUC that finding and cutting out may cost
# Of the photographs, the first shows a face.
GROUNDS = photographs.COLOUR_PHOTOGRAPHS[1:]
WITHOUT = (
    *GROUNDS,
    *(name for name in photographs.MORE_PHOTOGRAPHS if "camera" not in name and "grace" not in name),
)

Finder = Callable[[Image.Image], list[Face]]


@dataclass(frozen=True)
class Picture:
    """A face of the archive, and where it belongs."""

    image: Image.Image
    label: int
    partition: str


def faces(archive: Path, step: int = 1) -> Iterator[Picture]:
    """Yield every `step`-th face."""
    layout = LAYOUTS["faces"]
    with zipfile.ZipFile(archive) as file:
        places = [(name, place) for name in sorted(file.namelist()) if (place := layout.place(name))]
        for name, place in places[::step]:
            yield Picture(decode(file.read(name)), place.label, place.partition)


@dataclass(frozen=True)
class Scene:
    """A photograph with a face in it, compressed; where that is; and the face alone, as small and as
    compressed."""

    image: Image.Image
    where: Square
    alone: Image.Image


def pasted(face: Image.Image, number: int, size: int, draw: np.random.Generator) -> Scene:
    """Paste a face of so many pixels a side into one of the sample's photographs."""
    ground = Image.fromarray(photographs.read(GROUNDS[number % len(GROUNDS)]).pixels)
    enlarge = max(1.0, 1.5 * size / min(ground.size))
    ground = ground.resize([round(side * enlarge) for side in ground.size], Image.Resampling.BICUBIC)
    angle = float(draw.uniform(-TURNED, TURNED))
    face = face.resize((size, size), Image.Resampling.BICUBIC)
    turned = face.convert("RGBA").rotate(-angle, Image.Resampling.BICUBIC, expand=True)
    x, y = (int(draw.integers(0, free + 1)) for free in np.subtract(ground.size, turned.size))
    ground.paste(turned.convert("RGB"), (x, y), turned.getchannel("A"))
    quality = int(draw.integers(QUALITIES[0], QUALITIES[1] + 1))
    where = Square(x + turned.width / 2, y + turned.height / 2, float(size), angle)
    return Scene(_compressed(ground, quality), where, _compressed(face, quality))


def _compressed(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return decode(file.getvalue())


def apart(one: Square, other: Square) -> float:
    """Return how far corners lie apart on average, as a share of the second square's side."""
    return float(np.hypot(*np.subtract(one.corners(), other.corners()).T).mean() / other.side)


def nearest(found: Sequence[Face], truth: Square) -> tuple[Face, float] | None:
    """Return the face whose middle and height fit best, and how far its square's corners lie off."""
    fitting = []
    for face in found:
        left, top, right, bottom = face.box
        off = math.hypot((left + right) / 2 - truth.x, (top + bottom) / 2 - truth.y)
        if off < 0.25 * truth.side and 0.3 < (bottom - top) / truth.side < 1.1:
            fitting.append((off, face))
    if not fitting:
        return None
    face = min(fitting, key=lambda each: each[0])[1]
    return face, apart(square(face), truth) if face.landmarks else math.nan


def measure_alignment(archive: Path) -> dict[str, Any]:
    margins, centres = [], []
    for picture in faces(archive):
        if not (found := find(picture.image)):
            continue
        left_eye, right_eye, _, left_mouth, right_mouth = np.array(found[0].landmarks)
        eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
        down = mouth - eyes
        side = max(4 * math.hypot(*(right_eye - left_eye)), 3.6 * math.hypot(*down))
        margins.append(picture.image.width / side)
        centres.append(((np.array(picture.image.size) / 2 - eyes) @ down) / (down @ down))
    return {"images": len(margins), "margin": _spread(margins), "centre": _spread(centres)}


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {f"{q}_percent": round(float(np.percentile(values, q)), 4) for q in (5, 50, 95)}


def count(finder: Finder, archive: Path, step: int, pasted_step: int) -> dict[str, Any]:
    """Count what a finder finds, and time it."""
    scenes: dict[str, Iterator[tuple[Image.Image, Square]]] = {"as they are": _as_they_are(archive, step)}
    scenes |= {f"pasted, {size} pixels": _pasted(archive, size, pasted_step) for size in SIZES}
    rows = {}
    for name, images in scenes.items():
        errors, others, used, n = [], 0, 0.0, 0
        for image, truth in images:
            start = time.process_time()
            found = finder(image)
            used += time.process_time() - start
            best = nearest(found, truth)
            errors += [best[1]] if best else []
            others += len(found) - bool(best)
            n += 1
        known = [error for error in errors if not math.isnan(error)]
        rows[name] = {
            "images": n,
            "found": round(len(errors) / n, 4),
            "well_aligned": round(sum(error <= FAR for error in known) / n, 4) if known else None,
            "corners_off": round(float(np.median(known)), 4) if known else None,
            "others": others,
            "seconds": round(used / n, 3),
        }
        print(name, rows[name], flush=True)
    false, n = 0, 0
    for name in WITHOUT:
        image = Image.fromarray(photographs.read(name).pixels)
        for scale in (0.5, 1, 2):
            false += len(finder(image.resize([max(1, round(side * scale)) for side in image.size])))
            n += 1
    return {"faces": rows, "without_faces": {"images": n, "false_faces": false}}


def _as_they_are(archive: Path, step: int) -> Iterator[tuple[Image.Image, Square]]:
    for picture in faces(archive, step):
        side = picture.image.width
        yield picture.image, Square(side / 2, side / 2, side, 0)


def _pasted(archive: Path, size: int, step: int) -> Iterator[tuple[Image.Image, Square]]:
    draw = np.random.default_rng(size)
    for number, picture in enumerate(faces(archive, step)):
        scene = pasted(picture.image, number, size, draw)
        yield scene.image, scene.where


GROUP = (4, 3)  # faces side by side, and one above another
CELL = 320  # pixels of the square that each has
# Sides of the angle's classes by Chardon, Cretois & Hourseau 1991, dark to very light.
TONES = {"dark": (-90, -30), "brown": (-30, 10), "tan": (10, 28), "intermediate": (28, 41), "light": (41, 90)}
ANIMALS = {"birds": 3, "cats": 4, "deer": 5, "dogs": 6, "frogs": 7, "horses": 8}  # as CIFAKE numbers them
OF_EACH = 100  # images


def measure_people(archive: Path, animals: Path) -> dict[str, Any]:
    """Count faces found in groups and by tone, and on animals."""
    tones: dict[str, list[float]] = {name: [] for name in TONES}
    for picture in faces(archive):
        angle = _tone(picture.image)
        for tone in (name for name, (low, high) in TONES.items() if low <= angle < high):
            side = picture.image.width
            best = nearest(find(picture.image), Square(side / 2, side / 2, side, 0))
            tones[tone].append(best[1] if best else math.nan)
    draw = np.random.default_rng(42)
    members = list(faces(archive, 9))
    size = GROUP[0] * GROUP[1]
    seen = [_group([each.image for each in members[i : i + size]], draw) for i in range(0, 192, size)]
    found = dict.fromkeys(ANIMALS, 0)
    for name, number in ANIMALS.items():
        for image in _animals(animals, number):
            found[name] += bool(find(image))
    return {
        "tones": {
            name: {
                "images": len(off),
                "found": round(float(np.isfinite(off).mean()), 4),
                "corners_off": round(float(np.nanmedian(off)), 4),
            }
            for name, off in tones.items()
        },
        "groups": {"faces": 192, "found": sum(seen)},
        "animals": {"images": OF_EACH, "with_a_face": found},
    }


def _tone(face: Image.Image) -> float:
    """Return the individual typology angle of what lies between eyes and mouth, in degrees."""
    lab = ImageCms.createProfile("LAB")
    cheeks = face.crop((90, 125, 166, 170))
    transform = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), lab, "RGB", "LAB")
    done = ImageCms.applyTransform(cheeks, transform)
    assert done is not None
    lightness, _, yellow = np.moveaxis(np.asarray(done), -1, 0)
    return math.degrees(
        math.atan2(np.median(lightness) * 100 / 255 - 50, max(np.median(yellow.astype(np.int8)), 1e-9))
    )


def _group(members: Sequence[Image.Image], draw: np.random.Generator) -> int:
    """Paste faces of 48 to 256 pixels side by side into a photograph, and return how many are found."""
    ground = Image.fromarray(photographs.read(GROUNDS[int(draw.integers(len(GROUNDS)))]).pixels)
    ground = ground.resize((GROUP[0] * CELL, GROUP[1] * CELL))
    places = []
    for number, face in enumerate(members):
        size = int(draw.integers(48, 257))
        x, y = (CELL * cell + int(draw.integers(0, CELL - size)) for cell in divmod(number, GROUP[1]))
        ground.paste(face.resize((size, size), Image.Resampling.BICUBIC), (x, y))
        places.append(Square(x + size / 2, y + size / 2, size, 0))
    found = find(_compressed(ground, 85))
    return sum(nearest(found, place) is not None for place in places)


def _animals(archive: Path, number: int) -> Iterator[Image.Image]:
    with zipfile.ZipFile(archive) as file:
        names = sorted(
            name for name in file.namelist() if name.endswith(f"({number}).jpg") and "REAL" in name
        )
        for name in names[:OF_EACH]:
            yield decode(file.read(name)).resize((256, 256), Image.Resampling.BICUBIC)


_BEFORE_A_CAMERA = (150, 40, 320, 210)
"""The photographer's head in scikit-image's picture `camera`."""


def pictures() -> Iterator[tuple[str, int, Image.Image]]:
    """Yield pictures, each with what it shows and how many faces that are."""

    def photograph(name: str) -> Image.Image:
        return Image.fromarray(photographs.read(name).pixels)

    face = photograph("skimage/data/astronaut.png")
    left_eye, right_eye, nose, left_mouth, right_mouth = find(face)[0].landmarks
    half = (right_eye[0] - left_eye[0]) / 2
    yield "an astronaut, from the front", 1, face
    for turned in (30, 45, 60, 75, 90):
        yield f"turned by {turned}°", 1, face.rotate(turned, expand=True)
    for light, share in (("a fifth", 0.2), ("a tenth", 0.1)):
        yield f"in {light} of the light", 1, ImageEnhance.Brightness(face).enhance(share)
    dark = face.copy()
    for x, y in (left_eye, right_eye):
        ImageDraw.Draw(dark).ellipse((x - half, y - half * 0.7, x + half, y + half * 0.7), "black")
    yield "with sunglasses painted on", 1, dark
    edges = (left_mouth[0] - half, nose[1] - half / 2, right_mouth[0] + half, right_mouth[1] + 1.5 * half)
    for colour in ("pale blue", "black"):
        masked = face.copy()
        ImageDraw.Draw(masked).rounded_rectangle(edges, half / 2, colour.replace("pale ", "light"))
        yield f"with a {colour} mask painted over nose and mouth", 1, masked
    yield "coloured like stone", 1, ImageOps.colorize(face.convert("L"), "#282624", "#e1dcd2")
    yield "in few colours, like a drawing", 1, ImageOps.posterize(face, 2)
    yield "its outlines", 1, ImageOps.invert(face.convert("L").filter(ImageFilter.FIND_EDGES)).convert("RGB")
    yield "a photographer, in full profile", 1, photograph("skimage/data/camera.png").crop(_BEFORE_A_CAMERA)
    yield "a woman with glasses and a cap", 1, photograph(photographs.MORE_PHOTOGRAPHS[0])
    yield "a cat", 0, photograph("skimage/data/chelsea.png")
    for name, shown in (("coins", "coins with heads on them"), ("horse", "the outline of a horse")):
        yield (
            shown,
            0,
            Image.open(Path(find_spec("skimage").origin).parent / f"data/{name}.png").convert("RGB"),
        )


def measure_pictures() -> list[dict[str, Any]]:
    """Look for faces in pictures."""
    return [{"shows": shows, "faces": n, "found": len(find(image))} for shows, n, image in pictures()]


def measure_detector(archive: Path) -> dict[str, Any]:
    """Compare AUCs on the publisher's valid and test parts of networks trained on its train part."""
    training, testing = (
        [each for each in faces(archive) if (each.partition == "train") == is_train]
        for is_train in (True, False)
    )
    labels = np.array([each.label for each in testing])
    networks = [_trained(training, seed) for seed in range(NETWORKS)]
    originals = [_seen(each.image) for each in testing]
    rows: dict[str, dict[str, Any]] = {}

    def compare(name: str, shown: Iterable[Mapping[str, Image.Image | None]]) -> None:
        """Note what is lost by each way to show the faces; one that is not found is left out."""
        seen = [{way: _seen(image) for way, image in ways.items() if image} for ways in shown]
        there = np.array(["found" in ways for ways in seen])

        def aucs(images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float64]:
            stack = np.stack(list(images))
            return np.array([metrics(labels[there], score(stack)).auc for score in networks])

        found = [ways for ways, is_there in zip(seen, there, strict=True) if is_there]
        before = aucs(image for image, is_there in zip(originals, there, strict=True) if is_there)
        lost = {way: before - aucs(ways[way] for ways in found) for way in found[0]}
        rows[name] = {
            "images": len(found),
            "originals": round(float(before.mean()), 4),
            "lost": {way: round(float(of.mean()), 4) for way, of in lost.items()},
            "lost_by_network": {way: of.round(4).tolist() for way, of in lost.items()},
        }
        print(name, rows[name], flush=True)

    compare("as they are", ({"found": _cut(each.image, None, keep_whole=True)} for each in testing))
    compare(
        "as they are, cut out anew", ({"found": _cut(each.image, None, keep_whole=False)} for each in testing)
    )
    for size in SIZES:
        draw = np.random.default_rng(size)
        scenes = (pasted(each.image, number, size, draw) for number, each in enumerate(testing))
        compare(
            f"pasted, {size} pixels",
            (
                {
                    "found": _cut(each.image, each.where, keep_whole=True),
                    "cut_where_pasted": crop_face(each.image, each.where),
                    "small_and_compressed": each.alone,
                }
                for each in scenes
            ),
        )
    return {"networks": f"{NETWORKS}, compact, {SEEN} pixels, {EPOCHS} epochs", "auc": rows}


def _cut(image: Image.Image, truth: Square | None, *, keep_whole: bool) -> Image.Image | None:
    found = find(image)
    if truth:
        best = nearest(found, truth)
        found = [best[0]] if best else []
    if not found:
        return None
    around = square(found[0])
    return image if keep_whole and is_face_crop(image, around) else crop_face(image, around)


def _seen(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(resize(image, SEEN))


def _trained(pictures: Sequence[Picture], seed: int) -> Callable[[NDArray[np.uint8]], NDArray[np.float64]]:
    import keras

    from deepfake_ensemble.architectures import compact

    keras.utils.set_random_seed(seed)
    network = compact.Network(stem_width=16, stem_filters="frequencies", widths=[32, 64, 96], blocks=1)
    image = keras.Input((SEEN, SEEN, 3))
    x = compact.backbone(SEEN, network, None)(keras.layers.Rescaling(1 / 127.5, -1)(image))
    x = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dropout(0.3)(x))
    model = keras.Model(image, x)
    images = np.stack([_seen(each.image) for each in pictures])
    labels = np.array([each.label for each in pictures])
    steps = EPOCHS * math.ceil(len(images) / 32)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    draw = np.random.default_rng(seed)
    for epoch in range(EPOCHS):
        order = draw.permutation(len(images))
        shown = images[order]
        flipped = draw.random(len(shown)) < 0.5
        shown[flipped] = shown[flipped][:, :, ::-1]
        done = model.fit(shown, labels[order], batch_size=32, verbose=0, shuffle=False)
        print(f"network {seed + 1}, epoch {epoch + 1}: loss {done.history['loss'][0]:.3f}", flush=True)
    return lambda of: model.predict(of, verbose=0)[:, 0].astype(np.float64)


# Other finders, each as its package has it.


def _cascade() -> Finder:
    import cv2

    cv2.setNumThreads(1)
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_alt2.xml")

    def finder(image: Image.Image) -> list[Face]:
        found = cascade.detectMultiScale(np.asarray(image.convert("L")), 1.1, 4, minSize=(24, 24))
        return [Face((x, y, x + w, y + h), 1.0, ()) for x, y, w, h in np.array(found).reshape(-1, 4).tolist()]

    return finder


def _yuface() -> Finder:
    import yuface

    def finder(image: Image.Image) -> list[Face]:
        scale = max(1.0, max(image.size) / 960)  # it warns of more
        reduced = image.resize([round(side / scale) for side in image.size], Image.Resampling.BOX)
        found = yuface.detect(np.asarray(reduced)[:, :, ::-1].copy(), 0.7)
        return [
            Face((x, y, x + w, y + h), p / 100, tuple(map(tuple, points)))
            for p, (x, y, w, h), points in zip(
                found[0], scale * found[1].astype(float), scale * found[2].reshape(-1, 5, 2), strict=True
            )
        ]

    return finder


OTHERS: Mapping[str, tuple[str, Callable[[], Finder]]] = {
    "OpenCV's cascade": ("cv2", _cascade),
    "yuface": ("yuface", _yuface),
}


def parts(results: Mapping[str, Any]) -> dict[str, str]:
    """Return what the page says of the measurements, in Markdown, by the part's name.

    A part of which something was not measured yet is left out, so that the page keeps what it has there.
    """
    made_of: dict[str, tuple[Callable[..., str], tuple[str, ...]]] = {
        "found": (_found_part, ("found", "others")),
        "lost": (_lost_part, ("detector",)),
        "people": (_people_part, ("people",)),
        "pictures": (_pictures_part, ("pictures",)),
    }
    return {
        part: write(*(results[name] for name in names))
        for part, (write, names) in made_of.items()
        if results.keys() >= set(names)
    }


def _found_part(found: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{of['images']:,}", percent(of["found"]), f"{of['seconds']:.2f}"]
        for name, of in found["faces"].items()
    ]
    without = found["without_faces"]
    false = "none was found" if not without["false_faces"] else f"{without['false_faces']} were found"
    said = (
        f"Pasted faces are turned by up to {TURNED}° in the sample's photographs, which are saved as JPEG of"
        f" quality {QUALITIES[0]} to {QUALITIES[1]}. In {without['images']} images without a face,"
        f" {len(WITHOUT)} photographs at several sizes, {false}."
    )
    compared = [_other(name, of["faces"]) for name, of in others.items()]
    head = ["faces", "images", "found", "s per image, one core"]
    return f"{table(head, rows)}\n\n{' '.join([said, *compared])}"


def _other(name: str, scenes: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [of for scene, of in scenes.items() if scene.startswith("pasted")]
    placed = [of["well_aligned"] for of in rows if of["well_aligned"] is not None]
    said = f"Tried beside it, {name} finds {_from_to([of['found'] for of in rows])} of pasted faces"
    if placed:
        said += f", {_from_to(placed)} with corners that lie at most {100 * FAR:.0f} % of a side off"
    return f"{said} ({rows[0]['images']} of each size)."


def _from_to(shares: Sequence[float]) -> str:
    return f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %"


def _lost_part(detector: Mapping[str, Any]) -> str:
    ways = {
        "found": "found and cut out",
        "cut_where_pasted": "cut out where pasted",
        "small_and_compressed": "as small and as compressed, not cut out",
    }
    rows = [
        [name, *(_lost(of, way) for way in ways), _aim(of["lost"])] for name, of in detector["auc"].items()
    ]
    first = detector["auc"]["as they are"]
    return (
        f"{table(['faces', *ways.values(), f'aim: {AIM} at most'], rows)}\n\n"
        f"AUC lost by {len(first['lost_by_network']['found'])} small networks of {SEEN} pixels, trained on"
        " faces as they are: the mean and, in brackets, the least and the most; on the originals they reach"
        f" {first['originals']:.3f}. Size and compression take what faces lose that are not cut out; no"
        " finder brings it back."
    )


def _lost(of: Mapping[str, Any], way: str) -> str:
    if way not in of["lost"]:
        return "–"
    single = of["lost_by_network"][way]
    return f"{_figure(of['lost'][way])} ({_figure(min(single))} to {_figure(max(single))})"


def _figure(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")  # 0.0 makes a negative zero a positive one


def _aim(lost: Mapping[str, float]) -> str:
    if lost["found"] <= AIM:
        return "met"
    beside = lost["found"] - max(0.0, lost.get("small_and_compressed", 0.0))
    return "met but for size and compression" if beside <= AIM else "missed"


def _people_part(people: Mapping[str, Any]) -> str:
    rows = [
        [name, f"{of['images']:,}", percent(of["found"]), f"{of['corners_off']:.3f}"]
        for name, of in people["tones"].items()
    ]
    groups, animals = people["groups"], people["animals"]
    kinds, n = animals["with_a_face"], sum(animals["with_a_face"].values())
    false = f"{n} were found to have a face" if n else "no face was found"
    return (
        f"{table(['in the picture', 'faces', 'found', 'corners off, of a side'], rows)}\n\n"
        f"Of {groups['faces']} faces of 48 to 256 pixels, pasted in groups of {GROUP[0] * GROUP[1]} into"
        f" photographs, {groups['found']} were found. In CIFAKE's photographs of {', '.join(kinds)}"
        f" ({animals['images']} of each, 32 pixels enlarged to 256), {false}."
    )


def _pictures_part(seen: Sequence[Mapping[str, Any]]) -> str:
    rows = [[it["shows"], str(it["faces"]), str(it["found"])] for it in seen]
    return table(["picture", "faces", "found"], rows)


def main() -> None:
    parser = options(__doc__, FILE)
    parser.add_argument(
        "what", choices=["alignment", "found", "detector", "others", "people", "pictures", "page"]
    )
    parser.add_argument("--archive", type=Path, default=Path("data/local/faces.zip"))
    parser.add_argument("--animals", type=Path, default=Path("data/local/cifake.zip"))
    parser.add_argument("--step", type=int, default=1, help="take every so-many-th face as it is")
    parser.add_argument("--pasted-step", type=int, default=4, help="paste every so-many-th face")
    asked = parser.parse_args()
    found: Any
    if asked.what == "alignment":
        found = measure_alignment(asked.archive)
        found |= {"in_use": {"margin": alignment.MARGIN, "centre": alignment.CENTRE}}
    elif asked.what == "found":
        found = count(find, asked.archive, asked.step, asked.pasted_step)
    elif asked.what == "people":
        found = measure_people(asked.archive, asked.animals)
    elif asked.what == "pictures":
        found = measure_pictures()
    elif asked.what == "detector":
        found = measure_detector(asked.archive)
    elif asked.what == "others":
        found = {
            name: count(finder(), asked.archive, asked.step, asked.pasted_step)
            for name, (module, finder) in OTHERS.items()
            if find_spec(module)
        }
    if asked.what != "page":
        keep(asked.file, {asked.what: found})
    if asked.file == FILE:
        refresh(PAGE, parts(kept(FILE)))


if __name__ == "__main__":
    main()
