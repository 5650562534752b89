"""What of the account of mistakes may vary, as params.yaml holds it."""

from typing import Annotated

from annotated_types import Ge

from deepfake_ensemble.foundation.section import section


@section
class Mistakes:
    """The section `mistakes`: how many images are shown in each row of a gallery."""

    shown: Annotated[int, Ge(2)]
