"""The mathematics: values in, values out, nothing read or written.

    Profile.build(frame)                        what a table looks like, small and additive
    drift(reference, current)                   how far a column moved from its reference, and is it chance
    shifts(reference, current)                  which columns of a table moved, by size and by significance
    wilson(k, n), delong_paired(y, a, b) ...    how sure a number is

numpy and Polars load with the first name that needs them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from penstock.stats.columns import Column, LevelColumn, Moments, NumericColumn, missing_rate
    from penstock.stats.comparison import Drift, Shift, drift, shifts
    from penstock.stats.distance import chi2_tail, jensen_shannon, kolmogorov_smirnov, psi, wasserstein
    from penstock.stats.intervals import (
        UNKNOWN,
        Interval,
        bootstrap,
        delong,
        delong_paired,
        difference,
        more_rows,
        poisson_draws,
        quantile,
        wilson,
    )
    from penstock.stats.profile import PROFILE_FORMAT, Profile
    from penstock.stats.reference import fits

__all__ = [
    "PROFILE_FORMAT",
    "UNKNOWN",
    "Column",
    "Drift",
    "Interval",
    "LevelColumn",
    "Moments",
    "NumericColumn",
    "Profile",
    "Shift",
    "bootstrap",
    "chi2_tail",
    "delong",
    "delong_paired",
    "difference",
    "drift",
    "fits",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "missing_rate",
    "more_rows",
    "poisson_draws",
    "psi",
    "quantile",
    "shifts",
    "wasserstein",
    "wilson",
]

_MODULES = {
    "columns": ("Column", "LevelColumn", "Moments", "NumericColumn", "missing_rate"),
    "comparison": ("Drift", "Shift", "drift", "shifts"),
    "distance": ("chi2_tail", "jensen_shannon", "kolmogorov_smirnov", "psi", "wasserstein"),
    "profile": ("PROFILE_FORMAT", "Profile"),
    "reference": ("fits",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    """A name of the door, from its module. All that are not listed above are intervals."""
    if name not in __all__:
        raise AttributeError(f"module 'penstock.stats' has no attribute {name!r}")
    return getattr(import_module(f"penstock.stats.{_HOMES.get(name, 'intervals')}"), name)
