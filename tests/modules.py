"""What the project's modules hold."""

import ast
from pathlib import Path


def has_code(file: Path) -> bool:
    """Tell whether there is more in a module than its docstring."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return len(body) > (ast.get_docstring(ast.Module(body, [])) is not None)
