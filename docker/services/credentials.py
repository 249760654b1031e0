"""Makes the databases' passwords when a stack starts for the first time, so that no file has to hold one.

It runs once, before PostgreSQL. ``/credentials/all`` is PostgreSQL's (and the auditor's: the superuser's is
in ``postgres``); ``/credentials/<service>`` is that service's alone, a libpq password file. What is there
already is kept, since the database knows only the passwords that it was made with.
"""

import os
import secrets
import sys
from pathlib import Path

ROOT = Path("/credentials")
SUPERUSER = "postgres"


def main(services: list[str]) -> int:
    """Exit code 0, also when there was nothing to do."""
    made = [name for name in (SUPERUSER, *services) if make_password(ROOT / "all" / name)]
    for name in services:
        password = (ROOT / "all" / name).read_text()
        # PostgreSQL's clients refuse a password file that others can read.
        write(ROOT / name / "pgpass", f"*:*:{name}:{name}:{password}\n", 0o600)
    print("made the passwords of: " + ", ".join(made) if made else "the passwords are there")
    return 0


def make_password(path: Path) -> bool:
    """Whether there was none yet. PostgreSQL reads it as another user, from a volume that is its own."""
    if path.exists():
        return False
    write(path, secrets.token_urlsafe(32), 0o644)
    return True


def write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all, and never readable by more than it should be."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
