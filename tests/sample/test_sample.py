"""The sample archives: laid out as Kaggle's, the same every time, and free of shortcuts."""

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import sha256
from deepfake_ensemble.sample import archives as sample
from deepfake_ensemble.sample import photographs, synthesis


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("archives")
    paths = {}
    for layout in ("faces", "cifake"):
        paths[layout] = folder / f"{layout}.zip"
        sample.build(layout, paths[layout], seed=42)
    return paths


def folders(path: Path) -> Counter[str]:
    with zipfile.ZipFile(path) as archive:
        return Counter(name.rpartition("/")[0] for name in archive.namelist())


def test_the_faces_archive_holds_enough_for_the_sample_profile(archives):
    counts = folders(archives["faces"])
    root = "real_vs_fake/real-vs-fake"
    assert set(counts) == {
        "",
        *(f"{root}/{p}/{k}" for p in ("train", "valid", "test") for k in ("real", "fake")),
    }
    assert sum(counts[f"{root}/{p}/real"] for p in ("train", "valid", "test")) >= 540
    for part in ("train", "valid", "test"):
        assert counts[f"{root}/{part}/real"] == counts[f"{root}/{part}/fake"] > 0


def test_the_cifake_archive_holds_a_test_part_of_200_images_or_more(archives):
    counts = folders(archives["cifake"])
    assert set(counts) == {"train/REAL", "train/FAKE", "test/REAL", "test/FAKE"}
    assert counts["test/REAL"] == counts["test/FAKE"] >= 100
    assert 0 < counts["train/REAL"] == counts["train/FAKE"] <= counts["test/REAL"]


def test_tables_say_that_label_1_is_real_and_name_files_that_exist(archives):
    with zipfile.ZipFile(archives["faces"]) as archive:
        names = set(archive.namelist())
        for part in ("train", "valid", "test"):
            text = archive.read(f"{part}.csv").decode()
            assert text.startswith(",original_path,id,label,label_str,path\r\n")
            for row in csv.DictReader(io.StringIO(text)):
                assert f"real_vs_fake/real-vs-fake/{row['path']}" in names
                assert (row["label"], row["label_str"]) in {("1", "real"), ("0", "fake")}
                assert row["path"] == f"{part}/{row['label_str']}/{row['id']}.jpg"


@pytest.mark.parametrize(("layout", "size"), [("faces", 40), ("cifake", 32)])
def test_images_are_compressed_alike_in_both_classes(archives, layout, size):
    formats = set()
    with zipfile.ZipFile(archives[layout]) as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    layers = tuple(layer[1:3] for layer in image.layer)
                    formats.add((image.format, image.mode, image.size, str(image.quantization), layers))
    assert len(formats) == 1
    assert formats.pop()[:3] == ("JPEG", "RGB", (size, size))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(archives, tmp_path):
    for layout in ("faces", "cifake"):
        sample.build(layout, tmp_path / "again.zip", seed=42)
        assert sha256(tmp_path / "again.zip") == sha256(archives[layout])
    sample.build("cifake", tmp_path / "other.zip", seed=43)
    assert sha256(tmp_path / "other.zip") != sha256(archives["cifake"])


@pytest.mark.parametrize("tile", [40, 64])
def test_no_two_images_share_a_pixel_of_a_photograph(tile):
    taken: dict[str, np.ndarray] = {}
    for pair in [pair for pairs in sample.allocate(42, tile) for pair in pairs]:
        for t in pair:
            if t.photograph not in taken:
                taken[t.photograph] = np.zeros(photographs.read(t.photograph).pixels.shape[:2], dtype=int)
            taken[t.photograph][t.y : t.y + t.size, t.x : t.x + t.size] += 1
    assert all(count.max() == 1 for count in taken.values())


def test_each_photograph_gives_as_many_real_as_fake_images_none_of_them_flat():
    for pairs in sample.allocate(42, 64):
        assert all(real.photograph == fake.photograph for real, fake in pairs)
        assert not any(photographs.is_flat(tile) for pair in pairs for tile in pair)


def test_the_faces_tables_say_where_every_real_image_comes_from(archives):
    with zipfile.ZipFile(archives["faces"]) as archive:
        for row in list(csv.DictReader(io.StringIO(archive.read("test.csv").decode())))[:20]:
            name, _, region = row["original_path"].partition("#xywh=")
            x, y, width, height = map(int, region.split(","))
            source = photographs.read(name).pixels[y : y + height, x : x + width].astype(float)
            with Image.open(io.BytesIO(archive.read(f"real_vs_fake/real-vs-fake/{row['path']}"))) as image:
                difference = np.abs(np.asarray(image).astype(float).mean() - source.mean())
            assert difference < 6


def trivial_features(path: Path) -> tuple[np.ndarray, np.ndarray]:
    features, fake = [], []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                data = archive.read(name)
                with Image.open(io.BytesIO(data)) as image:
                    pixels = np.asarray(image)
                features.append([len(data), photographs.grey(pixels).mean(), photographs.sharpness(pixels)])
                fake.append("/fake/" in name.lower())
    return np.array(features), np.array(fake)


@pytest.mark.parametrize("layout", ["faces", "cifake"])
def test_size_of_file_brightness_and_sharpness_do_not_give_fakes_away(archives, layout):
    features, fake = trivial_features(archives[layout])
    for feature in features.T:
        auc = roc_auc_score(fake, feature)
        assert max(auc, 1 - auc) < 0.65
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for table in (features, np.log1p(features)):
        model = make_pipeline(StandardScaler(), LogisticRegression())
        scores = cross_val_predict(model, table, fake, cv=folds, method="predict_proba")[:, 1]
        assert roc_auc_score(fake, scores) < 0.7


def test_sharpness_is_the_variance_of_the_laplacian_of_grey_values():
    pixels = np.random.default_rng(1).integers(256, size=(20, 30, 3), dtype=np.uint8)
    grey = (pixels @ np.array([0.299, 0.587, 0.114])).round()
    total = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1]
    assert photographs.sharpness(pixels) == pytest.approx((total - 4 * grey[1:-1, 1:-1]).var(), rel=1e-3)


def test_a_photograph_that_is_not_installed_is_named():
    with pytest.raises(UserError, match=r"mandrill\.png: .*missing.* reinstall scikit-image") as caught:
        photographs.read("skimage/data/mandrill.png")
    assert "\n" not in str(caught.value)


def test_the_candidate_that_is_kept_is_the_nearest_of_all_and_of_equals_the_first():
    rng = np.random.default_rng(0)
    original = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    target = synthesis.jpeg(original)
    wanted = photographs.sharpness(synthesis.decode(target))

    def distance(data: bytes) -> float:
        sharp = photographs.sharpness(synthesis.decode(data))
        of_size = 4 * abs(len(data) - len(target)) / (len(data) + len(target))
        return abs(sharp - wanted) / (sharp + wanted + 1) + of_size

    for _ in range(20):
        scales = [*rng.uniform(0.7, 1.3, 8), *[rng.uniform(0.7, 1.3)] * 2]
        candidates = [(original * scale).clip(0, 255).astype(np.uint8) for scale in rng.permutation(scales)]
        expected = min(map(synthesis.jpeg, candidates), key=distance)
        assert synthesis.closest(original, candidates) == expected
