"""The workers of a run, as processes that may be killed, stopped and replaced at any moment."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from time import monotonic

import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout

from stream.runtime.settings import RuntimeSettings
from tests.chaos.faults import Fault, Guarantee
from tests.integration.exactness.page import Page

LIMIT_S = 120.0  # A step takes 10 s on two idle cores; the rest is room for a busy machine.
POLL_S = 0.1
READY = re.compile(r'^deskpulse_stream_recovery_state\{partition="(\d+)",state="ready"\} 1\.0$', re.MULTILINE)
APPLIED = re.compile(r'^deskpulse_stream_applied_offset\{partition="(\d+)",topic="(\w+)"\} (\S+)$', re.MULTILINE)
UNKNOWN = re.compile(r'^deskpulse_stream_commits_total\{result="unknown"\} [1-9]', re.MULTILINE)
Place = tuple[str, int]  # source and partition


class Worker:
    """One process; `lines` is all that it said on standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())
            match line.decode().split():
                case ["metrics", url, *_]:
                    self._url.set_result(url)
        if not self._url.done():
            self._url.set_result("")

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    @property
    def halted(self) -> bool:
        """Whether it was stopped by SIGSTOP."""
        return self.alive and psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED

    async def get(self, path: str = "/metrics") -> str:
        """What it answers; empty where it does not."""
        url = await self._url
        try:
            timeout, target = ClientTimeout(total=2), url.removesuffix("/metrics") + path
            async with ClientSession(timeout=timeout) as session, session.get(target) as response:
                return await response.text() if response.status == 200 else ""
        except (ClientError, ValueError, TimeoutError):
            return ""

    async def page(self) -> Page | None:
        """The scrape page; None while it shows no snapshot yet or does not answer."""
        text = await self.get()
        return Page.parse(text) if "\ndeskpulse_snapshot_timestamp_seconds " in text else None

    async def shards(self) -> set[int]:
        """The partitions that it shows as recovered."""
        return {int(partition) for partition in READY.findall(await self.get())}

    async def doubts(self) -> bool:
        """Whether it did not learn the outcome of a checkpoint."""
        return UNKNOWN.search(await self.get()) is not None

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End it by a signal, wait, and return its exit code. Safe to repeat."""
        if self.alive:
            self.send(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait until it has ended by itself. Raises TimeoutError after LIMIT_S."""
        async with asyncio.timeout(LIMIT_S):
            code = await self.process.wait()
            await self._listening
        return code


class Fleet:
    """All workers of one deployment; the dead ones too, for what they said."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self.settings = settings
        self.all: list[Worker] = []

    @property
    def alive(self) -> list[Worker]:
        return [worker for worker in self.all if worker.alive]

    @property
    def running(self) -> list[Worker]:
        """Those that live and are not halted."""
        return [worker for worker in self.alive if not worker.halted]

    async def start(self, *faults: Fault, off: Guarantee | None = None, servers: str | None = None) -> Worker:
        """Start a worker; with *servers* it reaches the brokers there."""
        settings = replace(self.settings, bootstrap_servers=servers) if servers else self.settings
        told = json.dumps({"faults": [asdict(fault) for fault in faults], "off": off})
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "DESKPULSE_"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.chaos.worker", json.dumps(asdict(settings)), told,
            stderr=asyncio.subprocess.PIPE, env=ours | {"PYTHONPATH": os.getcwd()},
        )  # fmt: skip
        worker = Worker(process)
        self.all.append(worker)
        return worker

    async def ready(self) -> bool:
        """Whether every shard is recovered on some living worker."""
        assert self.alive, "the worker ended: " + "\n".join(self.all[-1].lines[-10:])
        found: set[int] = set()
        for worker in self.running:
            found |= await worker.shards()
        return found == set(range(self.settings.partitions))

    async def applied(self) -> dict[Place, int]:
        """The next offset of each source partition, as the living workers show it."""
        found: dict[Place, int] = {}
        for worker in self.running:
            for partition, topic, offset in APPLIED.findall(await worker.get()):
                found[topic, int(partition)] = int(float(offset))
        return found

    async def until(self, holds: Callable[[], object], what: str) -> float:
        """Wait until `holds` (it may be asynchronous); return how many seconds that took.

        Raises AssertionError, with the last words of the workers, after LIMIT_S.
        """
        began = monotonic()
        while True:
            held = holds()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return monotonic() - began
            if monotonic() - began > LIMIT_S:
                said = [line for worker in self.all for line in worker.lines[-5:]]
                raise AssertionError(f"never came: {what}\n" + "\n".join(said[-20:]))
            await asyncio.sleep(POLL_S)

    async def until_ready(self) -> float:
        return await self.until(self.ready, "all shards ready")

    async def end(self, workers: Iterable[Worker] | None = None) -> None:
        """Kill workers, all by default."""
        await asyncio.gather(*(worker.end() for worker in (self.all if workers is None else workers)))


@asynccontextmanager
async def fleet_of(settings: RuntimeSettings) -> AsyncIterator[Fleet]:
    """A fleet that leaves no process behind."""
    fleet = Fleet(settings)
    try:
        yield fleet
    finally:
        await fleet.end()
