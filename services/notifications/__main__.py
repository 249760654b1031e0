"""``python -m services.notifications``."""

from services.kit.process.serve import serve
from services.notifications.app import create_app
from services.notifications.settings import load

if __name__ == "__main__":
    serve(load, create_app)
