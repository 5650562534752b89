"""One model that is the whole ensemble (section 3.4.5)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def assemble(members: "Mapping[str, keras.Model]", weights: Mapping[str, float]) -> "keras.Model":
    """Join frozen detectors into one model: the image in, the weighted sum of their P(fake) out (eq. 2.12).

    Args:
        members: the detectors by name, all of the same input shape.
        weights: of the same names.

    Returns:
        a model (n, size, size, 3) of 0–255 → (n, 1).
    """
    import keras
    from keras import layers

    first = next(iter(members.values()))
    image = keras.Input(first.input_shape[1:], name="image", dtype="float32")
    shares = []
    for name, member in members.items():
        member.trainable = False
        share = layers.Rescaling(weights[name], name=f"weight_{name}", dtype="float32")
        shares.append(share(member(image)))
    p_fake = layers.Add(name="p_fake", dtype="float32")(shares)
    return keras.Model(image, p_fake, name="ensemble")
