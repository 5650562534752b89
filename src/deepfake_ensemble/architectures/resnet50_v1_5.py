"""ResNet50 (He et al. 2016) as PyTorch has it; `resnet50` is Keras', which the first study takes."""

from deepfake_ensemble.models.architecture import WeightsFile, timm_resnet

ARCHITECTURE = timm_resnet(
    (3, 4, 6, 3),
    bottleneck=True,
    layers=192,
    # Wightman, Touvron & Jégou 2021, "ResNet strikes back", recipe A1; Apache License 2.0.
    imagenet=WeightsFile(
        url="https://huggingface.co/timm/resnet50.a1_in1k/resolve/"
        "5d9e13b8fdab4d9718bcf2c8f5c3af01878367e8/model.safetensors",
        checksum="sha256:773525d5821de224f8f30c33377b7a795d7863e08522698200d3217d3f2a41bb",
    ),
)
