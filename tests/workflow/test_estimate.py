"""What a run would cost: it follows from params.yaml, from published rates and from what was measured."""

from typing import Any

import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.ensemble.params import Params
from deepfake_ensemble.workflow import estimate
from deepfake_ensemble.workflow.estimate import PUBLISHED, gpu_hours

MEASURED: dict[str, Any] = {
    "machine": {"cpu": "a processor", "cores": 2, "memory_gib": 8.0},
    "image_size": 256,
    "batch": 32,
    "models": {
        name: {
            "step_seconds": [6.4, 6.4, 9.0],
            "peak_mib": 4096,
            "parameters": 10**6,
            "values_per_image": 10**7,
        }
        for name in ("cnn", "resnet50", "xception", "efficientnet_b4")
    },
    "decoded_per_second": [1600.0],
}
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


def test_mixed_precision_and_xla_shorten_it():
    training = params.load()["profiles"]["paper"]["training"]
    hours = [
        gpu_hours("efficientnet_b4", profile("paper", training=training | changes), "V100", decoded=FAST)
        for changes in ({}, {"jit_compile": True}, {"jit_compile": True, "precision": "mixed_float16"})
    ]
    assert all(hours) and hours == sorted(hours, reverse=True) and len(set(hours)) == 3


def test_xla_is_not_counted_where_it_compiles_no_repeatable_step():
    training = params.load()["profiles"]["paper"]["training"]
    without, compiled = (
        gpu_hours("resnet50", profile("paper", training=training | {"jit_compile": it}), "A100", decoded=FAST)
        for it in (False, True)
    )
    assert without == compiled


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


def test_hours_on_a_measured_gpu_are_those_of_the_setting():
    training = params.load()["profiles"]["paper"]["training"] | {"jit_compile": True}
    whole = profile("paper", training=training)
    plain, compiled = (
        estimate.measured_gpu_hours("efficientnet_b4", it, ON_GPU) for it in (profile("paper"), whole)
    )
    assert plain and compiled == pytest.approx(plain / 3)
    assert estimate.measured_gpu_hours("cnn", whole, ON_GPU) is not None  # without XLA, as it is trained


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


def test_hours_on_the_processor_follow_from_its_measured_median_step():
    whole = profile("paper", perturbed_images=0)
    hours = estimate.processor_hours("cnn", whole, MEASURED)
    assert hours == pytest.approx((1_500_000 + 360_000 / 3) * 0.2 / 3600)


def test_a_model_without_published_rate_is_not_guessed():
    assert gpu_hours("vgg19", profile("paper"), "A100", decoded=FAST) is None
    assert estimate.processor_hours("vgg19", profile("paper"), MEASURED) is None


def test_archives_packs_and_models_are_on_the_disk_and_once_more_in_the_cache():
    takes = estimate.disk(profile("paper"), MEASURED)
    results = takes["archives"] + takes["packed images"] + takes["models, and the ensemble of them"]
    assert takes["the same again in DVC's cache"] == results
    assert takes["models, and the ensemble of them"] == 4 * 4 * 4 * 10**6


def test_archives_that_are_here_are_not_fetched():
    fetched, local = (estimate.network(profile("paper", source=source)) for source in ("kaggle", "local"))
    assert fetched > local + 3e9


@pytest.mark.parametrize("name", ["sample", "small", "paper"])
def test_the_page_names_the_profile_every_model_and_every_source(name: str):
    text = estimate.page(profile(name), MEASURED, ON_GPU)
    assert " a GPU |" in text
    assert f"Profile `{name}`" in text
    assert all(f"| {model} " in text for model in PUBLISHED)
    assert all(address in text for address in estimate.SOURCES.values())


def test_a_data_set_without_a_count_is_named_as_left_out() -> None:
    counts = {"train": 100_000, "val": 20_000, "test": 20_000}
    whole = profile("paper", counts=counts)
    assert estimate.work(whole).predicted == estimate.work(profile("paper")).predicted - 20_000
    assert "- Not in it: all images of cifake; their number is not known.\n" in estimate.page(
        whole, MEASURED, ON_GPU
    )
    assert "Not in it" not in estimate.page(profile("paper"), MEASURED, ON_GPU)
