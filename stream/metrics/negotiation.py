"""Which of the two formats a scraper asks for (RFC 9110, "Accept"): text, or OpenMetrics where it is preferred."""

from __future__ import annotations

_OPENMETRICS = "application/openmetrics-text"


def prefers_openmetrics(accept: str) -> bool:
    """Say whether *accept* names OpenMetrics and gives it no less weight than plain text.

    A wildcard does not ask for it: browsers and curl send one, and want the plain format.
    """
    weights = {"text/plain": 0.0, _OPENMETRICS: 0.0}
    for choice in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in choice.split(";"))
        if media in weights:
            weights[media] = max(weights[media], _weight(parameters))
    return 0 < weights[_OPENMETRICS] >= weights["text/plain"]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0  # an unreadable weight asks for nothing
    return 1.0
