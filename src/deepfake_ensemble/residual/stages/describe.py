"""Say what each network costs by its shape alone, with its residual connections and without."""

from pathlib import Path
from typing import Any

from deepfake_ensemble import params
from deepfake_ensemble.models import architecture
from deepfake_ensemble.residual import network
from deepfake_ensemble.residual.settings import Model
from deepfake_ensemble.residual.surgery import Scope
from deepfake_ensemble.stages import command


def main() -> None:
    profile = params.active_profile()
    command.settle(profile)
    from deepfake_ensemble.data.images import ImageSize
    from deepfake_ensemble.errors import UserError
    from deepfake_ensemble.files import write_json
    from deepfake_ensemble.residual import complexity, surgery
    from deepfake_ensemble.training import session

    size = params.read(f"{profile}.image_size", ImageSize)
    scope = params.read("ablation.scope", Scope)
    session.start(seed=0)  # no number of a weight matters here
    found: dict[str, Any] = {}
    for name, model in params.read("models", dict[str, Model]).items():
        own: Any = params.check(f"models.{name}.network", model.network, architecture.find(name).network)
        whole = network.build(name, model, own, image_size=size, stem="imagenet")
        found[name] = {"multiply_adds": complexity.multiply_adds(whole), **complexity.parameters(whole)}
        try:
            plain = network.connected(whole, "removed", scope)
        except UserError:
            continue
        found[name]["residual_connections"] = surgery.residual_connections(whole.get_layer("backbone"))
        found[name]["plain"] = {
            "multiply_adds": complexity.multiply_adds(plain),
            **complexity.parameters(plain),
        }
    write_json(Path("reports/networks.json"), {"image_size": size, "networks": found})


if __name__ == "__main__":
    command.run(main)
