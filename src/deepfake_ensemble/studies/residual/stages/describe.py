"""Say what each run's network costs by its shape alone, and what that is."""

from pathlib import Path
from typing import Any

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import architecture
from deepfake_ensemble.training.residual import network
from deepfake_ensemble.training.residual.settings import Model, ProfileRun, Runs


def main() -> None:
    """Write each run's costs to `reports/networks.json`."""
    profile = params.active_profile()
    command.pin_processor(profile)
    from deepfake_ensemble.foundation.files import write_json
    from deepfake_ensemble.foundation.section import ImageSize
    from deepfake_ensemble.models import session
    from deepfake_ensemble.studies.common import complexity
    from deepfake_ensemble.studies.residual import outline

    size = params.read(f"{profile}.image_size", ImageSize)
    models = params.read("models", dict[str, Model])
    extents = params.read(f"{profile}.runs", dict[str, ProfileRun])
    session.start(seed=0)  # no number of a weight matters here
    shapes: dict[tuple[str, int, str, str], tuple[complexity.Cost, list[outline.Stage]]] = {}
    costs, outlines = {}, {}
    for name, run in params.read("runs", Runs).all.items():
        stem, its_size = extents[name].stem, extents[name].image_size or size
        shape = (run.model, its_size, stem, run.connections)
        if shape not in shapes:
            model = models[run.model]
            own: Any = params.check(
                f"models.{run.model}.network", model.network, architecture.find(run.model).network
            )
            whole = network.build(run.model, model, own, image_size=its_size, stem=stem)
            built = network.with_connections(whole, run.connections)
            shapes[shape] = complexity.cost(built, stem), outline.outline(built)
        costs[name], stages = shapes[shape]
        if stages:
            outlines[name] = stages
    write_json(Path("reports/networks.json"), outline.Networks(costs, outlines))


if __name__ == "__main__":
    command.run(main)
