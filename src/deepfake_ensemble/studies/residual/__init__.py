"""The second study: networks fine-tuned on CIFAKE, with and without what makes them residual."""
