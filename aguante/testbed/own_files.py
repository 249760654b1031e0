"""Aguante's own files: the shop that it tests by default, and the Go modules that pin its servers.

In a checkout they lie beside the package; an installed package has them inside, in ``aguante/shop``
(pyproject.toml maps them there when a wheel is built).
"""

from pathlib import Path

from aguante.core.yaml_files import named_yaml, yaml_files_below

_PACKAGE = Path(__file__).parents[1]
FIRST = "payments-slow"
"""The experiment of our own library that shows most."""


def own_folder() -> Path:
    """The folder of Aguante's own ``testbed.yaml``."""
    packaged = _PACKAGE / "shop"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def testbed_path(given: Path | None) -> Path:
    """The ``testbed.yaml`` to use: the given one, else that of the current folder, else Aguante's own."""
    here = named_yaml(Path(), "testbed")
    return given or (here if here.exists() else own_folder() / "testbed.yaml")


def library_folder(testbed: Path | None) -> Path:
    """The folder of the experiments that are played by name: ``chaos-experiments`` beside the testbed's file."""
    return testbed_path(testbed).parent / "chaos-experiments"


def library_names(testbed: Path | None) -> tuple[str, ...]:
    """The names of these experiments, e.g. ``payments-slow`` or ``containers/pumba-kill``; sorted."""
    folder = library_folder(testbed)
    found = yaml_files_below(folder)
    return tuple(sorted(each.relative_to(folder).with_suffix("").as_posix() for each in found))


def first_experiment(testbed: Path | None) -> str:
    """The name of the experiment for a first run; empty if there is no library."""
    names = library_names(testbed)
    return FIRST if FIRST in names else next(iter(names), "")


def as_argument(experiment: Path) -> str:
    """What a user types to play an experiment: its name where an installed package brought it, else its path."""
    library = own_folder() / "chaos-experiments"
    packaged = _PACKAGE in library.parents and library in experiment.parents
    return (
        experiment.relative_to(library).with_suffix("").as_posix() if packaged else str(experiment)
    )
