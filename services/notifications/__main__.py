"""Start notifications: `python -m services.notifications`."""

from services.kit.process.serve import serve
from services.notifications.app import create_app
from services.notifications.settings import load_settings
from services.shop.lint import policy_of

if __name__ == "__main__":
    serve(load_settings, policy_of, create_app)
