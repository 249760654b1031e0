"""``python proxies/make.py``: generates ``toxiproxy.json``, the proxies for Toxiproxy in containers, from the links."""

import json
from pathlib import Path

from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import LinkSpec, TestbedSpec

HERE = Path(__file__).parent
POSTGRES, COLLECTOR = "postgres:5432", "telemetry:4318"


def render(spec: TestbedSpec) -> str:
    """Return the text of the file: one proxy per link, from its port in ``links.yaml`` to the callee's container.

    Proxies listen on ``[::]``, which includes IPv4. For 0.0.0.0, Toxiproxy reports ``[::]`` anyway; a later populate
    would see a difference, recreate the proxy and drop its toxics.
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
    """Return the callee's address. Compose uses the names of ``testbed.yaml``; a name resolves to every replica."""
    elsewhere = {"postgresql": POSTGRES, "otlp": COLLECTOR}
    return elsewhere.get(link.kind) or f"{link.callee}:{ports[link.callee]}"


if __name__ == "__main__":
    (HERE / "toxiproxy.json").write_text(render(load_testbed(HERE.parent / "testbed.yaml")))
