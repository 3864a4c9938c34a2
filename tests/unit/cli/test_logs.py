"""What the log shows on a terminal."""

import json
import logging
import sys

from stream.cli.logs import REPEAT_AFTER_S, JsonLines, Sparing


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


def test_a_line_of_json_holds_the_record_and_where_an_error_came_from() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        one = logging.LogRecord("stream.x", logging.ERROR, "x.py", 1, "shard %d\nlost", (3,), sys.exc_info())
    one.created = 1_772_323_200.5
    text = JsonLines().format(one)
    assert "\n" not in text
    line = json.loads(text)
    assert line.pop("error").splitlines()[-1] == "ValueError: why"
    assert line == {
        "time": "2026-03-01T00:00:00.500+00:00",
        "level": "error",
        "logger": "stream.x",
        "message": "shard 3\nlost",
    }
