"""What the ensemble costs beside its members, by shapes and files alone: reports/costs.json."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a detector costs.

    Attributes:
        parameters: numbers that it has.
        multiply_adds: of convolutions and dense layers, for one image.
        file_bytes: of its model file.
    """

    parameters: int
    multiply_adds: int
    file_bytes: int


@dataclass(frozen=True)
class Times:
    """How many times as much as a member the ensemble costs."""

    parameters: float
    multiply_adds: float
    file_bytes: float


@dataclass(frozen=True)
class Costs:
    """The costs of the members, by model, of the ensemble, which holds them all, and how they compare."""

    members: dict[str, Cost]
    ensemble: Cost
    times: dict[str, Times]


def costs(members: Mapping[str, Cost]) -> Costs:
    """Return the costs of the ensemble of such members; the weighted sum of their outputs counts nothing."""

    def total(of: str) -> int:
        return sum(getattr(member, of) for member in members.values())

    whole = Cost(total("parameters"), total("multiply_adds"), total("file_bytes"))
    times = {
        name: Times(
            whole.parameters / cost.parameters,
            whole.multiply_adds / cost.multiply_adds,
            whole.file_bytes / cost.file_bytes,
        )
        for name, cost in members.items()
    }
    return Costs(dict(members), whole, times)
