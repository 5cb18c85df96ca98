"""Penstock: the whole MLOps loop in one package.

    objective → data → train → validate → deliver → monitor → improve → and round again

Everything is a version with a digest, and every step is a function from versions to a version.
`Project` opens a directory with a `penstock.yaml` and has one method for every command:

    from penstock import Project

    project = Project.open("flights")
    project.run()
    project.promote()
"""

from typing import TYPE_CHECKING

from penstock.errors import PenstockError

if TYPE_CHECKING:
    from penstock.api import Project

__all__ = ["PenstockError", "Project", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`Project` loads on first use, so that `import penstock` stays light."""
    if name == "Project":
        from penstock.api import Project

        return Project
    raise AttributeError(f"module 'penstock' has no attribute {name!r}")
