"""The one exception that speaks to the user."""


class UserError(Exception):
    """Something the user can mend.

    The message is a single line that names the file or key, what is wrong with it and what to do.
    Stages print it and exit with code 1; any other exception is a bug and keeps its traceback.
    """
