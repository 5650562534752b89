"""What params.yaml says of the model file."""

from typing import Literal

from deepfake_ensemble.foundation.section import section

WeightsKeptAs = Literal["float32", "float16"]


@section
class ExportParams:
    """The section `export`."""

    weights: WeightsKeptAs
