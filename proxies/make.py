"""``python proxies/make.py``: writes ``toxiproxy.json``, the proxies of the containers' Toxiproxy, from the links."""

import json
from pathlib import Path

from aguante.testbed.testbed_file import load_testbed
from aguante.testbed.testbed_spec import LinkSpec, TestbedSpec

HERE = Path(__file__).parent
POSTGRES, COLLECTOR = "postgres:5432", "telemetry:4318"


def render(spec: TestbedSpec) -> str:
    """The file's text: one proxy per link, on its port of ``links.yaml``, to the callee's container.

    They listen on ``[::]``, which takes IPv4 too: asked for 0.0.0.0, Toxiproxy reports ``[::]`` all the same,
    and a later populate would take the two for different, make the proxy anew and drop its toxics.
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
    """Compose's name of the callee is its name in ``testbed.yaml``; Docker's DNS knows every replica of it."""
    elsewhere = {"postgresql": POSTGRES, "otlp": COLLECTOR}
    return elsewhere.get(link.kind) or f"{link.callee}:{ports[link.callee]}"


if __name__ == "__main__":
    (HERE / "toxiproxy.json").write_text(render(load_testbed(HERE.parent / "testbed.yaml")))
