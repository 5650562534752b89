"""Photographs shown to detectors of faces: each face is found and classified, and the most fake decides."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import deepfake_ensemble
import model_file
from deepfake_ensemble.faces.alignment import aligned
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.reading.images import decode, resize
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.use import heatmaps
from deepfake_ensemble.use.classifying import classify
from deepfake_ensemble.use.inputs import Inputs
from deepfake_ensemble.use.server import application
from deepfake_ensemble.use.verdicts import decision_rule
from pictures import encoded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of faces, one of anything, and photographs with two faces, one and none."""
    folder = tmp_path_factory.mktemp("faces")
    model_file.write(folder / "faces.onnx", model_file.metadata(faces=True, demonstration=False))
    model_file.write(folder / "anything.onnx")
    face = Image.fromarray(photographs.read("skimage/data/astronaut.png").pixels).crop((120, 20, 320, 200))
    two = Image.new("RGB", (520, 300), (120, 130, 140))
    two.paste(face, (20, 60))
    two.paste(face.point(lambda value: min(255, round(value * 1.3))).resize((150, 135)), (330, 90))
    pictures = folder / "pictures"
    pictures.mkdir()
    two.save(pictures / "two.png")
    one = two.crop((0, 0, 250, 300))
    one.transpose(Image.Transpose.ROTATE_90).save(pictures / "turned.jpg", exif=_orientation(6), quality=95)
    one.save(pictures / "one.png")
    Image.new("RGB", (300, 200), "tan").save(pictures / "none.png")
    return folder


def _orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def predict(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "deepfake_ensemble", "predict", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def records(folder: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    done = predict(folder, "--file", "faces.onnx", "--format", "json", *arguments, "pictures")
    return {Path(each["image"]).name: each for each in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, dict[str, Any]]:
    return records(folder)


def test_each_face_has_its_box_and_its_p(found):
    two = found["two.png"]
    assert two["size"] == [520, 300]
    large, small = two["faces"]
    assert large["box"] == pytest.approx([80, 104, 165, 214], abs=8)
    assert small["box"] == pytest.approx([375, 123, 439, 205], abs=8)
    assert small["angle"] == pytest.approx(3, abs=4)
    for face in two["faces"]:
        assert face["verdict"] == ("fake" if face["ensemble"] >= two["threshold"] else "real")
    assert small["ensemble"] > large["ensemble"]  # the brighter, to detectors that look at nothing else


def test_the_most_fake_face_decides(found):
    two = found["two.png"]
    most = max(two["faces"], key=lambda face: face["ensemble"])
    for key in ("cnn", "xception", "ensemble", "verdict", "meaning", "unlike_training"):
        assert two[key] == most[key]


def test_boxes_are_in_pixels_of_the_upright_photograph(found):
    assert found["turned.jpg"]["size"] == found["one.png"]["size"] == [250, 300]
    (turned,), (plain,) = found["turned.jpg"]["faces"], found["one.png"]["faces"]
    assert turned["box"] == pytest.approx(plain["box"], abs=3)


def test_what_is_classified_is_the_face_cut_out(folder, found):
    (face,) = aligned(decode((folder / "pictures/one.png").read_bytes()))
    pixels = np.asarray(resize(face.image, model_file.SIZE))
    expected = model_file.p_fake(pixels[None].astype(float))["ensemble"][0]
    assert found["one.png"]["ensemble"] == pytest.approx(expected, abs=1e-5)


def test_without_a_face_there_is_no_verdict(folder, found):
    none = found["none.png"]
    assert none["error"] == "no face found: these detectors know faces only"
    assert none["verdict"] is None and none["ensemble"] is None and none["faces"] is None
    done = predict(folder, "--file", "faces.onnx", "pictures/none.png")
    assert done.returncode == 1
    assert "(no face found: these detectors know faces only)" in done.stdout
    assert "--whole" in done.stderr


@pytest.mark.parametrize("whole", [("--whole",), ("--faces", "whole")])
def test_who_insists_has_the_whole_image_classified(folder, whole):
    found = records(folder, *whole)
    assert {each["error"] for each in found.values()} == {None}
    assert {each["faces"] and 1 for each in found.values()} == {None}
    pixels = np.asarray(resize(decode((folder / "pictures/two.png").read_bytes()), model_file.SIZE))
    expected = model_file.p_fake(pixels[None].astype(float))["ensemble"][0]
    assert found["two.png"]["ensemble"] == pytest.approx(expected, abs=1e-5)


def test_models_of_anything_look_for_faces_only_when_asked(folder):
    def predicted(*arguments: str) -> dict[str, Any]:
        done = predict(folder, "--file", "anything.onnx", "--format", "jsonl", *arguments)
        return json.loads(done.stdout)

    assert predicted("pictures/one.png")["faces"] is None
    assert len(predicted("pictures/one.png", "--faces", "only")["faces"]) == 1
    assert predicted("pictures/none.png", "--faces", "only")["error"] == "no face found"


def test_an_image_that_is_a_face_cut_out_is_left_as_it_is(folder):
    (face,) = aligned(decode((folder / "pictures/one.png").read_bytes()))
    data = encoded(face.image.resize((256, 256), Image.Resampling.BICUBIC), "PNG")
    (whole,) = aligned(decode(data))
    assert whole.around is None
    assert whole.image.size == (256, 256)


def test_a_table_has_a_row_for_each_of_several_faces(folder):
    done = predict(folder, "--file", "faces.onnx", "pictures/two.png", "pictures/one.png")
    lines = done.stdout.splitlines()
    assert "two.png  (the most likely fake of 2 faces)" in lines[1]
    assert "1: face from" in lines[2] and "2: face from" in lines[3]
    assert "one.png  (face from" in lines[4]
    assert "Of several faces in an image" in done.stdout


def test_csv_has_a_row_for_each_face_under_that_of_the_image(folder, found):
    done = predict(folder, "--file", "faces.onnx", "--format", "csv", "pictures")
    rows = [row for row in csv.DictReader(io.StringIO(done.stdout)) if row["image"].endswith("two.png")]
    assert [row["face"] for row in rows] == ["", "1", "2"]
    assert [rows[0][edge] for edge in ("left", "angle")] == ["", ""]
    for row, face in zip(rows[1:], found["two.png"]["faces"], strict=True):
        assert [int(row[edge]) for edge in ("left", "top", "right", "bottom")] == face["box"]
        assert float(row["ensemble"]) == face["ensemble"]
        assert row["verdict"] == face["verdict"]


def test_one_detector_can_decide_of_faces(folder):
    found = records(folder, "--model", "xception")  # to which the darker face is more likely fake
    two = found["two.png"]
    assert two["xception"] == max(face["xception"] for face in two["faces"])
    assert two["ensemble"] is None


def test_from_python_faces_are_typed(folder, found):
    detector = deepfake_ensemble.load(folder / "faces.onnx")
    two, none = detector.predict([folder / "pictures/two.png", folder / "pictures/none.png"])
    assert two.size == (520, 300)
    assert [list(face.box) for face in two.faces] == [face["box"] for face in found["two.png"]["faces"]]
    assert two.p_fake == max((face.p_fake for face in two.faces), key=lambda p: p["ensemble"])
    assert none.faces is None and none.error
    (whole,) = detector.predict([folder / "pictures/two.png"], faces="whole")
    assert whole.faces is None and whole.verdict


def test_many_faces_are_classified_a_few_at_a_time(folder, monkeypatch):
    classifier = Classifier(folder / "faces.onnx")
    shown = []
    run = classifier.p_fake_and_distance
    monkeypatch.setattr(
        classifier, "p_fake_and_distance", lambda images: shown.append(len(images)) or run(images)
    )
    monkeypatch.setattr(classifier, "batch_size", 2)
    results = list(classify(classifier, Inputs([str(folder / "pictures")])))
    assert [type(each).__name__ for each in results] == ["Failed", "Classified", "Classified", "Classified"]
    assert sum(shown) == 4 and max(shown) == 2


def test_without_the_finder_s_weights_it_says_what_to_do(folder, monkeypatch):
    def refuse(image):
        raise UserError("finding faces needs the weights in mtcnn")

    monkeypatch.setattr("deepfake_ensemble.use.classifying.aligned", refuse)
    with pytest.raises(UserError, match="needs the weights"):
        list(classify(Classifier(folder / "faces.onnx"), Inputs([str(folder / "pictures/one.png")])))


def test_the_page_s_endpoint_says_the_same(folder, found):
    client = TestClient(application(Classifier(folder / "faces.onnx"), folder), base_url="http://127.0.0.1")
    data = (folder / "pictures/two.png").read_bytes()
    assert client.post("/api/classify", content=data).json()["faces"] == found["two.png"]["faces"]
    assert client.post("/api/classify?faces=whole", content=data).json()["faces"] is None
    none = client.post("/api/classify", content=(folder / "pictures/none.png").read_bytes())
    assert none.status_code == 422
    assert none.json()["detail"] == "no face found: these detectors know faces only"
    wrong = client.post("/api/classify?faces=all", content=data)
    assert wrong.status_code == 400
    assert "auto, whole, only" in wrong.json()["detail"]


def test_heat_is_drawn_on_the_photograph_where_the_faces_are(folder, monkeypatch):
    classifier = Classifier(folder / "faces.onnx")
    (result,) = classify(classifier, Inputs([str(folder / "pictures/two.png")]))
    maker = heatmaps.Heatmaps(classifier.metadata, folder)
    red = np.zeros((model_file.SIZE, model_file.SIZE, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    monkeypatch.setattr(
        maker, "overlaid", lambda pixels, towards_fake, detectors: dict.fromkeys(detectors, red)
    )
    photograph = decode((folder / "pictures/two.png").read_bytes())
    rule = decision_rule(classifier.metadata, "ensemble")
    pictures = maker.pictures(result, photograph, rule, ["ensemble"])
    drawn = np.asarray(Image.open(io.BytesIO(pictures["ensemble"])))
    assert drawn.shape == (300, 520, 3)
    heated = (drawn == [255, 0, 0]).all(axis=2)
    for face in result.faces or ():
        left, top, right, bottom = face.image.box
        assert heated[top:bottom, left:right].all()
    grey = drawn[~heated]
    assert 0.1 < heated.mean() < 0.8
    assert (abs(grey[:, 0].astype(int) - grey[:, 1]) <= 200).all() and np.median(np.ptp(grey, axis=1)) == 0
