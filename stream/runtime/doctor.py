"""What an operator would look at first, one finding each: brokers, cluster, topics, clock, group."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from importlib import metadata
from ipaddress import ip_address
from time import monotonic
from typing import Literal
from urllib.parse import urlsplit

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code
from msgspec import Struct

from stream.runtime.clock import now_us
from stream.runtime.failure import WorkerFailure
from stream.runtime.group import Group, describe_group
from stream.runtime.settings import RuntimeSettings
from stream.runtime.topics import Survey, administrator, agreed, survey_topics

CONNECT_MS = 5_000
# Freshness compares our clock with upstream's timestamps: a second is seen in it, and beyond five minutes events count
# as of the future (contract, Envelope).
SKEW_SEEN_S, SKEW_WRONG_S = 1.0, 300.0
EVERYWHERE = ("0.0.0.0", "::")  # listens on all addresses, and is none itself
PINNED = ("faust-streaming", "aiokafka", "mode-streaming")

Verdict = Literal["fine", "warning", "wrong"]


class Finding(Struct, frozen=True):
    """What was looked at, what was found, and whether it is as it should be."""

    verdict: Verdict
    about: str
    text: str


async def examine(settings: RuntimeSettings) -> AsyncIterator[Finding]:
    """Yield findings as they are made. What needs Kafka is left out when no broker answers."""
    for finding in check_packages():
        yield finding
    answered = False
    for host, port, _ in collect_hosts(settings.bootstrap_servers):
        finding = await check_broker(settings, host, port)
        answered = answered or finding.verdict == "fine"
        yield finding
    if not answered:
        return
    try:
        found = await survey_topics(settings)
        for finding in check_topics(settings, found):
            yield finding
        async with administrator(settings) as admin:
            for finding in await check_replicas(admin, list(found.counts)):
                yield finding
            yield await check_clock(settings, admin)
            for finding in check_group(settings.app_id, await describe_group(admin, settings.app_id)):
                yield finding
    except WorkerFailure as failure:
        yield Finding("wrong", "Kafka", str(failure))


def check_packages() -> Iterator[Finding]:
    """Hold what is installed against the versions that the runtime reaches into (ADR 0001)."""
    required = (one.partition(";")[0] for one in metadata.requires("deskpulse") or ())  # behind it: for which extra
    wanted = dict(one.split("==") for one in required if "==" in one)
    for name in PINNED:
        installed = metadata.version(name)
        if installed == wanted[name]:
            yield Finding("fine", "packages", f"{name} {installed}")
        else:
            yield Finding("wrong", "packages", f"{name} {installed}, deskpulse is made for {wanted[name]}")


def check_web(host: str, advertised_url: str) -> Iterator[Finding]:
    """Tell whether the workers that this configuration makes can find each other."""
    if not advertised_url and host in EVERYWHERE:
        yield Finding("warning", "web", f"web.host is {host}, so peers need web.advertised_url to find a worker")
    elif advertised_url and _is_loopback(host) and not _is_local(advertised_url):
        yield Finding(
            "wrong", "web", f"web.advertised_url is {advertised_url}, but web.host {host} takes no such caller"
        )


async def check_broker(settings: RuntimeSettings, host: str, port: int) -> Finding:
    """Connect as every client does, and say what stands in the way."""
    began = monotonic()
    security = {name: value for name, value in settings.client().items() if name != "bootstrap_servers"}
    about = f"broker {host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_MS / 1000):
            connection = await create_conn(host, port, request_timeout_ms=CONNECT_MS, **security)
    except TimeoutError:
        return Finding("wrong", about, f"no answer within {CONNECT_MS / 1000:.0f} s")
    except (KafkaError, OSError) as error:
        return Finding("wrong", about, _reason(error))
    connection.close()
    return Finding(
        "fine", about, f"answers in {(monotonic() - began) * 1000:.0f} ms by {security['security_protocol']}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message}"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror.lower()
    if isinstance(error, KafkaConnectionError):
        return "it closed the connection: it may want TLS, or a certificate of ours"
    return repr(error)


def check_topics(settings: RuntimeSettings, found: Survey) -> Iterator[Finding]:
    """Hold the topics against the plan."""
    for name in found.missing:
        yield Finding("wrong", "topics", f"{name} is missing; see deskpulse topics")
    for one in found.differences:
        yield Finding("wrong" if one.vital else "warning", "topics", str(one))
    for name in found.unreadable:
        yield Finding("warning", "topics", f"the broker does not tell the settings of {name}")
    if found.counts:
        try:
            shards = agreed(settings, found.counts)
        except WorkerFailure as failure:
            yield Finding("wrong", "topics", str(failure))
        else:
            yield Finding("fine", "topics", f"{len(found.counts)} are there, {shards} shards")


async def check_replicas(admin: AIOKafkaAdminClient, topics: list[str]) -> list[Finding]:
    """Tell what a dead broker has cost, or would cost."""
    brokers = len((await admin.describe_cluster())["brokers"])
    found = [Finding("fine", "cluster", f"{brokers} brokers")]
    places = {
        f"{topic['topic']}-{one['partition']}": one
        for topic in (await admin.describe_topics(topics) if topics else ())
        for one in topic["partitions"]
    }
    headless = sorted(name for name, one in places.items() if one["leader"] < 0)
    if headless:
        found.append(Finding("wrong", "cluster", f"without a leader: {', '.join(headless)}"))
    behind = sorted(name for name, one in places.items() if len(one["isr"]) < len(one["replicas"]))
    if behind:
        found.append(Finding("warning", "cluster", f"replicas out of sync: {', '.join(behind)}"))
    single = sum(len(one["replicas"]) == 1 for one in places.values())
    if single and brokers > 1:
        text = f"{single} partitions have one replica: they are gone while its broker is"
        found.append(Finding("warning", "cluster", text))
    return found


async def check_clock(settings: RuntimeSettings, admin: AIOKafkaAdminClient) -> Finding:
    """Compare our clock with the broker's, which a record in a topic of its own is stamped with.

    The topic is deleted again.
    """
    topic = f"{settings.app_id}-doctor"
    try:
        await _create_stamped(admin, topic)
        try:
            before, stamped, after = await _stamp(settings, topic)
        finally:
            await admin.delete_topics([topic])
    except (KafkaError, TimeoutError) as error:
        return Finding("warning", "clock", f"not compared: topic {topic} cannot be used ({type(error).__name__})")
    # The broker's clock was read at some time between ours.
    skew = max(before - stamped, stamped - after, 0) / 1e6
    text = f"{skew:.3f} s apart from the broker's, measured within {(after - before) / 1e6:.3f} s"
    verdict: Verdict = "fine" if skew < SKEW_SEEN_S else "warning" if skew < SKEW_WRONG_S else "wrong"
    return Finding(verdict, "clock", text)


async def _create_stamped(admin: AIOKafkaAdminClient, topic: str) -> None:
    new = NewTopic(topic, 1, -1, {}, {"message.timestamp.type": "LogAppendTime"})
    for _, code, *_ in (await admin.create_topics([new])).topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise for_code(code)


async def _stamp(settings: RuntimeSettings, topic: str) -> tuple[int, int, int]:
    """Return our clock before, the broker's, and ours after, in microseconds since the epoch (UTC)."""
    producer = AIOKafkaProducer(**settings.client(), request_timeout_ms=CONNECT_MS)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"warm")  # the first one waits for the topic to appear
        before = now_us()
        sent = await producer.send_and_wait(topic, b"now")
        return before, sent.timestamp * 1000, now_us()
    finally:
        await producer.stop()


def check_group(name: str, group: Group) -> Iterator[Finding]:
    """Tell whether the group works, and whether its workers can find each other."""
    about = f"group {name}"
    if not group.members:
        yield Finding("warning", about, f"{group.state}: no worker runs")
        return
    yield Finding(
        "fine" if group.state == "Stable" else "warning", about, f"{group.state}, {len(group.members)} workers"
    )
    if group.state == "Stable" and group.assignor != "faust":
        yield Finding("wrong", about, f"its assignor is {group.assignor}: others than deskpulse's workers are in it")
    urls = Counter(member.url for member in group.members)
    for url, count in sorted(urls.items()):
        if count > 1:
            yield Finding("wrong", about, f"{count} workers say that they answer at {url or 'no URL'}")
    if len({member.host for member in group.members}) > 1:
        for url in sorted(url for url in urls if _is_local(url)):
            text = f"workers on several hosts, one is told as {url}: set web.host and web.advertised_url"
            yield Finding("wrong", about, text)


def _is_local(url: str) -> bool:
    """Whether only its own host finds *url*, or nobody does."""
    host = urlsplit(url).hostname or ""
    return not host or host in EVERYWHERE or _is_loopback(host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
