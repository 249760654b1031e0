"""Start payments: `python -m services.payments`."""

from services.kit.process.serve import serve
from services.payments.app import create_app
from services.payments.settings import load_settings

if __name__ == "__main__":
    serve(load_settings, create_app)
