"""What people read for the keys of networks, runs, data sets and weightings: the same on every page."""

from deepfake_ensemble.evaluation.weighting import ENSEMBLE

_TITLES = {
    "cnn": "Custom CNN",
    "bird_lotfi": "CNN of Bird & Lotfi",
    "compact": "compact network",
    "resnet18": "ResNet18",
    "resnet50": "ResNet50",
    "resnet50_v1_5": "ResNet50",
    "resnet101": "ResNet101",
    "resnet152": "ResNet152",
    "vgg16": "VGG16",
    "xception": "Xception",
    "efficientnet_b3": "EfficientNet-B3",
    "efficientnet_b4": "EfficientNet-B4",
    "efficientnet_lite0": "EfficientNet-Lite0",
    ENSEMBLE: "Ensemble",
    "internal": "internal test",
    "cifake": "CIFAKE",
    "cifake_leak_free": "CIFAKE without leaks",
}

# Runs of the second study that are not called by their network, and what the ends of the others' names mean.
_RUNS = {
    ENSEMBLE: "average of networks",
    "fast_15": "compact network, 15 minutes",
    "fast_60": "compact network, 60 minutes",
}
_MARKS = {
    "imagenet": "ImageNet weights",
    "random": "random weights",
    "plain": "without residual connections",
    "thinned": "one residual connection a stage removed",
    "constant": "constant learning rate",
}

# What people read for `ensemble.weighting`: of the weights, of the ensemble, and of what makes it.
METHODS = {"accuracy": "validation accuracy", "uniform": "equal weights", "log_loss": "least log loss"}
AVERAGED = {
    "accuracy": "weighted by their shares of validation accuracy",
    "uniform": "all of the same weight",
    "log_loss": "with the weights of least log loss on validation",
}
AVERAGING = {
    "accuracy": "weighted averaging",
    "uniform": "equal-weight averaging",
    "log_loss": "least-log-loss averaging",
}

# What people read for a trivial feature, and its unit.
FEATURES = {
    "file_size": ("file size", "bytes"),
    "brightness": ("brightness", "mean grey level, 0 to 255"),
    "sharpness": ("sharpness", "variance of the Laplacian, squared grey levels"),
}

# What is measured of the look of images, as `mistakes.measures` names it.
MEASURES = {
    "saturation": "saturation",
    "warmth": "hue, from azure to orange",
    "detail": "local detail",
    "border_variation": "variation along the border",
}

# The second study's test sets, after "the".
TEST_SETS = {"official": "test set as published", "leak_free": "leak-free test set"}


def title(name: str) -> str:
    """Return what people read for a network's, a detector's or a data set's key."""
    return _TITLES.get(name, name)


def place(name: str) -> str:
    """Return what stands after "on": the internal test, or CIFAKE."""
    return f"the {title(name)}" if name == "internal" else title(name)


def run_title(name: str) -> str:
    """Return what people read for a run of the second study: its network, and how it was trained."""
    if name in _RUNS:
        return _RUNS[name]
    parts = name.split("_")
    marks: list[str] = []
    while parts and parts[-1] in _MARKS:
        marks.insert(0, _MARKS[parts.pop()])
    return ", ".join([title("_".join(parts)), *marks])
