"""What can be used but is probably not meant: the warnings of ``deskpulse config check``."""

from __future__ import annotations

from collections.abc import Iterator

from stream.config.coverage import shadowed
from stream.config.holiday import holidays_by_year
from stream.config.shape import nearest
from stream.config.sla import agreement, clocks, policies
from stream.config.tables import Config
from stream.domain.kpis import KPIS
from stream.domain.sla.calendar import ALWAYS


def advice(config: Config) -> Iterator[str]:
    """Yield a line for each thing in a valid configuration that its author may want to know."""
    agreed = agreement(config)
    for name in shadowed(policies(config)):
        yield f"policies.{name}: shadowed: the policies before it take all that it would match"
    for name, calendar in agreed.calendars.items():
        holidays = holidays_by_year(calendar.holidays, calendar.country, calendar.region)
        for day in sorted(calendar.dates):
            if calendar.dates[day] and day in holidays(day.year):
                yield f"calendars.{name}.dates.{day}: is a holiday too, which wins: closed all day"
    for policy in agreed.policies:
        for clock, table in clocks(policy):
            if "d" in table.target and table.calendar != ALWAYS.name:
                where = f"policies.{policy.name}.clocks.{clock}.target"
                yield f"{where}: a day of {table.target!r} is 24 hours of open time, not a day of {table.calendar!r}"
    for target in config.targets:
        if target.kpi not in KPIS:
            yield f"targets: {target.kpi!r} is no KPI of this version; the nearest is {nearest(target.kpi, KPIS)!r}"
