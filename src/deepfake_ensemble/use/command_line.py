"""Classify images with the trained ensemble: real photographs or AI-made ones?"""

import os

# Photographs are looked at side by side; the threads of NumPy's products would be in each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# joblib, which reads the face finder's weights, would write a semaphore when it is imported.
os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")

import argparse
import dataclasses
import io
import itertools
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn, get_args

import shtab

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.classifier import Device
from deepfake_ensemble.portable.metadata import DEFAULT
from deepfake_ensemble.use.classifying import FacesMode
from deepfake_ensemble.use.formats import ENDINGS, FORMATS, Format
from deepfake_ensemble.use.inputs import Input, StorageFault, storage_fault
from deepfake_ensemble.use.opening import MODEL_FILE

if TYPE_CHECKING:
    from deepfake_ensemble.portable.metadata import ModelMetadata
    from deepfake_ensemble.use.classifying import Classified
    from deepfake_ensemble.use.verdicts import DecisionRule

_EXIT_CODES = """\
exit codes:
  0    everything was done
  1    some images could not be used; each has its row, with the reason; or a shard is damaged or missing
  2    nothing was done: a wrong argument, no model file
  3    it broke off: a disk, an archive or the network under it failed in reading or writing; of a collection
       some shards are not done, and the same command goes on
  130  interrupted
"""

_PREDICT = """\
examples:
  deepfake-ensemble predict photo.jpg
  deepfake-ensemble predict holiday/ 'album/**/*.png' pictures.zip
  deepfake-ensemble predict --format json --output results.json pictures.zip
  deepfake-ensemble predict --threshold youden --model xception photo.jpg
  deepfake-ensemble predict --explain heatmaps/ photo.jpg
  deepfake-ensemble predict --whole drawing.png
  cat photo.jpg | deepfake-ensemble predict -

JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC, AVIF and JPEG 2000 up to 64 megapixels and 64 MiB; of an animation,
the first frame. In folders, patterns and archives other files are passed over, and counted on standard error.

"""

_INFO = """\
examples:
  deepfake-ensemble info
  deepfake-ensemble info --format json --file ensemble.onnx

"""

_SERVE = """\
examples:
  deepfake-ensemble serve
  deepfake-ensemble serve --port 9000 --file ensemble.onnx
  deepfake-ensemble serve --host 0.0.0.0 --allow-host study.local
  curl --data-binary @photo.jpg 'http://127.0.0.1:8000/api/classify?name=photo.jpg'

Images stay in this computer's memory while they are looked at, and are kept nowhere.

"""

_COLLECTION = """\
examples:
  deepfake-ensemble classify-collection shards/ --output results/
  deepfake-ensemble classify-collection 's3://bucket/train-*.tar' --output s3://bucket/results --sample 1000
  deepfake-ensemble classify-collection --workers 4 --manifest photos.parquet --output results/

What is done is not done again: the same command goes on, however it ended. A shard is a zip or tar archive, a
Parquet file with images in a column, or so many loose images.

"""

_LIST = """\
examples:
  deepfake-ensemble list-collection s3://bucket/photos --output photos.parquet

"""


def parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    top = argparse.ArgumentParser(
        prog="deepfake-ensemble",
        description=__doc__,
        epilog=f"deepfake-ensemble COMMAND --help has examples.\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, help="print the version and exit")
    shtab.add_argument_to(top, ["--print-completion"], help="print the completion of a shell and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, summary: str, examples: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=examples + _EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == "list-collection":
            return sub
        file = sub.add_argument(
            "--file", type=Path, default=MODEL_FILE, help=f"the model file; {MODEL_FILE} by default"
        )
        file.complete = shtab.FILE  # type: ignore[attr-defined]
        if name != "info":
            sub.add_argument(
                "--device",
                choices=get_args(Device),
                default="auto",
                help="what computes: by default a GPU, if ONNX Runtime can use one",
            )
        return sub

    predict = command("predict", "say of images how likely they are fake", _PREDICT)
    paths = predict.add_argument(
        "path",
        nargs="+",
        help="a file, a folder, a pattern in quotes, a zip archive, - for standard input",
    )
    paths.complete = shtab.FILE  # type: ignore[attr-defined]
    predict.add_argument(
        "--format",
        choices=list(FORMATS),
        help=f"of the results; by default as --output ends ({', '.join(ENDINGS)}), else table",
    )
    predict.add_argument("--output", type=Path, metavar="FILE", help="write the results there")
    _add_decision(predict)
    predict.add_argument(
        "--explain",
        type=Path,
        metavar="DIR",
        help="write heat maps there (Grad-CAM), a PNG for each image and detector: bright spots speak the"
        " most for the verdict; needs the training packages and the .keras models beside the model file",
    )

    collection = command("classify-collection", "classify millions of images, shard by shard", _COLLECTION)
    collection.add_argument(
        "path", nargs="*", help="a folder, a shard or a pattern in quotes, here or at an address (s3://...)"
    )
    collection.add_argument(
        "--manifest",
        metavar="FILE",
        help="what to classify, in the place of paths: as list-collection writes it, or a path a line",
    )
    collection.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="folder or address for results/, a Parquet file for each shard, and summary.json and .html",
    )
    _add_decision(collection)
    collection.add_argument(
        "--sample",
        type=_whole(1, 10**6),
        metavar="N",
        help="for a first look: some N images, drawn at random from at most ten shards",
    )
    _add_per_shard(collection)
    collection.add_argument(
        "--image-column", metavar="NAME", help="of Parquet files, where several columns hold bytes"
    )
    collection.add_argument(
        "--workers",
        type=_whole(1, 10**4),
        default=1,
        metavar="N",
        help="processes, each with a GPU or a share of the cores; more than one needs Ray",
    )
    collection.add_argument(
        "--threads",
        type=_whole(1, 1024),
        default=0,
        metavar="N",
        help="cores of a worker; by default an equal share",
    )
    collection.add_argument("--address", metavar="HOST:PORT", help="a cluster of Ray that runs")
    collection.add_argument(
        "--retries",
        type=_whole(0, 6),
        default=3,
        metavar="N",
        help="new attempts after a fault of storage, after 1, 5, 25, ... seconds; 3 by default",
    )

    listing = command("list-collection", "list the images and shards of a collection once", _LIST)
    listing.add_argument("path", nargs="+", help="a folder or a pattern in quotes, here or at an address")
    listing.add_argument("--output", required=True, metavar="FILE", help="the manifest, a Parquet file")
    _add_per_shard(listing)

    info = command("info", "tell what model this is, what it was trained on, and how well it does", _INFO)
    info.add_argument("--format", choices=["text", "json"], default="text", help="of the answer")

    serve = command("serve", "open a page to drop images on", _SERVE)
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; by default only this computer's"
    )
    serve.add_argument(
        "--port", type=_whole(0, 2**16 - 1), default=8000, help="port to listen on; 8000 by default"
    )
    serve.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that this computer, or a proxy before it, has in addresses; may be repeated",
    )
    serve.add_argument(
        "--rate",
        type=_whole(1, 10**9),
        default=600,
        help="images a minute from one address; 600 by default",
    )
    return top


def _add_decision(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        default=ENSEMBLE,
        metavar="NAME",
        help="which detector decides; by default the ensemble, or the only one",
    )
    command.add_argument(
        "--threshold",
        default=DEFAULT,
        metavar="T",
        help="from which P(fake) on an image is called fake: a multiple of 0.01, or one of the operating"
        " points default, youden, fpr_1_percent, fpr_1_permille",
    )
    command.add_argument(
        "--faces",
        choices=get_args(FacesMode),
        default="auto",
        help="classify each face (only), the whole image (whole), or by default faces if the models were"
        " trained on faces",
    )
    command.add_argument(
        "--whole", dest="faces", action="store_const", const="whole", help="the same as --faces whole"
    )


def _add_per_shard(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--per-shard",
        type=_whole(1, 10**6),
        default=10_000,
        metavar="N",
        help="loose images that make a shard; 10,000 by default",
    )


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __init__(self, option_strings: list[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('deepfake-ensemble')}")
        parser.exit()


def _whole(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text[:20]) <= most:
            raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number from {least} to {most:,}")
        return int(text)

    return number


def main() -> NoReturn:
    """Run the command and exit."""
    signal.signal(signal.SIGTERM, _terminate)
    warnings.filterwarnings("ignore", module="PIL")  # of what it finds odd in an image and reads all the same
    commands = {
        "predict": _predict,
        "classify-collection": _classify_collection,
        "list-collection": _list_collection,
        "info": _info,
        "serve": _serve,
    }
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not be Unicode at all
    try:
        arguments = parser().parse_args()
        code = commands[arguments.command](arguments)
        sys.stdout.flush()
    except UserError as error:
        _give_up(str(error))
    except BrokenPipeError:
        # Whoever read has had enough (`| head`); Python would complain once more while it closes the pipe.
        sys.stderr.close()
        code = 0
    except KeyboardInterrupt:
        print("deepfake-ensemble: interrupted", file=sys.stderr)
        code = 130
    except StorageFault as fault:
        _give_up(f"{fault}; the storage is at fault, not an image, and what follows was not looked at", 3)
    except OSError as error:
        place = str(error.filename or "disk")
        _give_up(
            f"{place}: {(error.strerror or str(error)).lower()}", 3 if storage_fault(place, error) else 2
        )
    sys.exit(code)


def _give_up(reason: str, code: int = 2) -> NoReturn:
    print(f"deepfake-ensemble: {reason}", file=sys.stderr)
    sys.exit(code)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _predict(arguments: argparse.Namespace) -> int:
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.use import wording
    from deepfake_ensemble.use.classifying import NO_FACE, Classified, Failed, classify
    from deepfake_ensemble.use.inputs import Inputs
    from deepfake_ensemble.use.opening import open_classifier
    from deepfake_ensemble.use.recognising import counted
    from deepfake_ensemble.use.verdicts import decision_rule, shown

    format_ = _format(arguments.format, arguments.output)
    if arguments.model.endswith((".onnx", ".keras")) or "/" in arguments.model:
        raise UserError(
            f"--model {arguments.model}: names a detector in the model file; --file names that file"
        )
    classifier = open_classifier(arguments.file, arguments.device)
    metadata = classifier.metadata
    by = decision_rule(metadata, arguments.model, arguments.threshold)
    explained = _explainer(arguments, metadata, by)
    if format_ != "table":
        if metadata.demonstration:
            print(wording.DEMONSTRATION, file=sys.stderr)
        if classifier.changed:
            print(wording.CHANGED, file=sys.stderr)
    failed = faceless = heat_maps = 0

    with closing(Inputs(arguments.path)) as inputs, _destination(arguments.output, format_) as destination:

        def told() -> "Iterator[Classified | Failed]":
            nonlocal failed, faceless, heat_maps
            with count_progress("classify", len(inputs)) as advance:
                results = classify(classifier, inputs, shown(metadata, by), arguments.faces)
                for each, result in zip(inputs, results, strict=True):
                    failed += isinstance(result, Failed)
                    faceless += isinstance(result, Failed) and result.reason.startswith(NO_FACE)
                    if isinstance(result, Classified):
                        heat_maps += explained(each, result)
                    advance(1)
                    yield result

        for text in FORMATS[format_](told(), metadata, by):
            destination.write(text)
    if arguments.output is not None:
        print(f"deepfake-ensemble: results in {arguments.output}", file=sys.stderr)
    if arguments.explain is not None:
        print(
            f"deepfake-ensemble: {heat_maps:,} heat map{'s' * (heat_maps != 1)} in {arguments.explain}, on"
            " what the networks see; bright spots speak the most for the verdict, in an all grey one nothing"
            " does",
            file=sys.stderr,
        )
    if inputs.passed_over:
        hint = "; a zip is opened where it is named itself" if inputs.passed_over.get("archive") else ""
        print(f"deepfake-ensemble: passed over: {counted(inputs.passed_over)}{hint}", file=sys.stderr)
    if failed:
        hint = "; --whole classifies images without a face as they are" if faceless else ""
        print(f"deepfake-ensemble: {failed:,} of {len(inputs):,} could not be used{hint}", file=sys.stderr)
    return 1 if failed else 0


def _explainer(
    arguments: argparse.Namespace, metadata: "ModelMetadata", by: "DecisionRule"
) -> "Callable[[Input, Classified], int]":
    """Return what writes the heat maps of an image, if they are wanted, and returns how many these are."""
    from deepfake_ensemble.use import heatmaps
    from deepfake_ensemble.use.photographs import open_photograph, seen
    from deepfake_ensemble.use.verdicts import shown

    folder: Path | None = arguments.explain
    if folder is None:
        return lambda each, result: 0
    maker = heatmaps.Heatmaps(metadata, arguments.file.parent)
    if reason := maker.missing:
        raise UserError(f"--explain: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)
    detectors = shown(metadata, by)

    def write(each: "Input", result: "Classified") -> int:
        data = each.read()  # once more: to keep photographs would take memory
        photograph = open_photograph(data) if isinstance(data, bytes) else seen(data)
        pictures = maker.pictures(result, photograph.image, by, detectors)
        heatmaps.write(folder, next(numbers), result.image.name, pictures)
        return len(pictures)

    return write


def _format(asked: Format | None, output: Path | None) -> Format:
    """Return how results are written: as is asked for, or as the file for them ends.

    Raises:
        UserError: if the two contradict, or the ending says nothing.
    """
    if output is None:
        return asked or "table"
    if not output.parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.parent}; make it first")
    if output.is_dir():
        raise UserError(f"--output {output}: a folder; name a file in it")
    suffix = output.suffix.lower()
    ending = ENDINGS.get(suffix)
    if asked and ending and asked != ending:
        raise UserError(f"--output {output}: ends as {ending} does, and --format says {asked}; leave one out")
    if not asked and not ending and suffix:
        raise UserError(
            f"--output {output}: nothing is written as {suffix}; take {', '.join(ENDINGS)}, or say --format"
        )
    return asked or ending or "table"


@contextmanager
def _destination(output: Path | None, format_: Format) -> Iterator[IO[str]]:
    """Yield where results go: standard output, or a file that appears once it is complete."""
    from deepfake_ensemble.foundation.files import replacing_file

    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # What programs read is UTF-8 wherever it is written; a file's name may not be Unicode at all.
            encoding = sys.stdout.encoding if format_ == "table" else "utf-8"
            sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
        yield sys.stdout
        return
    with (
        replacing_file(output) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def _classify_collection(arguments: argparse.Namespace) -> int:
    _require_collections()
    from deepfake_ensemble.use.collection.run import Asked, classify_collection

    if bool(arguments.path) == bool(arguments.manifest):
        raise UserError("classify-collection: name paths, or a --manifest")
    asked = {field.name for field in dataclasses.fields(Asked)}
    options = {name: value for name, value in vars(arguments).items() if name in asked}
    return classify_collection(
        Asked(**options | {"named": arguments.path, "model": arguments.file, "detector": arguments.model})
    )


def _list_collection(arguments: argparse.Namespace) -> int:
    _require_collections()
    from deepfake_ensemble.use.collection.run import list_collection

    return list_collection(arguments.path, arguments.output, arguments.per_shard)


def _require_collections() -> None:
    if missing := [name for name in ("fsspec", "jinja2", "matplotlib", "pyarrow") if find_spec(name) is None]:
        raise UserError(
            f"a collection needs {', '.join(missing)}: `pip install 'deepfake-ensemble[collections]'`"
        )


def _info(arguments: argparse.Namespace) -> int:
    from deepfake_ensemble.portable.metadata import as_plain
    from deepfake_ensemble.use.info import as_text
    from deepfake_ensemble.use.opening import open_classifier

    metadata = open_classifier(arguments.file, "cpu").metadata
    if arguments.format == "json":
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        print(json.dumps(as_plain(metadata), indent=2, ensure_ascii=False))
    else:
        print(as_text(metadata), end="")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from deepfake_ensemble.use.server import serve

    return serve(
        arguments.file,
        arguments.host,
        arguments.port,
        arguments.rate,
        device=arguments.device,
        also_called=arguments.allow_host,
    )


if __name__ == "__main__":
    main()
