"""What the project's modules hold."""

import ast
from collections.abc import Iterator
from pathlib import Path


def has_code(file: Path) -> bool:
    """Tell whether there is more in a module than its docstring."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return len(body) > (ast.get_docstring(ast.Module(body, [])) is not None)


def modules_at(path: Path) -> Iterator[Path]:
    """Yield the modules with code that a stage's dep stands for: a file, or all those in a folder."""
    return filter(has_code, path.rglob("*.py") if path.is_dir() else [path])
