"""``python -m aguante`` is ``aguante``."""

from aguante.cli.main import main

if __name__ == "__main__":
    main()
