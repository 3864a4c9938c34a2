"""``deskpulse run``: everything at once, from the broker to the live numbers."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace
from rich.console import Console
from rich.live import Live

from stream.cli.errors import UsageError
from stream.cli.logs import show_logs
from stream.cli.options import add_config, add_port, configuration, positive
from stream.config import SERVERS_VARIABLE, Config
from stream.demo.broker import EmbeddedBroker, EmbeddedBrokerError
from stream.demo.console import Board, applied
from stream.demo.replay import messages, publish, publish_until, survey
from stream.demo.sample import FILES, Memory
from stream.demo.simulator import traffic
from stream.metrics.model import WorkerSnapshot

if TYPE_CHECKING:
    from stream.bootstrap import Node
    from stream.runtime.feed import Feed
    from stream.runtime.worker import Worker

NAME = "run"
HELP = "run everything: broker, topics, worker, a sample of real events, live traffic"

# In the working directory and not in a temporary one, so that a second run goes on where the first one stopped.
FOLDER = Path(".deskpulse")
# Ctrl-C promises 5 s for everything: the worker gets this much, the broker saves within a second or two after it.
WORKER_STOP_S = 2.5
INTERRUPTED = 130  # what a shell makes of a process that SIGINT ended
WARM_UP_US = 3 * 3_600 * 1_000_000
TERMINAL_EVERY_S, PLAIN_EVERY_S = 1.0, 5.0
BROKER_LOOK_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)
    add_port(parser)
    parser.add_argument("--no-sample", action="store_true", help="do not publish the sample of real events")
    parser.add_argument(
        "--rate", type=positive, default=5.0, metavar="N", help="events of simulated traffic per second (default: 5)"
    )
    parser.add_argument("--once", action="store_true", help="stop when the sample is applied, and print the numbers")


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C. Raises UsageError, ConfigError, and WorkerFailure when the worker cannot go on."""
    config = configuration(args)
    config = replace(config, ingest=replace(config.ingest, clock="wall"))  # the sample ends now and goes on live
    # Faust takes half a second to import.
    from stream.board.server import BindError  # noqa: PLC0415
    from stream.runtime.worker import quiet_logs  # noqa: PLC0415

    show_logs(logging.WARNING, "%(levelname)s %(message)s")
    quiet_logs()
    try:
        asyncio.run(_until_signal(Session(config, args, Console())))
    except (EmbeddedBrokerError, BindError) as error:
        raise UsageError(str(error)) from None
    return 0


async def _until_signal(session: Session) -> None:
    """Run the session; the first SIGINT or SIGTERM stops it in order, the second one at once."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(session.run())

    def stop() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, os._exit, INTERRUPTED)
        session.say("stopping")
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await asyncio.wait({task})
    if not task.cancelled():
        task.result()


class Session:
    """One run, from the broker's start to its stop."""

    def __init__(self, config: Config, args: argparse.Namespace, console: Console) -> None:
        self._config = config
        self._args = args
        self._console = console
        self._board = Board()
        self._broker: EmbeddedBroker | None = None
        self._snapshot: Callable[[], WorkerSnapshot | None] = lambda: None

    def say(self, text: str) -> None:
        """Say what happens now, in a line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    async def run(self) -> None:
        """Run until cancelled, or with --once until the sample is applied; everything started is stopped at the end."""
        from stream.bootstrap import node  # noqa: PLC0415

        async with AsyncExitStack() as stack:
            config = await self._with_broker(stack)
            made = stack.enter_context(node(config, WORKER_STOP_S))
            self._snapshot = lambda: made.latest.snapshot
            if config.web.port and not made.url.endswith(f":{config.web.port}"):
                self.say(f"port {config.web.port} is in use, taking the next free one")
            self.say(f"numbers: {made.url}/   metrics: {made.url}/metrics   (Ctrl-C stops)")
            await self._work(made)

    async def _with_broker(self, stack: AsyncExitStack) -> Config:
        """Return the configuration with a Kafka in it: the configured one, else the embedded broker."""
        kafka = self._config.kafka
        if kafka.bootstrap_servers:
            self.say(f"Kafka: {kafka.bootstrap_servers}")
            return self._config
        folder = FOLDER / "broker"
        self.say(f"broker: embedded, its data in {folder} ({SERVERS_VARIABLE} chooses a Kafka of yours)")
        broker = self._broker = EmbeddedBroker(folder)
        stack.push_async_callback(broker.stop)
        await broker.start()
        return replace(self._config, kafka=replace(kafka, bootstrap_servers=broker.bootstrap_servers))

    async def _work(self, made: Node) -> None:
        """Run worker, traffic and display side by side until one of them ends or we are cancelled."""
        from stream.runtime.topics import ensure_topics  # noqa: PLC0415
        from stream.runtime.worker import Worker  # noqa: PLC0415

        partitions = await ensure_topics(made.settings)
        worker = Worker(made.settings, made.parts)
        working = asyncio.create_task(worker.run())
        others = {asyncio.create_task(self._traffic(made, partitions)), asyncio.create_task(self._show())}
        if self._broker is not None:
            others.add(asyncio.create_task(_fail_without(self._broker, worker)))
        try:
            done, _ = await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
            worker.stop()
            await asyncio.wait({working})
        working.result()
        for task in done:
            task.result()

    async def _traffic(self, made: Node, partitions: int) -> None:
        from stream.runtime.clock import now_us  # noqa: PLC0415
        from stream.runtime.feed import Feed, log_ends  # noqa: PLC0415

        async with Feed(made.settings, partitions) as feed:
            fresh = not any((await log_ends(made.settings, partitions)).values())
            if not self._args.no_sample:
                await self._sample(made, partitions, feed)
            if self._args.once:
                await self._applied(made, feed)
                return
            self.say(f"live: simulated traffic, {self._args.rate:g} events per second")
            now = now_us()
            # Another seed each time: a second run is another day. The first one begins a while ago, so that there are
            # answers, complaints and ratings at once and not only new tickets.
            stories = traffic(now, self._args.rate, now - WARM_UP_US if fresh else now)
            first = await publish_until(now, stories, feed)
            await publish(chain([first], stories), feed, speed=1.0)

    async def _sample(self, made: Node, partitions: int, feed: Feed) -> None:
        from stream.runtime.clock import now_us  # noqa: PLC0415
        from stream.runtime.feed import log_ends  # noqa: PLC0415

        found = survey(FILES)
        assert found.newest is not None  # the committed files hold events
        # The embedded broker's port changes from run to run.
        servers = self._config.kafka.bootstrap_servers or "embedded"
        memory = Memory(FOLDER / "sample.json", f"{made.settings.app_id} on {servers}")
        ends = await log_ends(made.settings, partitions)
        shift = memory.shift(found.newest, now_us(), empty=not any(ends.values()))
        if shift is None:
            self.say("sample: the topics hold events already, none is published again")
            return
        self.say(f"sample: {found.events:,} real events, shifted to end now")
        self._remember(memory, shift, complete=False)
        await publish(messages(FILES, found, shift), feed)
        self._remember(memory, shift, complete=True)

    def _remember(self, memory: Memory, shift: int, *, complete: bool) -> None:
        try:
            memory.remember(shift, complete=complete)
        except OSError as error:
            raise UsageError(f"cannot write {error.filename}: {error.strerror}") from None

    async def _applied(self, made: Node, feed: Feed) -> None:
        """Wait until the numbers hold everything that was published, and print them."""
        while not _holds(made.latest.snapshot, feed.ends):
            await asyncio.sleep(made.settings.snapshot_interval)
        snapshot = made.latest.snapshot
        assert snapshot is not None
        self.say(f"done: {applied(snapshot):,} events applied")
        self._console.print(self._board.table(snapshot))

    async def _show(self) -> None:
        if not self._console.is_terminal:
            while True:
                await asyncio.sleep(PLAIN_EVERY_S)
                self._console.print(self._board.line(self._snapshot()), highlight=False, soft_wrap=True)
        with Live(console=self._console, auto_refresh=False, transient=self._args.once) as display:
            while True:
                display.update(self._board.table(self._snapshot()), refresh=True)
                await asyncio.sleep(TERMINAL_EVERY_S)


async def _fail_without(broker: EmbeddedBroker, worker: Worker) -> None:
    """Stop the worker when its broker has ended: nothing would come back by itself."""
    from stream.runtime.failure import WorkerFailure  # noqa: PLC0415

    while broker.running:
        await asyncio.sleep(BROKER_LOOK_S)
    worker.fail(WorkerFailure(f"the embedded broker has ended; {FOLDER / 'broker' / 'broker.log'} may tell why"))


def _holds(snapshot: WorkerSnapshot | None, ends: dict[tuple[str, int], int]) -> bool:
    """Whether a snapshot holds everything up to *ends*, and all shards are ready and caught up."""
    if snapshot is None or not snapshot.joined or not snapshot.sources:
        return False
    reached = {(source.topic, source.partition): source.applied_offset for source in snapshot.sources}
    return (
        all(shard.state == "ready" for shard in snapshot.shards)
        and all(source.lag_messages == 0 for source in snapshot.sources)
        and all(reached.get(place, -1) >= end for place, end in ends.items())
    )
