"""Markdown taken apart: tables without the spaces that only align their source, links, headings, commands."""

import re

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def lines(text: str) -> list[str]:
    """Return the lines of `text`, with one space around each cell of a table and its rule left out."""
    tidy = [re.sub(r" +", " ", line) if line.startswith("|") else line for line in text.splitlines()]
    return [line for line in tidy if not re.fullmatch(r"\|[-:|]+\|", line)]


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code in one language."""
    return [code for of, code in _BLOCK.findall(text) if of == language]


def links(text: str) -> list[str]:
    """Return what links and pictures lead to, blocks and spans of code left out."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", _BLOCK.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return what a link to a heading ends in, as GitHub makes it; a repeated one gets a number."""
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ +(.+)$", _BLOCK.sub("", text), flags=re.MULTILINE):
        anchor = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        found[anchor] = found.get(anchor, 0) + 1
    return {f"{anchor}-{n}" if n else anchor for anchor, count in found.items() for n in range(count)}


def commands(text: str) -> list[str]:
    """Return every command, from blocks of Bash and from prose."""
    shown = [line.split("#")[0] for block in blocks(text, "bash") for line in block.splitlines()]
    prose = re.findall(r"`((?:make|dvc|python|git|deepfake-ensemble) [^`]+)`", _BLOCK.sub("", text))
    return [part.strip() for line in [*shown, *prose] for part in re.split(r";|&&", line) if part.strip()]
