"""What of the pages of pictures may vary, as params.yaml holds it."""

from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.foundation.section import section


@section
class ExplanationParams:
    """The section `explanations`.

    Attributes:
        of_each_outcome: images whose Grad-CAM is shown, of each of choice.OUTCOMES and each data set.
        misclassified: images shown of those that detectors get wrong, of each data set.
    """

    of_each_outcome: Annotated[int, Ge(1)]
    misclassified: Annotated[int, Ge(1)]


@section
class Pictures:
    """The section `pictures`: how many mistakes of a kind, and how many channels of a layer, are shown."""

    misclassified: Annotated[int, Ge(1)]
    channels: Annotated[int, Ge(1)]
