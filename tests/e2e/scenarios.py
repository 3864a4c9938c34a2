"""What may happen to a deployment: each does it, watches the pager, and tells what came."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from time import time

from tests.e2e.stack import Stack
from tests.e2e.upstream import event

LIMIT_S = 90.0  # a page that has not come by then is missed
TARGET_S = 20
# A policy whose deadlines come soon, for the scenarios of SLAs.
POLICY = f'[[policies]]\nname = "gold"\nclocks.first_response = {{ target = "{TARGET_S}s" }}\n'
# One that keeps many tickets open at any time.
SLOW_TARGET_S = 3_600
SLOW_POLICY = f'[[policies]]\nname = "slow"\nclocks.first_response = {{ target = "{SLOW_TARGET_S}s" }}\n'
DAY_S = 86_400


@dataclass(frozen=True)
class Outcome:
    """Of one run: seconds from the cause to the first page (None: none came), the pages, and the alerts they named."""

    seconds: float | None
    pages: int
    names: frozenset[str]


Scenario = Callable[[Stack, float], Outcome]


def paged(stack: Stack, cause: float, settle: float) -> Outcome:
    """Wait for a page, then *settle* seconds more, in which a second one would come."""
    stack.receiver.wait(stack.receiver.pages, LIMIT_S)
    return quiet(stack, cause, settle)


def quiet(stack: Stack, cause: float, settle: float) -> Outcome:
    """Watch for *settle* seconds; whatever came since the deployment ran counts."""
    stack.receiver.wait(lambda: False, settle)
    pages = stack.receiver.pages()
    names = frozenset(name for page in pages for name in page.names)
    return Outcome(pages[0].at - cause if pages else None, len(pages), names)


# The pipeline


def hang(stack: Stack, settle: float) -> Outcome:
    """The worker is there and does nothing."""
    cause = time()
    stack.worker.send_signal(signal.SIGSTOP)
    return paged(stack, cause, settle)


def die(stack: Stack, settle: float) -> Outcome:
    """The worker is gone, and nobody starts another."""
    cause = time()
    stack.worker.kill()
    return paged(stack, cause, settle)


def silence(stack: Stack, settle: float) -> Outcome:
    """Upstream sends nothing any more."""
    cause = time()
    stack.upstream.fall_silent()
    return paged(stack, cause, settle)


def broker_death(stack: Stack, settle: float) -> Outcome:
    """The only broker is gone; it comes back for whoever is next."""
    cause = time()
    stack.cluster.kill()
    try:
        return paged(stack, cause, settle)
    finally:
        stack.cluster.start()


def restart(stack: Stack, settle: float) -> Outcome:
    """The worker is replaced, as at an upgrade."""
    cause = time()
    stack.restart_worker()
    return quiet(stack, cause, settle)


def crash(stack: Stack, settle: float) -> Outcome:
    """The worker is killed and started again at once: its group waits for the dead member, then it recovers."""
    cause = time()
    stack.upstream.publish(answered(400, cause - 620, 600, TARGET_S))
    stack.restart_worker(signal.SIGKILL)
    return quiet(stack, cause, settle)


def rebalance(stack: Stack, settle: float) -> Outcome:
    """A second worker joins and leaves again."""
    cause = time()
    with stack.second_worker():
        stack.receiver.wait(lambda: False, settle)
    return quiet(stack, cause, settle)


def night(stack: Stack, settle: float) -> Outcome:
    """Heartbeats, and nothing else."""
    return quiet(stack, time(), settle)


# Tickets and their deadlines


def answered(tickets: int, start: float, seconds: float, target: float) -> list[dict[str, object]]:
    """Tickets spread evenly from *start* (seconds since the epoch) on, each answered and resolved within its target."""
    events = []
    for number in range(tickets):
        at, subject = start + number * seconds / tickets, f"A-{start:.0f}-{number}"
        events.append(created(subject, "care", at))
        events.append(event("ticket.message", subject, {"author": "agent"}, at=at + target / 2))
        events.append(event("ticket.status_changed", subject, {"status": "resolved"}, at=at + target * 3 / 4))
    return sorted(events, key=lambda one: one["time"])


def created(subject: str, team: str, at: float) -> dict[str, object]:
    data = {"channel": "chat", "priority": "high", "category": "question", "team": team}
    return event("ticket.created", subject, data, at=at)


def breach(stack: Stack, settle: float, meanwhile: Callable[[], None] = lambda: None) -> Outcome:
    """A ticket is left alone past its target, then answered; the page must say which, and be taken back."""
    deadline = time() + TARGET_S / 2
    stack.upstream.publish([created("T-1", "care", deadline - TARGET_S)])
    meanwhile()
    outcome = paged(stack, deadline, settle)
    page = stack.receiver.pages()[0].firing[0]
    about = {name: page["labels"].get(name) for name in ("clock", "policy", "team")}
    assert about == {"clock": "first_response", "policy": "gold", "team": "care"}
    assert page["annotations"]["link"].endswith("/api/overdue?clock=first_response&policy=gold&team=care")
    stack.upstream.publish([event("ticket.message", "T-1", {"author": "agent"})])
    taken_back = stack.receiver.wait(
        lambda: any(notice.status == "resolved" for notice in stack.receiver.notices("pager")), LIMIT_S
    )
    assert taken_back, "the page was not taken back after the answer"
    return outcome


def storm(stack: Stack, settle: float) -> Outcome:
    """Five hundred tickets of twenty teams pass their deadline at once."""
    now = time()
    stack.upstream.publish(created(f"T-{number}", f"team-{number % 20}", now) for number in range(500))
    return paged(stack, now + TARGET_S, settle)


def hang_over_a_deadline(stack: Stack, settle: float) -> Outcome:
    """The worker hangs while a deadline passes: nobody can confirm it."""
    now = time()
    stack.upstream.publish([created("T-1", "care", now)])
    stack.receiver.wait(lambda: False, TARGET_S / 2)
    outcome = hang(stack, settle)
    assert "DeskpulseStreamDown" in outcome.names
    return outcome


def restart_over_a_breach(stack: Stack, settle: float) -> Outcome:
    """The worker is replaced while a page stands: that page stays, and no other comes."""
    now = time()
    stack.upstream.publish([created("T-1", "care", now)])
    outcome = paged(stack, now + TARGET_S, settle=0)
    stack.restart_worker()
    assert quiet(stack, now + TARGET_S, settle) == outcome
    assert {notice.status for notice in stack.receiver.notices("pager")} == {"firing"}
    return outcome


def answered_while_down(stack: Stack, settle: float) -> Outcome:
    """Tickets are answered in time while no worker runs, and their deadline passes before one does again."""
    cause = time()
    tickets = [f"T-{number}" for number in range(50)]
    stack.upstream.publish(created(ticket, "care", cause) for ticket in tickets)
    stack.receiver.wait(lambda: False, TARGET_S / 2)

    def meanwhile() -> None:
        stack.upstream.publish(event("ticket.message", ticket, {"author": "agent"}) for ticket in tickets)
        stack.receiver.wait(lambda: False, TARGET_S)

    stack.restart_worker(meanwhile=meanwhile)
    return quiet(stack, cause, settle)


def backlog(stack: Stack, settle: float) -> Outcome:
    """A day's tickets are replayed at once; all are answered in time, and until that is read all are past it."""
    cause = time()
    stack.upstream.publish(answered(5_000, cause - DAY_S - SLOW_TARGET_S, DAY_S, SLOW_TARGET_S))
    return quiet(stack, cause, settle)


def old_events(stack: Stack, settle: float) -> Outcome:
    """An hour of events comes an hour late."""
    cause = time()
    stack.upstream.publish(answered(500, cause - 7_200 - SLOW_TARGET_S, 3_600, SLOW_TARGET_S))
    return quiet(stack, cause, settle)
