"""A tiny service in place of the real ones: starts in a tenth of a second, and does as its policy's name says.

``python -m standin`` reads HOST and PORT; with OWN_PORT it listens there too, and shares PORT. Policy
``dies`` ends at once, ``deaf`` never gets ready, ``stubborn`` ignores SIGTERM. GET /env answers its
environment, /policy its policy, everything else 200.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

MOOD = Path(os.environ["AGUANTE_POLICY"]).stem


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        """``/readyz``: 503 when deaf; ``/env``: the environment."""
        self.send_response(503 if self.path == "/readyz" and MOOD == "deaf" else 200)
        self.end_headers()
        answers = {"/env": dict(os.environ), "/policy": {"name": MOOD}}
        self.wfile.write(json.dumps(answers.get(self.path, MOOD)).encode())

    def log_message(self, *_: object) -> None:
        """Stay silent."""


if MOOD == "dies":
    print("the standin is out of cheese")
    sys.exit(7)
signal.signal(signal.SIGTERM, signal.SIG_IGN if MOOD == "stubborn" else lambda *_: sys.exit(0))
ThreadingHTTPServer.allow_reuse_address = True
ThreadingHTTPServer.allow_reuse_port = "OWN_PORT" in os.environ
servers = [
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ[name])), Handler)
    for name in ("PORT", "OWN_PORT")
    if name in os.environ
]
for server in servers[1:]:
    Thread(target=server.serve_forever, daemon=True).start()
servers[0].serve_forever()
