"""The contract for other languages: a JSON Schema (2020-12) per event type and an AsyncAPI 3 document."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from stream.events.envelope import Attributes
from stream.events.event import Reason
from stream.events.examples import HEARTBEAT_EXAMPLE, example
from stream.events.registry import EVENT_TYPES, HEARTBEAT, TOPICS, EventType, open_fields
from stream.events.reviews import SCORES, SurveyAnswered
from stream.events.values import MAX_AMOUNT, Instant, Micros, Positive

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
VERSION: Final = "1.0.0"  # of the contract, not of the program: it rises when a schema changes its meaning

_AMOUNT: Final = {
    "description": "Money, with at most 6 decimals.",
    "anyOf": [
        {"type": "number", "minimum": -MAX_AMOUNT, "maximum": MAX_AMOUNT},
        {"type": "string", "maxLength": 40, "pattern": r"^[+-]?[0-9]+(\.[0-9]{1,6}0*)?([eE][+-]?[0-9]+)?$"},
    ],
}
_POSITIVE: Final = {
    "description": "Money above zero, with at most 6 decimals.",
    "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": MAX_AMOUNT}, _AMOUNT["anyOf"][1]],
}
_INSTANT: Final = {
    "description": "RFC 3339 with an offset, or a bare date: the end of that day, UTC.",
    "type": "string",
    "anyOf": [{"format": "date-time"}, {"format": "date"}],
}
_CUSTOM: Final[dict[type, dict[str, Any]]] = {Micros: _AMOUNT, Positive: _POSITIVE, Instant: _INSTANT}
_DEAD_LETTER: Final = {
    "detail": "Which field, and what is allowed there; never a value of the payload.",
    "original-topic": "Where the record was read.",
    "original-partition": "Its partition.",
    "original-offset": "Its offset.",
    "original-timestamp": "Its Kafka timestamp, milliseconds since the epoch, UTC.",
    "original-timestamp-type": "CreateTime or LogAppendTime.",
    "consumer-group": "The group that refused it.",
    "app-version": "The version of deskpulse that refused it.",
    "failed-at": "When it was refused, RFC 3339.",
    "attempts": "How often it was refused, replays included.",
    "truncated": "Where the value did not fit: SHA-256 and size of the whole; its first 64 KiB are there.",
    "truncated-key": "The same of the key.",
    "truncated-headers": "Where the headers did not fit: their count and size; none are there.",
}


def schema_files(_root: Path) -> dict[str, str]:
    """Return the text of every file under `schemas/`, by its path from the project's root."""
    documents = {row.name: event_schema(row) for row in EVENT_TYPES}
    documents[HEARTBEAT] = heartbeat_schema()
    documents["asyncapi"] = asyncapi(documents)
    return {
        f"schemas/{name}.json": orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
        for name, document in documents.items()
    }


def event_schema(row: EventType) -> dict[str, Any]:
    """Return the JSON Schema of one event type in structured mode: the envelope with its data."""
    data = _component(row.data)
    description = data.pop("description")
    for field, words in open_fields(row).items():
        known = ", ".join(sorted(words))
        data["properties"][field]["description"] = f"One of {known}; any other word counts as other."
    if row.data is SurveyAnswered:
        data["allOf"] = [
            {
                "if": {"properties": {"survey": {"const": survey}}},
                "then": {"properties": {"score": {"minimum": low, "maximum": high}}},
            }
            for survey, (low, high) in SCORES.items()
        ]
    schema = _envelope(row.name, description, example(row.name))
    schema["properties"]["subject"] = schema["properties"]["subject"]["anyOf"][0]  # null only in a heartbeat
    schema["properties"]["data"] = data
    schema["required"] += ["subject", "data"] if data["required"] else ["subject"]
    return schema


def heartbeat_schema() -> dict[str, Any]:
    """Return the JSON Schema of a heartbeat, which has no data and may stand in any topic."""
    return _envelope(HEARTBEAT, "A source's sign of life; it belongs to no entity.", HEARTBEAT_EXAMPLE)


def asyncapi(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the AsyncAPI 3 document of the topics, given the schemas of their messages by event type."""
    names = {topic: [row.name for row in EVENT_TYPES if row.topic == topic] + [HEARTBEAT] for topic in TOPICS}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for topic in TOPICS:
        channels[topic] = {
            "address": topic,
            "description": f"Events about {topic}, keyed by customer; the three topics have equally many partitions.",
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names[topic]},
        }
        channels[f"{topic}.dlq"] = {
            "address": f"{topic}.dlq",
            "description": f"What of {topic} was refused, as it came. Transactional: read committed.",
            "messages": {"dead_letter": {"$ref": "#/components/messages/dead_letter"}},
        }
        operations[f"receive.{topic}"] = {"action": "receive", "channel": {"$ref": f"#/channels/{topic}"}}
        operations[f"send.{topic}.dlq"] = {"action": "send", "channel": {"$ref": f"#/channels/{topic}.dlq"}}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "deskpulse",
            "version": VERSION,
            "description": "The events that deskpulse folds into customer-service KPIs: CloudEvents 1.0 over Kafka.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                **{name: _message(name, document) for name, document in documents.items()},
                "dead_letter": _dead_letter(),
            }
        },
    }


def _component(struct: type[Struct]) -> dict[str, Any]:
    """Return a struct's schema without what says nothing: the class's name and defaults of null."""
    _, components = msgspec.json.schema_components([struct], schema_hook=lambda custom: deepcopy(_CUSTOM[custom]))
    component: dict[str, Any] = components[struct.__name__]
    del component["title"]
    for field in component["properties"].values():
        if field.get("default", ...) is None:
            del field["default"]
    return component


def _envelope(name: str, description: str, sample: dict[str, Any]) -> dict[str, Any]:
    envelope = _component(Attributes)
    envelope["properties"]["type"] = {"const": name}
    about = {"$schema": DIALECT, "$id": f"urn:deskpulse:event:{name}", "title": name}
    return {**about, **envelope, "description": description, "examples": [sample]}


def _message(name: str, document: dict[str, Any]) -> dict[str, Any]:
    # AsyncAPI has its own dialect, which knows every keyword used here; a foreign $schema would need a plug-in.
    payload = {key: value for key, value in document.items() if key not in ("$schema", "$id", "examples")}
    return {
        "name": name,
        "title": name,
        "summary": document["description"],
        "payload": payload,
        "examples": [{"payload": sample} for sample in document["examples"]],
        "bindings": _key("The customer, equal to partitionkey; hashed by murmur2."),
    }


def _dead_letter() -> dict[str, Any]:
    return {
        "name": "dead_letter",
        "title": "dead letter",
        "summary": "A refused record: key, value and headers as they came, reason and origin in dlq-* headers.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {
                "dlq-reason": {"enum": [str(reason) for reason in Reason]},
                **{f"dlq-{name}": {"type": "string", "description": text} for name, text in _DEAD_LETTER.items()},
            },
            "required": ["dlq-reason", *(f"dlq-{name}" for name in _DEAD_LETTER if not name.startswith("truncated"))],
        },
        "bindings": _key("As it came."),
    }


def _key(description: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": "0.5.0"}}
