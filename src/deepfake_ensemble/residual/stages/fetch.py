"""Fetch the published weights of one network, where the active profile starts from them."""

import shutil
from pathlib import Path

from deepfake_ensemble import params
from deepfake_ensemble.files import replacing_folder
from deepfake_ensemble.residual import checkpoints
from deepfake_ensemble.residual.results_folder import leave_out
from deepfake_ensemble.stages import command


def main(model: str) -> None:
    folder = Path("models/published") / model
    if not params.read(f"{params.active_profile()}.imagenet", bool):
        leave_out(folder, "this profile does not fetch ImageNet weights")
        return
    file = checkpoints.fetch(model)
    with replacing_folder(folder) as partial:
        shutil.copyfile(file, partial / file.name)


if __name__ == "__main__":
    command.run(main)
