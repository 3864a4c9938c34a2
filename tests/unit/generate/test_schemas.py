"""The generated schemas are valid, current, and mean what decoding does."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stream.cli import generate
from stream.cli.errors import UsageError
from stream.events.event import Event, Heartbeat
from stream.events.examples import example
from stream.events.registry import BY_NAME, TOPICS
from stream.generate.schemas import schema_files
from stream.generate.write import drifted, write
from stream.ingest.decode import decode

ROOT = Path(__file__).parents[3]
FILES = schema_files(ROOT)
DOCUMENTS = {Path(path).stem: json.loads(text) for path, text in FILES.items()}
ASYNCAPI = DOCUMENTS.pop("asyncapi")


def valid(name: str, body: dict[str, Any]) -> bool:
    return Draft202012Validator(DOCUMENTS[name]).is_valid(body)


def test_every_event_type_and_the_heartbeat_have_a_schema() -> None:
    assert set(DOCUMENTS) == {*BY_NAME, "heartbeat"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_is_valid_and_so_are_its_examples_which_decode_too(name: str) -> None:
    document = DOCUMENTS[name]
    Draft202012Validator.check_schema(document)
    topic = BY_NAME[name].topic if name in BY_NAME else "tickets"
    assert document["examples"]
    for sample in document["examples"]:
        Draft202012Validator(document).validate(sample)
        assert isinstance(decode(json.dumps(sample).encode(), topic=topic), Event | Heartbeat)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema_and_decoder_agree_on_what_is_required(name: str) -> None:
    topic = BY_NAME[name].topic if name in BY_NAME else "tickets"
    sample = DOCUMENTS[name]["examples"][0]
    data = sample.get("data", {})
    less = [{k: v for k, v in sample.items() if k != field} for field in sample]
    less += [sample | {"data": {k: v for k, v in data.items() if k != field}} for field in data]
    for body in less:
        decoded = isinstance(decode(json.dumps(body).encode(), topic=topic), Event | Heartbeat)
        assert valid(name, body) == decoded, body


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("review.posted", {"rating": 9, "site": "x"}),
        ("review.posted", {"rating": "5", "site": "x"}),
        ("ticket.message", {"author": "nobody"}),
        ("ticket.created", {"channel": "", "priority": "low", "category": "lead"}),
        ("booking.refunded", {"amount": 0}),
        ("booking.created", {"channel": "x", "service": "y", "amount": "ten", "currency": "EUR"}),
        ("booking.quoted", {"amount": "0.0000001", "currency": "EUR"}),
        ("survey.answered", {"survey": "nps", "score": 11}),
        ("survey.answered", {"survey": "csat", "score": 0}),
        ("survey.answered", {"survey": "csat", "score": 3, "aspects": {"speed": 6}}),
    ],
)
def test_a_schema_refuses_what_the_decoder_refuses(name: str, data: dict[str, Any]) -> None:
    body = example(name) | {"data": data}
    assert not isinstance(decode(json.dumps(body).encode(), topic=BY_NAME[name].topic), Event)
    assert not valid(name, body)


def test_every_type_is_a_message_of_its_topic_and_every_reference_leads_somewhere() -> None:
    for topic in TOPICS:
        own = {name for name, row in BY_NAME.items() if row.topic == topic}
        assert set(ASYNCAPI["channels"][topic]["messages"]) == own | {"heartbeat"}
        assert f"{topic}.dlq" in ASYNCAPI["channels"]
    references = [part.split('"')[0] for part in json.dumps(ASYNCAPI).split('"$ref": "')[1:]]
    assert len(references) > len(BY_NAME)
    for reference in references:
        node: Any = ASYNCAPI
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def test_generating_twice_gives_the_same_bytes() -> None:
    assert schema_files(ROOT) == FILES


def test_the_committed_files_are_current() -> None:
    assert drifted(ROOT, FILES, ["schemas"]) == []


# Writing and checking


def test_what_was_written_has_not_drifted(tmp_path: Path) -> None:
    files = {"a/b.txt": "ü\r\n", "c.txt": ""}
    assert write(tmp_path, files) == ["a/b.txt", "c.txt"]
    assert drifted(tmp_path, files) == []
    assert write(tmp_path, files) == []


def test_changed_missing_and_stray_files_have_drifted_and_writing_mends_them(tmp_path: Path) -> None:
    files = {f"a/{name}.txt": name for name in ("changed", "missing", "binary", "kept")}
    write(tmp_path, files)
    (tmp_path / "a/changed.txt").write_text("by hand")
    (tmp_path / "a/binary.txt").write_bytes(b"\xff")
    (tmp_path / "a/missing.txt").unlink()
    (tmp_path / "a/stray.txt").write_text("")
    expected = ["a/binary.txt", "a/changed.txt", "a/missing.txt", "a/stray.txt"]
    assert drifted(tmp_path, files, ["a"]) == expected
    assert "a/stray.txt" not in drifted(tmp_path, files)
    assert write(tmp_path, files, ["a"]) == expected
    assert drifted(tmp_path, files, ["a"]) == []


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    generate.add_arguments(parser)
    return generate.run(parser.parse_args(arguments))


def test_the_check_exits_1_on_drift_lists_it_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").touch()
    root = f"--root={tmp_path}"
    assert run(root) == 0
    assert run(root, "--check") == 0
    damaged = tmp_path / "schemas/ticket.created.json"
    damaged.write_text("{}")
    capsys.readouterr()
    assert run(root, "--check") == 1
    assert "schemas/ticket.created.json\n" in capsys.readouterr().out
    assert damaged.read_text() == "{}"


def test_a_folder_that_is_no_project_is_a_misuse(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        run(f"--root={tmp_path}")
