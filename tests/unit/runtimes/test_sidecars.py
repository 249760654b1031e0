"""The sidecars of a testbed: names, ports, and Prometheus's configuration."""

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


def test_sidecars_are_separated_by_commas() -> None:
    """Names are accepted in any order; an empty value means no sidecar."""
    context = click.Context(up_command)
    assert observers_of(context, OPTION, "") == Sidecars()
    assert observers_of(context, OPTION, "jaeger, prometheus").names == {"prometheus", "jaeger"}


def test_an_unknown_sidecar_is_wrong_usage() -> None:
    """The message contains the name and the possible ones."""
    with pytest.raises(click.BadParameter, match=r"'grafana'.* prometheus or jaeger"):
        observers_of(click.Context(up_command), OPTION, "prometheus,grafana")
    with pytest.raises(TestbedError):
        Sidecars(frozenset(("grafana",)))


def test_sidecars_have_their_own_ports(shop: TestbedSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A testbed without sidecars has no ports or addresses for them."""
    monkeypatch.setattr(ports, "is_free", lambda _: True)
    port_map = assign_ports(
        shop, Ports(0), None, sidecars=Sidecars(frozenset(("prometheus", "jaeger")))
    )
    taken = {port_map.toxiproxy, port_map.postgres, *port_map.services.values()}
    assert set(port_map.sidecars) == {"prometheus", "jaeger", "jaeger-otlp"}
    assert not taken & set(port_map.sidecars.values())
    assert addresses("h", port_map.sidecars).keys() == {"prometheus", "jaeger", "jaeger_otlp"}
    assert assign_ports(shop, Ports(0), None).sidecars == {}


def test_paths_of_prometheus_do_not_depend_on_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths are resolved in the user's current folder, because Prometheus runs in another one."""
    monkeypatch.chdir(tmp_path)
    configured = arguments(
        PrometheusFiles(Path("p.yml"), Path("runs/a/prometheus"), Path("log")), 9090
    )
    assert f"--storage.tsdb.path={tmp_path}/runs/a/prometheus" in configured
    assert f"--config.file={tmp_path}/p.yml" in configured


def test_every_instance_is_a_target_under_its_own_name() -> None:
    """Replicas are separate targets, and Toxiproxy is a separate job."""
    configured = configuration(
        [
            Target("services", "payments", "payments-1", "127.0.0.1:1"),
            Target("services", "payments", "payments-2", "127.0.0.1:2"),
            Target("toxiproxy", "toxiproxy", "toxiproxy", "127.0.0.1:3"),
        ],
        [Path("/rules/*.yml")],
    )
    services, toxiproxy = json.loads(json.dumps(configured))["scrape_configs"]
    assert services["static_configs"] == [
        {
            "targets": [f"127.0.0.1:{n}"],
            "labels": {"service": "payments", "instance": f"payments-{n}"},
        }
        for n in (1, 2)
    ]
    assert toxiproxy["job_name"] == "toxiproxy"
    assert configured["rule_files"] == ["/rules/*.yml"]
