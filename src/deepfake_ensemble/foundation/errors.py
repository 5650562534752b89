"""The one exception that speaks to the user, and how a command ends by it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """Something the user can mend.

    The message is a single line that names the file or key, what is wrong with it and what to do.
    Stages print it and exit with code 1; any other exception is a bug and keeps its traceback.
    """


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says; where it says nothing, its class's name."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def exiting() -> Iterator[None]:
    """Exit with code 1 and the message if the block raises a `UserError`; for commands that are no stages."""
    try:
        yield
    except UserError as error:
        sys.exit(str(error))
