"""Which sidecars a testbed is given, where they listen, and what Prometheus is told to scrape."""

import json
from pathlib import Path

import click
import pytest

from aguante.cli.commands.up import up_command
from aguante.cli.options.with_option import observers_of
from aguante.runtimes import ports
from aguante.runtimes.native.port_map import assign_ports
from aguante.runtimes.native.prometheus_server import (
    PrometheusFiles,
    Target,
    arguments,
    configuration,
)
from aguante.runtimes.ports import Ports
from aguante.runtimes.sidecars import Sidecars, addresses
from aguante.testbed.runtime import TestbedError
from aguante.testbed.testbed_spec import TestbedSpec

OPTION = next(each for each in up_command.params if each.name == "sidecars")


def test_observers_are_named_with_commas() -> None:
    """In any order; nothing is nobody."""
    context = click.Context(up_command)
    assert observers_of(context, OPTION, "") == Sidecars()
    assert observers_of(context, OPTION, "jaeger, prometheus").names == {"prometheus", "jaeger"}


def test_an_unknown_observer_is_wrong_usage() -> None:
    """The message shows it, and which there are."""
    with pytest.raises(click.BadParameter, match=r"'grafana'.* prometheus or jaeger"):
        observers_of(click.Context(up_command), OPTION, "prometheus,grafana")
    with pytest.raises(TestbedError):
        Sidecars(frozenset(("grafana",)))


def test_observers_get_ports_of_their_own(
    shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a testbed without them has neither ports nor addresses for them."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    layout = assign_ports(
        shop, Ports(0), None, sidecars=Sidecars(frozenset(("prometheus", "jaeger")))
    )
    taken = {layout.toxiproxy, layout.postgres, *layout.services.values()}
    assert set(layout.sidecars) == {"prometheus", "jaeger", "jaeger-otlp"}
    assert not taken & set(layout.sidecars.values())
    assert addresses("h", layout.sidecars).keys() == {"prometheus", "jaeger", "jaeger_otlp"}
    assert assign_ports(shop, Ports(0), None).sidecars == {}


def test_samples_lie_where_they_were_meant_to_whatever_folder_prometheus_runs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run folder is named from where the user stands; Prometheus is started elsewhere."""
    monkeypatch.chdir(tmp_path)
    told = arguments(PrometheusFiles(Path("p.yml"), Path("runs/a/prometheus"), Path("log")), 9090)
    assert f"--storage.tsdb.path={tmp_path}/runs/a/prometheus" in told
    assert f"--config.file={tmp_path}/p.yml" in told


def test_every_instance_is_a_target_under_its_own_name() -> None:
    """Replicas are told apart, and Toxiproxy is a job of its own."""
    told = configuration(
        [
            Target("services", "payments", "payments-1", "127.0.0.1:1"),
            Target("services", "payments", "payments-2", "127.0.0.1:2"),
            Target("toxiproxy", "toxiproxy", "toxiproxy", "127.0.0.1:3"),
        ],
        [Path("/rules/*.yml")],
    )
    services, toxiproxy = json.loads(json.dumps(told))["scrape_configs"]
    assert services["static_configs"] == [
        {
            "targets": [f"127.0.0.1:{n}"],
            "labels": {"service": "payments", "instance": f"payments-{n}"},
        }
        for n in (1, 2)
    ]
    assert toxiproxy["job_name"] == "toxiproxy"
    assert told["rule_files"] == ["/rules/*.yml"]
