"""All of params.yaml is checked first: each key removed, misspelt, mistyped, out of range."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deepfake_ensemble.foundation import params
from deepfake_ensemble.studies.common.params import keys
from deepfake_ensemble.studies.ensemble.params import CHECK
from errors_page import Documented

PARAMS = Path(__file__).parents[3] / "params.yaml"
DATA = params.load(PARAMS)
# Their keys are names that users choose: entries may come and go.
NAMED_PATHS = [
    *(("data_sets",), ("models",), ("profiles",), ("robustness", "like")),
    *(("profiles", name, "initial_weights_of") for name in DATA["profiles"]),
]

# Every key is refused in these ways, and two of them are shown in docs/errors.md.
SHOWN = [("training", "batch_size"), ("models", "resnet50", "learning_rate")]

Path_ = tuple[str, ...]


def paths(data: dict[str, Any], above: Path_ = ()) -> Iterator[Path_]:
    for key, value in data.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from paths(value, (*above, key))


ALL = list(paths(DATA))
KEYS = [path for path in ALL if path[:-1] not in NAMED_PATHS]
# All images are used of a data set that is only predicted and has no count.
REQUIRED = [path for path in KEYS if path[-2:] != ("counts", "cifake")]


def at(data: dict[str, Any], path: Path_) -> Any:
    for key in path:
        data = data[key]
    return data


SECTIONS = [path for path in [(), *ALL] if isinstance(at(DATA, path), dict) and path not in NAMED_PATHS]


def changed(path: Path_, value: Any) -> dict[str, Any]:
    data = copy.deepcopy(DATA)
    at(data, path[:-1])[path[-1]] = value
    return data


def without(path: Path_) -> dict[str, Any]:
    data = copy.deepcopy(DATA)
    del at(data, path[:-1])[path[-1]]
    return data


def renamed(path: Path_, name: str) -> dict[str, Any]:
    data = copy.deepcopy(DATA)
    parent = at(data, path[:-1])
    parent[name] = parent.pop(path[-1])
    return data


def dotted(path: Path_) -> str:
    return ".".join(path)


def named(lines: list[str], path: Path_) -> list[str]:
    """Return those of the lines that begin with the key; there is at least one."""
    found = [line for line in lines if line.startswith((f"{dotted(path)}: ", f"{dotted(path)}."))]
    assert found, f"{dotted(path)} is not named: {lines}"
    return found


def test_the_project_s_own_params_are_in_order() -> None:
    assert CHECK.problems(DATA) == []


@pytest.mark.parametrize("path", REQUIRED, ids=dotted)
def test_a_key_that_is_missing_is_refused_by_name(path: Path_, documented: Documented) -> None:
    lines = [line for line in named(CHECK.problems(without(path)), path) if ": missing" in line]
    assert lines
    if path in SHOWN:
        documented("Parameters", f"`{dotted(path)}` is removed", f"params.yaml: {lines[0]}")


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_key_that_is_misspelt_is_refused_and_the_right_one_suggested(
    path: Path_, documented: Documented
) -> None:
    misspelt = path[-1][:-1] + ("x" if len(path[-1]) > 3 else "")
    lines = named(CHECK.problems(renamed(path, misspelt)), (*path[:-1], misspelt))
    assert len(lines) == 1
    assert lines[0].endswith(f"; did you mean {path[-1]}?")
    if path in SHOWN:
        documented("Parameters", f"`{dotted(path)}` is misspelt", f"params.yaml: {lines[0]}")


@pytest.mark.parametrize("path", KEYS, ids=dotted)
def test_a_key_of_the_wrong_type_is_refused_by_name(path: Path_, documented: Documented) -> None:
    was = at(DATA, path)
    wrong: list[Any] = [[], {}, {"a": 1}, 1.5, True, "words", None]
    if isinstance(was, dict):
        wrong = [[], 1, "words", None]
    elif isinstance(was, list):
        wrong.remove([])
    elif isinstance(was, bool):
        wrong.remove(True)
    elif isinstance(was, float):
        wrong.remove(1.5)
    elif isinstance(was, str):
        wrong.remove("words")
    if path[-1] == "batch_norm_momentum":
        wrong = [value for value in wrong if value not in (None, 1.5)]
    if path[-1] in ("epochs_at_most", "cosine", "crop") or (path[-1] == "members" and len(path) > 1):
        wrong = [value for value in wrong if value is not None]
    for value in wrong:
        lines = named(CHECK.problems(changed(path, value)), path)
        if path in SHOWN:
            shown = f"`{dotted(path)}` is `{json.dumps(value)}`"
            documented("Parameters", shown, f"params.yaml: {lines[0]}")


@pytest.mark.parametrize("path", [path for path in KEYS if not isinstance(at(DATA, path), dict)], ids=dotted)
def test_a_value_out_of_range_is_refused_by_name(path: Path_, documented: Documented) -> None:
    was = at(DATA, path)
    wrong: list[Any] = ["nonsense"] if isinstance(was, str) else [-1, float("nan"), float("inf")]
    if isinstance(was, list):
        words = not was or isinstance(was[0], str)
        wrong = [
            ["nonsense"],
            *([[]] if was else []),
            *([["train", "val"], [1]] if words else [[-1], [1000], [float("nan")]]),
        ]
    elif isinstance(was, bool):
        wrong = ["maybe", 2]
    elif path[-1] == "archive":
        wrong = ["", "no/name"]
    for value in wrong:
        lines = named(CHECK.problems(changed(path, value)), path)
        if path in SHOWN:
            shown = f"`{dotted(path)}` is `{json.dumps(value)}`"
            documented("Parameters", shown, f"params.yaml: {lines[0]}")


@pytest.mark.parametrize("section", SECTIONS, ids=dotted)
def test_a_key_that_nobody_reads_is_refused_by_name(section: Path_) -> None:
    path = (*section, "zzz")
    assert any("known are" in line for line in named(CHECK.problems(changed(path, 2)), path))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("profile", "sampel", 'profile: "sampel" is not one of the profiles; did you mean sample?'),
        ("seed", 2**32, "seed: 4294967296 is not allowed: it should be less than 4294967296"),
        (
            "models.resnet",
            DATA["models"]["resnet50"],
            "models.resnet: no such architecture; did you mean resnet50?",
        ),
        (
            "models.cnn.input_scaling",
            "native",
            (
                'models.cnn.input_scaling: "native" is not allowed: cnn has no published weights whose'
                " scaling could be used; it should be 'unit'"
            ),
        ),
        (
            "models.cnn.network",
            {"frozen_layers": 0},
            (
                "models.cnn.network.frozen_layers: unknown key;"
                " known are convolution_dropout, dense_dropout, l2"
            ),
        ),
        (
            "robustness.severities.jpeg",
            [30, 90],
            "robustness.severities.jpeg: [30, 90] is not allowed: from mild to strong, so falling, each once",
        ),
        (
            "robustness.severities.noise",
            [4.0, 4.0000001],
            "robustness.severities: two are so close that both are called noise_4; keep one",
        ),
        (
            "profiles.small.perturbed_images",
            1,
            (
                "profiles.small.perturbed_images: 1 is not allowed: an even number, so that both classes are"
                " there"
            ),
        ),
        (
            "profiles.small.training.crop",
            65,
            "profiles.small.training.crop: 65 is not allowed: at most image_size, 64",
        ),
        (
            "profiles.sample.training.precision",
            "mixed_bfloat16",
            (
                "profiles.sample.processor.cpu_isa: AVX2 is not allowed where"
                " profiles.sample.training.precision is mixed_bfloat16: it should be native"
            ),
        ),
        (
            "robustness.like.cifar",
            {"size": 32, "quality": 75},
            "robustness.like.cifar: no data set that is only predicted; did you mean cifake?",
        ),
        (
            "data_sets.cifake.kaggle",
            "cifake",
            'data_sets.cifake.kaggle: "cifake" is not allowed: it should be OWNER/NAME',
        ),
        (
            "data_sets.cifake.partition",
            "valid",
            (
                'data_sets.cifake.partition: "valid" is not allowed: the layout cifake has all, train, test,'
                " test_leak_free"
            ),
        ),
        (
            "data_sets.cifake.archive",
            "my/faces",
            'data_sets.cifake.archive: "my/faces" is not allowed: use letters, digits, _ and -',
        ),
        (
            "models.resnet50.network.frozen_layers",
            1000,
            "models.resnet50.network.frozen_layers: 1000 is not allowed: it has 176 layers",
        ),
        (
            "data_sets.test",
            DATA["data_sets"]["cifake"] | {"archive": "third"},
            (
                "data_sets.test: cannot be the name of a data set; use small letters, digits and _, and none"
                " of train, val, test"
            ),
        ),
        (
            "profiles.small.counts.test",
            271,
            "profiles.small.counts.test: 271 is not allowed: half of each class, so an even number",
        ),
        (
            "profiles.paper.counts.tests",
            20,
            "profiles.paper.counts.tests: no data set has this split; did you mean test?",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    path: str, value: Any, line: str, documented: Documented
) -> None:
    assert line in CHECK.problems(changed(tuple(path.split(".")), value))
    shown = "an entry" if isinstance(value, dict) else f"`{json.dumps(value)}`"
    documented("Parameters", f"`{path}` is {shown}", f"params.yaml: {line}")


def test_every_profile_is_checked_not_only_the_active_one() -> None:
    for profile in DATA["profiles"]:
        path = ("profiles", profile, "image_size")
        named(CHECK.problems(changed(path, 31)), path)


def test_all_problems_are_told_at_once() -> None:
    data = changed(("training", "epochs"), 0)
    data["evaluation"]["threshold"] = 1.0
    data["sede"] = data.pop("seed")
    data["models"]["cnn"]["network"]["l22"] = data["models"]["cnn"]["network"].pop("l2")
    assert sorted(CHECK.problems(data)) == [
        "evaluation.threshold: 1.0 is not allowed: it should be less than 1",
        "models.cnn.network.l22: unknown key; did you mean l2?",
        "sede: unknown key; did you mean seed?",
        "training.epochs: 0 is not allowed: it should be greater than or equal to 1",
    ]


def test_another_profile_model_or_data_set_may_be_left_out_or_added() -> None:
    data = copy.deepcopy(DATA)
    del data["profiles"]["small"], data["models"]["xception"]
    data["members"].remove("xception")
    data["profiles"]["tiny"] = copy.deepcopy(DATA["profiles"]["sample"])
    data["data_sets"]["photographs"] = DATA["data_sets"]["cifake"] | {"archive": "photographs"}
    assert CHECK.problems(data) == []
    data["profiles"]["tiny"]["counts"]["photographs"] = 10
    assert CHECK.problems(data) == []
    del data["profiles"]["sample"]["counts"]["cifake"]
    assert CHECK.problems(data) == []


def test_the_data_set_that_is_trained_on_cannot_be_left_out() -> None:
    assert CHECK.problems(without(("data_sets", "internal"))) == [
        "data_sets.internal: missing; it is the one that is split and trained on"
    ]


def python(*arguments: str, folder: Path = PARAMS.parent) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(PARAMS.parent / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    return python("-m", "deepfake_ensemble.studies.ensemble.params", folder=folder)


def test_the_command_says_that_all_is_in_order() -> None:
    done = run(PARAMS.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"params.yaml: all {keys(DATA)} keys are in order\n"


def test_the_command_prints_one_line_a_problem_and_fails(tmp_path: Path) -> None:
    text = PARAMS.read_text().replace("epochs: 15", "epoch: 15").replace("threshold: 0.5", "threshold: 5")
    (tmp_path / "params.yaml").write_text(text)
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert sorted(done.stderr.splitlines()) == [
        "params.yaml: evaluation.threshold: 5 is not allowed: it should be less than 1",
        "params.yaml: training.epoch: unknown key; did you mean epochs?",
    ]


def test_the_command_needs_a_params_yaml(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("params.yaml: not found in ")


def test_the_check_does_not_import_tensorflow() -> None:
    study = "deepfake_ensemble.studies.ensemble.params"
    code = f"import sys, {study}; print({{'tensorflow', 'keras'}} & sys.modules.keys())"
    assert python("-c", code).stdout == "set()\n"


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (
            ("members",),
            ["cnn", "resnet"],
            'members: "resnet" is not one of the models; did you mean resnet50?',
        ),
        (("members",), ["cnn", "cnn"], "members: [cnn, cnn] is not allowed: each once"),
        (
            ("profiles", "laptop", "members"),
            ["vgg"],
            'profiles.laptop.members: "vgg" is not one of the models; known are',
        ),
        (
            ("profile",),
            "laptop",
            "profile laptop is one of [efficientnet_lite0]; set members to that, too",
        ),
        (
            ("profiles", "small", "initial_weights_of"),
            {"cnn": "imagenet"},
            'profiles.small.initial_weights_of.cnn: "imagenet" is not allowed: cnn has no ImageNet weights',
        ),
        (
            ("profiles", "small", "initial_weights_of"),
            {"xceptoin": "imagenet"},
            "profiles.small.initial_weights_of.xceptoin: not one of the models; did you mean xception?",
        ),
    ],
)
def test_members_and_where_they_start_are_models_that_can(path: Path_, value: Any, complaint: str) -> None:
    assert any(complaint in problem for problem in CHECK.problems(changed(path, value)))


def test_a_profile_of_its_own_members_goes_with_them() -> None:
    assert CHECK.problems(DATA | {"profile": "laptop", "members": ["efficientnet_lite0"]}) == []
