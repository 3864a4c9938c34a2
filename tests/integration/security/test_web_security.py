"""The HTTP server with TLS and a token: for browsers, for Prometheus, and for the peers that ask it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.board.access import Access
from stream.board.peers import Peers
from stream.bootstrap import access, node
from stream.config import Config, parse
from stream.runtime.security import client_context
from tests.integration.security.certificates import Authority

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="NO OPENSSL: it makes the certificates")
TOKEN = "a token"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def config(authority: Authority, tmp_path: Path) -> Config:
    certificate, key = authority.sign("worker")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return parse(
        f'[web]\nport = 0\ntoken_file = "{tmp_path / "token"}"\n[web.tls]\ncertificate_file = "{certificate}"\n'
        f'key_file = "{key}"\nca_file = "{authority.certificate}"\n',
        "the.toml",
    )


@pytest.fixture
def url(config: Config) -> Iterator[str]:
    with node(config) as worker:
        yield worker.url


def status(url: str, authority: Authority, authorization: str = "") -> int:
    request = urllib.request.Request(url, headers={"Authorization": authorization})
    try:
        with urllib.request.urlopen(request, context=client_context(str(authority.certificate)), timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_page_takes_tls_and_the_token(url: str, authority: Authority) -> None:
    assert url.startswith("https://")
    assert status(f"{url}/metrics", authority, f"Bearer {TOKEN}") == 200
    assert status(f"{url}/metrics", authority) == 401
    assert status(f"{url}/", authority, "Bearer another") == 401
    assert status(f"{url}/livez", authority) == 200


def test_plain_http_gets_no_answer(url: str) -> None:
    with pytest.raises(OSError, match=r"closed|reset|Remote end|Empty"):
        urllib.request.urlopen(url.replace("https", "http"), timeout=5)


def answer(url: str, asking: Access) -> int | None:
    """The status of a worker's answer to a peer, None where it got none."""

    async def ask() -> int | None:
        peers = Peers(asking)
        peers.tell([url])
        try:
            (found,) = (await peers.ask("/api/worker", seconds=5.0)).values()
            return found[0] if found else None
        finally:
            await peers.close()

    return asyncio.run(ask())


def test_a_peer_of_the_same_configuration_is_answered_and_no_other(url: str, config: Config, tmp_path: Path) -> None:
    # 503: the worker has nothing to tell yet, but it says so to those who may know.
    assert answer(url, access(config)) == 503
    without_token = replace(config, web=replace(config.web, token_file=""))
    assert answer(url, access(without_token)) == 401
    stranger = Authority(tmp_path, "stranger")
    assert answer(url, Access(TOKEN, None, client_context(str(stranger.certificate)))) is None
    assert answer(url, Access(TOKEN, None, ssl.create_default_context())) is None
