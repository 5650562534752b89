"""What the paper reports, by its tables, and where it contradicts itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """Loss and F1 as printed."""

    loss: float
    f1: float


@dataclass(frozen=True)
class Details:
    """The scores of one network as printed."""

    f1: float
    recall: float
    precision: float
    accuracy: float


CITED = (
    'S. A. Hakim et al. 2024, "Klasifikasi Citra Generasi Artificial Intelligence Menggunakan Metode Fine'
    ' Tuning pada Residual Network"'
)

# Those whose residual connections it removes, from the least deep on, and our architectures for them.
RESNETS = {
    "resnet18": "resnet18",
    "resnet50": "resnet50_v1_5",
    "resnet101": "resnet101",
    "resnet152": "resnet152",
}

# Table 2: network → scores, and millions of parameters where they are given.
NETWORKS: dict[str, tuple[Scores, float | None]] = {
    "resnet18": (Scores(0.19, 0.928), 11.7),
    "resnet50": (Scores(0.16, 0.931), 25.6),
    "resnet101": (Scores(0.16, 0.933), 44.5),
    "resnet152": (Scores(0.08, 0.963), 60.2),
    "bird_lotfi": (Scores(0.17, 0.936), None),
    "vgg16": (Scores(0.22, 0.833), 138.4),
    "efficientnet_b4": (Scores(0.17, 0.941), 19.3),
    "efficientnet_b3": (Scores(0.20, 0.880), 12.2),
}

# Tables 3 to 5, of ResNet152: table → what it says it is of, the run of ours that is, and the scores.
RESNET152: dict[str, tuple[str, str, Details]] = {
    "table 3": (
        "with residual connections, pretrained",
        "resnet152_imagenet",
        Details(0.9634, 0.9522, 0.9749, 0.9632),
    ),
    "table 4": (
        "without residual connections, pretrained",
        "resnet152_imagenet_plain",
        Details(0.6287, 0.4660, 0.9657, 0.7226),
    ),
    "table 5, scenario 1": (
        "without, not pretrained",
        "resnet152_random_plain",
        Details(0.5743, 0.4178, 0.9137, 0.6857),
    ),
    "table 5, scenario 2": (
        "without, pretrained",
        "resnet152_imagenet_plain",
        Details(0.5927, 0.4230, 0.9321, 0.7013),
    ),
}

# Tables 6 and 7; scenario 4 is announced in the text and in no table.
SCENARIOS: dict[str, tuple[str, dict[str, Scores]]] = {
    "1: without residual connections, random weights": (
        "random_plain",
        {
            "resnet18": Scores(0.798, 0.479),
            "resnet50": Scores(0.671, 0.504),
            "resnet101": Scores(0.572, 0.521),
            "resnet152": Scores(0.558, 0.574),
        },
    ),
    "2: without residual connections, ImageNet weights": (
        "imagenet_plain",
        {
            "resnet18": Scores(0.532, 0.498),
            "resnet50": Scores(0.445, 0.529),
            "resnet101": Scores(0.378, 0.542),
            "resnet152": Scores(0.281, 0.592),
        },
    ),
    "3: with residual connections, ImageNet weights": (
        "imagenet",
        {
            "resnet18": Scores(0.19, 0.928),
            "resnet50": Scores(0.16, 0.931),
            "resnet101": Scores(0.16, 0.933),
            "resnet152": Scores(0.08, 0.963),
        },
    ),
    "4: with residual connections, random weights": ("random", {}),
}

# What our runs of scenarios 1 and 2 are called that take the paper at its word, by what those are called that
# remove every connection.
AT_ITS_WORD = {"random_plain": "random_thinned", "imagenet_plain": "imagenet_thinned"}

# Table 1: what it sets → as printed, and the key of ours.
RECIPE = {
    "images in a batch": ("32", "batch_size"),
    "batches in an update": ("4", "accumulation"),
    "optimizer": ("AdamW", "optimizer"),
    "highest learning rate": ("5e-5", "learning_rate"),
    "epochs": ("5", "epochs"),
    "schedule": ("linear", "schedule"),
    "share of updates that warm up": ("0.1", "warm_up"),
    "weight decay": (None, "weight_decay"),
}
HARDWARE = "one NVIDIA P100 with 16 GB, two threads of a 2.2 GHz Xeon, 13 GB of memory (Kaggle)"


@dataclass(frozen=True)
class Contradiction:
    """What the paper says twice and differently, and the places of our tables that it is marked at."""

    text: str
    at: tuple[str, ...]


# In the order of their numbers.
CONTRADICTIONS = (
    Contradiction(
        "Table 5's precision and recall give F1 0.573 and 0.582, not the printed 0.5743 and 0.5927.",
        at=("table 5, scenario 1: f1", "table 5, scenario 2: f1"),
    ),
    Contradiction(
        "On as many real as fake images the precision and recall of tables 3, 4 and 5 give accuracies of"
        " 0.9638, 0.7247, 0.6892 and 0.6961, not the printed 0.9632, 0.7226, 0.6857 and 0.7013.",
        at=(
            "table 3: accuracy",
            "table 4: accuracy",
            "table 5, scenario 1: accuracy",
            "table 5, scenario 2: accuracy",
        ),
    ),
    Contradiction(
        "The text has more true positives than true negatives together with more false negatives than false"
        " positives; on a test set with as many real as fake images both cannot be.",
        at=("figure 9",),
    ),
    Contradiction(
        "Tables 4 and 5 disagree on ResNet152 without residual connections and with pretrained weights.",
        at=("table 4", "table 5, scenario 2"),
    ),
    Contradiction(
        "The text calls table 5's second scenario one with residual connections, table 7 one without; figures"
        " are set beside ours by table 7.",
        at=("table 5, scenario 2",),
    ),
    Contradiction(
        "One residual connection is said to be removed from each stage, of which ResNet152 has four; it has"
        " one in each of its 50 blocks. The table of parameters says of each run which ours are.",
        at=("tables 6 and 7",),
    ),
    Contradiction(
        "A ResNet32 is mentioned and in no table; three ResNets are announced and four are in the tables.",
        at=("table 2",),
    ),
    Contradiction(
        "A comparison of networks without pretrained weights, with residual connections and without, is"
        " announced; its first half is in no table. It is scenario 4 here.",
        at=("scenario 4",),
    ),
    Contradiction(
        "The parameter counts are those of the stock networks with 1,000 classes.",
        at=("table 2: parameters",),
    ),
    Contradiction(
        "DenseNet and Inception are announced as networks to compare with, and are in no table.",
        at=("table 2",),
    ),
    Contradiction(
        "Evaluations are said to come every 600 steps (section 2.4), and those of figures 7 and 8 at other"
        " intervals, which the text says itself; ours come as this profile's evaluate_every has it.",
        at=("figures 7 and 8",),
    ),
    Contradiction(
        "Loss and F1 are said to go together: the lower the loss, the higher the F1. In table 7 ResNet18 in"
        " scenario 2 has loss 0.532 and F1 0.498, ResNet152 in scenario 1 the higher loss 0.558 and the"
        " higher F1 0.574.",
        at=("tables 6 and 7",),
    ),
)


@dataclass(frozen=True)
class Claim:
    """What the paper says that mistakes look like (section 4, on figure 10).

    Attributes:
        text: what it says.
        measure: what shows it.
        wrong_has_more: of each class that it is about, whether its wrong images have more of that, or less.
    """

    text: str
    measure: str
    wrong_has_more: dict[str, bool]


# Its conclusion names the same three: colour, texture, background.
MISTAKES = (
    Claim("images in striking colours are got wrong", "saturation", {"real": True, "fake": True}),
    Claim("real images without detailed texture are called fake", "detail", {"real": False}),
    Claim(
        "images with a plain background are called real",
        "border_variation",
        {"real": True, "fake": False},
    ),
)

# The F1 that is printed for what one of our runs repeats.
F1 = {
    "bird_lotfi_random": NETWORKS["bird_lotfi"][0].f1,
    **{f"{network}_imagenet": scores.f1 for network, (scores, _) in NETWORKS.items()},
    **{
        f"{network}_{called}": scores.f1
        for marks, printed in SCENARIOS.values()
        for called in (marks, AT_ITS_WORD.get(marks, marks))
        for network, scores in printed.items()
    },
}
BEST = max(scores.f1 for scores, _ in NETWORKS.values())


def marks(place: str) -> list[int]:
    """Return the numbers of the contradictions that are marked at a place of our tables."""
    return [number for number, each in enumerate(CONTRADICTIONS, start=1) if place in each.at]
