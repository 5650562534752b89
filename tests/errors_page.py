"""docs/errors.md: what is said of bad input, as the tests that provoke it have seen it.

A test states a row by the fixture `documented`; the page is those rows, `make errors` writes it from a run of
the tests. In every other run a row must stand on the page word for word, and with `--errors=check` (which
`make test` gives) every row of the page must have been stated.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/errors.md"
STATED = pytest.StashKey[set["Row"]]()
SECTIONS = {
    "Archives": "`set.zip` stands for a data set's archive, data/raw/SET.zip. Nothing is unpacked: every"
    " entry is checked before the first one is read.",
    "Data sets": "The archive is whole, but not what params.yaml declares.",
    "Images": "A bad image ends the audit; with `audit.on_bad_image: drop` it is left out and listed instead:"
    " validation and test keep their counts, the training split shrinks. Images are known by their content,"
    " whatever their names end in, and become 8-bit RGB.",
    "Parameters": "`make repro` checks all of params.yaml first; a stage checks the keys that it uses.",
    "Tables between stages": "They are DVC's to restore: `dvc checkout`, or the stage that writes them.",
    "Model files": "No file is ever unpickled, and Keras' safe mode stays on.",
    "Training": "A training that stops this way leaves no model.",
    "Kaggle": "What went wrong on the way is tried again with growing pauses before it is an error.",
    "ImageNet weights": "Fetched from where they are published, or from the folder that KERAS_WEIGHTS_MIRROR"
    " names (HF_ENDPOINT names a mirror of Hugging Face).",
    "Archives of your own": "With `source: local`, or `source: folder` where they are unpacked.",
}
HEAD = """# What it says when something is wrong

Bad input ends a stage with one line on standard error and exit code 1; nothing half-written stays behind. The
line begins with the stage's name (`audit@internal: `), which is left out here, as are the folders of files.
Each row is a test that compares the line word for word; `make errors` writes this page from a run of those
tests.
"""


@dataclass(frozen=True, order=True)
class Row:
    """One bad input, and what is said of it."""

    section: str
    case: str
    line: str

    def __str__(self) -> str:
        """Return the row of a Markdown table: a vertical bar would end the cell, whatever it stands in."""
        case, line = (text.replace("|", "\\|") for text in (self.case, self.line))
        return f"| {case} | `` {line} `` |"


Documented = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    narrowed = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or config.getoption("keyword")
    if config.getoption("errors") == "write" and narrowed:
        raise pytest.UsageError("--errors=write takes its rows from all tests: name none (`make errors`)")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--errors", choices=("write", "check"), help="write docs/errors.md, or check that no row is stale"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse rows of slow tests: `make test` leaves those out, and would find their rows stale."""
    for item in items:
        slow = item.get_closest_marker("networks") or item.get_closest_marker("pipeline")
        if slow and "documented" in getattr(item, "fixturenames", ()):
            raise pytest.UsageError(f"{item.nodeid}: is marked {slow.name}: no row of {PAGE.name}")


@pytest.fixture
def documented(request: pytest.FixtureRequest, tmp_path: Path) -> Documented:
    """State a row of docs/errors.md: `documented(section, case, line)`.

    Folders of the test are cut off the line. What varies from run to run is given as `varying`: a mapping of
    patterns to what stands for them.
    """

    def state(section: str, case: str, line: str, varying: dict[str, str] | None = None) -> None:
        line = line.replace(f"{tmp_path}/", "")
        for pattern, shown in (varying or {}).items():
            line = re.sub(pattern, shown, line)
        assert line.isprintable(), "a message is one line"
        row = Row(section, case, line)
        assert section in SECTIONS
        stated = request.config.stash.setdefault(STATED, set())
        assert not [it for it in stated if (it.section, it.case) == (section, case) and it != row]
        stated.add(row)
        if request.config.getoption("errors") != "write":
            assert str(row) in PAGE.read_text(encoding="utf-8").splitlines(), "`make errors` writes the page"

    return state


def page(rows: Iterable[Row]) -> str:
    """Return the page of `rows`."""
    sections = []
    for title, remark in SECTIONS.items():
        of_section = "\n".join(str(row) for row in sorted(rows) if row.section == title)
        sections.append(
            f"## {title}\n\n{remark}\n\n| what is wrong | what it says |\n|---|---|\n{of_section}\n"
        )
    return "\n".join([HEAD, *sections])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    asked, rows = session.config.getoption("errors"), session.config.stash.get(STATED, set())
    if asked is None or exitstatus != pytest.ExitCode.OK:
        return
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if asked == "write":
        PAGE.write_text(page(rows), encoding="utf-8")
        print(f"\n{PAGE.name}: {len(rows)} rows")
    elif page(rows) != written:
        stale = sorted(set(written.splitlines()) - set(page(rows).splitlines()))
        print(f"\n{PAGE.name}: not what the tests have seen; `make errors` writes it", *stale, sep="\n")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
