"""`python proxies/make.py` writes `toxiproxy.json`, the proxies of the containers' Toxiproxy, from the links."""

import json
from pathlib import Path

from aguante.testbed import LinkSpec, TestbedSpec
from aguante.testbed_file import load_testbed

HERE = Path(__file__).parent
POSTGRES, COLLECTOR = "postgres:5432", "telemetry:4318"


def render(spec: TestbedSpec) -> str:
    """Return the file's text: one proxy per link, on its port of `links.yaml`, to the callee's container.

    They listen on `[::]`, which includes IPv4. A proxy on 0.0.0.0 is reported as `[::]`; a later populate would see a
    difference, recreate the proxy and drop its toxics.
    """
    ports = {service.name: service.port for service in spec.services}
    proxies = [
        {
            "name": link.name,
            "listen": f"[::]:{link.port}",
            "upstream": upstream(link, ports),
            "enabled": True,
        }
        for link in spec.links
    ]
    return json.dumps(proxies, indent=2) + "\n"


def upstream(link: LinkSpec, ports: dict[str, int]) -> str:
    """Return the callee's address: its name in `testbed.yaml`, under which Docker's DNS knows every replica."""
    elsewhere = {"postgresql": POSTGRES, "otlp": COLLECTOR}
    return elsewhere.get(link.kind) or f"{link.callee}:{ports[link.callee]}"


if __name__ == "__main__":
    (HERE / "toxiproxy.json").write_text(render(load_testbed(HERE.parent / "testbed.yaml")))
