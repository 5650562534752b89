"""The compact network: what its first convolution sees before it is trained."""

import numpy as np
import pytest

from deepfake_ensemble.architectures import compact
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError

TINY = {"stem_width": 8, "stem_filters": "frequencies", "widths": [8, 8, 8], "blocks": 1}


def test_the_first_filters_tell_the_frequencies_of_a_patch_apart() -> None:
    filters = compact.frequency_filters(27).reshape(27, 27)
    np.testing.assert_allclose(filters.T @ filters, np.eye(27), atol=1e-6)


def test_they_begin_with_the_mean_and_end_with_the_finest_pattern() -> None:
    filters = compact.frequency_filters(27)
    np.testing.assert_allclose(filters[..., 0], 27**-0.5, atol=1e-7)
    signs = np.sign(filters[..., -1])
    assert (signs == signs[0, 0, 0] * (-1) ** np.indices((3, 3, 3)).sum(axis=0)).all()


def test_the_filters_after_them_are_their_negatives() -> None:
    filters = compact.frequency_filters(54)
    assert (filters[..., 27:] == -filters[..., :27]).all()
    assert (compact.frequency_filters(40) == filters[..., :40]).all()


def first_kernels(stem_filters: str, seed: int) -> list[np.ndarray]:
    import keras

    keras.utils.set_random_seed(seed)
    network = params.check("models.compact.network", TINY | {"stem_filters": stem_filters}, compact.Network)
    built = compact.backbone(32, network, None)
    return [built.get_layer(name).get_weights()[0] for name in ("conv1_kernels", "conv2_kernels")]


def test_the_network_begins_with_them_and_with_random_weights_elsewhere() -> None:
    (stem, next_one), (same, other) = first_kernels("frequencies", 1), first_kernels("frequencies", 2)
    assert (stem == same).all() and (stem == compact.frequency_filters(8)).all()
    assert not np.isclose(next_one, other).any()


def test_or_with_random_ones() -> None:
    (stem, next_one), (other, _) = first_kernels("random", 1), first_kernels("random", 2)
    assert not np.isclose(stem, other).any()
    assert (next_one == first_kernels("frequencies", 1)[1]).all()


def test_more_filters_than_frequencies_and_their_negatives_are_refused() -> None:
    with pytest.raises(UserError, match=r"stem_width: 55 is not allowed"):
        params.check("models.compact.network", TINY | {"stem_width": 55}, compact.Network)
