"""Tables behind the plots of a comparison, in a form that `dvc plots` draws."""

from pathlib import Path

from deepfake_ensemble.comparison.comparison import Comparison, Weighting
from deepfake_ensemble.comparison.intervals import ByMetric, Interval
from deepfake_ensemble.foundation.files import replacing_folder, write_csv

# What the tables of weightings and of members show of each.
METRICS = ("accuracy", "auc", "log_loss")


def write(folder: Path, compared: Comparison) -> None:
    """Write `reliability/NAME.csv` for each detector, `weightings.csv` and `leave_one_out.csv`, from what
    `comparison.compare` returned."""
    with replacing_folder(folder / "reliability") as reliability:
        for name, calibration in compared.calibration.items():
            write_csv(
                reliability / f"{name}.csv",
                ("p_fake", "share_fake", "ci_low", "ci_high", "images"),
                [(b.p_fake, *vars(b.share_fake).values(), b.n) for b in calibration.reliability],
            )
    columns = [f"{metric}{end}" for metric in METRICS for end in ("", "_ci_low", "_ci_high")]
    write_csv(
        folder / "weightings.csv",
        ("weighting", *columns),
        [(name, *_ends(of.metrics)) for name, of in compared.weightings.items() if isinstance(of, Weighting)],
    )
    write_csv(
        folder / "leave_one_out.csv",
        ("member", *columns),
        [
            (name, *_ends(added))
            for name, added in compared.complementarity.member_adds.items()
            if added is not None
        ],
    )


def _ends(of: ByMetric[Interval]) -> list[float]:
    return [end for metric in METRICS for end in vars(getattr(of, metric)).values()]
