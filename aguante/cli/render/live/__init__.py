"""``aguante watch``: a live view of a testbed, from the ``/metrics`` of its services and the API of Toxiproxy.

    two readings (read_testbed) -> one Picture, pure (picture) -> text (draw_picture)

Prometheus is not needed. Other systems work too if their metrics follow OpenTelemetry's conventions; breakers and
retries appear if their metrics are named as in ``aguante/testbed/metric_names.py``.
"""
