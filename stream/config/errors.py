"""Errors of the configuration."""


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line for the user."""
