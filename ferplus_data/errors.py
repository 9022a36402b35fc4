"""The one error that means: the input is wrong, not the program."""

from __future__ import annotations


class InputError(ValueError):
    """A user's input cannot be used. One line: where, what was expected, what was found, what to do."""
