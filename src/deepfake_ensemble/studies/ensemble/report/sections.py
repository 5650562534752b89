"""The page's sections: tables and figures on one question each."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.pages.cells import flat, histogram, interval, listed, optional, or_reason, setting
from deepfake_ensemble.pages.detectors import METHODS, title
from deepfake_ensemble.pages.html import Child, Markup, element, figure, table
from deepfake_ensemble.pages.numbers import count, difference, p_value, plain, points, share
from deepfake_ensemble.studies.ensemble.report import figures
from deepfake_ensemble.studies.ensemble.report.answer import beyond_chance, p_equals
from deepfake_ensemble.studies.ensemble.report.pipeline_figure import pipeline
from deepfake_ensemble.studies.ensemble.report.side_by_side import side_by_side
from deepfake_ensemble.studies.ensemble.report.study import Evaluation, Study

METRICS = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
}
THRESHOLDS = {
    "default": "as set",
    "youden": "Youden's",
    "fpr_1_percent": "one real in a hundred",
    "fpr_1_permille": "one real in a thousand",
}


def detectors(study: Study) -> Child:
    """Every detector's metrics, ROC and precision-recall curves, confusion matrices."""
    return [
        _text(
            "Fake is the positive class: recall is the share of fakes that are found, precision the share of "
            "fakes among what is called fake. AUC and average precision look at all thresholds; log loss, "
            "Brier score and calibration error (ECE) at the probabilities themselves, the less the better."
        ),
        [_metrics(each) for each in study.evaluations],
        pair(study, figures.roc, "ROC curves on {}. The grey line is guessing."),
        pair(study, figures.precision_recall, "Precision over recall on {}. The grey line is guessing."),
        wide(study, figures.confusion, "Confusion matrices on {}, shaded by the share of each class."),
    ]


def _metrics(evaluation: Evaluation) -> Child:
    digits = evaluation.digits
    rows = [
        [
            title(name),
            *(interval(of[metric], share, digits) for metric in METRICS),
            share(evaluation.metrics[name]["brier"], digits),
            share(evaluation.metrics[name]["ece"], digits),
        ]
        for name, of in evaluation.compared["detectors"].items()
    ]
    caption: list[Child] = [
        f"Metrics on {evaluation.place}: ",
        count(evaluation.compared["n_real"]),
        " real and ",
        count(evaluation.compared["n_fake"]),
        " fake images",
    ]
    notes = [element("li", f"{note}.") for note in evaluation.compared["notes"]]
    return [
        table(caption, ["detector", *METRICS.values(), "Brier", "ECE"], rows),
        element("ul", notes) if notes else None,
    ]


def tests(study: Study) -> Child:
    """Paired tests of the ensemble against each member, and of each pair of members."""
    return [
        _text(
            "Detectors are compared on the same images. McNemar's test asks whether two are right equally "
            "often, from the images that only one of them gets right; DeLong's, whether their AUCs are the "
            "same. Holm's correction covers all pairs of a table; where a difference is more than chance "
            "explains, its p is bold. The odds ratio says how many times more often the first is the only "
            "one that is right."
        ),
        [[_pairs(each), _cochran(each)] for each in study.evaluations],
    ]


def _pairs(evaluation: Evaluation) -> Child:
    head = ["pair", "accuracy, points", "only first right", "only second right", "McNemar's p", "by Holm"]
    head += ["odds ratio", "AUC", "DeLong's p", "by Holm"]
    rows = []
    for name, of in evaluation.compared["pairs"].items():
        mcnemar, delong = of["mcnemar"], of["delong"]
        rows.append(
            [
                _versus(name),
                interval(of["difference"]["accuracy"], points, evaluation.digits),
                count(mcnemar["only_a"]),
                count(mcnemar["only_b"]),
                p_value(mcnemar["p_value"]),
                _corrected(evaluation, mcnemar["p_holm"]),
                _odds_ratio(of["odds_ratio"]),
                interval(delong["difference"], difference, evaluation.digits),
                or_reason(delong, "p_value", p_value),
                _corrected(evaluation, delong["p_holm"]),
            ]
        )
    return table(f"Pairs on {evaluation.place}: the first less the second", head, rows)


def _versus(pair: str) -> Child:
    a, b = (element("span", title(name), class_="name") for name in pair.split("_vs_"))
    return [a, " – ", b]


def _corrected(evaluation: Evaluation, p: float | None) -> Child:
    if p is None:
        return None
    return element("strong", p_value(p)) if beyond_chance(evaluation, p) else p_value(p)


def _odds_ratio(of: Mapping[str, Any]) -> Child:
    if of["ci_low"] is None:
        return element("small", of["reason"])
    return [
        optional(of["value"], plain) or "∞",
        element("small", plain(of["ci_low"]), "–", optional(of["ci_high"], plain) or "∞"),
    ]


def _cochran(evaluation: Evaluation) -> Child:
    q = evaluation.compared["cochrans_q"]
    if q is None:
        return None
    unlike = beyond_chance(evaluation, q["p_value"])
    return _text(
        f"On {evaluation.place} the members are {'not' if unlike else 'as far as can be told'} right ",
        "equally often (Cochran's Q = ",
        plain(q["statistic"]),
        " with ",
        count(q["degrees_of_freedom"]),
        " degrees of freedom, ",
        p_equals(q["p_value"]),
        ").",
    )


def members(study: Study) -> Child:
    """Complementarity: what the members get wrong together, and what each is worth to the others."""
    return [
        _text(
            "An ensemble can be better than its members only where they err on different images. An oracle "
            "that picked a member that is right, wherever there is one, would be the ceiling."
        ),
        element("ul", [_oracle(each) for each in study.evaluations]),
        pair(study, figures.wrong_together, "How many images so many of the models get wrong, on {}."),
        [_alike(each) for each in study.evaluations],
        pair(study, figures.members_add, "What each member adds to the others' ensemble on {}."),
        [_adds(each) for each in study.evaluations],
        wide(
            study,
            figures.subsets,
            "Accuracy of the ensemble of every subset on {}: its members are marked below, and weighted by "
            "their validation accuracy.",
        ),
        [
            element("details", element("summary", f"All subsets on {each.place}"), _subsets(each))
            for each in study.evaluations
        ],
    ]


def _oracle(evaluation: Evaluation) -> Child:
    oracle = evaluation.compared["complementarity"]["oracle_accuracy"]
    digits = evaluation.digits
    return element(
        "li",
        f"On {evaluation.place} the oracle's accuracy would be ",
        share(oracle["value"], digits),
        " (",
        share(oracle["ci_low"], digits),
        "–",
        share(oracle["ci_high"], digits),
        "); the ensemble's is ",
        share(evaluation.compared["detectors"][ENSEMBLE]["accuracy"]["value"], digits),
        ".",
    )


def _alike(evaluation: Evaluation) -> Child:
    head = ["pair", "agreement", "both wrong", "correlation of errors", "Yule's Q", "Cohen's kappa"]
    digits = evaluation.digits
    rows = [
        [
            _versus(name),
            share(of["agreement"], digits),
            share(of["double_fault"], digits),
            *(optional(of[key], share, digits) for key in ("error_correlation", "q_statistic", "kappa")),
        ]
        for name, of in evaluation.compared["complementarity"]["pairs"].items()
    ]
    caption = (
        f"How alike the members are on {evaluation.place}: the less they agree and the less their errors "
        "coincide, the more there is to gain"
    )
    return table(caption, head, rows)


def _adds(evaluation: Evaluation) -> Child:
    shown = {"accuracy": points, "auc": difference, "log_loss": difference}
    rows: list[list[Child]] = []
    for name, of in evaluation.compared["complementarity"]["member_adds"].items():
        cells = [interval(of and of[metric], show, evaluation.digits) for metric, show in shown.items()]
        rows.append([title(name), *cells])
    head = ["member", "accuracy, points", "AUC", "log loss"]
    return table(f"The ensemble less the one without the member, on {evaluation.place}", head, rows)


def _subsets(evaluation: Evaluation) -> Child:
    metrics = ("accuracy", "auc", "log_loss")
    rows: list[list[Child]] = []
    for names, of in evaluation.compared["complementarity"]["subsets"].items():
        of_members = " + ".join(title(model) for model in names.split("+"))
        found = of["metrics"]
        cells = [interval(found and found[metric], share, evaluation.digits) for metric in metrics]
        rows.append([of_members, *cells])
    head = ["members", *(METRICS[metric] for metric in metrics)]
    return table(f"Ensembles of every subset on {evaluation.place}", head, rows)


def weightings(study: Study) -> Child:
    """The study's weights beside equal ones and those that are best on validation."""
    return [
        _text(
            "The study weighs members by their shares of validation accuracy. Beside these stand equal "
            "weights, and those that minimise the ensemble's log loss on validation: the most that weights "
            "can do there."
        ),
        figure(
            figures.weightings(study.evaluations[0]),
            "Weights by method. They come from validation, so they are the same for every data set.",
            wide=True,
        ),
        [_weightings(each) for each in study.evaluations],
    ]


def _weightings(evaluation: Evaluation) -> Child:
    models = [name for name in evaluation.detectors if name != ENSEMBLE]
    head = ["weighting", *(title(model) for model in models), "accuracy", "AUC", "log loss"]
    head += ["accuracy less equal weights', points", "decides otherwise", "largest change of P(fake)"]
    digits = evaluation.digits
    rows: list[list[Child]] = []
    for method, of in evaluation.compared["weightings"].items():
        if of["weights"] is None:
            rows.append([METHODS[method], element("small", of["reason"]), *([None] * (len(head) - 2))])
            continue
        metrics = (of["metrics"][metric] for metric in ("accuracy", "auc", "log_loss"))
        rows.append(
            [
                METHODS[method],
                *(share(of["weights"][model]) for model in models),
                *(interval(figure, share, digits) for figure in metrics),
                interval(of["less_uniform"]["accuracy"], points, digits),
                count(of["decisions_unlike_uniform"]),
                share(of["largest_change_of_p_fake"]),
            ]
        )
    return table(f"Weightings on {evaluation.place}", head, rows)


def calibration(study: Study) -> Child:
    """Reliability curves, the Brier score's parts, and temperature scaling."""
    return [
        _text(
            "If P(fake) is a probability, four in five of the images given four fifths are fake. The Brier "
            "score is reliability (the less the better) less resolution (the more the better) plus the data "
            "set's own uncertainty plus what is left within bins. A temperature over one, fitted on "
            "validation, says that the detector was too certain; scaling by it changes no decision at one "
            "half."
        ),
        pair(study, figures.reliability, "Reliability on {}. The grey line is perfect calibration."),
        [_calibration(each) for each in study.evaluations],
    ]


def _calibration(evaluation: Evaluation) -> Child:
    parts = ("brier", "reliability", "resolution", "uncertainty", "within_bins")
    head = ["detector", "ECE", "log loss", "Brier", *(part.replace("_", " ") for part in parts[1:])]
    head += ["temperature", "ECE, scaled", "log loss, scaled", "Brier, scaled"]
    digits = evaluation.digits
    rows = []
    for name, of in evaluation.compared["calibration"].items():
        scaled = of["scaled"] or {}
        rows.append(
            [
                title(name),
                share(of["ece"], digits),
                share(of["log_loss"], digits),
                *(share(of["brier"][part], digits) for part in parts),
                or_reason(of, "temperature", plain),
                *(optional(scaled.get(metric), share, digits) for metric in ("ece", "log_loss", "brier")),
            ]
        )
    return table(f"Calibration on {evaluation.place}", head, rows)


def operating_points(study: Study) -> Child:
    """What other thresholds do, chosen on validation."""
    return [
        _text(
            "Thresholds chosen on validation and applied as they are: Youden's, with the largest "
            "true-positive less false-positive rate, and those at which one real image in a hundred, or in a "
            "thousand, is called fake on validation."
        ),
        [_operating_points(each) for each in study.evaluations],
    ]


def _operating_points(evaluation: Evaluation) -> Child:
    head = ["detector", "threshold", "P(fake)", "fakes found", "reals called fake", "precision", "accuracy"]
    shares = ("true_positive_rate", "false_positive_rate", "precision", "accuracy")
    rows: list[list[Child]] = []
    missing: dict[tuple[str, str], list[str]] = {}
    for name, of in evaluation.compared["operating_points"].items():
        for chosen, point in of.items():
            if point["threshold"] is None:
                missing.setdefault((chosen, point["reason"]), []).append(title(name))
                continue
            found = (interval(point[key], share, evaluation.digits) for key in shares)
            rows.append([title(name), THRESHOLDS[chosen], plain(point["threshold"]), *found])
    notes = [
        element("li", f"No threshold for {THRESHOLDS[chosen]} ({', '.join(names)}): {reason}.")
        for (chosen, reason), names in missing.items()
    ]
    return [
        table(f"Thresholds on {evaluation.place}", head, rows),
        element("ul", notes, class_="notes") if notes else None,
    ]


def across(study: Study) -> Child:
    """What is lost on other data sets, and on which of their subjects."""
    return [
        _text(
            "The detectors have seen neither the images nor the generators of another data set. What they "
            "lose there is what they had learnt of their own alone, and what the other's size and "
            "compression cost."
        ),
        [_across(each) for each in study.evaluations if each.drop],
    ]


def _across(evaluation: Evaluation) -> Child:
    assert evaluation.drop is not None
    digits = evaluation.digits
    head = ["detector"]
    for metric, unit in (("accuracy", ", points"), ("AUC", "")):
        head += [f"{metric}, internal", f"{metric}, {title(evaluation.name)}", f"{metric}, drop{unit}"]
    rows: list[list[Child]] = []
    for name, of in evaluation.drop["drops"].items():
        row: list[Child] = [title(name)]
        for metric, change in (("accuracy", points), ("auc", difference)):
            row += [interval(of[metric][end], share, digits) for end in ("internal", "outside")]
            row.append(interval(of[metric]["drop"], change, digits))
        rows.append(row)
    drawn = [figure(figures.drop(evaluation), f"Accuracy on the internal test and on {evaluation.place}.")]
    subjects = evaluation.drop["subjects"]
    if any(of["detectors"] for of in subjects.values()):
        shown = f"Accuracy on {evaluation.place} by what the images show, with the ensemble's intervals."
        drawn.append(figure(figures.subjects(evaluation), shown))
    return [
        element("div", drawn, class_="pair"),
        table(f"From the internal test to {evaluation.place}", head, rows),
        _subjects(evaluation) if subjects else None,
    ]


def _subjects(evaluation: Evaluation) -> Child:
    assert evaluation.drop is not None
    names = evaluation.detectors
    rows: list[list[Child]] = []
    for subject, of in evaluation.drop["subjects"].items():
        counts = [count(of["n_real"]), count(of["n_fake"])]
        if of["detectors"] is None:
            rows.append([subject, *counts, element("small", of["reason"]), *([None] * (len(names) - 1))])
            continue
        accuracies = (interval(of["detectors"][name]["accuracy"], share) for name in names)
        rows.append([subject, *counts, *accuracies])
    caption = f"Accuracy on {evaluation.place} by what the images show"
    return table(caption, ["images of", "real", "fake", *(title(name) for name in names)], rows)


def training(study: Study) -> Child:
    """Learning curves, and what each model's best epoch reached."""
    curves = {
        "loss": ("training loss", "Training loss, with the penalty on weights"),
        "val_loss": ("validation loss", "Validation loss, which stops the training"),
        "accuracy": ("training accuracy", "Training accuracy, with dropout at work"),
        "val_accuracy": ("validation accuracy", "Validation accuracy"),
    }
    columns = {
        "epochs": "epochs",
        "best_epoch": "best epoch",
        "loss": "training loss",
        "accuracy": "training accuracy",
        "val_loss": "validation loss",
        "val_accuracy": "validation accuracy",
    }
    rows: list[list[Child]] = [
        [title(model), *(count(of[key]) if "epoch" in key else share(of[key]) for key in columns)]
        for model, of in study.training.items()
    ]
    svgs = side_by_side(lambda curve: figures.learning(study, curve, curves[curve][0]), list(curves))
    drawn = [
        figure(svg, f"{caption}. The best epoch is marked.")
        for svg, (_, caption) in zip(svgs, curves.values(), strict=True)
    ]
    return [
        element("div", drawn, class_="pair"),
        table("Training, at each model's best epoch", ["model", *columns.values()], rows),
    ]


def data(study: Study) -> Child:
    """What the audit found in the archives, and how they were split."""
    splits: list[list[Child]] = [
        [title(name), split, count(images), count(of["missing"][split])]
        for name, of in study.splits.items()
        for split, images in of["images"].items()
    ]
    columns = [list(_facts(audit)) for audit in study.audits.values()]
    rows = [[row[0][0], *(cell for _, cell in row)] for row in zip(*columns, strict=True)]
    return [
        _text(
            "Looked at before anything is trained: what could tell the classes apart without looking at the "
            "picture. An AUC far from one half in the last rows is a shortcut that a network would find too."
        ),
        table("Audit of the archives", ["what", *(title(name) for name in study.audits)], rows),
        table("Images in each split, half of them fake", ["data set", "split", "images", "missing"], splits),
    ]


def _facts(audit: Mapping[str, Any]) -> Iterator[tuple[str, Child]]:
    """Yield what the audit says of one data set, a row each."""
    yield "layout", audit["layout"]
    yield "images", count(audit["images"])
    yield "usable", count(audit["usable"])
    for label in ("real", "fake"):
        yield f"unreadable, {label}", count(audit["unreadable"]["images"][label])
    for what in ("partitions", "sizes", "modes", "formats", "chroma_subsampling"):
        for label in ("real", "fake"):
            yield f"{what.replace('_', ' ')}, {label}", histogram(audit[what][label])
    for label in ("real", "fake"):
        yield f"JPEG quality, {label}", _qualities(audit["quantisation_tables"][label])
    copies = audit["copies"]
    yield "groups of byte-identical images", count(copies["groups"])
    for label in ("real", "fake"):
        yield f"of these, {label}", count(copies["groups_within_class"][label])
    yield "of these, across the publisher's parts", histogram(copies["groups_across_partitions"])
    for feature in audit["features"]["real"]:
        for label in ("real", "fake"):
            median = audit["features"][label][feature]["median"]
            yield f"{feature.replace('_', ' ')}, median, {label}", plain(median, 4)
    for name, of in audit["baselines"].items():
        what = "logistic regression on all three" if name == "logistic" else name.replace("_", " ")
        yield f"AUC of {what}", share(of["auc"])


def _qualities(tables: Sequence[Mapping[str, Any]]) -> Child:
    return listed([[optional(of["quality"], plain) or "other", ": ", count(of["images"])] for of in tables])


def making(study: Study, flip: tuple[bytes, bytes]) -> Child:
    """The pipeline, the flip, the run's configuration and fingerprint."""
    images = [
        element("img", src=f"data:image/png;base64,{b64encode(png).decode()}", alt=alt)
        for png, alt in zip(flip, ("a face", "the same face, mirrored"), strict=True)
    ]
    flipped = (
        "The study's figure 3.2: an image before and after the flip, the only augmentation, at the size of "
        "the detectors' input. The photograph is NASA's portrait of Eileen Collins; the page shows no image "
        "of a data set."
    )
    configured = [[element("code", key), setting(value)] for key, value in flat(study.run["params"])]
    predictions = [
        [title(model), of["versions"].get("tensorflow"), element("code", of["digest"])]
        for model, of in study.run["predictions"].items()
    ]
    return [
        figure(pipeline(study), "The study's figure 3.1: from the archives to the analysis.", wide=True),
        element("figure", element("div", images), element("figcaption", flipped), class_="flip"),
        element(
            "details",
            element("summary", f"Configuration: profile {study.run['profile']}"),
            table("Parameters", ["parameter", "value"], configured),
        ),
        element(
            "details",
            element("summary", "Fingerprint"),
            _text(
                "A digest of the parameters, the code, the data and the versions that made this page: ",
                element("code", study.run["digest"]),
                ". The same digest, the same run.",
            ),
            table("Versions", ["library", "version"], list(study.run["versions"].items())),
            table("Predictions this page stands on", ["model", "TensorFlow", "digest"], predictions),
        ),
    ]


def pair(study: Study, draw: Callable[[Evaluation], str], caption: str) -> Markup:
    """Return a figure of each data set, side by side if there is room; `{}` in the caption is its place."""
    drawn = zip(study.evaluations, side_by_side(draw, study.evaluations), strict=True)
    return element("div", [figure(svg, caption.format(each.place)) for each, svg in drawn], class_="pair")


def wide(study: Study, draw: Callable[[Evaluation], str], caption: str) -> Child:
    """Return a figure of each data set, one below the other; `{}` in the caption is its place."""
    drawn = zip(study.evaluations, side_by_side(draw, study.evaluations), strict=True)
    return [figure(svg, caption.format(each.place), wide=True) for each, svg in drawn]


def _text(*content: Child) -> Markup:
    return element("p", *content)
