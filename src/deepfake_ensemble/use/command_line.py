"""Classify images with the trained ensemble: real photographs or AI-made ones?"""

import argparse
import io
import itertools
import json
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn

import shtab

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.metadata import DEFAULT
from deepfake_ensemble.use.formats import FORMATS

if TYPE_CHECKING:
    from deepfake_ensemble.portable.metadata import ModelMetadata
    from deepfake_ensemble.use.classifying import Classified
    from deepfake_ensemble.use.verdicts import DecisionRule

MODEL_FILE = Path("models/ensemble.onnx")

_EXIT_CODES = """\
exit codes:
  0    everything was done
  1    some images could not be used; each has its row, with the reason
  2    nothing was done: a wrong argument, no model file
  130  interrupted
"""

_PREDICT = """\
examples:
  deepfake-ensemble predict photo.jpg
  deepfake-ensemble predict holiday/ 'album/**/*.png' pictures.zip
  deepfake-ensemble predict --format json --output results.json pictures.zip
  deepfake-ensemble predict --threshold youden --model xception photo.jpg
  deepfake-ensemble predict --explain heatmaps/ photo.jpg
  cat photo.jpg | deepfake-ensemble predict -

JPEG, PNG, WebP, GIF, BMP and TIFF up to 64 megapixels and 64 MiB; of an animation, the first frame.
In folders, patterns and archives, files of other endings are passed over.

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
  curl --data-binary @photo.jpg 'http://127.0.0.1:8000/api/classify?name=photo.jpg'

Images stay in this computer's memory while they are looked at, and are kept nowhere.

"""


def parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    top = argparse.ArgumentParser(
        prog="deepfake-ensemble",
        description=__doc__,
        epilog=f"deepfake-ensemble COMMAND --help has examples.\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
        file = sub.add_argument(
            "--file", type=Path, default=MODEL_FILE, help=f"the model file; {MODEL_FILE} by default"
        )
        file.complete = shtab.FILE  # type: ignore[attr-defined]
        return sub

    predict = command("predict", "say of images how likely they are fake", _PREDICT)
    paths = predict.add_argument(
        "path",
        nargs="+",
        help="a file, a folder, a pattern in quotes, a zip archive, - for standard input",
    )
    paths.complete = shtab.FILE  # type: ignore[attr-defined]
    predict.add_argument("--format", choices=list(FORMATS), default="table", help="of the results")
    predict.add_argument("--output", type=Path, metavar="FILE", help="write the results there")
    predict.add_argument(
        "--model", default=ENSEMBLE, metavar="NAME", help="which detector decides; the ensemble by default"
    )
    predict.add_argument(
        "--threshold",
        default=DEFAULT,
        metavar="T",
        help="from which P(fake) on an image is called fake: a multiple of 0.01, or one of the operating"
        " points default, youden, fpr_1_percent, fpr_1_permille",
    )
    predict.add_argument(
        "--explain",
        type=Path,
        metavar="DIR",
        help="write heat maps there (Grad-CAM), a PNG for each image and detector: bright spots speak the"
        " most for the verdict; needs the training packages and the .keras models beside the model file",
    )

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
        "--rate",
        type=_whole(1, 10**9),
        default=600,
        help="images a minute from one address; 600 by default",
    )
    return top


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
    commands = {"predict": _predict, "info": _info, "serve": _serve}
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
    except OSError as error:
        _give_up(f"{error.filename or 'disk'}: {(error.strerror or str(error)).lower()}")
    sys.exit(code)


def _give_up(reason: str) -> NoReturn:
    print(f"deepfake-ensemble: {reason}", file=sys.stderr)
    sys.exit(2)


def _terminate(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _predict(arguments: argparse.Namespace) -> int:
    from deepfake_ensemble.foundation.progress import count_progress
    from deepfake_ensemble.portable.classifier import Classifier
    from deepfake_ensemble.use import wording
    from deepfake_ensemble.use.classifying import Classified, Failed, classify
    from deepfake_ensemble.use.inputs import Inputs
    from deepfake_ensemble.use.verdicts import decision_rule

    classifier = Classifier(arguments.file)
    metadata = classifier.metadata
    by = decision_rule(metadata, arguments.model, arguments.threshold)
    wanted = None if arguments.model == ENSEMBLE else [arguments.model]
    explained = _explainer(arguments, metadata, by)
    if metadata.demonstration and arguments.format != "table":
        print(wording.DEMONSTRATION, file=sys.stderr)
    failed = heat_maps = 0

    with closing(Inputs(arguments.path)) as inputs, _destination(arguments.output) as destination:

        def results() -> "Iterator[Classified | Failed]":
            nonlocal failed, heat_maps
            with count_progress("classify", len(inputs)) as advance:
                for result in classify(classifier, inputs, wanted):
                    failed += isinstance(result, Failed)
                    if isinstance(result, Classified):
                        heat_maps += explained(result)
                    advance(1)
                    yield result

        for text in FORMATS[arguments.format](results(), metadata, by):
            destination.write(text)
    if arguments.output is not None:
        print(f"deepfake-ensemble: results in {arguments.output}", file=sys.stderr)
    if arguments.explain is not None:
        print(
            f"deepfake-ensemble: {heat_maps:,} heat maps in {arguments.explain}, as the networks see the"
            " image; bright spots speak the most for the verdict, in an all grey one nothing does",
            file=sys.stderr,
        )
    if failed:
        print(f"deepfake-ensemble: {failed:,} of {len(inputs):,} could not be used", file=sys.stderr)
    return 1 if failed else 0


def _explainer(
    arguments: argparse.Namespace, metadata: "ModelMetadata", by: "DecisionRule"
) -> "Callable[[Classified], int]":
    """Return what writes the heat maps of an image, if they are wanted, and returns how many these are."""
    from deepfake_ensemble.use import heatmaps

    folder: Path | None = arguments.explain
    if folder is None:
        return lambda result: 0
    maker = heatmaps.Heatmaps(metadata, arguments.file.parent)
    if reason := maker.missing:
        raise UserError(f"--explain: {reason}")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = itertools.count(1)
    detectors = metadata.detectors if by.detector == ENSEMBLE else [by.detector]

    def write(result: "Classified") -> int:
        towards_fake = by.verdict(result.p_fake[by.detector]) == "fake"
        maps = maker.overlaid(result.image.pixels, towards_fake, detectors)
        heatmaps.write(folder, next(numbers), result.image.name, maps)
        return len(maps)

    return write


@contextmanager
def _destination(output: Path | None) -> Iterator[IO[str]]:
    """Yield where results go: standard output, or a file that appears once it is complete."""
    from deepfake_ensemble.foundation.files import replacing_file

    if output is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may not be Unicode
        yield sys.stdout
        return
    with (
        replacing_file(output) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield file


def _info(arguments: argparse.Namespace) -> int:
    from deepfake_ensemble.portable.classifier import Classifier
    from deepfake_ensemble.portable.metadata import as_plain
    from deepfake_ensemble.use.info import as_text

    metadata = Classifier(arguments.file).metadata
    if arguments.format == "json":
        print(json.dumps(as_plain(metadata), indent=2, ensure_ascii=False))
    else:
        print(as_text(metadata), end="")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    from deepfake_ensemble.use.server import serve

    return serve(arguments.file, arguments.host, arguments.port, arguments.rate)


if __name__ == "__main__":
    main()
