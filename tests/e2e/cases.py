"""The cases: a scenario, how time runs in it, and what may come of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.e2e import scenarios
from tests.e2e.scenarios import POLICY, SLOW_POLICY, Outcome, Scenario

PIPELINE = frozenset(
    {
        "DeskpulseStreamDown",
        "DeskpulseStreamLate",
        "DeskpulseStreamPartitionsUnassigned",
        "DeskpulseStreamUpstreamSilent",
    }
)
BREACHED = frozenset({"DeskpulseTicketSlaBreached"})


@dataclass(frozen=True)
class Case:
    """*scale* divides the waits of the rules; where a restart must stay below one, it is small.

    *settle* is how long is watched for pages that should not come, in seconds. A run is missed with fewer pages than
    the least of *pages*; pages beyond the most, and those naming others than *names*, are false.
    """

    scenario: Scenario
    pages: tuple[int, int]
    names: frozenset[str] = frozenset()
    scale: int = 30
    scrape: str = "1s"
    settle: float = 25.0
    config: str = ""

    @property
    def name(self) -> str:
        return self.scenario.__name__

    def missed(self, outcome: Outcome) -> int:
        return max(0, self.pages[0] - outcome.pages)

    def false(self, outcome: Outcome) -> int:
        """False pages; one that names a wrong alert is false, were it the only one."""
        return max(0, outcome.pages - self.pages[1], len(outcome.names - self.names))


CASES = [
    Case(scenarios.hang, (1, 1), frozenset({"DeskpulseStreamDown"})),
    Case(scenarios.die, (1, 1), frozenset({"DeskpulseStreamDown"})),
    Case(scenarios.silence, (1, 1), frozenset({"DeskpulseStreamUpstreamSilent"})),
    Case(scenarios.broker_death, (1, 1), PIPELINE),
    Case(scenarios.restart, (0, 0), scale=4),
    Case(scenarios.crash, (0, 0), scale=4, settle=40, config=POLICY),
    Case(scenarios.rebalance, (0, 0), scale=4, settle=20),
    Case(scenarios.night, (0, 0), scale=60, settle=60),
    Case(scenarios.breach, (1, 1), BREACHED, scale=1, scrape="5s", settle=5, config=POLICY),
    Case(scenarios.storm, (1, 1), BREACHED, scale=1, scrape="5s", settle=45, config=POLICY),
    Case(
        scenarios.hang_over_a_deadline,
        (1, 2),
        frozenset({"DeskpulseStreamDown", "DeskpulseTicketSlaBreachUnconfirmed"}),
        config=POLICY,
    ),
    Case(scenarios.restart_over_a_breach, (1, 1), BREACHED, scale=4, settle=20, config=POLICY),
    Case(scenarios.answered_while_down, (0, 0), scale=1, settle=20, config=POLICY),
    Case(scenarios.backlog, (0, 0), scale=4, settle=50, config=SLOW_POLICY),
    Case(scenarios.old_events, (0, 0), scale=4, settle=50, config=SLOW_POLICY),
]
