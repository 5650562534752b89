"""An optimizer does what its paper says, once in four batches, at the schedule's learning rate."""

from typing import Any

import numpy as np
import pytest

from deepfake_ensemble.training.residual.optimizer import make_optimizer
from deepfake_ensemble.training.shared.schedule import learning_rate

DECAY, BETA_1, BETA_2, EPSILON = 0.1, 0.9, 0.999, 1e-7
PEAK, WARM_UP = 0.01, 0.2


def keras_variables(kernel: np.ndarray, bias: np.ndarray) -> list:
    import keras

    return [keras.Variable(kernel, name="kernel"), keras.Variable(bias, name="bias")]


def reference(
    values: list[np.ndarray], gradients: list[list[np.ndarray]], accumulation: int
) -> list[np.ndarray]:
    """AdamW on (kernel, bias) in float64; only the kernel decays."""
    updates = len(gradients) // accumulation
    values = [value.astype(np.float64) for value in values]
    means = [np.zeros_like(value) for value in values]
    squares = [np.zeros_like(value) for value in values]
    for update in range(updates):
        rate = learning_rate(update, updates, PEAK, WARM_UP, "linear")
        chunk = gradients[update * accumulation : (update + 1) * accumulation]
        for i in range(len(values)):
            gradient = np.mean([each[i] for each in chunk], axis=0)
            if i == 0:
                values[i] -= rate * DECAY * values[i]
            means[i] = BETA_1 * means[i] + (1 - BETA_1) * gradient
            squares[i] = BETA_2 * squares[i] + (1 - BETA_2) * gradient**2
            t = update + 1
            corrected = rate * np.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
            values[i] -= corrected * means[i] / (np.sqrt(squares[i]) + EPSILON)
    return values


@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("left_over", [0, 1])
def test_a_training_ends_where_the_definition_does(accumulation: int, left_over: int) -> None:
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 2)).astype(np.float32), rng.normal(size=2).astype(np.float32)]
    batches = 10 * accumulation + (left_over if accumulation > 1 else 0)
    gradients = [[rng.normal(size=s.shape).astype(np.float32) for s in start] for _ in range(batches)]
    variables = keras_variables(*start)
    adamw = make_optimizer("adamw", variables, weight_decay=DECAY, accumulation=accumulation)
    for batch, gradient in enumerate(gradients):
        adamw.learning_rate.assign(learning_rate(batch // accumulation, 10, PEAK, WARM_UP, "linear"))
        adamw.apply(gradient, variables)
    for variable, expected in zip(variables, reference(start, gradients, accumulation), strict=True):
        assert np.allclose(np.asarray(variable.numpy()), expected, rtol=1e-4, atol=1e-6)
    assert int(adamw.iterations) == 10


def test_the_corners_of_the_schedule_are_seen_in_the_weights_with_accumulation() -> None:
    # A constant gradient makes each of Adam's steps as long as its learning rate.
    variables = keras_variables(np.zeros((1, 1), np.float32), np.zeros(1, np.float32))
    adamw = make_optimizer("adamw", variables, weight_decay=0.0, accumulation=4)
    one = [np.ones((1, 1), np.float32), np.ones(1, np.float32)]
    moves = []
    for batch in range(40):
        before = float(variables[0].numpy()[0, 0])
        adamw.learning_rate.assign(learning_rate(batch // 4, 10, PEAK, WARM_UP, "linear"))
        adamw.apply(one, variables)
        moves.append(before - float(variables[0].numpy()[0, 0]))
    at_updates, between = moves[3::4], [m for i, m in enumerate(moves) if i % 4 != 3]
    assert between == [0.0] * 30
    rates = [0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    assert at_updates == pytest.approx([PEAK * rate for rate in rates], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_biases_and_normalisation_do_not_decay_and_kernels_do(name: Any) -> None:
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.DepthwiseConv2D(3),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
    )
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape, np.float32))
    made = make_optimizer(name, model.trainable_variables, weight_decay=0.5, accumulation=1)
    made.learning_rate.assign(0.1)
    nothing = [np.zeros(v.shape, np.float32) for v in model.trainable_variables]
    made.apply(nothing, model.trainable_variables)
    after = {v.path: float(v.numpy().ravel()[0]) for v in model.trainable_variables}
    decayed = {path for path, value in after.items() if value == pytest.approx(0.95)}
    assert decayed == {path for path in after if path.endswith("kernel")}
    assert {value for path, value in after.items() if path not in decayed} == {1.0}


@pytest.mark.parametrize("shape", [(3, 3, 8, 4), (1, 1, 4, 16)])
def test_muon_takes_a_step_of_the_same_length_along_every_direction_of_a_kernel(
    shape: tuple[int, ...],
) -> None:
    rng = np.random.default_rng(0)
    start, gradient = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    # Some directions are far stronger.
    gradient *= np.linspace(1, 5, shape[2])[:, None].astype(np.float32)
    gradient *= np.linspace(1, 5, shape[3]).astype(np.float32)
    (kernel,) = variables = keras_variables(start, np.zeros(1, np.float32))[:1]
    muon = make_optimizer("muon", variables, weight_decay=DECAY, accumulation=1)
    muon.learning_rate.assign(PEAK)
    muon.apply([gradient], variables)
    rows, columns = sides = int(np.prod(shape[:-1])), shape[-1]
    moved = (start * (1 - PEAK * DECAY) - np.asarray(kernel.numpy())).reshape(rows, columns)
    left, strengths, right = np.linalg.svd(gradient.reshape(rows, columns), full_matrices=False)
    # All singular values of the gradient become about 1, and then the length that Adam's step would have.
    along = np.diag(left.T @ moved @ right.T) / (PEAK * 0.2 * max(sides) ** 0.5)
    assert strengths.max() / strengths.min() > 2
    assert along.min() > 0.6 and along.max() < 1.3
    off = left.T @ moved @ right.T
    assert np.abs(off - np.diag(np.diag(off))).max() < 1e-5


@pytest.mark.parametrize("kernel", [(3, 2), (3, 3, 4, 1)])
def test_muon_moves_matrices_and_depthwise_kernels_as_adamw_does(kernel: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    start = [rng.normal(size=kernel).astype(np.float32), rng.normal(size=2).astype(np.float32)]
    gradients = [[rng.normal(size=s.shape).astype(np.float32) for s in start] for _ in range(10)]
    variables = keras_variables(*start)
    muon = make_optimizer("muon", variables, weight_decay=DECAY, accumulation=1)
    for batch, gradient in enumerate(gradients):
        muon.learning_rate.assign(learning_rate(batch, 10, PEAK, WARM_UP, "linear"))
        muon.apply(gradient, variables)
    for variable, expected in zip(variables, reference(start, gradients, 1), strict=True):
        assert np.allclose(np.asarray(variable.numpy()), expected, rtol=1e-4, atol=1e-6)
