"""The second study's report as one self-contained page: the paper's tables beside ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.cells import flat, histogram, interval, setting
from deepfake_ensemble.pages.document import document
from deepfake_ensemble.pages.html import Child, Markup, element, figure, inline, table
from deepfake_ensemble.pages.numbers import count, difference, p_value, percent, plain, share
from deepfake_ensemble.studies.residual.report import figures, paper
from deepfake_ensemble.studies.residual.report.names import WITHOUT_STEM, title
from deepfake_ensemble.training.residual.settings import Runs

TITLE = "Residual networks on CIFAKE"
SETS = {"official": "as published", "leak_free": "leak-free"}
NOT_RUN = "not run"
WEIGHTS = ("random", "imagenet")  # what runs start from, as their names have it


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything the page shows.

    Attributes:
        profile: its name; `params` is all of params.yaml that shapes the results.
        runs: what could be trained.
        metrics, comparison: by test set, as the evaluate stage writes them.
        curves: of each run that was done.
        networks: what each run's costs by its shape.
        audit, splits: of the data.
    """

    profile: str
    params: Mapping[str, Any]
    runs: Runs
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    comparison: Mapping[str, Mapping[str, Any]]
    curves: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Any]
    audit: Mapping[str, Any]
    splits: Mapping[str, Any]

    @property
    def digits(self) -> int:
        return 3 if self.comparison["official"]["n"] < 2000 else 4

    def done(self, run: str) -> bool:
        return run in self.metrics["official"]

    @property
    def best(self) -> str:
        """The run with the highest F1 on validation."""
        return str(self.comparison["official"]["best"])


def render(study: Study) -> str:
    """Return the page."""
    header: list[Child] = [_banner(study), element("p", _answer(study), class_="answer"), _about(study)]
    content: dict[str, Child] = {
        "The networks": _networks(study),
        "Without residual connections": _ablation(study),
        "Is it more than chance?": _tests(study),
        "The schedule": _schedule(study),
        "Mistakes": _mistakes(study),
        "All runs": _all_runs(study),
        "Data": _data(study),
        "Where the paper contradicts itself": element(
            "ol",
            [element("li", each.text, id=_note(n)) for n, each in enumerate(paper.CONTRADICTIONS, start=1)],
        ),
        "How it was made": _making(study),
    }
    footer: Child = [
        "Every figure on this page stands in a JSON file beside it. ",
        element("a", "What the best network sees and gets wrong", href="pictures/index.html"),
        " (made by ",
        element("code", "dvc repro"),
        ", fetched by ",
        element("code", "dvc pull"),
        "). How long the trainings on all of CIFAKE took, and on what, stands in ",
        element("code", "residual/results.json"),
        " and ",
        element("code", "docs/residual.md"),
        " of the project: such figures vary from run to run.",
    ]
    return document(TITLE, header, content, footer)


def _banner(study: Study) -> Child:
    if study.params["profiles"]["source"] != "sample":
        return None
    return element(
        "p",
        element("strong", "These figures say nothing about CIFAKE."),
        " This run is the sample: images synthesised from a few photographs, to show that everything works.",
        class_="banner",
        role="note",
    )


def _answer(study: Study) -> Child:
    best = study.best
    of = {name: found["intervals"].get(best) for name, found in study.comparison.items()}
    texts: list[Child] = [f"The best on validation is {title(best)}: F1 "]
    for number, (name, figures_of) in enumerate(of.items()):
        f1 = figures_of["f1"]
        ends = [share(f1[end], study.digits) for end in ("ci_low", "ci_high")]
        texts += [", " if number else "", share(f1["value"], study.digits), " (", ends[0], "–", ends[1], ") "]
        texts += [f"on the test set {SETS[name]}"]
    return [*texts, f". The paper's best, ResNet152 from ImageNet weights, has {paper.BEST}."]


def _about(study: Study) -> Child:
    of, leak_free = study.comparison["official"], study.comparison["leak_free"]
    return element(
        "p",
        f"Profile {study.profile}: ",
        count(study.splits["train"]["images"]),
        " training images of ",
        count(study.params["profiles"]["image_size"]),
        f" pixels. The paper is {paper.CITED}; the data are CIFAKE (Bird & Lotfi 2024; its photographs are"
        " CIFAR-10's, Krizhevsky 2009). Figures in small print are ",
        percent(of["confidence"], 2),
        " intervals from ",
        count(of["resamples"]),
        " resamples of the test images; they say nothing of another training. The leak-free test set lacks ",
        count(of["n"] - leak_free["n"]),
        " files, ",
        count(of["n_fake"] - leak_free["n_fake"]),
        " of them fakes, that also lie, byte for byte, in the training half. Click on a table's head to sort"
        " it.",
        class_="about",
    )


def _f1(study: Study, run: str, test_set: str) -> Child:
    if not study.done(run):
        return element("small", NOT_RUN)
    return interval(study.comparison[test_set]["intervals"][run]["f1"], share, study.digits)


def _score(study: Study, run: str, metric: str) -> Child:
    return share(study.metrics["official"][run][metric], study.digits) if study.done(run) else None


def _marked(child: Child, place: str) -> Child:
    """Show what the paper has at a place, with the numbers of its contradictions there."""
    marks = [n for n, each in enumerate(paper.CONTRADICTIONS, start=1) if place in each.at]
    return [child, *([element("sup", element("a", str(n), href=f"#{_note(n)}")), " "] for n in marks)]


def _note(number: int) -> str:
    return f"contradiction-{number}"


def _networks(study: Study) -> Child:
    rows: list[list[Child]] = []
    costs = study.networks["runs"]
    for name, (printed, millions) in paper.NETWORKS.items():
        pretrained, scratch = f"{name}_imagenet", f"{name}_random"
        cost = costs.get(scratch)  # None if params.yaml no longer has it
        rows.append(
            [
                title(name),
                share(printed.f1),
                share(printed.loss, 2),
                None if millions is None else _marked(plain(millions), "table 2: parameters"),
                _f1(study, pretrained, "official") if pretrained in study.runs.all else None,
                _f1(study, pretrained, "leak_free") if pretrained in study.runs.all else None,
                _score(study, pretrained, "log_loss"),
                _f1(study, scratch, "official"),
                _f1(study, scratch, "leak_free"),
                _score(study, scratch, "log_loss"),
                *(cost and plain(cost[of] / 1e6) for of in ("trainable", "multiply_adds")),
            ]
        )
    rows += [
        [
            title(run),
            *[None] * 6,
            _f1(study, run, "official"),
            _f1(study, run, "leak_free"),
            _score(study, run, "log_loss"),
            plain(costs[run]["trainable"] / 1e6),
            plain(costs[run]["multiply_adds"] / 1e6),
        ]
        for run in ("fast_15", "fast_60")
        if run in costs
    ]
    rows.append(
        [
            title(ENSEMBLE),
            *[None] * 3,
            *([None] * 3 if not _pretrained(study) else _ensemble(study)),
            *(_ensemble(study) if not _pretrained(study) else [None] * 3),
            None,
            None,
        ]
    )
    head = ["network", "paper: F1", "loss", "M parameters"]
    head += ["ours, ImageNet weights: F1", "leak-free", "loss"]
    head += ["ours, random weights: F1", "leak-free", "loss", "M parameters trained", "M multiply-adds"]
    shares = study.comparison["official"]["ensemble_weights"]
    named = ", ".join(f"{title(run)} {weight:.3f}" for run, weight in shares.items())
    return [
        table(
            _marked("Table 2, with the first study's weighted average over these networks", "table 2"),
            head,
            rows,
        ),
        element(
            "p",
            f"The weighted average is of {named}." if named else "Nothing to average: fewer than two runs.",
        ),
        table(
            "Tables 3 to 5: ResNet152 in detail",
            [
                "table",
                "paper: F1",
                "recall",
                "precision",
                "accuracy",
                "ours: F1",
                "recall",
                "precision",
                "accuracy",
            ],
            [
                [
                    _marked(f"{place.capitalize()}: {text}", place),
                    *(
                        _marked(share(getattr(printed, m), 4), f"{place}: {m}")
                        for m in ("f1", "recall", "precision", "accuracy")
                    ),
                    _f1(study, run, "official"),
                    *(_score(study, run, m) for m in ("recall", "precision", "accuracy")),
                ]
                for place, (text, run, printed) in paper.RESNET152.items()
            ],
        ),
    ]


def _pretrained(study: Study) -> bool:
    return any(run in study.runs.imagenet for run in study.comparison["official"]["ensemble_weights"])


def _ensemble(study: Study) -> list[Child]:
    return [
        _f1(study, ENSEMBLE, "official"),
        _f1(study, ENSEMBLE, "leak_free"),
        _score(study, ENSEMBLE, "log_loss"),
    ]


def _ablation(study: Study) -> Child:
    rows: list[list[Child]] = []
    for scenario, (marks, printed) in paper.SCENARIOS.items():
        for network in paper.RESNETS:
            run, theirs = f"{network}_{marks}", printed.get(network)
            rows.append(
                [
                    _marked(f"{title(network)}, {scenario}", f"scenario {scenario[0]}"),
                    share(theirs.f1) if theirs else None,
                    share(theirs.loss) if theirs else None,
                    _f1(study, run, "official"),
                    _f1(study, run, "leak_free"),
                    _score(study, run, "log_loss"),
                ]
            )
    losses = {
        network: {
            run: study.curves[run]
            for run in (f"{network}_{weights}{plain}" for weights in WEIGHTS for plain in ("", "_plain"))
            if run in study.curves
        }
        for network in paper.RESNETS
        if any(f"{network}_{weights}_plain" in study.curves for weights in WEIGHTS)
    }
    return [
        element(
            "p",
            "Where a connection is removed, the addition at the end of its block takes the residual branch",
            " alone; layers and initial weights are those of the whole network, less the"
            " projections that then",
            " lead nowhere. ",
            _which_connections(study.runs),
        ),
        figure(
            figures.blocks(), "Two blocks with their residual connections and without (figure 11).", wide=True
        ),
        table(
            _marked("Tables 6 and 7: four scenarios of each depth", "tables 6 and 7"),
            ["network and scenario", "paper: F1", "loss", "ours: F1", "leak-free", "loss"],
            rows,
        ),
        *(element("div", _pair_of_losses(network, of), class_="pair") for network, of in losses.items()),
    ]


def _which_connections(runs: Runs) -> str:
    texts = {
        "removed": "All are removed from",
        "one_a_stage_removed": "Of each stage the first is removed from",
    }
    found = {kind: [title(n) for n, run in runs.all.items() if run.connections == kind] for kind in texts}
    return " ".join(f"{texts[kind]} {'; '.join(names)}." for kind, names in found.items() if names)


def _pair_of_losses(network: str, losses: Mapping[str, Any]) -> list[Child]:
    return [
        figure(figures.curves(f"{network}-plain-{key}", losses, key, f"{part} loss"), caption)
        for key, part, caption in (
            (
                "loss",
                "training",
                f"{title(network)}: training loss with residual connections and without (figure 12).",
            ),
            ("val_log_loss", "validation", f"{title(network)}: validation loss of the same."),
        )
    ]


def _tests(study: Study) -> Child:
    def rows(found: Mapping[str, Any]) -> list[list[Child]]:
        return [
            [
                f"{title(pair['first'])} / {title(pair['second'])}",
                interval(pair["f1"], difference, study.digits),
                count(pair["mcnemar"]["only_a"]),
                count(pair["mcnemar"]["only_b"]),
                p_value(pair["mcnemar"]["p_value"]),
                p_value(pair["mcnemar"]["p_holm"]),
            ]
            for pair in found["neighbours"].values()
        ]

    head = [
        "neighbours by F1",
        "difference of F1",
        "only first right",
        "only second right",
        "McNemar's p",
        "by Holm",
    ]
    return [
        element(
            "p",
            "Each run beside the one with the next lower F1, on the same images. McNemar's test asks whether",
            " two are right equally often; Holm's correction covers all pairs of a table.",
        ),
        [table(f"On the test set {SETS[name]}", head, rows(of)) for name, of in study.comparison.items()],
    ]


def _schedule(study: Study) -> Child:
    pairs = [
        {
            run: study.curves[run]
            for run in (f"resnet152_{w}", f"resnet152_{w}_constant")
            if run in study.curves
        }
        for w in ("imagenet", "random")
    ]
    shown = next((pair for pair in pairs if len(pair) == 2), None)
    if shown is None:
        return element("p", "Not run: this profile trains ResNet152 with at most one schedule.")
    names = ", ".join(map(title, shown))
    return element(
        "div",
        [
            figure(figures.curves(f"schedule-{key}", shown, key, label), f"{caption}: {names}.")
            for key, label, caption in (
                ("learning_rate", "learning rate", "Learning rate (figure 6)"),
                ("loss", "training loss", "Training loss with the schedule and without (figure 7)"),
                (
                    "val_log_loss",
                    "validation loss",
                    "Validation loss with and without the schedule (figure 8)",
                ),
            )
        ],
        class_="pair",
    )


def _mistakes(study: Study) -> Child:
    confused = {name: of["confusion"] for name, of in study.comparison.items()}
    known = confused["official"]
    shown = dict.fromkeys(
        [study.best, *(r for r in ("resnet152_imagenet", "resnet152_random") if r in known)]
    )
    return element(
        "div",
        [
            figure(
                figures.confusion(name, run, of[run]),
                inline(
                    [
                        f"Confusion matrix of {title(run)} (",
                        _marked("figure 9", "figure 9"),
                        f"), on the test set {SETS[name]}.",
                    ]
                ),
            )
            for run in shown
            for name, of in confused.items()
        ],
        class_="pair",
    )


def _all_runs(study: Study) -> Child:
    metrics = ("f1", "precision", "recall", "accuracy", "auc", "log_loss")
    left_out = study.comparison["official"]["left_out"]
    return [
        table(
            "Every run, on the test set as published",
            [
                "run",
                "F1",
                "precision",
                "recall",
                "accuracy",
                "AUC",
                "loss",
                "epochs",
                "stem",
                "M multiply-adds",
            ],
            [
                [
                    title(run),
                    *(interval(of[metric], share, study.digits) for metric in metrics),
                    *_extent(study, run),
                ]
                for run, of in study.comparison["official"]["intervals"].items()
            ],
        ),
        element(
            "details",
            element("summary", "What this profile leaves out: ", count(len(left_out)), " runs"),
            element("ul", [element("li", f"{title(run)}: {reason}") for run, reason in left_out.items()]),
        )
        if left_out
        else None,
        element(
            "div",
            [
                figure(figures.learning_curves(f"curve-{i}", run, of), f"Loss of {title(run)}.")
                for i, (run, of) in enumerate(study.curves.items())
            ],
            class_="pair",
        ),
    ]


def _extent(study: Study, run: str) -> list[Child]:
    """Return how long a run's training was and what its network is: nothing for the weighted average."""
    if run not in study.runs.all:
        return [None, None, None]
    epochs = study.params["profiles"]["runs"][run]["epochs"]
    if epochs is None:
        epochs = study.params["recipes"][study.runs.all[run].recipe]["epochs"]
    of = study.networks["runs"][run]
    stem = None if study.runs.all[run].model in WITHOUT_STEM else of["stem"]
    return [count(epochs), stem, plain(of["multiply_adds"] / 1e6)]


def _data(study: Study) -> Child:
    logistic = study.audit["baselines"]["logistic"]
    best = study.metrics["official"][study.best]["accuracy"]
    return [
        table(
            "Splits",
            ["split", "images", "by class", "by what they show", "copies within it"],
            [
                [
                    name,
                    count(of["images"]),
                    histogram(of["classes"]),
                    histogram(of["subjects"]),
                    count(of["copies"]),
                ]
                for name, of in study.splits.items()
            ],
        ),
        element(
            "p",
            "A logistic regression on file size, brightness and sharpness, cross-validated over the"
            " whole archive,"
            " has accuracy ",
            share(logistic["accuracy"]),
            "; the best run has ",
            share(best, study.digits),
            ".",
        )
        if logistic
        else None,
    ]


def _making(study: Study) -> Child:
    rows: list[list[Child]] = [
        [Markup(f"<code>{name}</code>"), setting(value)] for name, value in flat(study.params)
    ]
    return [
        *_recipe(study),
        element("p", f"The paper's hardware: {paper.HARDWARE}. Its framework is PyTorch, ours Keras."),
        element("details", element("summary", "All parameters"), table("Parameters", ["key", "value"], rows)),
    ]


def _recipe(study: Study) -> list[Child]:
    """Set the paper's recipe beside ours of that name; nothing if params.yaml no longer has it."""
    recipe = study.params["recipes"].get("paper")
    if recipe is None:
        return []
    training = study.params["profiles"]["training"]
    times, momentum = training["learning_rate_multiplier"], training["batch_norm_momentum"]
    return [
        table(
            "Table 1: fine-tuning",
            ["", "paper", "ours"],
            [[name, printed, setting(recipe[key])] for name, (printed, key) in paper.RECIPE.items()],
        ),
        element(
            "p",
            "This profile multiplies the learning rate by ",
            setting(times["random"]),
            " for random weights and by ",
            setting(times["imagenet"]),
            " for ImageNet's. Its precision is ",
            element("code", training["precision"]),
            ", and the momentum of batch normalisation ",
            "each network's own" if momentum is None else setting(momentum),
            ". How many epochs each run had is in the table of all runs.",
        ),
    ]
