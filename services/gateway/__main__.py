"""``python -m services.gateway``."""

from services.gateway.app import create_app
from services.gateway.settings import load
from services.kit.process.serve import serve

if __name__ == "__main__":
    serve(load, create_app)
