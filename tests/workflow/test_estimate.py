"""What a run would cost: it follows from params.yaml, from published rates and from what was measured."""

from collections.abc import Sequence
from typing import Any

import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.common import planning
from deepfake_ensemble.studies.common.planning import Known, Step
from deepfake_ensemble.studies.ensemble.params import Params
from deepfake_ensemble.studies.ensemble.plan import PLAN
from deepfake_ensemble.workflow import estimate
from deepfake_ensemble.workflow.estimate import PUBLISHED, gpu_hours

MEASURED: dict[str, Any] = {
    "machine": {"cpu": "a processor", "cores": 2, "memory_gib": 8.0},
    "image_size": 256,
    "batch": 32,
    "models": {
        name: {
            "step_seconds": [6.4, 6.4, 9.0],
            "first_step_seconds": 16.4,
            "peak_mib": 4096,
            "parameters": 10**6,
            "values_per_image": 10**7,
        }
        for name in ("cnn", "resnet50", "xception", "efficientnet_b4")
    },
    "decoded_per_second": [1600.0],
}
# A run of the sample as benchmarks/measured_run.py keeps it: 8 epochs of 480 and 200 images, of 40 pixels.
SAMPLE: dict[str, Any] = {
    "profile": "sample",
    "params": params.load(),
    "stages": {
        f"{stage}@{name}": {"seconds": seconds, "peak_mib": 1024}
        for name in MEASURED["models"]
        for stage, seconds in (("initialise", 5.0), ("train", 75.0))
    },
}
MEASUREMENTS: dict[str, Any] = {"measured": MEASURED, "sample": SAMPLE}
FAST = 1e9  # images a second: decoding holds nothing up


def profile(name: str, **changes: Any) -> Params:
    data = params.load() | {"profile": name}
    data["profiles"][name] = data["profiles"][name] | changes
    return params.check("", data, Params)


def test_an_epoch_s_steps_and_all_predictions_are_counted():
    todo = estimate.work(profile("paper"))
    assert (todo.steps, todo.batch) == (15 * 3125, 32)
    assert todo.predicted == 15 * 20_000 + 60_000 + 2_000 * 18


def test_hours_at_a_published_rate_are_images_over_that_rate():
    whole = profile("paper", image_size=224, perturbed_images=0)
    hours = gpu_hours("resnet50", whole, "A100", decoded=FAST, as_published=True)
    assert hours == pytest.approx((1_500_000 / 909 + 360_000 / 1794) / 3600)


def test_twice_the_side_takes_four_times_as_long():
    small, large = (
        gpu_hours("resnet50", profile("paper", image_size=size), "A100", decoded=FAST) for size in (256, 512)
    )
    assert small and large == pytest.approx(4 * small)


def test_steps_on_crops_take_as_long_as_steps_on_images_of_their_size():
    training = params.load()["profiles"]["paper"]["training"]
    on_crops, small, large = (
        gpu_hours("resnet50", profile("paper", **changes), "A100", decoded=FAST) or 0
        for changes in ({"training": training | {"crop": 128}}, {"image_size": 128}, {})
    )
    assert small < on_crops < small + 0.15 * (large - small)  # predicted are whole images


def test_a_profile_is_asked_for_with_members_of_its_own():
    whole = estimate.CHECK.read(**estimate.changes_for("laptop"))
    assert whole.members == whole.active.members == ["efficientnet_lite0"]
    assert "(crops of 224 in training)" in page(whole)
    assert estimate.changes_for("paper") == {"profile": "paper"}


def test_mixed_precision_and_xla_shorten_it():
    training = params.load()["profiles"]["paper"]["training"]
    hours = [
        gpu_hours("efficientnet_b4", profile("paper", training=training | changes), "V100", decoded=FAST)
        for changes in ({"jit_compile": False}, {}, {"precision": "mixed_float16"})
    ]
    assert all(hours) and hours == sorted(hours, reverse=True) and len(set(hours)) == 3


ON_GPU: dict[str, Any] = {
    "machine": {"gpu": "a GPU"},
    "image_size": 256,
    "models": {
        "cnn": {"float32": {"step_seconds": [0.02, 0.02, 0.05]}},
        "efficientnet_b4": {
            "float32": {"step_seconds": [0.15]},
            "float32, XLA": {"step_seconds": [0.05]},
        },
    },
}


def test_hours_on_a_measured_gpu_follow_from_its_median_step():
    hours = estimate.measured_gpu_hours("cnn", profile("paper", perturbed_images=0), ON_GPU)
    assert hours == pytest.approx((15 * 3125 * 0.02 + 360_000 * 0.02 / 32 / 3) / 3600)


def test_a_t4_takes_as_long_as_its_published_rate_says_where_images_are_large():
    whole = profile("paper", image_size=512)
    hours = estimate.t4_hours("cnn", whole, ON_GPU, decoded=FAST)
    assert hours == gpu_hours("cnn", whole, "T4", decoded=FAST)


def test_a_t4_launches_no_step_faster_than_the_measured_gpu_in_float32():
    whole = profile("quick", image_size=32)
    assert whole.active.training.precision != "float32"
    hours = estimate.t4_hours("cnn", whole, ON_GPU, decoded=FAST)
    assert hours == pytest.approx((5 * 625 * 0.02 + 20_000 * 0.02 / 32 / 3) / 3600)


def test_a_t4_is_to_a_v100_in_training_as_in_prediction():
    t4, v100 = (PUBLISHED["efficientnet_b4"].trained[estimate.GPUS.index(gpu)] for gpu in ("T4", "V100"))
    assert t4 == pytest.approx((v100[0] * 424 / 1252, v100[1] * 991 / 2706))


def test_nothing_is_told_of_a_t4_where_no_rate_was_published():
    assert estimate.t4_hours("vgg19", profile("quick"), ON_GPU, decoded=FAST) is None


def test_hours_on_a_measured_gpu_are_those_of_the_setting():
    training = params.load()["profiles"]["paper"]["training"]
    both = (profile("paper", training=training | {"jit_compile": it}) for it in (False, True))
    plain, compiled = (estimate.measured_gpu_hours("efficientnet_b4", it, ON_GPU) for it in both)
    assert plain and compiled == pytest.approx(plain / 3)


def test_a_step_that_was_not_measured_with_xla_counts_as_long_as_without_and_the_page_says_so():
    training = params.load()["profiles"]["paper"]["training"]
    off, on = (profile("paper", training=training | {"jit_compile": it}) for it in (False, True))
    plain, compiled = (estimate.measured_gpu_hours("cnn", it, ON_GPU) for it in (off, on))
    assert plain and plain == compiled
    assert "without XLA where they were not measured with it" in page(on)
    assert "without XLA where" not in page(off)


def test_what_was_not_measured_on_a_gpu_stays_empty():
    training = params.load()["profiles"]["paper"]["training"] | {"precision": "mixed_float16"}
    assert estimate.measured_gpu_hours("cnn", profile("paper", training=training), ON_GPU) is None
    assert estimate.measured_gpu_hours("vgg19", profile("paper"), ON_GPU) is None


def test_no_gpu_is_faster_than_its_images_are_decoded():
    hours = gpu_hours("cnn", profile("paper"), "A100", decoded=100)
    assert hours and hours >= (1_500_000 + 396_000) / 100 / 3600 * 0.999


def test_tiny_images_do_not_make_a_step_free():
    hours = gpu_hours("efficientnet_b4", profile("sample"), "A100", decoded=FAST)
    assert hours and hours >= 8 * 15 * 3 * 16.5e-3 / 3600


def on_processor(whole: Params, name: str = "cnn") -> float | None:
    return estimate.processor_hours(whole, estimate.on_processor(name, MEASURED, SAMPLE))


def test_hours_on_the_processor_follow_from_its_measured_median_step():
    hours = on_processor(profile("paper", perturbed_images=0))
    assert hours == pytest.approx((15 + (1_500_000 + 360_000 / 3) * 0.2) / 3600)


def test_the_sample_takes_what_its_measured_run_took_and_the_predictions_after_it():
    images, later = 8 * (480 + 200 / 3), (200 + 240 + 200) / 3
    hours = on_processor(profile("sample"))
    assert hours == pytest.approx((75 + later * 60 / images) / 3600)


def test_memory_is_that_of_the_profile_s_own_size():
    known = estimate.on_processor("cnn", MEASURED, SAMPLE)
    assert known is not None
    assert [known.at(size, known.memory) / 2**20 for size in (40, 256)] == [1024, 4096]
    assert 1024 < known.at(64, known.memory) / 2**20 < 1300


def test_a_model_without_published_rate_is_not_guessed():
    assert gpu_hours("vgg19", profile("paper"), "A100", decoded=FAST) is None
    assert on_processor(profile("paper"), "vgg19") is None


def page(whole: Params, steps: Sequence[Step] = (), **changed: Any) -> str:
    return estimate.page(whole, steps, **MEASUREMENTS, on_gpu=ON_GPU, **changed)


def test_the_disk_is_what_the_plan_says():
    steps = PLAN.steps(
        profile("paper"),
        [Known("pack@internal", "", "yes", "", None), Known("train@cnn", "", "no", "", 123_456_789)],
    )
    assert f"- Disk: {planning.disk(steps)}; packages" in page(profile("paper"), steps)
    assert planning.disk(steps).startswith("3.8 GB in the workspace")


def test_times_are_told_in_the_unit_that_fits_them():
    assert [estimate._time(hours) for hours in (0.01, 0.1, 0.9, 5, 123, None)] == [
        "36 s", "6.0 min", "54 min", "5.0 h", "123 h", "–",
    ]  # fmt: skip
    assert " 0.0" not in page(profile("sample"))


def test_an_added_model_of_which_nothing_is_known_is_named_and_no_sum_claims_to_have_it():
    data = params.load()
    data["models"]["bird_lotfi"] = {"learning_rate": 1e-4, "input_scaling": "unit", "network": {}}
    data["members"].append("bird_lotfi")
    text = page(params.check("", data, Params))
    assert "- Not in it: bird_lotfi, of which nothing was published or measured. It comes on top.\n" in text
    assert all(cell.strip().startswith("**> ") for cell in _cells(text, "**all**")[1:-1])


def _cells(text: str, first: str) -> list[str]:
    (row,) = (line for line in text.splitlines() if line.startswith(f"| {first} "))
    return [cell for cell in row.strip("|").split("|") if cell]


def test_a_precision_that_was_not_measured_is_named_where_it_is_missing():
    training = params.load()["profiles"]["paper"]["training"] | {"precision": "mixed_float16"}
    text = page(profile("paper", training=training))
    assert "- Not in it: cnn on a GPU, where no rate of it is known.\n" in text


def test_archives_that_are_here_are_not_fetched():
    fetched, local = (estimate.network(profile("paper", source=source)) for source in ("kaggle", "local"))
    assert fetched > local + 3e9


@pytest.mark.parametrize("name", ["sample", "small", "quick", "paper"])
def test_the_page_names_the_profile_every_model_and_every_source(name: str):
    text = page(profile(name))
    assert " a GPU |" in text
    assert f"Profile `{name}`" in text
    assert all(f"| {model} " in text for model in PUBLISHED)
    assert all(address in text for address in estimate.SOURCES.values())


def test_a_data_set_without_a_count_is_named_as_left_out() -> None:
    counts = {"train": 100_000, "val": 20_000, "test": 20_000}
    whole = profile("paper", counts=counts)
    assert estimate.work(whole).predicted == estimate.work(profile("paper")).predicted - 20_000
    line = "- Not in it: all images of cifake; their number is not known.\n"
    assert line in page(whole)
    assert line not in page(profile("paper"))
