"""Which data sets there are and where they come from, as params.yaml holds it."""

from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from deepfake_ensemble.foundation.section import section

Source = Literal["sample", "kaggle", "local"]


@section
class DataSet:
    """The section `data_sets.NAME`.

    Attributes:
        layout: how the publisher lays its archive out.
        kaggle: its slug, owner/name.
        version: of the data set on Kaggle.
        partition: which of the publisher's own parts is used; all pools them.
        splits: what is drawn from it: train, val and test, or one split of its name that is only predicted.
    """

    layout: Literal["faces", "cifake"]
    kaggle: Annotated[str, MinLen(3)]
    version: Annotated[int, Ge(1)]
    partition: Literal["all", "train", "valid", "test"]
    splits: Annotated[list[str], MinLen(1)]

    @property
    def is_outside(self) -> bool:
        """Whether no detector is trained on it."""
        return "train" not in self.splits
