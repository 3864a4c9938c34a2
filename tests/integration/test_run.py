"""`deskpulse run` as a person runs it: a process in a folder of its own, ended by Ctrl-C."""

import asyncio
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import orjson
import psutil
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from stream.demo.broker import EmbeddedBroker
from stream.demo.replay import survey
from stream.demo.sample import FILES
from stream.events.registry import TOPICS
from tests.kafka.broker import KafkaCluster

COMMAND = [sys.executable, "-c", "import sys; from stream.cli.main import main; sys.exit(main())"]
NUMBERS = itertools.count(1)  # two tests of one session must never share a topic
SOURCE_PARTITIONS = 4 * 4  # the three topics and the re-routed one
FEW = 50  # live events in flight, far fewer than the sample
STOP_S = 5.0  # what Ctrl-C promises


class Running:
    """A started command: its lines so far, and its family of processes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def wait_for(self, pattern: str, timeout: float = 60.0) -> str:
        """Return the first group of the first line that matches."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._match(pattern) or self._ended, timeout)
        found = self._match(pattern)
        assert found, f"ended without {pattern!r}: {self.lines}"
        return found[1]

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> float:
        """Send the signal, wait for the end and return the seconds it took. No process may be left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        seconds = time.monotonic() - began
        _, alive = psutil.wait_procs(family, timeout=max(0.0, STOP_S - seconds))
        assert alive == []
        return seconds

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip())
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _match(self, pattern: str) -> re.Match[str] | None:
        return next((found for line in list(self.lines) if (found := re.search(pattern, line))), None)


@contextmanager
def running(folder: Path, *arguments: str, servers: str = "") -> Iterator[Running]:
    """Start a command; when the block ends it is over and all it said is in `lines`."""
    environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": servers}
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        started = Running(process)
        try:
            yield started
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            started.reader.join()


def run_once(folder: Path, servers: str = "") -> list[str]:
    """Run until the sample is applied and return what was said."""
    with running(folder, "run", "--once", "--port", "0", servers=servers) as started:
        assert started.process.wait(120) == 0
    return started.lines


def applied(lines: list[str]) -> int:
    (number,) = (found[1] for line in lines if (found := re.search(r"done: ([\d,]+) events applied", line)))
    return int(number.replace(",", ""))


def gauges(url: str) -> dict[str, float]:
    with urlopen(f"{url}/metrics", timeout=10) as page:
        lines = page.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def caught_up(started: Running) -> dict[str, float]:
    """Return the page of a run whose live traffic has begun, as soon as it shows all of the sample."""
    url = started.wait_for(r"numbers: (\S+?)/ ")
    started.wait_for("(live: )")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        page = gauges(url)
        lags = [value for name, value in page.items() if name.startswith("deskpulse_stream_consumer_lag_messages")]
        if len(lags) == SOURCE_PARTITIONS and sum(lags) < FEW:
            return page
    raise AssertionError(f"never caught up: {lags}")


def test_once_applies_exactly_the_sample_and_a_second_run_finds_it_there(tmp_path: Path) -> None:
    sample = survey(FILES).events
    assert applied(run_once(tmp_path)) == sample
    again = run_once(tmp_path)
    assert applied(again) == 0
    assert "sample: the topics hold events already, none is published again" in again


def test_ctrl_c_stops_everything_and_the_next_run_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    created = 'deskpulse_window_tickets_created{window="30d"}'
    with running(tmp_path, "run", "--port", "0", "--rate", "5") as first:
        before = caught_up(first)
        assert first.interrupt() < STOP_S
    assert first.process.returncode == 0
    assert not any("Traceback" in line for line in first.lines)

    with running(tmp_path, "run", "--port", "0", "--no-sample") as second:
        # The window slides on between the runs, and at its old end tickets leave it: some 40 of 2,700 a day.
        assert caught_up(second)[created] == pytest.approx(before[created], rel=0.01)
        assert second.interrupt(signal.SIGTERM) < STOP_S
    assert second.process.returncode == 0


@pytest.mark.parametrize("phase", ["broker: ", "numbers: ", "sample: ", "live: "])
def test_ctrl_c_stops_everything_at_any_moment(tmp_path: Path, phase: str) -> None:
    with running(tmp_path, "run", "--port", "0") as started:
        started.wait_for(f"({phase})")
        assert started.interrupt() < STOP_S
    assert started.process.returncode == 0
    assert not any("Traceback" in line for line in started.lines)


def test_an_interrupted_sample_is_completed_by_the_next_run_with_the_same_times(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--port", "0") as started:
        url = started.wait_for(r"numbers: (\S+?)/ ")
        started.wait_for("(sample: )")
        while not any(name.startswith("deskpulse_stream_applied_offset") for name in gauges(url)):
            assert started.process.poll() is None
        started.interrupt()
    run_once(tmp_path)
    times: dict[tuple[str, str], set[str]] = {}
    for value in asyncio.run(published(tmp_path / ".deskpulse" / "broker")):
        event = orjson.loads(value)
        if not event["source"].startswith("/simulator/"):
            times.setdefault((event["source"], event["id"]), set()).add(event["time"])
    assert len(times) == survey(FILES).events
    assert all(len(one) == 1 for one in times.values())


async def published(folder: Path) -> list[bytes]:
    """Return all values in the source topics of an embedded broker that has stopped."""
    broker = EmbeddedBroker(folder)
    await broker.start()
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=broker.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        values = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            batches = await consumer.getmany(timeout_ms=1_000)
            values += [record.value for batch in batches.values() for record in batch]
        return values
    finally:
        await consumer.stop()
        await broker.stop()


def test_a_taken_port_gives_way_to_the_next_free_one_with_a_notice(tmp_path: Path) -> None:
    with running(tmp_path, "run", "--no-sample", "--port", "0") as first:
        port = int(first.wait_for(r"numbers: http://127\.0\.0\.1:(\d+)/ "))
        folder = tmp_path / "other"
        folder.mkdir()
        with running(folder, "run", "--no-sample", "--port", str(port)) as second:
            second.wait_for(f"(port {port} is in use, taking the next free one)")
            other = int(second.wait_for(r"numbers: http://127\.0\.0\.1:(\d+)/ "))
            assert port < other < port + 10
            second.interrupt()
        first.interrupt()


class Deployment:
    def __init__(self, folder: Path, name: str, servers: str) -> None:
        self.folder, self.servers, self.prefix = folder, servers, f"{name}."
        (folder / "deskpulse.toml").write_text(f'kafka.app_id = "{name}"\nkafka.topic_prefix = "{self.prefix}"\n')

    def finish(self, *arguments: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it said."""
        with running(self.folder, *arguments, servers=self.servers) as started:
            code = started.process.wait(120)
        return code, "\n".join(started.lines)

    async def create_topic(self, source: str, setting: dict[str, str]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(f"{self.prefix}{source}", 4, 1, topic_configs=setting)])
        finally:
            await admin.close()


@pytest.fixture
def deployment(tmp_path: Path, kafka: KafkaCluster) -> Deployment:
    """A folder whose configuration has topics of its own on the session's Kafka."""
    return Deployment(tmp_path, f"run-{next(NUMBERS)}", kafka.bootstrap_servers)


@pytest.mark.kafka
def test_the_same_on_a_configured_kafka(deployment: Deployment) -> None:
    folder, servers = deployment.folder, deployment.servers
    assert applied(run_once(folder, servers)) == survey(FILES).events
    assert applied(run_once(folder, servers)) == 0
    with running(folder, "run", "--port", "0", servers=servers) as started:
        caught_up(started)
        assert started.interrupt() < STOP_S
    assert started.process.returncode == 0
    assert not (folder / ".deskpulse" / "broker").exists()


@pytest.mark.kafka
def test_topics_replay_and_simulate_feed_a_worker(deployment: Deployment) -> None:
    sample = survey(FILES).events
    assert deployment.finish("topics", "--check")[0] == 1
    assert deployment.finish("topics")[0] == deployment.finish("topics", "--check")[0] == 0
    code, said = deployment.finish("replay", "--shift-to-now", *map(str, FILES))
    assert code == 0
    assert f"{sample:,} events in " in said
    code, said = deployment.finish("simulate", "--rate", "200", "--duration", "2")
    assert code == 0
    found = re.search(r"(\d+) events published", said)
    assert found
    expected = sample + int(found[1])
    with running(deployment.folder, "worker", "--port", "0", servers=deployment.servers) as worker:
        url = worker.wait_for(r"metrics (\S+)/metrics")
        deadline = time.monotonic() + 60
        while (read := results(url)) < expected and time.monotonic() < deadline:
            worker.process.poll()
        assert read == expected
        worker.interrupt()
    assert worker.process.returncode == 0


def results(url: str) -> float:
    """Return the number of records that the worker read, by its own counters."""
    return sum(value for name, value in gauges(url).items() if name.startswith("deskpulse_stream_events_total"))


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"message.timestamp.type": "LogAppendTime"}, "has message.timestamp.type=LogAppendTime"),
        ({"retention.ms": "604800000"}, "has retention.ms=604800000 and would delete events that are"),
    ],
)
def test_a_replay_refuses_a_topic_that_would_change_or_drop_the_events(
    deployment: Deployment, setting: dict[str, str], complaint: str
) -> None:
    asyncio.run(deployment.create_topic("bookings", setting))
    assert deployment.finish("topics")[0] == 0
    code, said = deployment.finish("replay", *map(str, FILES))
    assert code == 1
    assert said.startswith(f"deskpulse: topic {deployment.prefix}bookings {complaint}")
    assert len(said.splitlines()) == 1
