"""A network that can be cut: a TCP proxy between a worker and the broker.

While it is cut, nothing gets through in either direction and no connection is closed; what was under way arrives when
it is mended, as TCP would send it again. This needs no rights, where network namespaces need root.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from tests.kafka.broker import HOST, KafkaBroker

CHUNK = 65_536


class Proxy:
    """Passes bytes between the port that a broker names to its clients and the one that it listens on."""

    def __init__(self, broker: KafkaBroker) -> None:
        self.servers = f"{HOST}:{broker.proxy_port}"
        self._from, self._to = broker.proxy_port, broker.proxied_port
        self._open = asyncio.Event()
        self._open.set()
        self._pumps: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, self._from)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            onward = await asyncio.open_connection(HOST, self._to)
        except OSError:
            writer.close()
            return
        for source, sink in ((reader, onward[1]), (onward[0], writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()
