"""Generates the databases' passwords at the first start of a stack, so that no file of the repository contains one.

Runs once, before PostgreSQL. ``/credentials/all`` is for PostgreSQL and the auditor (the superuser's password is in
``postgres``); ``/credentials/<service>`` is for that service only and contains a libpq password file. Existing
passwords are kept, because the database accepts only those it was created with.
"""

import os
import secrets
import sys
from pathlib import Path

ROOT = Path("/credentials")
SUPERUSER = "postgres"


def main(services: list[str]) -> int:
    """Return exit code 0, even if there was nothing to do."""
    made = [name for name in (SUPERUSER, *services) if make_password(ROOT / "all" / name)]
    for name in services:
        password = (ROOT / "all" / name).read_text()
        # PostgreSQL's clients refuse a password file that others can read.
        write(ROOT / name / "pgpass", f"*:*:{name}:{name}:{password}\n", 0o600)
    print(
        "generated the passwords of: " + ", ".join(made) if made else "the passwords exist already"
    )
    return 0


def make_password(path: Path) -> bool:
    """Write a password unless there is one, and return whether it was written.

    PostgreSQL reads the file as another user, from a volume of its own.
    """
    if path.exists():
        return False
    write(path, secrets.token_urlsafe(32), 0o644)
    return True


def write(path: Path, text: str, mode: int) -> None:
    """Write a file atomically, and never with wider permissions than ``mode``."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
