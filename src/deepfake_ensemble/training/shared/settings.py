"""What of both studies' trainings a user sets."""

from typing import Annotated

from annotated_types import Gt

from deepfake_ensemble.foundation.section import section


@section
class Resume:
    """The section `resume`, which no stage tracks: it decides no result.

    Attributes:
        save_minutes: after which a training is kept, wherever it stands.
    """

    save_minutes: Annotated[float, Gt(0)]
