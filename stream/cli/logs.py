"""What the log shows: lines for people, or a JSON object per line for machines."""

from __future__ import annotations

import argparse
import logging
from datetime import UTC, datetime

import orjson

REPEAT_AFTER_S = 30.0


def add_log_format(parser: argparse.ArgumentParser) -> None:
    """Declare --log-format."""
    parser.add_argument(
        "--log-format", choices=["console", "json"], default="console", help="of the log on stderr (default: console)"
    )


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


class JsonLines(logging.Formatter):
    """One object per record: time (RFC 3339, UTC), level, logger, message, and error where there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def show_logs(level: int, form: str, log_format: str = "console") -> None:
    """Write log records of *level* and above to stderr, sparingly; *form* is how the console shows them."""
    handler = logging.StreamHandler()
    handler.addFilter(Sparing())
    handler.setFormatter(JsonLines() if log_format == "json" else logging.Formatter(form))
    logging.basicConfig(level=level, handlers=[handler])
