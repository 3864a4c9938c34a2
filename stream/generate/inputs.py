"""What the rules are made from: the objectives, targets and limits of the configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from stream.generate.rule import Severity

# Of the error budget of 30 days, what each pair of windows may have burnt when it alerts, and who hears of it. 2 % and
# 10 % are the shares of Google's "SRE Workbook" (chapter 5) as slok/sloth ships them, the last one fits a week.
BURN_WINDOWS: Final[Sequence[tuple[str, str, float, Severity]]] = (
    ("1h", "5m", 0.02, "critical"),
    ("24h", "1h", 0.10, "warning"),
    ("7d", "24h", 0.25, "warning"),
)
BUDGET_PERIOD_HOURS: Final = 720
_HOURS: Final = {"1h": 1, "24h": 24, "7d": 168}
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class RuleError(Exception):
    """No rule can be made of this configuration; the message is one line for the user."""


class Objective(Struct, frozen=True):
    """The share of a clock's runs that shall be met over 30 days.

    ``burn_rates``, one per pair of BURN_WINDOWS, stand in place of the derived ones.
    """

    clock: str
    target: float
    burn_rates: tuple[float, ...] = ()


class Target(Struct, frozen=True):
    """What a KPI should come to over a window: at least ``min``, at most ``max``.

    A ratio as a fraction, a score as itself, a time in seconds.
    """

    kpi: str
    min: float | None = None
    max: float | None = None
    window: Literal["24h", "7d", "30d"] = "7d"


class BusinessHours(Struct, frozen=True):
    """When warnings may be sent; criticals always are. *days* as Alertmanager writes them."""

    zone: str = "UTC"
    days: str = "monday:friday"
    start: str = "08:00"
    end: str = "18:00"


class RuleInputs(Struct, frozen=True):
    """Everything that rules and routes depend on. Durations are like ``5m``, and divided by the scale."""

    job: str = "deskpulse"  # of the scrape configuration
    workers: int = 1  # that should be up
    board_url: str = "http://127.0.0.1:6066"
    runbooks_url: str = "docs/runbooks"
    webhook_url: str = "http://127.0.0.1:9095"  # receives /pager, /chat and /deadman
    objectives: tuple[Objective, ...] = (Objective("first_response", 0.9), Objective("resolution", 0.9))
    targets: tuple[Target, ...] = (Target("csat", min=0.8), Target("resolved_within_24h", min=0.8))
    late_after: str = "5m"  # no breach is confirmed and no KPI judged from numbers older than this
    silent_after: str = "10m"  # a source without a heartbeat; they are due every minute
    unanswered_after: str = "1d"
    business_hours: BusinessHours = BusinessHours()
    time_scale: int = 1  # for tests: divides every `for`, range and repeat interval

    def span(self, duration: str) -> str:
        """Return a Prometheus duration, scaled."""
        if self.time_scale == 1:
            return duration
        return f"{max(1, round(1_000 * seconds(duration) / self.time_scale))}ms"

    def limit(self, duration: str) -> str:
        """Return a duration in seconds, scaled, to compare a difference of timestamps with."""
        return f"{seconds(duration) / self.time_scale:g}"


def seconds(duration: str) -> int:
    """Return the seconds of a duration like ``90s``, ``5m``, ``4h`` or ``1d``. Raises RuleError."""
    match = re.fullmatch(r"([1-9]\d*)([smhd])", duration)
    if match is None:
        raise RuleError(f"{duration!r} is no duration; it takes a number and s, m, h or d, as in 5m")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def burn_thresholds(objective: Objective) -> Sequence[float]:
    """Return the share of missed runs that alerts, for each of BURN_WINDOWS. Raises RuleError.

    The burn rate is the share of the budget times period / window: 14.4 for 2 % in an hour. That rate times the budget
    of a service desk (objectives of 80-95 %) can pass 1, and no share of runs ever does; so the derived threshold stays
    at or below the middle between the budget and 1.
    """
    name, target = objective.clock, objective.target
    if not 0 < target < 1:
        raise RuleError(f"objective of {name}: {target:g} is not allowed; it takes a share between 0 and 1, as 0.9")
    budget = 1 - target
    if not objective.burn_rates:
        rates = (share * BUDGET_PERIOD_HOURS / _HOURS[window] for window, _, share, _ in BURN_WINDOWS)
        return [round(min(rate * budget, (1 + budget) / 2), 4) for rate in rates]
    if len(objective.burn_rates) != len(BURN_WINDOWS):
        raise RuleError(
            f"objective of {name}: it takes {len(BURN_WINDOWS)} burn rates, not {len(objective.burn_rates)}"
        )
    thresholds = [round(rate * budget, 4) for rate in objective.burn_rates]
    for rate, threshold in zip(objective.burn_rates, thresholds, strict=True):
        if threshold >= 1:
            raise RuleError(
                f"objective of {name}: a burn rate of {rate:g} is {threshold:.0%} missed, more than which cannot be; "
                f"with a target of {target:g} it must be below {1 / budget:g}"
            )
        if rate < 1:
            raise RuleError(f"objective of {name}: a burn rate of {rate:g} is within the budget; it must be 1 or more")
    return thresholds
