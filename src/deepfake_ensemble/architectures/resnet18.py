"""ResNet18 (He et al. 2016) as PyTorch has it."""

from deepfake_ensemble.models.architecture import WeightsFile, timm_resnet

ARCHITECTURE = timm_resnet(
    (2, 2, 2, 2),
    bottleneck=False,
    layers=86,
    # Wightman, Touvron & Jégou 2021, "ResNet strikes back", recipe A1; Apache License 2.0.
    imagenet=WeightsFile(
        url="https://huggingface.co/timm/resnet18.a1_in1k/resolve/"
        "491b427b45c94c7fb0e78b5474cc919aff584bbf/model.safetensors",
        checksum="sha256:80c49dee3da4822c009c5a7fe591e9223c5a2cfcf95a4067ca4dfb5a7b89c612",
    ),
)
