"""Markdown as it reads: tables without the spaces that only align their source."""

import re


def lines(text: str) -> list[str]:
    """Return the lines of `text`, with one space around each cell of a table and its rule left out."""
    tidy = [re.sub(r" +", " ", line) if line.startswith("|") else line for line in text.splitlines()]
    return [line for line in tidy if not re.fullmatch(r"\|[-:|]+\|", line)]
