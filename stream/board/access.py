"""Who may ask the HTTP server: anybody, or those who know the token; by TLS where there is a certificate."""

from __future__ import annotations

import hmac
import ssl
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from stream.board.responses import json

# Probes hold no numbers, and whoever asks them seldom can be given a secret.
OPEN_PATHS = frozenset({"/livez", "/readyz"})
CHALLENGES = ("Bearer", 'Basic realm="deskpulse", charset="UTF-8"')


@dataclass(frozen=True)
class Access:
    """How the server is reached, and how its workers ask each other, who share token and authority.

    No ``token`` = none is asked for. ``serving`` is our side of TLS (None = plain HTTP), ``asking`` the peers'.
    """

    token: str = field(default="", repr=False)
    serving: ssl.SSLContext | None = None
    asking: ssl.SSLContext | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What a worker sends with a question to its peers."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def allows(self, authorization: str) -> bool:
        """Tell whether the header `Authorization` holds the token: as a Bearer's, or as any user's Basic password.

        Browsers ask for the latter by themselves, and send it with every later request.
        """
        if not self.token:
            return True
        scheme, _, given = authorization.partition(" ")
        match scheme.lower():
            case "bearer":
                secret = given.strip().encode(errors="surrogateescape")
            case "basic":
                secret = _password(given)
            case _:
                return False
        return hmac.compare_digest(secret, self.token.encode())  # takes as long whatever differs


def _password(basic: str) -> bytes:
    try:
        return b64decode(basic, validate=True).partition(b":")[2]
    except (Base64Error, ValueError):
        return b""


def guard(access: Access) -> Middleware:
    """Return a middleware, to be the outermost, that lets nobody pass without the token except to the probes."""

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path in OPEN_PATHS or access.allows(request.headers.get("Authorization", "")):
            return await handler(request)
        refusal = json({"error": "a token is needed"}, status=401)
        for challenge in CHALLENGES:
            refusal.headers.add("WWW-Authenticate", challenge)
        return refusal

    return check
