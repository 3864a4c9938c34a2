"""Errors that a user can put right."""


class UsageError(Exception):
    """A command was misused; its message is one line for the user, and the exit code is 2."""
