"""``deskpulse doctor``: looks at everything a deployment stands on, and says what is wrong."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

from stream.cli.options import add_config, config_with_kafka
from stream.config import Config

if TYPE_CHECKING:
    from stream.runtime.doctor import Finding

NAME = "doctor"
HELP = "check broker, topics, partitions, clock, group and configuration"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line per finding; 1 when something is wrong. Raises UsageError and ConfigError."""
    config = config_with_kafka(args)
    # Faust takes half a second to import.
    from stream.bootstrap import runtime_settings  # noqa: PLC0415

    return asyncio.run(_examine(config, runtime_settings(config)))


async def _examine(config: Config, settings: Any) -> int:
    from stream.runtime.doctor import check_web, examine  # noqa: PLC0415

    counts: Counter[str] = Counter()

    def tell(finding: Finding) -> None:
        counts[finding.verdict] += 1
        print(f"{finding.verdict:7}  {finding.about}: {finding.text}", flush=True)

    for finding in check_web(config.web.host, config.web.advertised_url):
        tell(finding)
    async for finding in examine(settings):
        tell(finding)
    print(f"\n{counts['wrong']} wrong, {counts['warning']} warnings, {counts['fine']} fine")
    return 1 if counts["wrong"] else 0
