"""Prometheus beside a native testbed: it scrapes every instance and Toxiproxy once per second."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aguante.runtimes.native.service_processes import wait_ready_at
from aguante.runtimes.ports import HOST
from aguante.runtimes.processes import Command, Start
from aguante.runtimes.servers import SERVERS, find_server

START_LIMIT_S = 15.0
SCRAPE_S = 1
EXEMPLARS_MAX = 100_000
"""Kept in memory, about 100 bytes each; a busy testbed produces 500 per second."""
LOOKBACK_S = 15
"""How old a sample may be to count as current. The default of five minutes suits scrapes a minute apart; here, the
phase of a killed run would appear to continue for five minutes."""
RETENTION = "3650d"
"""Users may look at a run at any time; its samples are removed with its folder."""


@dataclass(frozen=True)
class Target:
    """One address to scrape."""

    job: str
    service: str
    instance: str
    address: str
    """``127.0.0.1:20017``."""


async def run_prometheus(
    port: int,
    targets: Sequence[Target],
    rules: Sequence[Path],
    files: "PrometheusFiles",
    start: Start,
) -> None:
    """Find Prometheus, start it, and wait until it accepts queries.

    Raises:
        TestbedError: it was not found and cannot be built, or does not start.
        PortTakenError: another program took its port in the meantime.
    """
    binary = await asyncio.to_thread(find_server, SERVERS["prometheus"])
    await asyncio.to_thread(_prepare, files, targets, rules)
    command = Command(
        name="prometheus",
        argv=(str(binary), *arguments(files, port)),
        cwd=files.config.parent,
        log=files.log,
        env={"GOMAXPROCS": "1"},
    )
    await wait_ready_at(start(command), f"http://{HOST}:{port}/-/ready", START_LIMIT_S)


@dataclass(frozen=True)
class PrometheusFiles:
    """The files and folders of one Prometheus."""

    config: Path
    samples: Path
    log: Path


def arguments(files: PrometheusFiles, port: int) -> tuple[str, ...]:
    """Return its command-line arguments; apart from paths they equal those in docker-compose.yml (a test compares)."""
    return (
        f"--config.file={files.config.absolute()}",
        # Absolute, because it runs in another folder.
        f"--storage.tsdb.path={files.samples.absolute()}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={HOST}:{port}",
        "--web.enable-otlp-receiver",  # the runner pushes phases and faults to it
        "--enable-feature=exemplar-storage",
        f"--query.lookback-delta={LOOKBACK_S}s",
        "--log.level=warn",
    )


def _prepare(files: PrometheusFiles, targets: Sequence[Target], rules: Sequence[Path]) -> None:
    files.samples.mkdir(parents=True, exist_ok=True)
    # JSON is valid YAML
    files.config.write_text(json.dumps(configuration(targets, rules), indent=2))


def configuration(targets: Sequence[Target], rules: Sequence[Path]) -> Mapping[str, object]:
    """Return Prometheus's configuration: targets, intervals and rules."""
    jobs = dict.fromkeys(each.job for each in targets)
    return {
        "global": {
            "scrape_interval": f"{SCRAPE_S}s",
            "scrape_timeout": f"{SCRAPE_S}s",
            "evaluation_interval": f"{SCRAPE_S}s",
            # Only OpenMetrics contains exemplars.
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
