"""Results as text: a table to read, CSV, JSON, or JSON line by line. Each is written as results come."""

import csv
import io
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Literal

from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.classifying import Classified, Failed
from deepfake_ensemble.use.verdicts import DecisionRule, ErrorRates, shown, told

Format = Literal["table", "csv", "json", "jsonl"]

Results = Iterable[Classified | Failed]

_EDGES = ("left", "top", "right", "bottom")


def record(result: Classified | Failed, metadata: ModelMetadata, rule: DecisionRule) -> dict[str, Any]:
    """Return a result as plain data; what a failed image lacks is null, and `error` says why."""
    known: dict[str, Any] = dict.fromkeys(
        (*told(metadata), "verdict", "unlike_training", "unlike_by", "meaning")
    )
    if isinstance(result, Classified):
        known = _known(result, metadata, rule)
    return {
        "image": result.name if isinstance(result, Failed) else result.image.name,
        **known,
        "decided_by": rule.detector,
        "threshold": rule.threshold,
        **_rates(rule.internal, ""),
        **_rates(rule.worst, "worst_"),
        "demonstration": metadata.demonstration,
        "note": None if isinstance(result, Failed) else result.image.note,
        "statements": None if isinstance(result, Failed) else [asdict(it) for it in result.image.statements],
        "error": result.reason if isinstance(result, Failed) else None,
        "size": None if isinstance(result, Failed) else list(result.image.size),
        "faces": None if isinstance(result, Failed) else faces(result, metadata, rule),
    }


def faces(result: Classified, metadata: ModelMetadata, rule: DecisionRule) -> list[dict[str, Any]] | None:
    """Return the faces of an image as plain data; None if they were not looked for."""
    if result.faces is None:
        return None
    return [
        {
            "box": list(face.image.box or ()),
            "angle": round(face.image.around.angle, 1) if face.image.around else 0.0,
            **_known(face, metadata, rule),
        }
        for face in result.faces
    ]


def _known(result: Classified, metadata: ModelMetadata, rule: DecisionRule) -> dict[str, Any]:
    meaning = wording.meaning(metadata, rule.detector, result.p_fake[rule.detector])
    return {**verdict(result, metadata, rule), "meaning": meaning}


def verdict(result: Classified, metadata: ModelMetadata, rule: DecisionRule) -> dict[str, Any]:
    """Return P(fake) by each detector, what follows from it, and whether the image is unlike training."""
    unlike = unlike_by(result, metadata)
    return {
        **{name: result.p_fake.get(name) for name in told(metadata)},
        "verdict": rule.verdict(result.p_fake[rule.detector]),
        "unlike_training": bool(unlike),
        "unlike_by": unlike,
    }


def unlike_by(result: Classified, metadata: ModelMetadata) -> list[str]:
    """Return what of an image is unlike training: its "pixels", what the networks make of it ("features")."""
    found = {
        "pixels": result.image.score > metadata.typical.limit,
        "features": result.distance is not None and result.distance > metadata.feature_limit,
    }
    return [name for name, is_so in found.items() if is_so]


def _rates(errors: ErrorRates | None, which: str) -> dict[str, Any]:
    return {
        f"{which}reals_called_fake": errors and errors.reals_called_fake.value,
        f"{which}fakes_called_real": errors and errors.fakes_called_real.value,
        f"{which}measured_on": errors and wording.where(errors.measured),
    }


def as_json(results: Results, metadata: ModelMetadata, rule: DecisionRule) -> Iterator[str]:
    """Yield a list of records."""
    before = "[\n"
    for result in results:
        yield before + json.dumps(record(result, metadata, rule), ensure_ascii=False, allow_nan=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def as_jsonl(results: Results, metadata: ModelMetadata, rule: DecisionRule) -> Iterator[str]:
    """Yield a record a line."""
    for result in results:
        yield json.dumps(record(result, metadata, rule), ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(results: Results, metadata: ModelMetadata, rule: DecisionRule) -> Iterator[str]:
    """Yield a header and a row for each image and, under it, one for each of its faces."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    left_out = ("meaning", "size", "faces")  # a long sentence, and what has columns of its own
    header = [name for name in record(Failed("", ""), metadata, rule) if name not in left_out]
    header[1:1] = ["face", *_EDGES, "angle"]
    writer.writerow(header)
    for result in results:
        yield line.getvalue()
        line.seek(0)
        line.truncate()
        it = record(result, metadata, rule)
        for number, face in enumerate([{}, *(it["faces"] or [])]):
            edges = dict(zip(_EDGES, face.get("box", ()), strict=False))
            row = {**it, **(face and {"statements": None}), **face, **edges, "face": number or None}
            writer.writerow([_cell(row.get(name)) for name in header])
    yield line.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, list):  # of words, or of statements
        return "; ".join(each if isinstance(each, str) else wording.statement(each) for each in value)
    return str(value).lower() if isinstance(value, bool) else value


def as_table(results: Results, metadata: ModelMetadata, rule: DecisionRule) -> Iterator[str]:
    """Yield a table, with the image last because names have any length, and around it what it means."""
    if metadata.demonstration:
        yield textwrap.fill(wording.DEMONSTRATION, 110) + "\n\n"
    if not rule.errors:
        yield textwrap.fill(wording.CHANGED, 110) + "\n\n"
    widths = {name: max(len(name), 6) for name in shown(metadata, rule)}
    names = "  ".join(f"{name:>{width}}" for name, width in widths.items())
    yield f"{names}  verdict  unlike    image\n"

    def line(it: Mapping[str, Any], what: str) -> str:
        cells = "  ".join(
            f"{'' if it[name] is None else f'{it[name]:.4f}':>{width}}" for name, width in widths.items()
        )
        by = it["unlike_by"]
        unlike = "-" if by is None else "both" if len(by) > 1 else "".join(by) or "no"
        return f"{cells}  {it['verdict'] or '-':<7}  {unlike:<8}  {what}\n"

    classified = flagged = several = stated = False
    for result in results:
        it = record(result, metadata, rule)
        faces = it["faces"] or []
        found = f"the most likely fake of {len(faces)} faces" if len(faces) > 1 else "".join(map(_at, faces))
        said = "; ".join(filter(None, (it["error"], it["note"], found)))
        yield line(it, _printable(it["image"]) + (f"  ({said})" if said else ""))
        if len(faces) > 1:
            several = True
            for number, face in enumerate(faces, start=1):
                yield line(face, f"  {number}: {_at(face)}")
        for each in it["statements"] or ():
            if each["kind"] != "software":  # every camera and every program names itself
                stated = True
                yield (
                    textwrap.fill(
                        f"{_printable(it['image'])} says of itself: {wording.statement(each)}",
                        110,
                        initial_indent="    ",
                        subsequent_indent="    ",
                        break_on_hyphens=False,
                    )
                    + "\n"
                )
        classified |= isinstance(result, Classified)
        flagged |= any(each["unlike_training"] for each in (it, *faces))
    if classified:
        yield "\n"
    for sentence in (
        *([wording.SEVERAL] if several else ()),
        *(wording.errors(rule) if classified else ()),
        *(wording.unlike(metadata) if flagged else ()),
        *([wording.STATEMENTS] if stated else ()),
    ):
        yield textwrap.fill(sentence, 110) + "\n"


def _at(face: Mapping[str, Any]) -> str:
    left, top, right, bottom = face["box"]
    return f"face from {left}, {top} to {right}, {bottom}"


def _printable(name: str) -> str:
    return name if name.isprintable() else ascii(name)


ENDINGS: Mapping[str, Format] = {
    ".txt": "table",
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
"""What a file's ending says of what is in it."""

FORMATS: Mapping[Format, Callable[[Results, ModelMetadata, DecisionRule], Iterator[str]]] = {
    "table": as_table,
    "csv": as_csv,
    "json": as_json,
    "jsonl": as_jsonl,
}
