"""Check all of params.yaml, before the first stage that works on a part of it."""

from pathlib import Path

from deepfake_ensemble.foundation import command
from deepfake_ensemble.foundation.files import replacing_file
from deepfake_ensemble.studies.residual.params import CHECK


def main() -> None:
    """Write `data/checked`, on which the first stages depend."""
    CHECK.read()
    with replacing_file(Path("data/checked")) as partial:
        partial.write_text("all of params.yaml is in order\n", encoding="utf-8")


if __name__ == "__main__":
    command.run(main)
