"""Makes every image that ``docker-compose.yml`` names where no container registry can be reached.

``python -m offline images`` (``make images-offline``) builds stand-ins, tagged with the public names, from
Debian packages, PyPI and Go modules, and the project's own images on top of them. An image that is there and
is no stand-in of ours is left as it is. ``python -m offline compose`` installs Docker's Compose plugin,
``python -m offline stack`` starts the whole stack, or tells in one message why it could not and leaves nothing half up.
"""
