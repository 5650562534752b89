"""The registry: what is in it, and that each entry fits what Keras publishes."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from deepfake_ensemble import architectures
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from networks import FILE, STUDY, settings

FINE_TUNED = ["efficientnet_b4", "resnet50", "xception"]
SECOND_STUDY = params.read("models", dict[str, Any], FILE.parent / "residual/params.yaml")


def test_the_networks_of_both_studies_are_registered_one_file_each() -> None:
    assert sorted(params.read("members", list[str], FILE)) == ["cnn", *FINE_TUNED]
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


def test_networks_without_published_weights_have_no_scaling_of_theirs_either() -> None:
    registered = {name: architecture.find(name) for name in architecture.names()}
    own = ["bird_lotfi", "cnn", "compact"]
    assert [name for name in registered if registered[name].imagenet is None] == own
    assert [name for name in registered if registered[name].native is None] == own


def test_addresses_and_check_sums_are_those_that_keras_has() -> None:
    from keras.src.applications import efficientnet, resnet, vgg16, xception

    file = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert published("resnet50") == (resnet.BASE_WEIGHTS_PATH + file, resnet.WEIGHTS_HASHES["resnet50"][1])
    for name in ("efficientnet_b3", "efficientnet_b4"):
        file, kind = f"{name.replace('_', '')}_notop.h5", name[-2:]
        expected = (efficientnet.BASE_WEIGHTS_PATH + file, efficientnet.WEIGHTS_HASHES[kind][1])
        assert published(name) == expected
    for name, module, network in (("vgg16", vgg16, vgg16.VGG16), ("xception", xception, xception.Xception)):
        url, md5 = published(name)
        assert url == module.WEIGHTS_PATH_NO_TOP
        assert f'file_hash="{md5}"' in inspect.getsource(network)


def published(name: str) -> tuple[str, str]:
    """Return the address and the MD5 of an architecture's weights."""
    file = architecture.find(name).imagenet
    assert file and file.checksum.startswith("md5:")
    return file.url, file.checksum.removeprefix("md5:")


@pytest.mark.parametrize("name", RESNETS)
def test_the_second_study_s_resnets_have_weights_of_one_family_at_fixed_commits(name: str) -> None:
    file = architecture.find(RESNETS[name]).imagenet
    page = rf"https://huggingface.co/timm/{name}.a1_in1k"
    assert file and re.fullmatch(rf"{page}/resolve/[0-9a-f]{{40}}/model.safetensors", file.url)
    assert re.fullmatch("sha256:[0-9a-f]{64}", file.checksum)


def test_looking_through_the_registry_loads_no_tensorflow() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from deepfake_ensemble.models import architecture, detector, saved\n"
        "[architecture.find(name) for name in architecture.names()]\n"
        "print({'tensorflow', 'keras'} & sys.modules.keys())"
    )
    source = Path(architecture.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(source)}, capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "set()"
