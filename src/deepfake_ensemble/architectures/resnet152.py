"""ResNet152 (He et al. 2016) as PyTorch has it."""

from deepfake_ensemble.models.architecture import WeightsFile, timm_resnet

ARCHITECTURE = timm_resnet(
    (3, 8, 36, 3),
    bottleneck=True,
    layers=566,
    # Wightman, Touvron & Jégou 2021, "ResNet strikes back", recipe A1; Apache License 2.0.
    imagenet=WeightsFile(
        url="https://huggingface.co/timm/resnet152.a1_in1k/resolve/"
        "449ee9bfaea31586d09a7e686b5932e9d1272ec6/model.safetensors",
        checksum="sha256:5a3518da3d35ee04e77a5e69289cff55c3a07a732d7287f6cab20bd4d330eda9",
    ),
)
