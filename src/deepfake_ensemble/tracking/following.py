"""Other programs follow a training while it runs. What they do, and whether they can, changes nothing in it.

Each has a thread of its own and is told the figures through a queue: none can end a training or hold it up.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

from deepfake_ensemble.foundation.errors import first_line

Tracker = Literal["tensorboard", "wandb", "mlflow", "dvclive"]
Follow = Callable[[int, Mapping[str, float]], None]

FOLDER = Path("tracking")
PATIENCE = 30.0  # seconds that a training which ends waits for what is still on its way to a server


@dataclass(frozen=True)
class Followed:
    """A training, as trackers name it.

    Attributes:
        study: which study it is of.
        run: what is trained.
        params: what it is trained with, by path in params.yaml.
        digest: of everything that it is made from: with the same digest, an interrupted training goes on.
    """

    study: str
    run: str
    params: Mapping[str, Any]
    digest: str

    @property
    def name(self) -> str:
        """The same for an interrupted training that goes on, and for nothing else."""
        return f"{self.run}-{self.digest[:12]}"


@contextmanager
def following(
    trackers: Sequence[Tracker], *, study: str, run: str, made_from: Mapping[str, Any]
) -> Iterator[Follow]:
    """Let trackers follow a training inside the block; yield what is to be told each of its figures.

    Args:
        trackers: which; none tells nobody.
        study: which study the training is of.
        run: what is trained.
        made_from: the training's fingerprint.
    """
    training = Followed(study, run, made_from["params"], made_from["digest"])
    with ExitStack() as stack:
        told = [stack.enter_context(_thread(tracker, training)) for tracker in trackers]

        def tell(step: int, figures: Mapping[str, float]) -> None:
            for each in told:
                each(step, dict(figures))

        yield tell


@contextmanager
def _thread(tracker: Tracker, training: Followed) -> Iterator[Follow]:
    """Run a tracker in a thread as long as the block lasts, and a little longer if it is not done then."""
    queue: SimpleQueue[tuple[int, Mapping[str, float]] | None] = SimpleQueue()

    def work() -> None:
        try:
            with OPEN[tracker](training) as log:
                while (told := queue.get()) is not None:
                    log(*told)
        except Exception as error:
            # Whatever it is: hours of training are worth more than one who watches.
            missing = isinstance(error, ModuleNotFoundError)
            what = f"not installed: pip install -e '.[{tracker}]'" if missing else first_line(error)
            sys.stderr.write(f"{training.run}: {tracker} no longer follows: {what}\n")

    thread = threading.Thread(target=work, name=tracker, daemon=True)
    thread.start()
    try:
        yield lambda step, figures: queue.put((step, figures))
    finally:
        queue.put(None)
        thread.join(PATIENCE)


@contextmanager
def _tensorboard(training: Followed) -> Iterator[Follow]:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(FOLDER / "tensorboard" / training.study / training.name))

    def log(step: int, figures: Mapping[str, float]) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        writer.add_event(Event(step=step, summary=Summary(value=values)))
        writer.flush()

    try:
        yield log
    finally:
        writer.close()


@contextmanager
def _wandb(training: Followed) -> Iterator[Follow]:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # to its makers, whatever server it is
    import wandb

    folder = FOLDER / "wandb"
    folder.mkdir(parents=True, exist_ok=True)
    with wandb.init(
        project=f"deepfake-ensemble-{training.study}",
        id=training.name,
        name=training.run,
        config=dict(training.params),
        resume=None
        if os.environ.get("WANDB_MODE") == "offline"
        else "allow",  # offline there is no server to ask
        dir=folder,
        settings=wandb.Settings(console="off", silent=True),
    ) as run:
        run.define_metric("*", step_metric="step")
        yield lambda step, figures: run.log({"step": step, **figures})


@contextmanager
def _mlflow(training: Followed) -> Iterator[Follow]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it would ask its makers' host when imported
    from mlflow import MlflowClient

    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # without a server it is all that there is
    client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", (FOLDER / "mlflow").absolute().as_uri()))
    name = f"deepfake-ensemble-{training.study}"
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    before = client.search_runs([experiment], f"tags.digest = '{training.digest}'", max_results=1)
    if before:
        run = before[0].info.run_id
        client.update_run(run, status="RUNNING")
    else:
        made = client.create_run(experiment, run_name=training.run, tags={"digest": training.digest})
        run = made.info.run_id
        for path, value in training.params.items():
            client.log_param(run, path, value)

    def log(step: int, figures: Mapping[str, float]) -> None:
        for figure, value in figures.items():
            client.log_metric(run, figure, value, step=step)

    yield log
    client.set_terminated(run)


@contextmanager
def _dvclive(training: Followed) -> Iterator[Follow]:
    from dvclive import Live

    folder = FOLDER / "dvclive" / training.run  # of whatever digest, so that DVC compares a run's trainings
    shown = folder / "dvc.yaml"
    text = f"# {training.digest}\nmetrics: [metrics.json]\nplots: [{{plots/metrics: {{x: step}}}}]\n"
    goes_on = shown.is_file() and shown.read_text(encoding="utf-8") == text
    with Live(str(folder), resume=goes_on, save_dvc_exp=False, dvcyaml=None) as live:
        shown.write_text(text, encoding="utf-8")

        def log(step: int, figures: Mapping[str, float]) -> None:
            live.step = step
            for figure, value in figures.items():
                live.log_metric(figure, value)
            live.next_step()

        yield log


OPEN: Mapping[str, Callable[[Followed], AbstractContextManager[Follow]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
    "dvclive": _dvclive,
}
