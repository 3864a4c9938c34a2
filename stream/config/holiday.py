"""Public holidays of countries and their regions: the one place that knows the ``holidays`` package."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib.metadata import version

from stream.config.errors import ConfigError
from stream.config.shape import nearest


def holidays_by_year(dates: tuple[date, ...], country: str, region: str) -> Callable[[int], frozenset[date]]:
    """Return a function from a year to its closed dates: *dates*, and the public holidays of the country and region.

    Raises ConfigError, worded to follow the calendar's name, where the package does not know them.
    """
    named = frozenset(dates)
    if not country:
        if region:
            raise ConfigError(f"region: {region!r} needs a country")
        return lambda year: named
    # Importing it takes tenths of a second, which only those who name a country should wait for.
    from holidays import country_holidays  # noqa: PLC0415

    try:
        country_holidays(country, subdiv=region or None)
    except NotImplementedError:
        raise ConfigError(_unknown(country, region)) from None
    known: dict[int, frozenset[date]] = {}

    def of_year(year: int) -> frozenset[date]:
        if year not in known:
            known[year] = named | frozenset(country_holidays(country, subdiv=region or None, years=year))
        return known[year]

    return of_year


def _unknown(country: str, region: str) -> str:
    """Return a complaint about the country, else about its region."""
    from holidays import list_supported_countries  # noqa: PLC0415  (as above; it takes half a second)

    regions = list_supported_countries()
    if country not in regions:
        return f"country: no country {country!r}; the nearest is {nearest(country, regions)!r}"
    near = f"the nearest is {nearest(region, regions[country])!r}" if regions[country] else "it has none"
    return f"region: {country} has no region {region!r}; {near}"


def holidays_version() -> str:
    """Return the version of the package: another one may know other holidays."""
    return version("holidays")
