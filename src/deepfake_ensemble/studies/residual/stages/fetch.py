"""Fetch the published weights of one network, where a run of the active profile starts from them."""

import shutil
from pathlib import Path

from deepfake_ensemble.fetching import published
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.files import replacing_folder
from deepfake_ensemble.inference.left_out import leave_out
from deepfake_ensemble.models import architecture
from deepfake_ensemble.training.residual import settings


def main(model: str) -> None:
    folder, profile = Path("models/published") / model, params.active_profile()
    weights = architecture.find(model).imagenet
    runs = params.read("runs.imagenet", dict[str, settings.Run])
    extents = params.read(f"{profile}.runs", dict[str, settings.ProfileRun])
    imagenet = params.read(f"{profile}.imagenet", bool)
    starting = (name for name, run in runs.items() if run.model == model)
    wanted = any(not settings.why_left_out("imagenet", extents[name], imagenet) for name in starting)
    if weights is None or not wanted:
        leave_out(folder, "no run of this profile starts from them")
    else:
        file = published.fetch(weights.url, weights.checksum, Path("models/imagenet") / model)
        with replacing_folder(folder) as partial:
            shutil.copyfile(file, partial / file.name)


if __name__ == "__main__":
    command.run(main)
