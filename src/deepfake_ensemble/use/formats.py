"""Results as text: a table to read, CSV, JSON, or JSON line by line. Each is written as results come."""

import csv
import io
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from deepfake_ensemble.evaluation.weighting import ENSEMBLE
from deepfake_ensemble.portable.metadata import ModelMetadata
from deepfake_ensemble.use import wording
from deepfake_ensemble.use.classifying import Classified, Failed
from deepfake_ensemble.use.verdicts import DecisionRule, ErrorRates

Format = Literal["table", "csv", "json", "jsonl"]

Results = Iterable[Classified | Failed]


def record(result: Classified | Failed, metadata: ModelMetadata, rule: DecisionRule) -> dict[str, Any]:
    """Return a result as plain data; what a failed image lacks is null, and `error` says why."""
    p_fake: Mapping[str, float] = {} if isinstance(result, Failed) else result.p_fake
    known: dict[str, Any] = dict.fromkeys(("verdict", "unlike_training", "meaning"))
    if isinstance(result, Classified):
        known = {
            "verdict": rule.verdict(p_fake[rule.detector]),
            "unlike_training": result.image.score > metadata.typical.limit,
            "meaning": wording.meaning(metadata, rule.detector, p_fake[rule.detector]),
        }
    return {
        "image": result.name if isinstance(result, Failed) else result.image.name,
        **{name: p_fake.get(name) for name in metadata.detectors},
        **known,
        "decided_by": rule.detector,
        "threshold": rule.threshold,
        **_rates(rule.internal, ""),
        **_rates(rule.worst, "worst_"),
        "demonstration": metadata.demonstration,
        "note": None if isinstance(result, Failed) else result.image.note,
        "error": result.reason if isinstance(result, Failed) else None,
    }


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
    """Yield a header and a row for each record."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    header = [name for name in record(Failed("", ""), metadata, rule) if name != "meaning"]  # a long sentence
    writer.writerow(header)
    for result in results:
        yield line.getvalue()
        line.seek(0)
        line.truncate()
        it = record(result, metadata, rule)
        writer.writerow([_cell(it[name]) for name in header])
    yield line.getvalue()


def _cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def as_table(results: Results, metadata: ModelMetadata, rule: DecisionRule) -> Iterator[str]:
    """Yield a table, with the image last because names have any length, and around it what it means."""
    if metadata.demonstration:
        yield textwrap.fill(wording.DEMONSTRATION, 110) + "\n\n"
    if not rule.errors:
        yield textwrap.fill(wording.CHANGED, 110) + "\n\n"
    shown = metadata.detectors if rule.detector == ENSEMBLE else [rule.detector]
    widths = {name: max(len(name), 6) for name in shown}
    names = "  ".join(f"{name:>{width}}" for name, width in widths.items())
    yield f"{names}  verdict  unlike  image\n"
    classified = flagged = False
    for result in results:
        it = record(result, metadata, rule)
        cells = "  ".join(
            f"{'' if it[name] is None else f'{it[name]:.4f}':>{width}}" for name, width in widths.items()
        )
        verdict, unlike = it["verdict"] or "-", {True: "yes", False: "no", None: "-"}[it["unlike_training"]]
        classified |= isinstance(result, Classified)
        flagged |= unlike == "yes"
        said = it["error"] or it["note"]
        remark = f"  ({said})" if said else ""
        yield f"{cells}  {verdict:<7}  {unlike:<6}  {_printable(it['image'])}{remark}\n"
    if classified:
        yield "\n"
    for sentence in (
        *(wording.errors(rule) if classified else ()),
        *([wording.unlike(metadata)] if flagged else ()),
    ):
        yield textwrap.fill(sentence, 110) + "\n"


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
