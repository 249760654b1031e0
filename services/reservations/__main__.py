"""Start reservations: `python -m services.reservations`."""

from services.kit.process.serve import serve
from services.reservations.app import create_app
from services.reservations.settings import load_settings
from services.shop.lint import policy_of

if __name__ == "__main__":
    serve(load_settings, policy_of, create_app)
