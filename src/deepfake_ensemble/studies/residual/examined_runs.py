"""Which runs are looked at closely: the best one, and beside it the network that the paper looks at."""

from collections.abc import Sequence

# What figures 5 and 10 of the paper are of, by what there may be of it.
_RESNET152 = ("resnet152_imagenet", "resnet152_random")


def examined_runs(best: str, done: Sequence[str]) -> list[str]:
    """Return the best run, and ResNet152 from either kind of initial weights where it was done."""
    return list(dict.fromkeys([best, *(run for run in _RESNET152 if run in done)]))
