"""``python -m aguante`` is ``aguante``."""

from aguante.cli import main

if __name__ == "__main__":
    main()
