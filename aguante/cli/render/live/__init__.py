"""``aguante watch``: what a testbed does now, from its services' own ``/metrics`` and Toxiproxy's API.

    read twice (reading) -> one Picture, pure (picture) -> text for a terminal (draw)

No Prometheus is needed. A system that names its metrics by OpenTelemetry's conventions is shown too; patterns are
shown where they are counted as ``services/kit/telemetry/metrics.py`` does.
"""
