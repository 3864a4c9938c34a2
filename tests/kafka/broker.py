"""Apache Kafka brokers (KRaft, each also a controller) as child processes: start, stop, SIGKILL, restart on their data.

All calls block; inside a running event loop use `asyncio.to_thread`.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.demo.child import GuardedProcess
from tests.kafka.jars import KafkaInstall

Result = TypeVar("Result")

HOST = "127.0.0.1"
START_LIMIT_S = 60.0  # A start takes 2 s on two idle cores; the rest is room for a busy machine.
STOP_GRACE_S = 10.0  # A controlled shutdown takes about 2 s.
# A broker comes back on its old port, so the port must not be one that the kernel lends to outgoing connections
# meanwhile: Linux lends from 32768 on, macOS from 49152 on.
PORTS = range(20_000, 32_000)
# One compiler tier and the serial collector: a broker that lives for a minute on shared cores starts faster with them.
JVM_OPTIONS = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
LOG4J = """\
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{{1}} %m%n
rootLogger.level = WARN
rootLogger.appenderRef.file.ref = file
"""
# Kafka's defaults, message.max.bytes among them, stay as they are except where they only cost a test time or memory.
SERVER_SETTINGS = {
    "auto.create.topics.enable": "false",  # A misspelt topic must be an error.
    "log.retention.ms": "-1",  # Events in tests are years old; a topic under test sets its own retention.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",  # Lets a test see a dead member dropped soon (default 6 s).
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",  # Default 10 s.
    "log.cleaner.backoff.ms": "500",  # Compaction looks for work this often (default 15 s).
    "log.cleaner.dedupe.buffer.size": "8388608",  # Default 128 MiB, a quarter of this heap.
    "broker.heartbeat.interval.ms": "250",
    "broker.session.timeout.ms": "1500",  # A killed broker may register again after this (default 9 s).
}


class KafkaBroker:
    """One node. `start` returns when the cluster lists it; `bootstrap_servers` stays the same over restarts.

    It also listens on `proxied_port` and tells clients that come there to come to `proxy_port`, where nobody listens
    unless a test puts a proxy in between.
    """

    def __init__(self, install: KafkaInstall, node_id: int, folder: Path) -> None:
        self.node_id = node_id
        self.port, self.controller_port, self.proxied_port, self.proxy_port = free_ports(4)
        self._install = install
        self._folder = folder
        self._process: GuardedProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def process_group(self) -> int:
        """The process group of the running broker. Raises RuntimeError when it does not run."""
        if self._process is None:
            raise RuntimeError(f"broker {self.node_id} is not running")
        return self._process.group

    def format(self, cluster_id: str, voters: str, replicas: int) -> None:
        """Writes the configuration and formats the empty storage; once in the life of a node."""
        self._folder.mkdir(parents=True)
        settings = SERVER_SETTINGS | self._node_settings(voters) | _replication_settings(replicas)
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        (self._folder / "server.properties").write_text(lines)
        (self._folder / "log4j2.properties").write_text(LOG4J.format(log=self._folder / "server.log"))
        command = self._java(
            "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", "server.properties"
        )
        done = subprocess.run(command, cwd=self._folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage cannot be formatted: {done.stdout}{done.stderr}")

    def launch(self) -> None:
        """Starts the process and returns at once."""
        if self._process is not None:
            raise RuntimeError(f"broker {self.node_id} is running already")
        command = self._java("kafka.Kafka", str(self._folder / "server.properties"))
        self._process = GuardedProcess(command, self._folder / "output.log", grace_s=STOP_GRACE_S)

    def wait_until_ready(self) -> None:
        """Returns when an admin client is told by this broker that this broker is part of the cluster.

        Raises RuntimeError, with the end of the broker's log, when the process ends or START_LIMIT_S pass before.
        """
        deadline = time.monotonic() + START_LIMIT_S
        while not (_accepts(self.port) and run_apart(_lists_itself(self))):
            if self._process is None or not self._process.running:
                raise RuntimeError(f"broker {self.node_id} ended: {self._last_words()}")
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"broker {self.node_id} is not ready after {START_LIMIT_S:.0f} s: {self._last_words()}"
                )
            time.sleep(0.05)

    def start(self) -> None:
        self.launch()
        self.wait_until_ready()

    def stop(self) -> None:
        """Ends the broker by a controlled shutdown. Safe to repeat."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """Ends the broker by SIGKILL. Safe to repeat."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def freeze(self) -> None:
        """Halts the process by SIGSTOP: it holds its connections and answers nothing until `thaw`."""
        os.killpg(self.process_group, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.process_group, signal.SIGCONT)

    def restart(self) -> None:
        """Stops the broker if it still runs, then starts it on the same data and port."""
        self.stop()
        self.start()

    def _java(self, *arguments: str) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        return [self._install.java, *JVM_OPTIONS, log4j, "-cp", self._install.classpath, *arguments]

    def _node_settings(self, voters: str) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.node_id),
            "controller.quorum.voters": voters,
            "listeners": f"PLAINTEXT://{HOST}:{self.port},PROXIED://{HOST}:{self.proxied_port},"
            f"CONTROLLER://{HOST}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port},PROXIED://{HOST}:{self.proxy_port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
        }

    def _last_words(self) -> str:
        logs = (self._folder / "output.log", self._folder / "server.log")
        return "\n".join(log.read_text(errors="replace")[-2_000:] for log in logs if log.exists()).strip()


class KafkaCluster:
    """One to three brokers. `bootstrap_servers` names them all; `brokers` are there to be killed one by one."""

    def __init__(self, install: KafkaInstall, folder: Path, size: int = 1) -> None:
        self.brokers = [KafkaBroker(install, node_id, folder / f"broker-{node_id}") for node_id in range(1, size + 1)]
        self._formatted = False

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    def start(self) -> None:
        """Returns when every broker is ready. Raises RuntimeError, and leaves none running, when one is not."""
        if not self._formatted:
            self._format()
        try:
            for broker in self.brokers:
                broker.launch()
            for broker in self.brokers:
                broker.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """All at once: one by one, the last would wait in vain for a quorum to take over from it."""
        with ThreadPoolExecutor(len(self.brokers)) as pool:
            list(pool.map(KafkaBroker.stop, self.brokers))

    def kill(self) -> None:
        for broker in self.brokers:
            broker.kill()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _format(self) -> None:
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        voters = ",".join(f"{node.node_id}@{HOST}:{node.controller_port}" for node in self.brokers)
        for broker in self.brokers:
            broker.format(cluster_id, voters, replicas=min(3, len(self.brokers)))
        self._formatted = True


def _replication_settings(replicas: int) -> dict[str, str]:
    topics = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
    factors = {f"{topic}.replication.factor": str(replicas) for topic in topics}
    in_sync = {f"{topic}.min.isr": str(min(2, replicas)) for topic in topics[1:]}
    defaults = {"default.replication.factor": str(replicas), "min.insync.replicas": str(min(2, replicas))}
    return factors | in_sync | defaults


def free_ports(count: int) -> list[int]:
    """Ports of PORTS that nobody listens on now. Raises RuntimeError when there are not enough."""
    found: list[int] = []
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError("no free ports")


def run_apart(work: Coroutine[Any, Any, Result]) -> Result:
    """Runs a coroutine to its end in a thread and event loop of its own, so that a caller may be inside a loop."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()


async def _lists_itself(broker: KafkaBroker) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers, request_timeout_ms=2_000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        return any(node["node_id"] == broker.node_id for node in cluster["brokers"])
    except KafkaError:
        return False
    finally:
        await admin.close()


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
