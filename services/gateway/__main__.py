"""Start gateway: `python -m services.gateway`."""

from services.gateway.app import create_app
from services.gateway.settings import load_settings
from services.kit.process.serve import serve
from services.shop.lint import policy_of

if __name__ == "__main__":
    serve(load_settings, policy_of, create_app)
