"""Outlines of ResNets are what He et al. 2016 and the paper's section 2.2 have of them."""

from typing import Any

import pytest

from deepfake_ensemble.models import architecture
from deepfake_ensemble.studies.residual.outline import Block, outline
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Model


def built(name: str, size: int, **its: Any) -> Any:
    registered = architecture.find(name)
    settings = Model(input_scaling="native" if registered.native else "unit", network={})
    return network.build(name, settings, registered.network(**its), image_size=size, stem="imagenet")


@pytest.fixture(scope="module")
def resnet152() -> Any:
    return built("resnet152", 224, frozen_layers=0)


def test_resnet152_has_the_paper_s_stages_and_sizes(resnet152: Any) -> None:
    found = outline(resnet152)
    assert [(stage.name, stage.side, stage.channels, len(stage.blocks)) for stage in found] == [
        ("conv1", 112, 64, 1),
        ("pool1", 56, 64, 0),
        ("conv2", 56, 256, 3),
        ("conv3", 28, 512, 8),
        ("conv4", 14, 1024, 36),
        ("conv5", 7, 2048, 3),
    ]
    assert found[0].blocks == [Block([7], None)]
    assert found[2].blocks == [Block([1, 3, 1], kind) for kind in ("projection", "identity", "identity")]


def test_connections_that_are_removed_are_gone_from_its_outline(resnet152: Any) -> None:
    thinned, plain = (
        outline(network.with_connections(resnet152, kind)) for kind in ("one_a_stage_removed", "removed")
    )
    assert [block.connection for block in thinned[3].blocks] == [None, *["identity"] * 7]
    assert [block.connection for block in plain[3].blocks] == [None] * 8
    assert [stage.side for stage in plain] == [stage.side for stage in outline(resnet152)]


def test_a_network_without_residual_blocks_has_no_outline() -> None:
    assert outline(built("bird_lotfi", 32)) == []
