"""What the log shows on a terminal."""

import logging

from stream.cli.logs import REPEAT_AFTER_S, Sparing


def record(template: str, at: float, *gaps: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"msg": template, "args": gaps})
    made.created = at
    return made


def test_a_message_is_shown_again_only_after_a_while_whatever_stands_in_its_gaps() -> None:
    sparing = Sparing()
    assert sparing.filter(record("node %s is away", 1_000.0, 1))
    assert not sparing.filter(record("node %s is away", 1_000.0 + REPEAT_AFTER_S - 1, 2))
    assert sparing.filter(record("another", 1_001.0))
    assert sparing.filter(record("node %s is away", 1_000.0 + REPEAT_AFTER_S, 1))
