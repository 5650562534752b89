"""Write residual/dvc.yaml: `make pipeline`, or `python -m deepfake_ensemble.workflow.residual_wiring`.

The stages are described here once; the code that each depends on follows from its imports, and the runs and
networks from residual/params.yaml. DVC itself repeats a stage for every run, by `foreach` over that file's
`runs`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deepfake_ensemble.fetching.checkpoints import has_published
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_file
from deepfake_ensemble.studies.residual.report.names import title
from deepfake_ensemble.studies.residual.report.paper import RESNETS
from deepfake_ensemble.training.residual.settings import Model, Runs
from deepfake_ensemble.workflow.wiring import ARCHITECTURES, REGISTRY, imported

FOLDER = Path("residual")
FIRST, SECOND = "deepfake_ensemble.stages", "deepfake_ensemble.residual.stages"
COMPUTE = "../requirements/compute.txt"
PROFILE = "profiles.${profile}"
HEAD = """\
# The pipeline of the second study; `dvc repro` in this folder runs what is not up to date. This file is
# written by `make pipeline` from src/deepfake_ensemble/workflow/residual_wiring.py; change that.
"""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage, or one for each item of `each`.

    Attributes:
        desc: what it does.
        module: of its command.
        arguments: of its command.
        each: what DVC repeats it over: a list or mapping, or the name of one in params.yaml.
        params: what it reads of params.yaml.
        deps: what else it reads, beside the code it imports.
        outs: its results in DVC's cache.
        kept: results in git: `outs`, `metrics` or `plots`, with their paths.
        model: the network whose file it depends on; `*` for all of them.
        computes: whether it computes with TensorFlow.
    """

    desc: str
    module: str
    arguments: str = ""
    each: Any = None
    params: Sequence[str] = ()
    deps: Sequence[str] = ()
    outs: Sequence[str] = ()
    kept: dict[str, list[str]] = field(default_factory=dict)
    model: str | None = None
    computes: bool = False


def stages(runs: Runs, models: Sequence[str]) -> dict[str, Stage]:
    """Return the pipeline's stages by name, in the order in which they are read best."""
    predictions = [f"predictions/{run}" for run in runs.all]
    trained = [f"models/{run}" for run in runs.all]
    training: dict[str, Any] = {
        "module": f"{SECOND}.train",
        "model": "${item.model}",
        "computes": True,
        "outs": ["models/${key}"],
    }
    training_params = [
        "seed",
        "resizing",
        "models.${item.model}",
        "recipes.${item.recipe}",
        f"{PROFILE}.image_size",
        f"{PROFILE}.processor",
        f"{PROFILE}.training",
        f"{PROFILE}.runs.${{key}}",
    ]
    packed = ["data/packed/train", "data/packed/val"]
    return {
        "download": Stage(
            desc="Fetch or build CIFAKE's archive, as its publisher lays it out.",
            module=f"{FIRST}.download",
            arguments="cifake",
            params=[
                *(f"data_sets.cifake.{key}" for key in ("layout", "kaggle", "version")),
                f"{PROFILE}.source",
                "sample",
            ],
            outs=["data/raw/cifake.zip"],
        ),
        "audit": Stage(
            desc="Index every image and report what a reviewer would want to know of it.",
            module=f"{FIRST}.audit",
            arguments="cifake",
            params=["data_sets.cifake.layout", "audit", f"{PROFILE}.processor"],
            deps=["data/raw/cifake.zip"],
            outs=["data/index/cifake.csv"],
            kept={"outs": ["reports/data/cifake.json"]},
        ),
        "split": Stage(
            desc="Take validation out of the training half; say what of the test half leaks.",
            module=f"{SECOND}.split",
            params=["split", f"{PROFILE}.counts"],
            deps=["data/index/cifake.csv"],
            outs=[f"data/splits/{name}.csv" for name in ("train", "val", "test", "leak_free")],
            kept={"outs": ["reports/data/splits.json"]},
        ),
        "pack": Stage(
            desc="Pack one split's images, as they are, into TFRecord shards.",
            module=f"{FIRST}.pack",
            arguments="${item} cifake",
            each=["train", "val", "test"],
            params=["pack"],
            deps=["data/raw/cifake.zip", "data/splits/${item}.csv"],
            outs=["data/packed/${item}"],
        ),
        "fetch": Stage(
            desc="Fetch the published weights of one network, where the profile starts from them.",
            module=f"{SECOND}.fetch",
            arguments="${item}",
            each=[name for name in models if has_published(name)],
            params=["runs.imagenet", f"{PROFILE}.imagenet", f"{PROFILE}.runs"],
            outs=["models/published/${item}"],
            model="${item}",
        ),
        "finetune": Stage(
            desc="Train one network from its published weights. Wants a GPU at the study's size.",
            arguments="imagenet ${key}",
            each="${runs.imagenet}",
            params=["runs.imagenet.${key}", f"{PROFILE}.imagenet", *training_params],
            deps=[*packed, "models/published/${item.model}"],
            **training,
        ),
        "train": Stage(
            desc="Train one network from random weights. Wants a GPU at the study's size.",
            arguments="random ${key}",
            each="${runs.random}",
            params=["runs.random.${key}", *training_params],
            deps=packed,
            **training,
        ),
        "curves": Stage(
            desc="Bring the learning curves of all runs into git.",
            module=f"{SECOND}.curves",
            deps=trained,
            kept={
                "outs": ["reports/training/curves.json"],
                "metrics": ["reports/training/metrics.json"],
                "plots": ["reports/training/curves"],
            },
        ),
        "predict": Stage(
            desc="Predict the validation and the test split with one trained network.",
            module=f"{SECOND}.predict",
            arguments="${item}",
            each=list(runs.all),
            params=[
                "resizing",
                f"{PROFILE}.image_size",
                f"{PROFILE}.prediction_batch_size",
                f"{PROFILE}.processor",
            ],
            deps=["data/packed/val", "data/packed/test", "models/${item}"],
            outs=["predictions/${item}"],
            computes=True,
        ),
        "evaluate": Stage(
            desc="Score all runs and their weighted average on the test set, as published or leak-free.",
            module=f"{SECOND}.evaluate",
            arguments="${key} ${item}",
            each={"official": "test", "leak_free": "leak_free"},
            params=["runs", "evaluation", "comparison", "ensemble", f"{PROFILE}.processor"],
            deps=["data/splits/${item}.csv", *predictions],
            kept={
                "outs": ["reports/evaluation/${key}/comparison.json"],
                "metrics": ["reports/evaluation/${key}/metrics.json"],
            },
        ),
        "describe": Stage(
            desc="Say what each run's network costs by its shape alone.",
            module=f"{SECOND}.describe",
            params=["runs", "models", *(f"{PROFILE}.{key}" for key in ("image_size", "processor", "runs"))],
            kept={"outs": ["reports/networks.json"]},
            model="*",
            computes=True,
        ),
        "pictures": Stage(
            desc="Show what five layers of the best network see, and test images that it gets wrong.",
            module=f"{SECOND}.pictures",
            params=[
                "runs",
                "pictures",
                "resizing",
                "evaluation.threshold",
                f"{PROFILE}.image_size",
                f"{PROFILE}.processor",
            ],
            deps=["data/packed/test", *trained, *predictions],
            outs=["reports/pictures"],
            computes=True,
        ),
        "report": Stage(
            desc="Write the report: the paper's tables beside ours.",
            module=f"{SECOND}.report",
            params=[
                *("profile", "seed", "split", "resizing", "models", "recipes", "runs"),
                *("ensemble", "evaluation", "comparison"),
                PROFILE,
            ],
            deps=[
                "reports/data/cifake.json",
                "reports/data/splits.json",
                "reports/networks.json",
                "reports/training/curves.json",
                *(
                    f"reports/evaluation/{test_set}/{name}.json"
                    for test_set in ("official", "leak_free")
                    for name in ("comparison", "metrics")
                ),
            ],
            kept={"outs": ["reports/report.html"]},
        ),
    }


_SCHEDULES = [
    f"resnet152_{weights}{marks}" for weights in ("imagenet", "random") for marks in ("", "_constant")
]
_CURVES: tuple[tuple[str, str, str, str, list[str]], ...] = (
    (
        "schedule",
        "Figure 6: learning rate with the schedule and without",
        "learning_rate",
        "learning rate",
        _SCHEDULES,
    ),
    ("schedule_loss", "Figure 7: training loss with the schedule and without", "loss", "loss", _SCHEDULES),
    (
        "schedule_val_log_loss",
        "Figure 8: validation loss with the schedule and without",
        "val_log_loss",
        "loss",
        _SCHEDULES,
    ),
    *(
        (
            f"{network}_plain_loss",
            f"Figure 12: training loss of {title(network)} with residual connections and without",
            "loss",
            "loss",
            [f"{network}_{weights}{marks}" for weights in ("imagenet", "random") for marks in ("", "_plain")],
        )
        for network in RESNETS
    ),
)
PLOTS: list[dict[str, Any]] = [
    {
        name: {
            "title": heading,
            "x": "batch",
            "y": {f"reports/training/curves/{figure}.csv": list(columns)},  # or YAML would have aliases
            "y_label": label,
        }
    }
    for name, heading, figure, label, columns in _CURVES
]


def written(runs: Runs, models: Sequence[str]) -> str:
    """Return the text of dvc.yaml."""
    described = {name: _described(stage, models) for name, stage in stages(runs, models).items()}
    body = yaml.safe_dump(
        {"stages": described, "plots": PLOTS}, sort_keys=False, width=1000, allow_unicode=True
    )
    return HEAD + body


def _described(stage: Stage, models: Sequence[str]) -> dict[str, Any]:
    hashing = " PYTHONHASHSEED=${seed}" if stage.computes else ""
    command = f"env PYTHONPATH=../src{hashing} python -m {stage.module} {stage.arguments}".rstrip()
    body: dict[str, Any] = {"desc": stage.desc, "cmd": command}
    if stage.params:
        body["params"] = list(stage.params)
    body["deps"] = [*stage.deps, *([COMPUTE] if stage.computes else []), *_code(stage, models)]
    for kind in ("outs", "metrics", "plots"):
        kept = [{path: {"cache": False}} for path in stage.kept.get(kind, [])]
        if everything := [*(stage.outs if kind == "outs" else []), *kept]:
            body[kind] = everything
    return {"foreach": stage.each, "do": body} if stage.each is not None else body


def _code(stage: Stage, models: Sequence[str]) -> list[str]:
    """Return the files that a stage imports; of the architectures those that it asks the registry for."""
    module = Path("src") / f"{stage.module.replace('.', '/')}.py"
    files = imported(module)
    if stage.model is not None and REGISTRY in files:
        wanted = models if "*" in stage.model or "$" in stage.model else [stage.model]
        files |= {file for model in wanted for file in imported(ARCHITECTURES / f"{model}.py")}
        if "$" in stage.model:
            # Each network's own file by the name that DVC fills in; what any of them shares stays.
            files -= {ARCHITECTURES / f"{model}.py" for model in models}
            files.add(ARCHITECTURES / f"{stage.model}.py")
    # File by file: this study is a DVC project of its own, and its .dvcignore does not reach folders outside.
    return [f"../{file}" for file in sorted(files)]


def main() -> None:
    """Rewrite residual/dvc.yaml, and say whether it changed."""
    file = FOLDER / "params.yaml"
    text = written(params.read("runs", Runs, file), list(params.read("models", dict[str, Model], file)))
    pipeline = FOLDER / "dvc.yaml"
    before = pipeline.read_text(encoding="utf-8") if pipeline.exists() else ""
    with replacing_file(pipeline) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"{pipeline}: " + ("as it was" if text == before else "brought up to date"))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
