"""Builds every image of ``docker-compose.yml`` on machines without access to a container registry.

``python -m offline images`` (``make images-offline``) builds stand-ins with the public names from Debian packages,
PyPI and Go modules, and then the project's own images. Existing public images are not replaced.
``python -m offline compose`` installs Docker's Compose plugin. ``python -m offline stack`` starts the whole stack; if
that fails, it prints one message with the reason and removes the containers.
"""
