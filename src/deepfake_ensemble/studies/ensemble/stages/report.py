"""Write the report, the model card and DVC's metrics from what the other stages have found."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.data_set import DataSet, Source
from deepfake_ensemble.foundation import command, params

SHOWN = (
    *("seed", "data_sets", "sample", "audit", "split", "resizing", "models", "training"),
    *("ensemble", "evaluation", "comparison"),
)
# What `dvc metrics` and `dvc exp show` compare, of each detector on each data set.
COMPARED = ("accuracy", "f1", "auc", "log_loss")


def main() -> None:
    """Write `reports/report.html`, the model card, and DVC's metrics."""
    profile = params.active_profile()
    command.pin_processor(profile)
    from deepfake_ensemble.evaluation import compared_figures
    from deepfake_ensemble.evaluation.weighting import Method
    from deepfake_ensemble.foundation.files import read_result, write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.pages.rendering import write
    from deepfake_ensemble.studies.common.hardware import processor_model
    from deepfake_ensemble.studies.ensemble.report import method_figures, model_card, page, study

    # Everything that shapes the results, shown as it stands in params.yaml.
    shown: dict[str, Any] = {section: params.read(section, Any) for section in (*SHOWN, profile)}
    members = params.read("members", list[str])
    shown["models"] = {model: shown["models"][model] for model in members}
    data_sets = params.read("data_sets", dict[str, DataSet])
    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)

    reports = Path("reports")
    predictions = {model: Path("predictions") / model / "fingerprint.json" for model in members}
    made = fingerprint(shown, [*study.inputs(reports, data_sets), *predictions.values()])
    run = study.Run(
        profile=profile.rpartition(".")[2],
        processor=processor_model(),
        **made,
        predictions={model: read_result(path, study.Provenance) for model, path in predictions.items()},
    )
    settings = study.Settings(
        source=params.read(f"{profile}.source", Source),
        image_size=size,
        initial_weights=params.read(f"{profile}.initial_weights", str),
        weighting=params.read("ensemble.weighting", Method),
        data_sets=data_sets,
    )
    found = study.read(reports, run, settings)
    write_json(reports / "run.json", run)
    measured = {evaluation.name: evaluation.metrics for evaluation in found.evaluations}
    compared_figures.write(reports / "metrics", measured, COMPARED)
    write(reports / "model_card.md", model_card.render(found))
    write(reports / "report.html", page.render(found, method_figures.before_and_after(size, interpolation)))


if __name__ == "__main__":
    command.run(main)
