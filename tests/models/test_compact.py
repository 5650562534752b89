"""The compact network: what its first convolution sees before it is trained."""

import numpy as np
import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.models.architectures import compact

TINY = {"stem_width": 8, "widths": [8, 8, 8], "blocks": 1}


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


def test_the_network_begins_with_them_and_with_random_weights_elsewhere() -> None:
    network = params.check("models.compact.network", TINY, compact.Network)
    built = compact.backbone(32, network, None)
    (kernel,) = built.get_layer("conv1_kernels").get_weights()
    assert (kernel == compact.frequency_filters(8)).all()
    (kernel,) = built.get_layer("conv2_kernels").get_weights()
    assert len(np.unique(kernel)) > kernel.size / 2


def test_more_filters_than_frequencies_and_their_negatives_are_refused() -> None:
    with pytest.raises(UserError, match=r"stem_width: 55 is not allowed"):
        params.check("models.compact.network", TINY | {"stem_width": 55}, compact.Network)
