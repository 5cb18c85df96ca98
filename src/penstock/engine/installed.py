"""What is installed, at a glance: what two processes must have in common to make the same of the same inputs."""

import os
import platform
import sys

_CARRIED = os.path.join("ray", "thirdparty_files")  # copies that Ray has for itself, on the path once it is imported


def installed() -> dict[str, str]:
    """Python and the installed distributions, by name and version; a fast look at what a run records in full."""
    names: set[str] = set()
    for place in sys.path:
        if os.path.isdir(place) and not place.endswith(_CARRIED):
            with os.scandir(place) as entries:
                names |= {entry.name for entry in entries if entry.name.endswith(".dist-info")}
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in sorted(names):
        library, _, version = name.removesuffix(".dist-info").rpartition("-")
        found[library] = version
    return found
