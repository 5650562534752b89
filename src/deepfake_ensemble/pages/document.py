"""A self-contained page: title, header, a list of contents, sections, footer, with our style and script."""

from collections.abc import Mapping

from deepfake_ensemble.pages import style
from deepfake_ensemble.pages.html import Child, Markup, element


def document(title: str, header: Child, sections: Mapping[str, Child], footer: Child) -> str:
    """Return a page; `sections` are what stands below each heading."""
    anchors = {heading: heading.lower().rstrip("?").replace(" ", "-") for heading in sections}
    links = [element("li", element("a", name, href=f"#{anchor}")) for name, anchor in anchors.items()]
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(style.CSS)),
    ]
    body = [
        element("header", element("h1", title), header),
        element("nav", element("ul", links), aria_label="Contents") if len(links) > 1 else None,
        element(
            "main",
            [
                element("section", element("h2", heading), section, id=anchors[heading])
                for heading, section in sections.items()
            ],
        ),
        element("footer", footer),
        element("script", Markup(style.JS)),
    ]
    page = element("html", element("head", head), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{page}\n"
