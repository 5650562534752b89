"""What of the second study's pictures may vary, as its params.yaml holds it."""

from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.foundation.section import section


@section
class Pictures:
    """The section `pictures`: how many mistakes of a kind, and how many channels of a layer, are shown."""

    misclassified: Annotated[int, Ge(1)]
    channels: Annotated[int, Ge(1)]
