"""What a seed in params.yaml may be."""

from typing import Annotated

from annotated_types import Ge, Lt

Seed = Annotated[int, Ge(0)]
# What Python takes as PYTHONHASHSEED, and NumPy's older generators and scikit-learn as a seed.
Seed32 = Annotated[int, Ge(0), Lt(2**32)]
