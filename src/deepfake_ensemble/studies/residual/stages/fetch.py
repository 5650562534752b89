"""Fetch the published weights of one network, where the active profile starts from such weights."""

import shutil
from pathlib import Path

from deepfake_ensemble.fetching import published
from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.foundation.files import replacing_folder
from deepfake_ensemble.inference.left_out import leave_out
from deepfake_ensemble.models import architecture


def main(model: str) -> None:
    folder = Path("models/published") / model
    weights = architecture.find(model).imagenet
    if weights is None:
        leave_out(folder, "nobody publishes weights of it")
    elif not params.read(f"{params.active_profile()}.imagenet", bool):
        leave_out(folder, "this profile starts from none")
    else:
        file = published.fetch(weights.url, weights.checksum, Path("models/imagenet") / model)
        with replacing_folder(folder) as partial:
            shutil.copyfile(file, partial / file.name)


if __name__ == "__main__":
    command.run(main)
