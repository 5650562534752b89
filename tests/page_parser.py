"""Take a page apart, and the JSON that it shows."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Takes a page apart: figures with their values, the words around them, elements with attributes."""

    def __init__(self, text):
        super().__init__()
        self.figures, self.words, self.elements = [], [], []
        self._path = []
        self._skipped = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("svg", "style", "script"):
            self._skipped += 1
        if tag == "data":
            self.figures.append([dict(attributes)["value"], ""])
        if tag not in ("img", "meta"):
            self._path.append(tag)

    def handle_endtag(self, tag):
        assert self._path.pop() == tag
        if tag in ("svg", "style", "script"):
            self._skipped -= 1

    def handle_data(self, data):
        if self._skipped:
            return
        if self._path and self._path[-1] == "data":
            self.figures[-1][1] += data
        else:
            self.words.append(data)

    @property
    def said(self):
        """The words as a browser shows them, without figures: runs of spaces and line ends are one space."""
        return re.sub(r"[ \n]+", " ", "".join(self.words))


def leaves(data):
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from leaves(value)
    elif isinstance(data, list):
        for value in data:
            yield from leaves(value)
    else:
        yield data
