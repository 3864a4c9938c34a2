"""The state made anew from the source topics is the state that was."""

from __future__ import annotations

import asyncio

import pytest

from stream.runtime.deadletters import Filter, letters
from tests.integration.operations.conftest import Command
from tests.integration.runtime.harness import Deployment, Sent, created, customer_on, event

pytestmark = pytest.mark.kafka
PARTITIONS = 2


def stories() -> list[Sent]:
    """Tickets that are answered, one on the wrong partition, and a record that is refused."""
    sent = []
    for number in range(20):
        customer = f"C-{number}"
        sent.append(created(f"T-{number}", customer, at_s=number))
        sent.append(event("ticket.message", f"T-{number}", customer, {"author": "agent"}, number=1, at_s=number + 60))
    astray = created("T-astray", customer_on(0, PARTITIONS, "astray"))
    sent.append(Sent(astray.source, astray.key, astray.value, astray.timestamp_ms, partition=1))
    sent.append(Sent("tickets", b"C-1", b"no JSON"))
    return sent


async def worked(deployment: Deployment, records: int) -> None:
    async with deployment.worker():
        await deployment.until_counted(records)


async def counted_letters(deployment: Deployment) -> int:
    return len([letter async for letter in letters(deployment.settings, PARTITIONS, Filter())])


def test_a_rebuild_gives_the_same_state(deployment: Deployment, command: Command) -> None:
    async def begin() -> dict[tuple[int, bytes], object]:
        await deployment.create_topics()
        await deployment.produce(stories())
        await worked(deployment, len(stories()))
        return await deployment.state()

    before = asyncio.run(begin())
    code, printed = command("rebuild")
    assert code == 0
    assert printed.splitlines()[0] == f"{len(stories())} records are there to be read again"
    assert asyncio.run(deployment.state()) == before
    assert command("rebuild", "--confirm")[0] == 0
    assert asyncio.run(deployment.state()) == {}
    asyncio.run(worked(deployment, len(stories())))
    assert asyncio.run(deployment.state()) == before
    assert asyncio.run(counted_letters(deployment)) == 1


def test_no_state_is_deleted_under_a_worker(deployment: Deployment, command: Command) -> None:
    async def with_a_worker() -> tuple[int, str]:
        await deployment.create_topics()
        await deployment.produce(stories())
        async with deployment.worker():
            await deployment.until_counted(len(stories()))
            return await asyncio.to_thread(command, "rebuild", "--confirm")

    code, printed = asyncio.run(with_a_worker())
    assert code == 1
    assert (
        printed.splitlines()[-1] == f"deskpulse: group {deployment.settings.app_id} has 1 workers; stop them all first"
    )
    assert asyncio.run(deployment.state())
