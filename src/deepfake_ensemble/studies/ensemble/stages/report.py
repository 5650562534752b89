"""Write the report and the model card from what the other stages have found."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.archives.data_set import DataSet
from deepfake_ensemble.foundation import command, params

SHOWN = (
    *("seed", "data_sets", "sample", "audit", "split", "resizing", "models", "training"),
    *("ensemble", "evaluation", "comparison"),
)


def main() -> None:
    profile = params.active_profile()
    command.pin_processor(profile)
    from deepfake_ensemble.evaluation.settings import INTERNAL
    from deepfake_ensemble.foundation.files import read_json, replacing_file, write_json
    from deepfake_ensemble.foundation.fingerprint import fingerprint
    from deepfake_ensemble.foundation.section import ImageSize, Interpolation
    from deepfake_ensemble.studies.ensemble.report import flip, model_card, page, study

    # Everything that shapes the results, shown as it stands in params.yaml.
    shown: dict[str, Any] = {section: params.read(section, Any) for section in (*SHOWN, profile)}
    models = list(params.read("models", dict[str, Any]))
    data_sets = params.read("data_sets", dict[str, DataSet])
    outside = [name for name in data_sets if name != INTERNAL]
    size = params.read(f"{profile}.image_size", ImageSize)
    interpolation = params.read("resizing.interpolation", Interpolation)

    reports = Path("reports")
    predictions = {model: Path("predictions") / model / "fingerprint.json" for model in models}
    inputs = study.inputs(reports, models, list(data_sets), outside)
    run = {
        "profile": profile.rpartition(".")[2],
        **fingerprint(shown, [*inputs, *predictions.values()]),
        "predictions": {model: read_json(path) for model, path in predictions.items()},
    }
    found = study.read(reports, models, list(data_sets), outside, run)
    write_json(reports / "run.json", run)
    for name, text in (
        ("model_card.md", model_card.render(found)),
        ("report.html", page.render(found, flip.before_and_after(size, interpolation))),
    ):
        with replacing_file(reports / name) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    command.run(main)
