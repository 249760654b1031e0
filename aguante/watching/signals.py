"""The metrics that are shown. A test checks them equal to ``services/kit/metrics.py``, which owns them."""

SERVER_DURATION = "http_server_request_duration_seconds"
CLIENT_DURATION = "http_client_request_duration_seconds"
ACTIVE_REQUESTS = "http_server_active_requests"
CALLS_REJECTED = "aguante_calls_rejected_total"
BREAKER_STATE = "aguante_breaker_state"
RETRIES = "aguante_retries_total"
SPANS_DROPPED = "aguante_spans_dropped_total"
