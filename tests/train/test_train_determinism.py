import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from train.train_toy import Toy, toy

from penstock.ledger import Run
from penstock.train import find_run

PREPARE = """
import sys
from pathlib import Path
from penstock.bundle import provide
from penstock.train.determinism import Entropy, seed_everything, set_up_libraries
entropy = Entropy(Path.cwd())
entropy.watch()
libraries = set_up_libraries(3, deterministic={deterministic})
provide()  # looks whether LightGBM is there, as anybody may
sys.path.insert(0, "")
"""


def printed(directory: Path, code: str, *, deterministic: bool = True) -> str:
    """What the code prints in a process that was prepared for a training."""
    (directory / "mine.py").write_text(code)
    script = f"{PREPARE.format(deterministic=deterministic)}import mine\nprint(entropy.places, libraries.applied)"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, cwd=directory, env=variables, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@pytest.mark.parametrize(
    "line",
    [
        "np.random.default_rng()",
        "np.random.RandomState()",
        "np.random.seed()",
        "random.Random()",
        "random.seed()",
        "random.SystemRandom().random()",
        "os.urandom(8)",
        "uuid.uuid4()",
        "secrets.token_hex()",
    ],
)
def test_a_line_that_asks_the_system_for_random_bits_is_named(tmp_path: Path, line: str) -> None:
    told = printed(tmp_path, f"import os, random, secrets, uuid\nimport numpy as np\n{line}\n")
    assert told == "('mine.py:3',) {}"


def test_seeded_generators_and_names_of_files_are_not(tmp_path: Path) -> None:
    code = """
import random, tempfile
import numpy as np
np.random.default_rng(3).random()
np.random.RandomState(3).rand()
random.Random(3).random()
random.seed(3)
tempfile.TemporaryDirectory().cleanup()
"""
    assert printed(tmp_path, code) == "() {}"


LIGHTGBM = """
import numpy as np
import lightgbm

X = np.arange(600.0).reshape(200, 3)
fitted = lightgbm.LGBMClassifier(n_estimators=2, verbosity=-1{more}).fit(X, X[:, 0] > 200)
text = fitted.booster_.model_to_string()
print([line for line in text.splitlines() if line.startswith(("[deterministic", "[force_"))])
lightgbm.Booster(model_str=text)
print(lightgbm.__spec__.loader is lightgbm.__loader__, type(lightgbm.__loader__).__name__)
"""


def settings(deterministic: int, column: int, row: int) -> str:
    return str([f"[deterministic: {deterministic}]", f"[force_col_wise: {column}]", f"[force_row_wise: {row}]"])


def test_lightgbm_is_told_to_count_in_one_order_however_it_is_called(tmp_path: Path) -> None:
    told = printed(tmp_path, LIGHTGBM.format(more="")).splitlines()
    assert told == [
        settings(1, 1, 0),
        "True SourceFileLoader",
        "() {'lightgbm': 'deterministic, force_col_wise'}",
    ]


def test_what_the_user_says_to_lightgbm_counts(tmp_path: Path) -> None:
    assert printed(tmp_path, LIGHTGBM.format(more=", force_row_wise=True")).startswith(settings(1, 0, 1))
    assert printed(tmp_path, LIGHTGBM.format(more=", deterministic=False")).startswith(settings(0, 1, 0))


def test_without_it_lightgbm_is_left_alone(tmp_path: Path) -> None:
    assert printed(tmp_path, LIGHTGBM.format(more=""), deterministic=False).startswith(settings(0, 0, 0))


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("deterministic", [True, False])
def test_pytorch_is_seeded_and_told_to_be_deterministic(tmp_path: Path, deterministic: bool) -> None:
    code = "import torch\nprint(torch.initial_seed(), torch.are_deterministic_algorithms_enabled())"
    assert printed(tmp_path, code, deterministic=deterministic).splitlines()[0] == f"3 {deterministic}"


def test_a_library_that_is_not_imported_by_the_user_is_not_imported(tmp_path: Path) -> None:
    assert printed(tmp_path, "import sys\nprint('lightgbm' in sys.modules)") == "False\n() {}"


# --- trainings ----------------------------------------------------------------------------------


def test_the_log_says_which_line_is_not_seeded(tmp_path: Path) -> None:
    code = (
        "import numpy as np\nfrom sklearn.dummy import DummyClassifier\n\n\n"
        "def fit(X, y, *, seed, depth=3):\n"
        "    noise = np.random.default_rng().random()\n"
        "    return DummyClassifier(strategy='prior').fit(X, y.to_numpy() > noise)\n"
    )
    project = toy(tmp_path / "made", code)
    run = project.train().run
    assert run.log is not None
    assert "pipeline.py:6 takes random bits from the system" in project.store.read_bytes(run.log).decode()


def recorded(project: Toy) -> Run:
    with project.ledger.read() as reader:
        return find_run(reader, "1")


def test_determinism_is_recorded_with_the_recipe(trained: Toy) -> None:
    environment = trained.store.read_json(recorded(trained).environment)
    assert environment["variables"]["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert environment["switches"] == {}
