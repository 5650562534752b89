"""Which data sets there are and where they come from, as params.yaml holds it."""

from typing import Annotated, Literal

from annotated_types import Ge, MinLen

from deepfake_ensemble.foundation.section import section

Source = Literal["sample", "kaggle", "local", "folder"]


@section
class DataSet:
    """The section `data_sets.NAME`.

    The one called `internal` is split into train, val and test and trained on; every other one is only
    predicted.

    Attributes:
        archive: what its archive is called, without `.zip`.
        layout: how the publisher lays it out.
        kaggle: its slug, owner/name.
        version: of the data set on Kaggle.
        partition: which of the publisher's own parts is used; all pools them, test_leak_free is the test part
            without images that lie byte for byte in the training part.
    """

    archive: Annotated[str, MinLen(1)]
    layout: Literal["faces", "cifake"]
    kaggle: Annotated[str, MinLen(3)]
    version: Annotated[int, Ge(1)]
    partition: Literal["all", "train", "valid", "test", "test_leak_free"]
