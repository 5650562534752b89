"""Pages from templates: a study's own beside those that all pages are made of.

A template asks for nothing that it was not given, and what is no markup is escaped; in Markdown a figure is
its text alone. Same data, same bytes.
"""

import io
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from deepfake_ensemble.foundation.files import replacing_file
from deepfake_ensemble.pages import numbers, titles
from deepfake_ensemble.pages.drawing import with_shared_letters

T = TypeVar("T")

_NUMBERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        numbers.count,
        numbers.difference,
        numbers.given,
        numbers.interval,
        numbers.optional,
        numbers.p_value,
        numbers.percent,
        numbers.plain,
        numbers.points,
        numbers.share,
    )
}


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading of its own: its template shows `view`."""

    heading: str
    template: str
    view: Any = None

    @property
    def anchor(self) -> str:
        """What a link to the section ends in."""
        return self.heading.lower().rstrip("?").replace(" ", "-")


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption; a wide one scrolls where the screen is narrow."""

    svg: Markup
    caption: str
    wide: bool = False


def drawn(
    of: Iterable[T], draw: Callable[[T], str], caption: Callable[[T], str], *, wide: bool = False
) -> list[Figure]:
    """Return a figure of each of `of`, with what `caption` says of it.

    Args:
        of: what there are figures of.
        draw: gives the SVG element of one.
        caption: gives the text below it.
        wide: whether each stands alone in its row.
    """
    return [Figure(Markup(draw(each)), caption(each), wide) for each in of]


def render(module: str, template: str, **shown: Any) -> str:
    """Return what a template makes of `shown`: HTML if its name says so, else Markdown.

    Args:
        module: the name of one beside whose file the folder `templates` lies.
        template: its name there, or among those of all pages.
        shown: by the names that the template has for it.
    """
    html = template.endswith(".html")
    text = _environment(module, html=html).get_template(template).render(shown)
    return with_shared_letters(text) if html else text


def write(path: Path, text: str) -> None:
    """Write a page, whole or not at all, with the same bytes on every system."""
    with replacing_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def _environment(module: str, *, html: bool) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(module), PackageLoader("deepfake_ensemble.pages")]),
        undefined=StrictUndefined,
        autoescape=html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _NUMBERS | {
        "oneline": oneline,
        "place": titles.place,
        "png": png,
        "run_title": titles.run_title,
        "setting": setting,
        "title": titles.title,
    }
    # Also by name, for macros and filters that are told how to show a figure.
    environment.globals |= _NUMBERS | {
        name: getattr(titles, name)
        for name in ("AVERAGED", "AVERAGING", "FEATURES", "MEASURES", "METHODS", "TEST_SETS")
    }
    return environment


def oneline(text: str) -> str:
    """Return a text whose template has it on several lines, on one; non-breaking spaces stay."""
    return type(text)(re.sub(r"[ \n]+", " ", text).strip(" "))


def setting(value: Any) -> Any:
    """Show a value, which is no list, as params.yaml could hold it."""
    if isinstance(value, bool | None):
        return json.dumps(value)
    return numbers.given(value) if isinstance(value, int | float) else str(value)


def png(pixels: NDArray[np.uint8]) -> str:
    """Return an image (height, width, 3) or (height, width) as the address of a picture inside the page."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"
