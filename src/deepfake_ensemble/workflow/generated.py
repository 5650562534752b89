"""Generated parts of a Markdown file, between comments that a reader does not see.

A part stands between `<!-- NAME: made by COMMAND -->` and `<!-- end of NAME -->`; everything else in the file
is written by hand.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from deepfake_ensemble.foundation.errors import UserError
from deepfake_ensemble.foundation.files import replacing_file


def filled(text: str, parts: Mapping[str, str], file: Path) -> str:
    """Return the file's text with each part's content, by name, in its place.

    Args:
        text: the file's.
        parts: what stands in each place.
        file: for messages.

    Raises:
        UserError: if the place of a part is not in the text exactly once.
    """
    for name, content in parts.items():
        opening, closing = rf"(<!-- {re.escape(name)}: [^>]*-->\n)", f"<!-- end of {name} -->"
        pieces = re.split(opening, text)
        if len(pieces) != 3 or pieces[2].count(closing) != 1:
            raise UserError(
                f"{file}: it needs one <!-- {name}: ... --> and one {closing} after it, where it shall stand"
            )
        before, comment, rest = pieces
        text = f"{before}{comment}\n{content.strip()}\n\n{closing}{rest.partition(closing)[2]}"
    return text


def refresh(file: Path, parts: Mapping[str, str]) -> None:
    """Rewrite a file with each part's content, by name, in its place, and say whether it changed.

    Raises:
        UserError: as `filled` does.
    """
    before = file.read_text(encoding="utf-8")
    after = filled(before, parts, file)
    with replacing_file(file) as partial:
        partial.write_text(after, encoding="utf-8")
    print(f"{file}: " + ("as it was" if after == before else "brought up to date"))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose first column is text and whose other columns are numbers."""
    frame = pd.DataFrame(rows, columns=list(header))
    aligned = ("left", *["right"] * (len(header) - 1))
    return frame.to_markdown(index=False, colalign=aligned, disable_numparse=True)


def svg_file(inside: str) -> str:
    """Return the element `svg` of a page as a file that stands alone, on white wherever it is shown."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return (
        inside.replace("currentColor", "black").replace("<svg", f'{head} style="background: white"', 1) + "\n"
    )
