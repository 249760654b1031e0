"""Which files of a folder are YAML files: ``.yaml`` and ``.yml``, but no hidden files and no backups of editors."""

from pathlib import Path

SUFFIXES = (".yaml", ".yml")


def is_yaml_file(path: Path) -> bool:
    """Whether the name is that of a visible YAML file.

    Emacs and macOS leave ``.#x.yaml`` and ``._x.yaml`` beside a file, other editors ``x.yaml~``.
    """
    return path.suffix in SUFFIXES and not path.name.startswith(".")


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files directly in a folder, sorted by name."""
    return sorted(path for path in folder.glob("*.y*ml") if is_yaml_file(path))


def yaml_files_below(folder: Path) -> list[Path]:
    """The YAML files in a folder and its visible subfolders, sorted by path."""
    found = (path for path in folder.rglob("*.y*ml") if is_yaml_file(path))
    return sorted(
        path
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def named_yaml(folder: Path, name: str) -> Path:
    """The YAML file of this name in a folder; ``<name>.yaml`` if there is none."""
    candidates = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])
