"""ResNet101 (He et al. 2016) as PyTorch has it."""

from deepfake_ensemble.models.architecture import WeightsFile, timm_resnet

ARCHITECTURE = timm_resnet(
    (3, 4, 23, 3),
    bottleneck=True,
    layers=379,
    # Wightman, Touvron & Jégou 2021, "ResNet strikes back", recipe A1; Apache License 2.0.
    imagenet=WeightsFile(
        url="https://huggingface.co/timm/resnet101.a1_in1k/resolve/"
        "e95c1e3e7cdcc0637817ecc79658817e6dc441bc/model.safetensors",
        checksum="sha256:1ba5b660e7c175b3c27c557fc7dc8b2815be830c516815b0155f61b403f27380",
    ),
)
