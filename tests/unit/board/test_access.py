"""The token: asked for by every page but the probes, taken in two forms, shown by none."""

from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from stream.board.access import Access, guard

TOKEN = "tökén with spaces:and colons"


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    "authorization", [f"Bearer {TOKEN}", f"bearer  {TOKEN}", basic("", TOKEN), basic("anybody", TOKEN)]
)
def test_the_token_is_taken(authorization: str) -> None:
    assert Access(TOKEN).allows(authorization)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Digest {TOKEN}",
        basic(TOKEN, ""),
        "Basic ?",
        "Basic " + TOKEN,
    ],
)
def test_anything_else_is_not(authorization: str) -> None:
    assert not Access(TOKEN).allows(authorization)


def test_without_a_token_everybody_is_let_in() -> None:
    assert Access().allows("")
    assert Access().headers == {}


def test_a_peer_that_knows_the_token_is_let_in() -> None:
    assert Access(TOKEN).allows(Access(TOKEN).headers["Authorization"])


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(Access(TOKEN))


def answers(access: Access, path: str, **headers: str) -> tuple[int, list[str]]:
    """The status and the challenges of an answer of a server behind the guard."""

    async def ask() -> tuple[int, list[str]]:
        async def found(_: web.Request) -> web.Response:
            return web.Response(text="found")

        application = web.Application(middlewares=[guard(access)])
        for served in ("/", "/metrics", "/livez", "/readyz"):
            application.router.add_get(served, found)
        async with TestClient(TestServer(application)) as client:
            answer = await client.get(path, headers=headers)
            return answer.status, answer.headers.getall("WWW-Authenticate", [])

    return asyncio.run(ask())


@pytest.mark.parametrize("path", ["/", "/metrics", "/nowhere", "/livez/", "/livez%00", "/livez%2f..%2fmetrics"])
def test_every_page_asks_for_the_token_also_those_that_are_not_there(path: str) -> None:
    status, challenges = answers(Access("secret"), path)
    assert status == 401
    assert [challenge.split()[0] for challenge in challenges] == ["Bearer", "Basic"]
    assert answers(Access("secret"), path, Authorization="Bearer secret")[0] != 401


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_asks_for_none(path: str) -> None:
    assert answers(Access("secret"), path) == (200, [])
