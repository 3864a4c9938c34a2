"""One worker from start to end: topics checked, Faust started, snapshots published, stopped in time."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic

from stream.domain.shard import Shard
from stream.metrics.model import Health, WorkerSnapshot
from stream.runtime.app import App, check_assignor, create_app, peer_urls
from stream.runtime.asks import ShardAsks
from stream.runtime.clock import make_clock
from stream.runtime.context import Context
from stream.runtime.counters import Counters
from stream.runtime.failure import WorkerFailure
from stream.runtime.publisher import Publisher
from stream.runtime.settings import RuntimeSettings
from stream.runtime.shards import Shards
from stream.runtime.topics import ensure_topics
from stream.runtime.watchdog import Progress, exit_after, watch

log = logging.getLogger(__name__)

# Of the stop deadline; what is left is for the shards' last checkpoints before and for closing after it.
FAUST_STOP_SHARE = 0.5
SUPERVISE_EVERY_S = 0.5
# The state has no cycles, so the collector finds nothing in it, however often it looks. Measured while a state grows:
# Python's own 700, 10, 10 cost a seventh of the worker's CPU.
COLLECTOR_THRESHOLDS = (20_000, 50, 50)
# The last two are ours, but what they log is said by the Faust services that they derive from.
NOISY = ("faust", "mode", "aiokafka", "kafka", "stream.runtime.app", "stream.runtime.transport")


@dataclass(frozen=True)
class Parts:
    """What the runtime is given by bootstrap."""

    new_shard: Callable[[int], Shard] = Shard
    publish: Callable[[WorkerSnapshot], None] = lambda snapshot: None
    health: Health = field(default_factory=Health)
    tell_peers: Callable[[Iterable[str]], None] = lambda urls: None
    answer: Callable[[ShardAsks, asyncio.AbstractEventLoop], None] = lambda asks, loop: None


class Worker:
    """A worker to be run once, in one event loop. `stop` and `fail` may be called from anywhere in that loop."""

    def __init__(self, settings: RuntimeSettings, parts: Parts) -> None:
        self._settings = settings
        self._parts = parts
        self._stop = asyncio.Event()
        self._failure: WorkerFailure | None = None
        self.shards: Shards | None = None

    def stop(self) -> None:
        """Ask the worker to stop."""
        self._stop.set()

    async def run(self) -> None:
        """Work until stopped. Raises WorkerFailure when the worker cannot go on."""
        partitions = await ensure_topics(self._settings)
        context = Context(self._settings, make_clock(self._settings.clock), Counters())
        self.shards = Shards(context, partitions, self._parts.new_shard, self.fail)
        app = create_app(self._settings, self.shards)
        publisher = Publisher(context, self.shards, self._parts.health, self._parts.publish)
        log.info(
            "deskpulse worker: group %s on %s, %d shards in all",
            self._settings.app_id, self._settings.bootstrap_servers, partitions,
        )  # fmt: skip
        publishing = asyncio.create_task(publisher.run())
        self._parts.answer(ShardAsks(self.shards, context), asyncio.get_running_loop())
        try:
            await self._run_app(app, publishing)
        finally:
            publishing.cancel()
            await asyncio.wait({publishing})
        if self._failure is not None:
            raise self._failure

    async def _run_app(self, app: App, publishing: asyncio.Task[None]) -> None:
        starting = asyncio.create_task(app.start())
        stopped = asyncio.create_task(self._stop.wait())
        crashed = asyncio.create_task(app._crashed.wait())
        watching = asyncio.create_task(self._supervise(starting, app))
        try:
            await asyncio.wait({stopped, crashed, watching, publishing}, return_when=asyncio.FIRST_COMPLETED)
            for part in (watching, publishing):
                error = part.exception() if part.done() else None
                if error is not None:
                    failure = error if isinstance(error, WorkerFailure) else None
                    self.fail(failure or WorkerFailure(f"the worker failed: {error!r}"))
            if crashed.done():
                self.fail(WorkerFailure(f"Faust crashed: {app.crash_reason!r}"))
        finally:
            self._parts.health.stopping = True
            reason = str(self._failure) if self._failure else None
            with exit_after(self._settings.stop_deadline, reason):
                for task in (stopped, crashed, watching, starting):
                    task.cancel()
                await self._stop_app(app)

    async def _supervise(self, starting: asyncio.Task[None], app: App) -> None:
        """Look after what Faust does not tell: a failed start, another assignor, the end of our part in the group.

        And after what nobody else sees: that nothing moves although there is something to read.
        """
        assert self.shards is not None
        progress = Progress(self._settings.stall_limit)
        while True:
            await asyncio.sleep(SUPERVISE_EVERY_S)
            if starting.done():
                starting.result()
                check_assignor(app)
            app.consumer.thread.check_group()
            self._parts.tell_peers(peer_urls(app))
            progress.look(self.shards.behind(), monotonic())

    async def _stop_app(self, app: App) -> None:
        assert self.shards is not None
        app.consumer.stop_flow()
        await self.shards.stop()
        try:
            async with asyncio.timeout(self._settings.stop_deadline * FAUST_STOP_SHARE):
                await app.stop()
        except TimeoutError:
            log.info("Faust did not stop in time; the group will notice within the session timeout")

    def fail(self, failure: WorkerFailure) -> None:
        """Stop for a reason, which `run` then raises; the first one counts."""
        if self._failure is None:
            self._failure = failure
            self._parts.health.failure = str(failure)
        self._stop.set()


def run_worker(settings: RuntimeSettings, parts: Parts) -> int:
    """Run a worker until SIGINT or SIGTERM; return the exit code: 0 stopped, 1 failed (its reason on stderr)."""
    quiet_logs()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    try:
        asyncio.run(_run_with_signals(settings, parts))
    except WorkerFailure as failure:
        sys.stderr.write(f"deskpulse: {failure}\n")
        return 1
    return 0


async def _run_with_signals(settings: RuntimeSettings, parts: Parts) -> None:
    worker = Worker(settings, parts)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, worker.stop)
    with watch(parts.health):
        await worker.run()


def quiet_logs() -> None:
    """Let Faust and aiokafka speak only of errors: what matters to an operator, the runtime says itself."""
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
