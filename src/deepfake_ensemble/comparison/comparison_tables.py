"""Tables behind the plots of comparisons, one for all data sets, in a form that `dvc plots` draws."""

from collections.abc import Mapping
from pathlib import Path

from deepfake_ensemble.comparison.comparison import Comparison, Weighting
from deepfake_ensemble.comparison.intervals import ByMetric, Interval
from deepfake_ensemble.foundation.files import write_csv

# What the tables of weightings and of members show of each.
METRICS = ("accuracy", "auc", "log_loss")


def write(folder: Path, comparisons: Mapping[str, Comparison]) -> None:
    """Write `reliability.csv`, `weightings.csv` and `leave_one_out.csv`.

    Args:
        folder: of the comparison.
        comparisons: what `comparison.compare` returned, by data set.
    """
    write_csv(
        folder / "reliability.csv",
        ("data_set", "detector", "p_fake", "share_fake", "ci_low", "ci_high", "images"),
        [
            (data_set, name, b.p_fake, *vars(b.share_fake).values(), b.n)
            for data_set, compared in comparisons.items()
            for name, calibration in compared.calibration.items()
            for b in calibration.reliability
        ],
    )
    columns = [f"{metric}{end}" for metric in METRICS for end in ("", "_ci_low", "_ci_high")]
    write_csv(
        folder / "weightings.csv",
        ("data_set", "weighting", *columns),
        [
            (data_set, name, *_ends(of.metrics))
            for data_set, compared in comparisons.items()
            for name, of in compared.weightings.items()
            if isinstance(of, Weighting)
        ],
    )
    write_csv(
        folder / "leave_one_out.csv",
        ("data_set", "member", *columns),
        [
            (data_set, name, *_ends(added))
            for data_set, compared in comparisons.items()
            for name, added in compared.complementarity.member_adds.items()
            if added is not None
        ],
    )


def _ends(of: ByMetric[Interval]) -> list[float]:
    return [end for metric in METRICS for end in vars(getattr(of, metric)).values()]
