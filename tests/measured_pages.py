"""What tests of the benchmarks' pages share."""

HERE = {"machine": {"cpu": "A processor", "cores": 2, "memory_gib": 8.0}}


def cells(page: str, first: str) -> list[str]:
    """Return what stands behind the first cell in its row of the page's table."""
    rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines())
    (row,) = (row[1:] for row in rows if row[0] == first)
    return row
