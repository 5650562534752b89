"""A pipeline of the study's shape that takes seconds, in a repository of its own; nothing is learned.

Each of its stages writes what it reads, hashed, and says in a log who ran it: name, folder, process.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clones import ENVIRONMENT, ROOT, Clone

STEP = """
import hashlib, json, os, pathlib, sys, time
import yaml

name, out, *deps = sys.argv[1:]
params = yaml.safe_load(pathlib.Path("params.yaml").read_text())
stage, _, item = name.partition("@")
with open(os.environ["TOY_LOG"], "a") as log:
    log.write(f"{name} {os.getcwd()} {os.getpid()}\\n")
digest = hashlib.sha256(name.encode())
for dep in map(pathlib.Path, deps):
    for file in [dep] if dep.is_file() else sorted(it for it in dep.rglob("*") if it.is_file()):
        digest.update(file.read_bytes())
if stage in ("initialise", "train"):
    digest.update(str(params["seed"]).encode())
if stage == "train":
    model = params["models"][item]
    if model["fails"]:
        sys.exit("this network cannot be trained")
    digest.update(str(model["rate"]).encode())
    state = pathlib.Path("models/checkpoints") / item / "state.npz"
    state.parent.mkdir(parents=True, exist_ok=True)
    done = int(state.read_text()) if state.exists() else 0
    for step in range(done, int(os.environ.get("TOY_STEPS", "1"))):
        with open(os.environ["TOY_LOG"], "a") as log:
            log.write(f"step {step} of {name} {os.getpid()}\\n")
        time.sleep(0.1)
        state.with_suffix(".new").write_text(str(step + 1))
        state.with_suffix(".new").replace(state)
    state.unlink(missing_ok=True)
if stage == "weigh":
    digest.update(params["weighting"].encode())
path = pathlib.Path(out)
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({"of": name, "value": int(digest.hexdigest()[:6], 16)}))
"""

PIPELINE = """
stages:
  download:
    cmd: python step.py download data/raw
    deps: [step.py]
    outs: [data/raw]
  pack:
    cmd:
      - python step.py pack data/packed/train data/raw
      - python step.py pack data/packed/test data/raw
    deps: [data/raw, step.py]
    outs: [data/packed]
  initialise:
    foreach: ${models}
    do:
      cmd: python step.py initialise@${key} models/initial/${key}
      params: [seed]
      deps: [data/raw, step.py]
      outs: ["models/initial/${key}"]
  train:
    foreach: ${models}
    do:
      desc: Train one detector. Wants a GPU.
      cmd: python step.py train@${key} models/${key}.bin data/packed/train models/initial/${key}
      params: [seed, "models.${key}"]
      deps: [data/packed/train, "models/initial/${key}", step.py]
      outs: ["models/${key}.bin"]
  predict:
    foreach: ${models}
    do:
      desc: Predict with one detector. Wants a GPU.
      cmd: python step.py predict@${key} predictions/${key} data/packed models/${key}.bin
      deps: [data/packed, "models/${key}.bin", step.py]
      outs: ["predictions/${key}"]
  perturb:
    foreach: ${models}
    do:
      desc: Predict perturbed images with one detector. Wants a GPU.
      cmd: python step.py perturb@${key} perturbed/${key} models/${key}.bin
      deps: ["models/${key}.bin", step.py]
      outs: ["perturbed/${key}"]
  weigh:
    cmd: python step.py weigh reports/weights.json predictions
    params: [weighting]
    deps: [predictions, step.py]
    metrics: [reports/weights.json: {cache: false}]
  report:
    cmd: python step.py report reports/report.json reports/weights.json perturbed
    deps: [reports/weights.json, perturbed, step.py]
    outs: [reports/report.json: {cache: false}]
"""

PARAMS = """
seed: 42
weighting: accuracy
models:
  cnn: {rate: 0.0001, fails: false}
  resnet: {rate: 5.0e-05, fails: false}
"""

CHAINS = [
    tuple(f"{stage}@{model}" for stage in ("train", "predict", "perturb")) for model in ("cnn", "resnet")
]
OF_CHAINS = sorted(stage for chain in CHAINS for stage in chain)


class Toy(Clone):
    """The toy's repository; what its stages did is in `log`, beside it."""

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT / "src"), ENVIRONMENT.get("PYTHONPATH", "")])
        return ENVIRONMENT | {"TOY_LOG": str(self.log), "PYTHONPATH": path}

    def ran(self, here: bool | None = None) -> list[str]:
        """Return the stages that ran, in order: all, those in this folder, or those elsewhere."""
        lines = [it.split() for it in self.log.read_text().splitlines()] if self.log.exists() else []
        return [
            name
            for name, folder, *_ in (line for line in lines if line[0] != "step")
            if here is None or here == (folder == str(self.folder))
        ]

    def head(
        self, *options: str, module: str = "cluster", environment: Mapping[str, str] | None = None
    ) -> str:
        """Run the head to its end and return what it printed; it must succeed."""
        done = self.try_head(*options, module=module, environment=environment)
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def try_head(
        self, *options: str, module: str = "cluster", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"deepfake_ensemble.{module}", *options],
            cwd=self.folder,
            env={**self.environment, "TMPDIR": str(self.folder.parent), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def results(self) -> dict[str, bytes]:
        """Return the bytes of dvc.lock and of every result, by path."""
        folders = ("data", "models", "predictions", "perturbed", "reports")
        files = [it for folder in folders for it in (self / folder).rglob("*") if it.is_file()]
        return {str(it.relative_to(self.folder)): it.read_bytes() for it in [*files, self / "dvc.lock"]}


def make(folder: Path) -> Toy:
    """Make the repository with one commit, and its pipeline not run."""
    folder.mkdir(parents=True)
    toy = Toy(folder)
    (folder / "step.py").write_text(STEP)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / ".gitignore").write_text("/data\n/models\n/predictions\n/perturbed\n")
    toy.git("init", "--quiet", "--initial-branch", "main")
    toy.dvc("init", "--quiet")
    toy.commit("A toy")
    return toy
