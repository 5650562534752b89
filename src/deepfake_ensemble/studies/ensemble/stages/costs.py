"""Say what the ensemble costs beside its members: parameters, multiply-adds, bytes."""

import gc
from pathlib import Path

from deepfake_ensemble.foundation import command, params
from deepfake_ensemble.models import saved


def main() -> None:
    """Write what each detector and all of them together cost to `reports/costs.json`."""
    command.pin_processor(params.active_profile())
    from deepfake_ensemble.evaluation.rounding import rounded
    from deepfake_ensemble.foundation.files import write_json
    from deepfake_ensemble.models import session
    from deepfake_ensemble.studies.common.complexity import multiply_adds
    from deepfake_ensemble.studies.ensemble.costs import Cost, costs

    session.start(seed=0)  # nothing is random here
    found = {}
    for name in params.read("members", list[str]):
        file = Path("models") / f"{name}.keras"
        model = saved.load(file)
        found[name] = Cost(model.count_params(), multiply_adds(model), file.stat().st_size)
        del model
        gc.collect()  # a Keras model refers to itself: without this the next one would be held beside it
    write_json(Path("reports/costs.json"), rounded(costs(found)))


if __name__ == "__main__":
    command.run(main)
