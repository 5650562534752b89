"""Fetch the published weights of one network, where a run of the active profile starts from them."""

import shutil
from pathlib import Path

from deepfake_ensemble.fetching import published
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_folder
from deepfake_ensemble.inference.left_out import leave_out
from deepfake_ensemble.models import architecture
from deepfake_ensemble.training.residual.settings import Extent, Run, why_left_out


def main(model: str) -> None:
    profile = params.active_profile()
    extents = params.read(f"{profile}.runs", dict[str, Extent])
    imagenet = params.read(f"{profile}.imagenet", bool)
    runs = params.read("runs.imagenet", dict[str, Run])
    folder = Path("models/published") / model
    if not any(
        run.model == model and why_left_out("imagenet", extents[name], imagenet) is None
        for name, run in runs.items()
    ):
        leave_out(folder, "no run of this profile starts from them")
        return
    weights = architecture.find(model).imagenet
    if weights is None:
        raise UserError(f"models.{model}: has no published weights; let its runs start from random ones")
    file = published.fetch(weights.url, weights.checksum, Path("models/imagenet") / model)
    with replacing_folder(folder) as partial:
        shutil.copyfile(file, partial / file.name)


if __name__ == "__main__":
    command.run(main)
