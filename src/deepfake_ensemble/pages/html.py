"""HTML elements as functions: what is not Markup is escaped, every Number keeps its value, tables sort.

Not a template engine, because the code is what a stage depends on: `make pipeline` follows imports, not the
files that a template engine reads.
"""

from collections.abc import Sequence
from html import escape
from typing import TypeAlias, Union

from deepfake_ensemble.pages.numbers import Number

Child: TypeAlias = Union[str, Number, "Sequence[Child]", None]

_WITHOUT_END = {"br", "img", "link", "meta"}


class Markup(str):
    """HTML that needs no escaping."""


def element(tag: str, *children: Child, **attributes: str | None) -> Markup:
    """Return an element; an attribute's name is written with a trailing `_` where Python keeps the word for
    itself and `_` for `-`, and left out where it is None."""
    names = {name: name.rstrip("_").replace("_", "-") for name in attributes}
    given = "".join(
        f' {names[name]}="{escape(value)}"' for name, value in attributes.items() if value is not None
    )
    if tag in _WITHOUT_END:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{inline(children)}</{tag}>")


def inline(child: Child) -> Markup:
    """Return children one after the other."""
    if child is None:
        return Markup("")
    if isinstance(child, Markup):
        return child
    if isinstance(child, str):
        return Markup(escape(child, quote=False))
    if isinstance(child, Number):
        return Markup(f'<data value="{child.value!r}">{escape(child.text, quote=False)}</data>')
    return Markup("".join(inline(each) for each in child))


def figure(svg: str, caption: str, *, wide: bool = False) -> Markup:
    """Return a figure with its caption; a wide one scrolls where the screen is narrow."""
    # What scrolls must be reachable without a mouse.
    scrolls = {"class_": "wide", "tabindex": "0"} if wide else {}
    return element("figure", Markup(svg), element("figcaption", caption), **scrolls)


def table(caption: Child, head: Sequence[str], rows: Sequence[Sequence[Child]]) -> Markup:
    """Return a table whose rows are named by their first cell, and which sorts by a click on its head."""
    numeric = [any(_is_number(row[i]) for row in rows) for i in range(len(head))]
    kinds = ["n" if n else None for n in numeric]
    return element(
        "div",
        element(
            "table",
            element("caption", element("span", caption)),
            element(
                "thead",
                element(
                    "tr",
                    [
                        element("th", element("button", name, type="button"), scope="col", class_=kind)
                        for name, kind in zip(head, kinds, strict=True)
                    ],
                ),
            ),
            element("tbody", [_row(row, kinds) for row in rows]),
        ),
        class_="table",
        # A table that scrolls must be reachable without a mouse.
        tabindex="0",
        role="group",
    )


def _row(cells: Sequence[Child], kinds: Sequence[str | None]) -> Markup:
    first, *others = cells
    return element(
        "tr",
        element("th", first, scope="row"),
        [
            element("td", "–" if cell is None else cell, class_=kind)
            for cell, kind in zip(others, kinds[1:], strict=True)
        ],
    )


def _is_number(child: Child) -> bool:
    if isinstance(child, Number):
        return True
    return isinstance(child, Sequence) and not isinstance(child, str) and any(map(_is_number, child))
