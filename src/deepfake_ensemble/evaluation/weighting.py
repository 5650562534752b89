"""How much each member of the ensemble counts, and their weighted sum."""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from deepfake_ensemble.evaluation.probabilities import SMALLEST, clipped
from deepfake_ensemble.foundation.errors import UserError

ENSEMBLE = "ensemble"

Method = Literal["accuracy", "uniform", "log_loss"]


def weights(
    method: Method,
    labels: np.ndarray,
    p_fake: Mapping[str, np.ndarray],
    threshold: float = 0.5,
    smallest: float = SMALLEST,
) -> dict[str, float]:
    """Return a weight >= 0 for each model, summing to 1.

    Args:
        method: `accuracy`: shares of the accuracies at `threshold` (the paper's, eq. 2.24); `uniform`: all
            alike; `log_loss`: those that minimise the log loss of the weighted sum.
        labels: of the validation split, (n,), 1 = fake.
        p_fake: of the validation split, (n,) by model.
        threshold: from which P(fake) an image is called fake.
        smallest: what is nearer to 0 or 1 is taken as this far from it.

    Raises:
        UserError: if there is no such method, or no accuracy to share out.
    """
    if method == "accuracy":
        right = {name: np.count_nonzero((p >= threshold) == labels) for name, p in p_fake.items()}
        return accuracy_shares({name: int(count) / len(labels) for name, count in right.items()})
    if method == "uniform":
        return {name: 1 / len(p_fake) for name in p_fake}
    if method == "log_loss":
        return _least_log_loss(labels, p_fake, smallest)
    raise UserError(f"ensemble.weighting: {method!r} is not one of {', '.join(get_args(Method))}")


def accuracy_shares(accuracies: Mapping[str, float]) -> dict[str, float]:
    """Return w_i = accuracy_i / sum_j accuracy_j (eq. 2.24).

    Raises:
        UserError: if all are zero.
    """
    total = sum(accuracies.values())
    if total == 0:
        raise UserError(
            "ensemble.weighting: no model classifies a single validation image correctly, so accuracy "
            "gives no weights; check the labels of the validation split, or set it to uniform"
        )
    return {name: accuracy / total for name, accuracy in accuracies.items()}


def combine(weights: Mapping[str, float], p_fake: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the ensemble's P(fake), sum_i w_i * p_i (eq. 2.12), of members with arrays (n,).

    Args:
        weights: by model, summing to 1.
        p_fake: (n,) by model, of the same models.

    Raises:
        UserError: if they are others.
    """
    if set(weights) != set(p_fake):
        ours, theirs = ", ".join(sorted(weights)), ", ".join(sorted(p_fake))
        raise UserError(f"weights are of {ours}, predictions of {theirs}; run the weigh stage again")
    # Added up one by one: a matrix product's order of summation would depend on the processor.
    total = sum(weights[name] * np.asarray(p_fake[name], dtype=np.float64) for name in weights)
    return np.clip(total, 0.0, 1.0)  # weights may sum to a last bit more than 1


def with_ensemble(weights: Mapping[str, float], p_fake: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the members' P(fake) and, under the name ENSEMBLE, their weighted sum.

    Args:
        weights: by model, summing to 1.
        p_fake: (n,) by model.
    """
    return {**p_fake, ENSEMBLE: combine(weights, p_fake)}


def _least_log_loss(
    labels: np.ndarray, p_fake: Mapping[str, np.ndarray], smallest: float
) -> dict[str, float]:
    """Minimise the convex -mean(ln(sum_i w_i q_i)) over the simplex, q_i being what model i gives to the
    true class.

    By SciPy's SLSQP from uniform weights: a quasi-Newton method whose steps stay quick where members are
    much alike, which is where multiplicative updates (EM, exponentiated gradient) take tens of thousands.
    """
    from scipy.optimize import minimize

    names = list(p_fake)
    if len(names) == 1:
        return {names[0]: 1.0}
    given = np.stack([np.where(labels == 1, p_fake[name], 1 - p_fake[name]) for name in names])
    given = clipped(given, smallest)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = np.maximum((w[:, None] * given).sum(axis=0), smallest)
        return -float(np.log(mixed).mean()), -(given / mixed).mean(axis=1)

    found = minimize(
        loss,
        np.full(len(names), 1 / len(names)),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * len(names),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    w = np.clip(found.x, 0, 1)
    w /= w.sum()
    # How far the loss can be above its minimum, by duality: at most ln(max_i mean(q_i / mixed)).
    excess = float(np.log(-loss(w)[1].min()))
    if excess > 1e-6:
        raise RuntimeError(f"log-loss weights did not converge (excess {excess:.1e}): {found.message}")
    # Six decimals: more would change the loss by less than 1e-11, and the bytes between processors.
    rounded = np.round(w, 6)
    rounded[rounded.argmax()] += 1 - rounded.sum()
    return {name: float(value) for name, value in zip(names, np.round(rounded, 6), strict=True)}
