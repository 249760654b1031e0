"""A Prometheus of the testbed's own: every instance and Toxiproxy scraped each second, and who asks is answered."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aguante.runtimes.native.service_processes import Start, wait_ready_at
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Command
from aguante.runtimes.servers import SERVERS, find_server

START_LIMIT_S = 15.0
SCRAPE_S = 1
EXEMPLARS_MAX = 100_000
"""In memory, some 100 bytes each; a busy testbed makes 500 a second."""
LOOKBACK_S = 15
"""What a query takes as current. Prometheus's own five minutes are for scrapes a minute apart: here the phase of
a run whose runner was killed would seem to go on for so long."""
KEEP = "3650d"
"""A run is looked at whenever somebody likes; its samples are removed with its folder."""


@dataclass(frozen=True)
class Target:
    """One address to scrape."""

    job: str
    service: str
    instance: str
    address: str
    """``127.0.0.1:20017``."""


async def run_prometheus(
    port: int, targets: Sequence[Target], rules: Sequence[Path], places: "Places", start: Start
) -> None:
    """Find Prometheus, start it, wait until it answers queries.

    Raises:
        TestbedError: it is nowhere and cannot be built, or does not start.
        PortTakenError: another program took its port in the meantime.
    """
    binary = await asyncio.to_thread(find_server, SERVERS["prometheus"])
    await asyncio.to_thread(_prepare, places, targets, rules)
    command = Command(
        name="prometheus",
        argv=(str(binary), *arguments(places, port)),
        cwd=places.config.parent,
        log=places.log,
        env={"GOMAXPROCS": "1"},
    )
    await wait_ready_at(start(command), f"http://{HOST}:{port}/-/ready", START_LIMIT_S)


@dataclass(frozen=True)
class Places:
    """Where one Prometheus writes."""

    config: Path
    samples: Path
    log: Path


def arguments(places: Places, port: int) -> tuple[str, ...]:
    """What it is started with; docker-compose.yml says the same (a test compares them), but for its places."""
    return (
        f"--config.file={places.config.absolute()}",
        # It runs in a folder of its own: a relative path would lead to another place than the one that we mean.
        f"--storage.tsdb.path={places.samples.absolute()}",
        f"--storage.tsdb.retention.time={KEEP}",
        f"--web.listen-address={HOST}:{port}",
        "--web.enable-otlp-receiver",  # the runner says there what it does, and when
        "--enable-feature=exemplar-storage",
        f"--query.lookback-delta={LOOKBACK_S}s",
        "--log.level=warn",
    )


def _prepare(places: Places, targets: Sequence[Target], rules: Sequence[Path]) -> None:
    places.samples.mkdir(parents=True, exist_ok=True)
    # JSON is YAML
    places.config.write_text(json.dumps(configuration(targets, rules), indent=2))


def configuration(targets: Sequence[Target], rules: Sequence[Path]) -> Mapping[str, object]:
    """Prometheus's configuration: what is scraped, how often, and which rules are reckoned."""
    jobs = dict.fromkeys(each.job for each in targets)
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": f"{SCRAPE_S}s",
            "evaluation_interval": f"{SCRAPE_S}s",
            # Exemplars are in OpenMetrics alone.
            "scrape_protocols": ["OpenMetricsText1.0.0", "PrometheusText0.0.4"],
        },
        "storage": {"exemplars": {"max_exemplars": EXEMPLARS_MAX}},
        "rule_files": [str(each) for each in rules],
        "scrape_configs": [
            {
                "job_name": job,
                "static_configs": [_static(each) for each in targets if each.job == job],
            }
            for job in jobs
        ],
    }


def _static(target: Target) -> Mapping[str, object]:
    labels = {"service": target.service, "instance": target.instance}
    return {"targets": [target.address], "labels": labels}
