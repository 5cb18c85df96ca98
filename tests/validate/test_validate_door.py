"""The public door: whole, sorted, light."""

import subprocess
import sys

import penstock.validate as door


def test_every_name_is_there_and_documented() -> None:
    assert door.__all__ == sorted(door.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert all(getattr(door, name).__doc__ for name in door.__all__ if name != "METRICS")


def test_opening_the_door_loads_nothing_heavy() -> None:
    script = "import sys, penstock.validate; print([m for m in ('numpy', 'polars', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_metrics_need_no_scikit_learn() -> None:
    script = (
        "import sys, numpy as np\n"
        "from penstock.validate import METRICS, Sample\n"
        "from penstock.validate.measuring import interval\n"
        "interval(METRICS['pr_auc'], Sample('binary', np.array([0., 1.]), np.array([0.2, 0.7])))\n"
        "print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        == "False False\n"
    )
