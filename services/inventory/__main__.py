"""Start inventory: `python -m services.inventory`."""

from services.inventory.app import create_app
from services.inventory.settings import load_settings
from services.kit.process.serve import serve
from services.shop.lint import policy_of

if __name__ == "__main__":
    serve(load_settings, policy_of, create_app)
