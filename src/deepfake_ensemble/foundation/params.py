"""Read params.yaml strictly: whatever is unknown, missing, of the wrong type or out of range is refused.

The loader knows no section by itself. A room declares its section (see `section.py`), and a stage asks for
it here: `read("training", Recipe)`.
"""

import copy
import dataclasses
import difflib
import functools
import json
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypeForm

from deepfake_ensemble.foundation.errors import UserError

FILE = Path("params.yaml")

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema, as DVC reads it: plain values, no key twice, nothing that refers elsewhere.

    PyYAML follows YAML 1.1, where `2e-05` (what `dvc exp run -S` writes for 2.0e-5) is a string, `no` is
    false, `1:30` is ninety and `010` is eight.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own attribute; the parent's resolvers are left out)

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.tag is not None:
            # What `dvc exp run -S` would expand, or read otherwise than we do.
            raise _problem("aliases and tags are not for this file, write the plain value", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _problem("a key is not a word", key)
            if key.value in seen:
                raise _problem(f"the key {_word(key.value)} stands twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_decimal(self, node: yaml.ScalarNode) -> int:
        try:
            return int(node.value)
        except ValueError:
            raise _problem("an integer has too many digits", node) from None


def _problem(what: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=what, problem_mark=where.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_decimal)
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def load(file: Path = FILE) -> dict[str, Any]:
    """Return the whole of params.yaml, unchecked.

    Raises:
        UserError: if the file is missing or not YAML.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file}: not found in {Path.cwd().name}; run from the project's folder") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 text: {error.reason} at byte {error.start}") from None
    try:
        data = copy.deepcopy(_parsed(text))
    except RecursionError:
        raise UserError(f"{file}: nested too deeply; restore it from git") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "cannot be read"
        raise UserError(f"{file}: {where}not as it should be: {problem}") from None
    if not isinstance(data, dict):
        raise UserError(f"{file}: holds no keys; restore it from git")
    return data


@functools.cache
def _parsed(text: str) -> Any:
    """Parse a text once: a stage reads section by section, and each parsing takes a fortieth of a second."""
    return yaml.load(text, Loader=_Loader)


def read(path: str, type_: TypeForm[T], file: Path = FILE) -> T:
    """Return the value at a dotted `path` of params.yaml as `type_`, a section's dataclass or a plain type.

    Raises:
        UserError: naming the key, its value and what is allowed, for anything the type does not allow.
    """
    data: Any = load(file)
    walked: list[str] = []
    for key in path.split("."):
        if not isinstance(data, dict) or key not in data:
            raise UserError(f"{file}: {'.'.join([*walked, key])}: missing")
        walked.append(key)
        data = data[key]
    return check(path, data, type_, file)


def active_profile(file: Path = FILE) -> str:
    """Return the path of the active profile's section, such as `profiles.sample`.

    Raises:
        UserError: if there is no profile of that name.
    """
    data = load(file)
    profile, profiles = data.get("profile"), data.get("profiles")
    if not isinstance(profiles, dict) or profile not in list(profiles):
        allowed = ", ".join(profiles) if isinstance(profiles, dict) else "none"
        raise UserError(f"{file}: profile: {profile!r} is not one of the profiles: {allowed}")
    return f"profiles.{profile}"


def check(path: str, data: Any, type_: TypeForm[T], file: Path = FILE) -> T:
    """Return `data`, found at `path`, as `type_`; see `read`."""
    try:
        return _validated(data, type_)
    except ValidationError as error:
        first, *others = _describe(path, error, type_)
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(f"{file}: {first}{more}") from None


def problems(path: str, data: Any, type_: Any) -> list[str]:
    """Return a line for each thing about `data`, found at `path`, that `type_` does not allow."""
    try:
        _validated(data, type_)
    except ValidationError as error:
        return _describe(path, error, type_)
    return []


def _validated(data: Any, type_: Any) -> Any:
    # By way of JSON, because pydantic's strict mode takes a list for a tuple only from JSON.
    return _adapter(type_).validate_json(json.dumps(data), strict=True)


@functools.cache
def _adapter(type_: Any) -> TypeAdapter:
    return TypeAdapter(type_)


def _describe(path: str, error: ValidationError, type_: Any) -> list[str]:
    problems = error.errors()
    missing = {problem["loc"] for problem in problems if problem["type"] == "missing"}
    lines = []
    for problem in sorted(problems, key=lambda problem: problem["type"] == "missing"):
        *parents, key = ["", *problem["loc"]]
        where = ".".join(_word(part) for part in (path, *problem["loc"]) if part != "")
        if problem["type"] == "unexpected_keyword_argument":
            known = _keys(type_, parents[1:])
            # A misspelt key is both unknown and missing; that is one problem.
            absent = [name for name in known if (*problem["loc"][:-1], name) in missing]
            close = [
                match for names in (absent, known) for match in difflib.get_close_matches(str(key), names)
            ]
            missing -= {(*problem["loc"][:-1], name) for name in close[:1]}
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
            lines.append(f"{where}: unknown key; {hint}")
        elif problem["type"] != "missing":
            allowed = problem["msg"].removeprefix("Input ").removeprefix("Value error, ")
            lines.append(f"{where}: {_short(problem['input'])} is not allowed: it {allowed}")
        elif problem["loc"] in missing:
            lines.append(f"{where}: missing")
    return lines


def _word(key: int | str) -> str:
    return str(key) if str(key).isprintable() else json.dumps(key)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _keys(type_: Any, location: Iterable[int | str]) -> list[str]:
    """Return the keys that the dataclass `type_` has at `location`."""
    for part in location:
        type_ = get_type_hints(type_)[str(part)] if dataclasses.is_dataclass(type_) else type_.__args__[-1]
        if isinstance(type_, UnionType):  # a section, or null
            type_ = type_.__args__[0]
    return [field.name for field in dataclasses.fields(type_)]
