"""The embedded broker: Kafka's protocol without Java or Docker, for a first run on one machine.

It is noida-db, a binary inside a Python wheel. Why this one, what it was measured to do and what it must not be used
for stands in docs/decisions/0002-embedded-broker.md. It is no proof of durability: that is Apache Kafka's part.
"""

import asyncio
import contextlib
import importlib.util
import os
import socket
import struct
import sys
import time
from pathlib import Path

from stream.demo.child import GuardedProcess

HOST = "127.0.0.1"
START_LIMIT_S = 15.0  # A start takes 0.1 s, and 1.1 s with 300,000 saved records.
# Ending took 0.2 s, and 1.6 s with 300,000 records to save. `deskpulse run` promises 5 s for everything.
STOP_GRACE_S = 4.0
# ApiVersions (key 18) version 0, correlation id 1, no client id: the one request that every Kafka broker answers.
API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 1, -1)


class EmbeddedBrokerError(Exception):
    """The embedded broker cannot run here; the message is one line for the user."""


class EmbeddedBroker:
    """A broker with its data in one folder. It ends with us, also when we are killed.

    Topics, records, offsets and transactions are there again after a stop. After a SIGKILL of the broker itself, or a
    power cut, all of them are as they were at one instant at most about a second before.
    """

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        """`port` 0 takes a free one at `start`, and the same again when started again."""
        self._data_dir = data_dir
        self._port = port
        self._process: GuardedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for Kafka clients, known from `start` on."""
        return f"{HOST}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the broker was started and has neither been stopped nor ended by itself."""
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Return when the broker answers a Kafka request. Raises EmbeddedBrokerError and leaves nothing running."""
        if self._process is not None:
            raise EmbeddedBrokerError("the embedded broker is running already")
        binary = _binary()
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            await asyncio.wait_for(self._launch(binary), START_LIMIT_S)
        except OSError as error:
            await self.kill()
            reason = error.strerror or f"no answer within {START_LIMIT_S:.0f} s"  # TimeoutError is an OSError.
            raise EmbeddedBrokerError(f"the embedded broker cannot run in {self._data_dir}: {reason}") from None
        except BaseException:
            await self.kill()
            raise

    async def stop(self) -> None:
        """Save everything and end the broker, in at most STOP_GRACE_S. Safe to repeat."""
        if self._process is not None:
            await asyncio.to_thread(self._process.stop)
            self._process = None

    async def kill(self) -> None:
        """End the broker as a crash would. Safe to repeat."""
        if self._process is not None:
            await asyncio.to_thread(self._process.kill)
            self._process = None

    @property
    def _log(self) -> Path:
        return self._data_dir / "broker.log"

    async def _launch(self, binary: Path) -> None:
        self._port = _free_port(self._port)
        options = ("--only", "kafka", "--host", HOST, "--kafka-port", str(self._port))
        patience = time.monotonic() + STOP_GRACE_S + 1.0
        while True:
            self._log.unlink(missing_ok=True)
            self._process = GuardedProcess(
                [binary, "start", *options, "--data-dir", self._data_dir], self._log, grace_s=STOP_GRACE_S
            )
            while self._process.running:
                if await _answers(self._port):
                    return
                await asyncio.sleep(0.02)
            complaint = self._complaint()
            if "already running" not in complaint or time.monotonic() > patience:
                raise EmbeddedBrokerError(f"the embedded broker cannot run: {complaint}")
            # Right after a `kill -9` of ours the broker of before is still saving; it frees the folder within seconds.
            self._process = None
            await asyncio.sleep(0.2)

    def _complaint(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), "it ended at once")


def _binary() -> Path:
    """Find the broker's executable. Raises EmbeddedBrokerError where the package has none for this platform."""
    instead = "set KAFKA_BOOTSTRAP_SERVERS to use a Kafka of yours"
    package = importlib.util.find_spec("noida_db")
    folders = (package.submodule_search_locations if package else None) or ()
    binary = next((path for folder in folders if (path := Path(folder) / "noida-db").is_file()), None)
    if binary is None:
        raise EmbeddedBrokerError(f"the embedded broker (noida-db) is not available for {sys.platform}: {instead}")
    if not os.access(binary, os.X_OK):  # Not every installer keeps the bit.
        try:
            binary.chmod(0o755)
        except OSError as error:
            raise EmbeddedBrokerError(f"{binary} cannot be made executable ({error.strerror}): {instead}") from None
    return binary


def _free_port(wanted: int) -> int:
    """Return `wanted`, or any free port for 0. Raises EmbeddedBrokerError when somebody listens on it."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # Closed connections of a broker before do not count.
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise EmbeddedBrokerError(f"port {wanted} cannot be used: {error.strerror}") from None
        port: int = probe.getsockname()[1]
        return port


async def _answers(port: int) -> bool:
    """Whether a Kafka broker answers on the port, as opposed to nobody or another service."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(API_VERSIONS)
        _, correlation = struct.unpack(">ii", await asyncio.wait_for(reader.readexactly(8), 1.0))
        return bool(correlation == 1)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
