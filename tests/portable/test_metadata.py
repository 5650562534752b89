"""What the model file says of itself comes back as it was; what others wrote is refused."""

import dataclasses
import json

import pytest

import model_file
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.classifier import Classifier
from deepfake_ensemble.portable.metadata import ModelMetadata, from_properties, to_properties


@pytest.fixture(scope="module")
def metadata() -> ModelMetadata:
    return from_properties(to_properties(model_file.metadata()))


def test_the_metadata_say_the_same_when_read_and_written_again(metadata):
    assert from_properties(to_properties(metadata)) == metadata


def test_what_a_program_or_person_looks_for_is_there_in_plain_words(metadata):
    properties = to_properties(metadata)
    assert properties["image_size"] == "32"
    assert json.loads(properties["labels"]) == {"0": "real", "1": "fake"}
    assert properties["licence"] == metadata.licence


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ModelMetadata)])
def test_a_field_that_is_missing_is_named(metadata, name):
    properties = to_properties(metadata)
    del properties[name]
    with pytest.raises(ValueError, match=name):
        from_properties(properties)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("format", "1"),
        ("format", "one"),
        ("labels", '{"0": "real"}'),
        ("image_size", "31"),
        ("image_size", "true"),
        ("image_size", "1e3"),
        ("interpolation", "cubic"),
        ("weights", "{}"),
        ("weights", '{"cnn": NaN}'),
        ("weights", '{"cnn": 1.0}'),
        ("models", '{"cnn": 1}'),
        ("operating_points", "{}"),
        ("demonstration", "1"),
        ("measured", "[]"),
        ("measured", '[{"name": "internal"}]'),
        ("typical", '{"mean": [1], "inverse_covariance": [[1]], "quantile": 0.99, "limit": 3}'),
        ("limits", '"none"'),
        ("fingerprint", "[" * 100_000),
    ],
)
def test_what_makes_no_sense_is_refused(metadata, name, text):
    with pytest.raises((ValueError, RecursionError)):
        from_properties(to_properties(metadata) | {name: text})


@pytest.mark.parametrize(
    "change",
    [
        {"n_real": 0},
        {"n_fake": -1},
        {"confidence": 1},
        {"confidence": 10**400},
        {"name": "internal\x1b[31m"},
        {"data": "faces\n"},
        {"a\x1b[31m\nb": 1},
    ],
)
def test_what_was_measured_must_be_possible_and_printable(metadata, change):
    properties = to_properties(metadata)
    measured = json.loads(properties["measured"])
    measured[0] |= change
    with pytest.raises(ValueError) as refused:
        from_properties(properties | {"measured": json.dumps(measured)})
    assert str(refused.value).isprintable()


def test_more_errors_than_images_are_refused(metadata):
    properties = to_properties(metadata)
    measured = json.loads(properties["measured"])
    measured[0]["detectors"]["ensemble"]["called_fake"]["reals"][0] = measured[0]["n_real"] + 1
    with pytest.raises(ValueError, match=r"metadata\.measured"):
        from_properties(properties | {"measured": json.dumps(measured)})


@pytest.mark.parametrize("name", ["../../x", "CNN", "a b", ""])
def test_a_member_must_have_a_name_that_a_file_may_have(metadata, name):
    renamed = {key: text.replace('"cnn"', json.dumps(name)) for key, text in to_properties(metadata).items()}
    with pytest.raises(ValueError, match=r"metadata\.weights"):
        from_properties(renamed)


# As a file


def test_the_runtime_says_what_the_arithmetic_does(tmp_path):
    classifier = Classifier(model_file.write(tmp_path / "model.onnx"))
    assert classifier.metadata.detectors == ("cnn", "resnet50", "xception", "efficientnet_b4", "ensemble")
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    expected = model_file.p_fake(images)
    for name, p_fake in classifier.p_fake(images).items():
        assert p_fake == pytest.approx(expected[name], abs=1e-6)
    assert list(classifier.p_fake(images, ["xception"])) == ["xception"]


def test_a_model_of_others_is_refused_in_one_line(tmp_path):
    import onnx

    whole = model_file.write(tmp_path / "model.onnx").read_bytes()
    (tmp_path / "bare.onnx").write_bytes(model_file.network().SerializeToString())
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_text("no model")
    other = onnx.load_model_from_string(whole)
    other.graph.output.pop()
    (tmp_path / "four.onnx").write_bytes(other.SerializeToString())
    for name in ("bare", "cut", "empty", "text", "four", "absent"):
        with pytest.raises(UserError) as refused:
            Classifier(tmp_path / f"{name}.onnx")
        assert str(refused.value).startswith(str(tmp_path / f"{name}.onnx"))
        assert "\n" not in str(refused.value)
