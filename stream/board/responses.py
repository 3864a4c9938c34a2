"""Answers in JSON."""

from __future__ import annotations

import orjson
from aiohttp import web


def json(answer: object, status: int = 200) -> web.Response:
    """Return *answer* as a JSON response."""
    return web.Response(body=orjson.dumps(answer), status=status, content_type="application/json")


def unavailable(reason: str) -> web.Response:
    """Return a 503 that says why."""
    return json({"error": reason}, status=web.HTTPServiceUnavailable.status_code)
