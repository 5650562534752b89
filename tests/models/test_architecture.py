"""The registry: what is in it, and that each entry fits what Keras publishes."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture, architectures
from networks import FILE, STUDY, settings

FINE_TUNED = ["efficientnet_b4", "resnet50", "xception"]
SECOND_STUDY = params.read("models", dict[str, Any], FILE.parent / "residual/params.yaml")


def test_the_networks_of_both_studies_are_registered_one_file_each() -> None:
    assert ["cnn", *FINE_TUNED] == STUDY
    assert set(architecture.names()) == {*STUDY, *SECOND_STUDY}
    files = sorted(file.stem for file in Path(architectures.__path__[0]).glob("[!_]*.py"))
    assert files == architecture.names()


def test_a_name_that_is_not_registered_is_refused_with_those_that_are() -> None:
    with pytest.raises(UserError) as caught:
        architecture.find("vgg61")
    message = f"models.vgg61: no such architecture; registered are {', '.join(architecture.names())}"
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["../cnn", "cnn.Network", "", "__init__"])
def test_a_name_is_not_a_path(name: str) -> None:
    with pytest.raises(UserError):
        architecture.find(name)


@pytest.mark.parametrize("name", STUDY)
def test_each_has_a_strict_section_in_params(name: str) -> None:
    network = settings(name)
    assert isinstance(network, architecture.find(name).network)
    with pytest.raises(UserError, match="unknown key"):
        params.check(f"models.{name}.network", vars(network) | {"no_such_key": 1}, type(network))


def test_only_the_study_s_own_network_has_no_published_weights() -> None:
    assert [name for name in STUDY if architecture.find(name).imagenet is None] == ["cnn"]
    assert [name for name in STUDY if architecture.find(name).native is None] == ["cnn"]


def test_addresses_and_check_sums_are_those_that_keras_has() -> None:
    from keras.src.applications import efficientnet, resnet, xception

    weights = {name: architecture.find(name).imagenet for name in FINE_TUNED}
    b4, r50, x = (weights[name] for name in FINE_TUNED)
    assert b4 and r50 and x
    assert b4.url == efficientnet.BASE_WEIGHTS_PATH + "efficientnetb4_notop.h5"
    assert b4.md5 == efficientnet.WEIGHTS_HASHES["b4"][1]
    stem = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert r50.url == resnet.BASE_WEIGHTS_PATH + stem
    assert r50.md5 == resnet.WEIGHTS_HASHES["resnet50"][1]
    assert x.url == xception.WEIGHTS_PATH_NO_TOP
    assert f'file_hash="{x.md5}"' in inspect.getsource(xception.Xception)


def test_looking_through_the_registry_loads_no_tensorflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from deepfake_ensemble.models import architecture, detector, saved, predicting\n"
        "[architecture.find(name) for name in architecture.names()]\n"
        "print({'tensorflow', 'keras'} & sys.modules.keys())"
    )
    source = Path(architecture.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "set()"
