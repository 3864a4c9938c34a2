"""The command around the mapping: what it writes, says and returns."""

from __future__ import annotations

import argparse
import gzip
import json
from pathlib import Path

import pytest

from stream.cli import import_
from stream.cli.errors import UsageError

HEADER = "ticket_id,created_at,first_reply_at,resolved_at,closed_at,customer_id,channel,priority,category,team,agent\n"
GOOD = "T1,2026-01-01T09:00:00Z,,,,C1,chat,high,,desk,bo\n"
BAD = "T2,some day,,,,C2,chat,high,,desk,bo\n"


def run(*arguments: str | Path) -> int:
    parser = argparse.ArgumentParser()
    import_.add_arguments(parser)
    return import_.run(parser.parse_args(["--mapping", "generic-tickets", *map(str, arguments)]))


@pytest.fixture
def export(tmp_path: Path) -> Path:
    path = tmp_path / "export.csv"
    path.write_text(HEADER + GOOD + BAD)
    return path


def test_events_go_to_stdout_and_the_count_of_rejects_decides_the_exit_code(
    export: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(export) == 1

    out, err = capsysbinary.readouterr()
    assert [json.loads(line)["subject"] for line in out.splitlines()] == ["T1"]
    assert b"2 rows, 1 rejected, 1 events" in err
    assert b"export.csv:3: created_at: 'some day' is not a time" in err


def test_rejects_keep_the_place_the_reason_and_the_row(export: Path, tmp_path: Path) -> None:
    assert run(export, "--out", tmp_path / "events.jsonl", "--rejects", tmp_path / "rejects.jsonl") == 1

    reject = json.loads((tmp_path / "rejects.jsonl").read_text())
    assert (reject["file"], reject["line"], reject["row"]) == ("export.csv", 3, BAD.strip().split(","))
    assert "'some day' is not a time" in reject["reason"]


def test_a_clean_import_exits_0_and_packs_the_same_bytes_every_time(tmp_path: Path) -> None:
    source = tmp_path / "clean.csv"
    source.write_text(HEADER + GOOD)
    first, second = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"

    assert (run(source, "--out", first), run(source, "--out", second)) == (0, 0)
    assert first.read_bytes() == second.read_bytes()
    assert json.loads(gzip.decompress(first.read_bytes()))["type"] == "ticket.created"


def test_a_misuse_is_one_line_and_leaves_no_file_behind(tmp_path: Path) -> None:
    source = tmp_path / "other.csv"
    source.write_text("ticket,created_at\n1,2026-01-01\n")

    with pytest.raises(UsageError, match="no field or column 'ticket_id'; did you mean 'ticket'") as caught:
        run(source, "--out", tmp_path / "events.jsonl", "--rejects", tmp_path / "rejects.jsonl")

    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [source]


def test_an_output_that_cannot_be_written_is_a_misuse(export: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: No such file or directory"):
        run(export, "--out", tmp_path / "absent" / "events.jsonl")
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        run(export, "--out", tmp_path)
