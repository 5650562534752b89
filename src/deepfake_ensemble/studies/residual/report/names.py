"""What the second study's networks and runs are called, the same in every table and figure."""

TITLES = {
    "resnet18": "ResNet18",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "resnet152": "ResNet152",
    "vgg16": "VGG16",
    "efficientnet_b3": "EfficientNet-B3",
    "efficientnet_b4": "EfficientNet-B4",
    "bird_lotfi": "CNN of Bird & Lotfi",
    "compact": "compact network",
    "ensemble": "weighted average",
    "fast_15": "compact network, 15 minutes",
    "fast_60": "compact network, 60 minutes",
}
# Networks that `stem` does not change: `surgery.with_small_stem` returns them as they are.
WITHOUT_STEM = frozenset({"vgg16", "bird_lotfi", "compact"})
_MARKS = {
    "imagenet": "ImageNet weights",
    "random": "random weights",
    "plain": "without residual connections",
    "constant": "constant learning rate",
}


def title(name: str) -> str:
    """Return what people read for a network's or a run's key."""
    if name in TITLES:
        return TITLES[name]
    parts = name.split("_")
    marks: list[str] = []
    while parts and parts[-1] in _MARKS:
        marks.insert(0, _MARKS[parts.pop()])
    network = "_".join(parts)
    return ", ".join([TITLES.get(network, network), *marks])
