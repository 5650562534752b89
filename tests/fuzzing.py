"""Try mutated archives, images, parameters and tables: each is read, or refused in one line.

    python tests/fuzzing.py                      # 100,000 inputs, then docs/fuzzing.md; some ten minutes
    python tests/fuzzing.py --seconds 60         # as many as a minute allows, no page

Inputs are made from whole ones by cutting, repeating, joining, flipping bits and putting in what readers
stumble over; the same seed makes the same inputs. A finding is anything but a result or a refusal: another
exception, a message of several lines, more than ten seconds of the processor or two minutes, more memory than
allowed, a file opened for writing outside of the working folder, a program started, a connection made.
"""

import argparse
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms, PngImagePlugin

import credentials
import model_file
from deepfake_ensemble.archives.archive import Limits, open_archive
from deepfake_ensemble.archives.audit import AuditParams, audit
from deepfake_ensemble.archives.index import read_index, read_split
from deepfake_ensemble.archives.layouts import LAYOUTS
from deepfake_ensemble.evaluation import predictions, weights_file
from deepfake_ensemble.faces.alignment import aligned
from deepfake_ensemble.foundation import params
from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.portable.graph_digest import graph_digest
from deepfake_ensemble.reading.images import BadImage, pixels
from deepfake_ensemble.sample import photographs
from deepfake_ensemble.studies.ensemble import params as schema
from deepfake_ensemble.use.photographs import open_photograph
from pictures import encoded, picture

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/fuzzing.md"
SECONDS_PER_INPUT = 10  # of the processor: on the clock, a machine that swaps takes as long for nothing
PATIENCE = 120  # seconds on the clock, for a reader that waits
MEMORY = 4 * 2**30
WORKING_FILE = Path("input")
LIMITS = Limits(files=50, file_bytes=2**20, total_bytes=2**22, ratio=100)
PARAMETERS = "a cat\nSteps: 20, Sampler: Euler"
XMP = f'<x xmp:CreatorTool="a program" t="{credentials.TRAINED}"/>'.encode()
NUMBERS = [b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x01\0\0\0"]


class Hang(BaseException):
    """An input took too long; no reader takes this for a reason to refuse it, as it might a TimeoutError."""


@dataclass(frozen=True)
class Target:
    """One reader: what it reads, what to put into that, and how to call it with a file's path."""

    name: str
    share: float
    corpus: list[bytes]
    tokens: list[bytes]
    read: Callable[[Path], object]


@dataclass
class Tally:
    """What became of the inputs of one target."""

    inputs: int = 0
    read: int = 0
    messages: set[str] = field(default_factory=set)
    slowest: float = 0.0
    findings: list[str] = field(default_factory=list)


def _archives() -> list[bytes]:
    made = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as file:
            for number, folder in enumerate(LAYOUTS["faces"].folders()):
                file.writestr(f"{folder}a.jpg", encoded(picture(number, 8, 8)))
            rows = "0,/x/a.jpg,a,1,real,train/real/a.jpg\n1,/x/a.jpg,a,0,fake,train/fake/a.jpg\n"
            file.writestr("train.csv", f",original_path,id,label,label_str,path\n{rows}")
        made.append(buffer.getvalue())
    return made


def _images() -> list[bytes]:
    small = picture(1, 12, 9)
    return [
        encoded(small, quality=75),
        encoded(small, quality=75, progressive=True),
        encoded(small.convert("CMYK")),
        encoded(small.convert("L")),
        encoded(small, "PNG"),
        encoded(small.convert("P"), "PNG"),
        encoded(small, "GIF", save_all=True, append_images=[picture(2, 12, 9)]),
        encoded(small, "WEBP"),
        encoded(small, "WEBP", lossless=True),
        encoded(small, "BMP"),
        encoded(small, "TIFF"),
        encoded(small, "TIFF", compression="tiff_lzw"),
    ]


def _photographs() -> list[bytes]:
    small = picture(1, 24, 18)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0131] = "a program"
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + PARAMETERS.encode("utf-16-be")
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", PARAMETERS, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return [
        encoded(small, "HEIF", exif=exif.tobytes(), icc_profile=profile),
        encoded(small.convert("RGBA"), "HEIF", save_all=True, append_images=[picture(2, 24, 18)]),
        encoded(small, "AVIF", exif=exif.tobytes(), icc_profile=profile),
        encoded(small, "AVIF", save_all=True, append_images=[picture(2, 24, 18)]),
        encoded(small, "JPEG2000"),
        encoded(small.convert("LA"), "JPEG2000", quality_mode="rates", quality_layers=[10]),
        encoded(small, "MPO", save_all=True, append_images=[picture(2, 24, 18)]),
        encoded(small, exif=exif.tobytes(), icc_profile=profile),
        encoded(small.convert("RGBA"), "PNG", icc_profile=profile),
        encoded(small.convert("RGBA"), "WEBP", icc_profile=profile),
        encoded(small.convert("CMYK"), "TIFF", icc_profile=profile),
        encoded(small, exif=exif.tobytes(), xmp=XMP, comment=PARAMETERS),
        encoded(small, "PNG", exif=exif.tobytes(), pnginfo=texts),
        credentials.signed(encoded(small)),
        credentials.signed(encoded(small, "PNG"), "image/png"),
    ]


def _faces() -> list[bytes]:
    """Return two faces, upright and turned, and two pictures without one."""
    astronaut = Image.fromarray(photographs.read("skimage/data/astronaut.png").pixels)
    face = astronaut.crop((150, 40, 300, 190)).resize((75, 75))
    shown = [face, face.rotate(30), *(picture(seed, 64, 48) for seed in range(2))]
    return [encoded(image, quality=75) for image in shown]


def _read_users_archive(path: Path) -> None:
    with open_archive(path, LIMITS, of_user=True) as archive:
        for name in archive.names:
            with suppress(UserError):  # costs one row
                archive.read(name)


def _find_faces(path: Path) -> None:
    for each in aligned(open_photograph(path.read_bytes()).image):
        each.image.load()


def _digest(path: Path) -> None:
    try:
        graph_digest(path.read_bytes())
    except ValueError as error:
        raise UserError(str(error)) from None


def _read_archive(path: Path) -> None:
    layout = LAYOUTS["faces"]
    with open_archive(path, LIMITS) as archive:
        layout.problem(archive.names)
        for name in archive.names:
            content = archive.read(name)
            if name.endswith(".csv"):
                with suppress(ValueError):  # the audit names the table beside the reason
                    layout.table_labels(content)


def _audit(path: Path) -> None:
    with (
        open_archive(path, LIMITS) as archive,
        Path(os.devnull).open("w") as silent,
        redirect_stderr(silent),
    ):
        audit(archive, LAYOUTS["faces"], AuditParams(on_bad_image="drop", seed=42))


def _read_params(path: Path) -> None:
    problems = schema.CHECK.problems(params.load(path))
    if problems:
        raise UserError(problems[0])


def targets() -> list[Target]:
    """Return the readers of archives, images, parameters and tables."""
    parts = [*NUMBERS, b"PK\x01\x02", b"PK\x05\x06", b"../"]
    table = 'path,label,p_fake\ntrain/REAL/0000 (4).jpg,0,0.25\n"b, c.jpg",1,0.9999999\n'
    row = f"a.jpg,1,{'0' * 64}"
    numbers = [b"nan", b"inf", b"-1", b"1e999", b"0x1p3", b"1_0", b"9" * 400, "１".encode(), b""]
    lines = [b",", b'"', b"\n", b"\r", b"\0", b"\xff", "\u2028".encode(), b"a" * 200_000]
    words = [b": ", b"- ", b"[", b"{", b"&a", b"*a", b"!!python/object:os.system", b"<<", b"~", b"|", b"\t"]
    return [
        Target("archives", 0.24, _archives(), parts, _read_archive),
        Target("archives, audited", 0.02, _archives(), parts, _audit),
        Target("images", 0.2, _images(), NUMBERS, lambda path: pixels(path.read_bytes(), 32)),
        Target(
            "photographs",
            0.14,
            [*_images(), *_photographs()],
            [*NUMBERS, b"ftyp", b"acsp", b"irot", b"jumb", b"c2pa", b"http://127.0.0.1:9/"],
            lambda path: open_photograph(path.read_bytes()),
        ),
        Target(
            "faces in photographs",
            0.02,
            _faces(),
            NUMBERS,
            _find_faces,
        ),
        Target("archives of users", 0.06, _archives(), parts, _read_users_archive),
        Target("model files", 0.02, [model_file.network().SerializeToString()], NUMBERS, _digest),
        Target(
            "params.yaml",
            0.05,
            [(ROOT / "params.yaml").read_bytes(), b"profile: a\nprofiles: {a: {}}\n"],
            [*words, *numbers, *lines[:6]],
            _read_params,
        ),
        Target("predictions", 0.08, [table.encode()], [*numbers, *lines], predictions.read),
        Target("splits", 0.07, [f"path,label,sha256\n{row}\n".encode()], [*numbers, *lines], read_split),
        Target(
            "indexes",
            0.05,
            [f"path,label,sha256,status\n{row},ok\n".encode()],
            [*numbers, *lines],
            read_index,
        ),
        Target(
            "weights",
            0.05,
            [json.dumps({"cnn": 0.25, "resnet50": 0.75}).encode()],
            [*numbers, *words, *lines[:6], b"NaN", b"[" * 5_000],
            weights_file.read,
        ),
    ]


def mutated(target: Target, rng: random.Random) -> bytes:
    """Return a whole file with one to eight changes."""
    data = bytearray(rng.choice(target.corpus))
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
        match rng.randrange(7):
            case 0 if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
            case 2:
                del data[at:to]
            case 3:
                data[at:at] = data[at:to] * rng.choice((1, 2, 9))
            case 4:
                data[at:at] = rng.choice(target.tokens)
            case 5:
                token = rng.choice(target.tokens)
                data[at : at + len(token)] = token
            case _:
                other = rng.choice(target.corpus)
                data[at:] = other[rng.randrange(len(other)) :]
        del data[400_000:]
    return bytes(data)


def attempt(target: Target, data: bytes, tally: Tally) -> None:
    """Give one input, which lies in the working file, to its reader and note what happens."""
    tally.inputs += 1
    began = time.process_time()
    try:
        target.read(WORKING_FILE)
        tally.read += 1
    except (UserError, BadImage) as refusal:
        message = str(refusal)
        if not message or not message.isprintable():
            tally.findings.append(f"{target.name}: the message is {message!r}")
        tally.messages.add("".join("#" if letter.isdigit() else letter for letter in message)[:60])
    except BaseException:
        tally.findings.append(f"{target.name}: {traceback.format_exc()}\n{data[:2_000]!r}")
    finally:
        tally.slowest = max(tally.slowest, time.process_time() - began)


def forbid(folder: Path, findings: list[str]) -> None:
    """Note every writing outside `folder`, every program started, every connection, from now on."""
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    inside = folder.resolve()

    def heed(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes) and (arguments[2] or 0) & writing:
            where = os.path.realpath(os.fsdecode(arguments[0]))
            if not Path(where).is_relative_to(inside) and where != os.devnull:
                findings.append(f"opened for writing: {where}")
        elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect"):
            findings.append(f"{event}: {arguments}")

    sys.addaudithook(heed)


def fuzz(inputs: int, seconds: float, seed: int) -> tuple[dict[str, Tally], list[str]]:
    """Try `inputs` inputs, or as many as `seconds` allow, in the current folder."""
    forbidden: list[str] = []
    sys.dont_write_bytecode = True
    forbid(Path.cwd(), forbidden)
    heed_time()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    tallies = {}
    for target in targets():
        rng, tally = random.Random(f"{seed} {target.name}"), Tally()
        end = time.monotonic() + seconds * target.share
        for data in _whole_ones_first(target, rng):
            WORKING_FILE.write_bytes(data)
            with bounded_time(SECONDS_PER_INPUT, PATIENCE):
                attempt(target, data, tally)
            if tally.inputs >= inputs * target.share or time.monotonic() > end:
                break
        tallies[target.name] = tally
    return tallies, forbidden


def _whole_ones_first(target: Target, rng: random.Random) -> Iterator[bytes]:
    yield from target.corpus
    while True:
        yield mutated(target, rng)


def heed_time() -> None:
    """Let the signals of `bounded_time` be findings."""
    for sent in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(sent, _too_slow)


@contextmanager
def bounded_time(seconds: float, patience: float) -> Iterator[None]:
    """Send SIGPROF after so many seconds of the processor, and SIGALRM after so many on the clock."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_slow(signum: int, frame: object) -> None:
    raise Hang(signal.Signals(signum).name)


def page(tallies: dict[str, Tally], seed: int, peak: int) -> str:
    """Return docs/fuzzing.md."""
    rows = [
        f"| {name} | {it.inputs:,} | {it.read:,} | {it.inputs - it.read - len(it.findings):,} |"
        f" {len(it.messages):,} | {it.slowest:.2f} s | {len(it.findings)} |"
        for name, it in tallies.items()
    ]
    total = sum(it.inputs for it in tallies.values())
    return f"""# Mutated input

`python tests/fuzzing.py` (seed {seed}) gave {total:,} mutated files to the readers of archives, images,
params.yaml and the tables between stages. A finding would be anything but a result or a refusal in one line:
another exception, more than {SECONDS_PER_INPUT} seconds of the processor or {PATIENCE} on the clock, more
than {MEMORY // 2**30} GiB of memory, a file opened for writing outside the working folder, a program started,
a connection made. The process took {peak / 2**20:,.0f} MiB at most. `make test` tries for a minute.

| what | inputs | read | refused | distinct refusals | slowest (processor) | findings |
|---|--:|--:|--:|--:|--:|--:|
{chr(10).join(rows)}
"""


def main() -> None:
    """Fuzz in a temporary folder; exit with code 1 and print the findings if there are any."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, help="stop after so many, and write no page")
    parser.add_argument("--seed", type=int, default=42)
    asked = parser.parse_args()
    errors = os.dup(2)
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as silent:
        os.chdir(folder)
        os.dup2(silent.fileno(), 2)  # libtiff complains there by itself
        try:
            tallies, forbidden = fuzz(asked.inputs, asked.seconds or 1e9, asked.seed)
        finally:
            os.dup2(errors, 2)
            os.chdir(ROOT)
    findings = [*forbidden, *(finding for tally in tallies.values() for finding in tally.findings)]
    for name, tally in tallies.items():
        print(f"{name}: {tally.inputs:,} inputs, {tally.read:,} read, {len(tally.messages):,} refusals")
    if findings:
        sys.exit("\n".join([f"{len(findings)} findings, the first ones:", *findings[:5]]))
    if asked.seconds is None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        PAGE.write_text(page(tallies, asked.seed, peak), encoding="utf-8")


if __name__ == "__main__":
    main()
