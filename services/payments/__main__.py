"""Start payments: `python -m services.payments`."""

from services.kit.process.serve import serve
from services.payments.app import create_app
from services.payments.settings import load_settings
from services.shop.lint import policy_of

if __name__ == "__main__":
    serve(load_settings, policy_of, create_app)
