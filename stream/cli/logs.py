"""What the log shows on a terminal."""

from __future__ import annotations

import logging

REPEAT_AFTER_S = 30.0


class Sparing(logging.Filter):
    """Lets a message through once in REPEAT_AFTER_S: a broker that is away is said hundreds of times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show *record*; the template counts, not what stands in its gaps."""
        template = str(record.msg)
        if record.created - self._last.get(template, 0.0) < REPEAT_AFTER_S:
            return False
        self._last[template] = record.created
        return True


def show_logs(level: int, form: str) -> None:
    """Write log records of *level* and above to stderr, sparingly."""
    handler = logging.StreamHandler()
    handler.addFilter(Sparing())
    logging.basicConfig(level=level, format=form, handlers=[handler])
