import sys
from pathlib import Path

import pytest

from penstock.errors import FunctionError, UserCodeError
from penstock.project import call, load_function, project_sources

PIPELINE = """\
from dataclasses import dataclass
import os.path

from helpers import scale
from lib import dates


@dataclass
class Settings:
    depth: "int" = 1


def fit(X, y, *, seed, depth=1):
    import late

    return [X, y, seed, depth, scale(2), dates.DAYS, late.HOURS, Settings().depth]


def fails(x):
    return scale(None)


def imports_late(x):
    import lib.other as other

    return other.NAME


NUMBER = 3
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "pipeline.py").write_text(PIPELINE)
    (tmp_path / "helpers.py").write_text("def scale(x):\n    return x * FACTOR\n\n\nFACTOR = 10\n")
    (tmp_path / "late.py").write_text("HOURS = 24\n")
    (tmp_path / "lib" / "dates.py").write_text("from .other import DAYS\n")
    (tmp_path / "lib" / "other.py").write_text("DAYS = 7\nNAME = __name__\n")
    (tmp_path / "unused.py").write_text("X = 1\n")
    return tmp_path


def test_sources_are_what_the_module_can_reach(root: Path) -> None:
    assert list(project_sources(root, ["pipeline:fit"])) == [
        "helpers.py",
        "late.py",
        "lib/dates.py",
        "lib/other.py",
        "pipeline.py",
    ]


def test_relative_and_circular_imports_and_packages(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "__init__.py").write_text("from .b import ONE\n")
    (tmp_path / "a" / "b.py").write_text("ONE = 1\nfrom . import c\n")
    (tmp_path / "a" / "c.py").write_text("def two(x):\n    from a import ONE\n    return ONE + 1\n")
    (tmp_path / "top.py").write_text(
        "from . import side\nfrom a.c import two\n\n\ndef f(x):\n    return two(x) + side.S\n"
    )
    (tmp_path / "side.py").write_text("S = 40\n")

    assert list(project_sources(tmp_path, ["top:f"])) == ["a/__init__.py", "a/b.py", "a/c.py", "side.py", "top.py"]
    assert call(load_function(tmp_path, "top:f"), 0) == 42
    assert call(load_function(tmp_path, "a.c:two"), 0) == 2


def test_a_bare_folder_hides_no_installed_module(tmp_path: Path) -> None:
    for folder in ("json", "colorsys", "own"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_text("X = 1\n")
    (tmp_path / "colorsys" / "__init__.py").write_text("")
    (tmp_path / "pipeline.py").write_text(
        "import json\nimport own.x\nfrom colorsys import x\n\n\n"
        "def f(text):\n    return json.loads(text) + own.x.X + x.X\n"
    )

    assert call(load_function(tmp_path, "pipeline:f"), "40") == 42
    assert list(project_sources(tmp_path, ["pipeline:f"])) == [
        "colorsys/__init__.py", "colorsys/x.py", "own/x.py", "pipeline.py"
    ]  # fmt: skip
    with pytest.raises(FunctionError, match="the installed module 'json' hides the folder json/"):
        load_function(tmp_path, "json.x:f")


def test_loads_and_calls(root: Path) -> None:
    fit = load_function(root, "pipeline:fit", parameters=["X", "y"], keywords=["seed", "depth"])

    assert call(fit, "X", "y", seed=7) == ["X", "y", 7, 1, 20, 7, 24, 1]
    assert fit.name == "fit"
    assert set(fit.sources) == {"helpers.py", "late.py", "lib/dates.py", "lib/other.py", "pipeline.py"}


def test_loading_leaves_no_trace_in_the_import_system(root: Path) -> None:
    path, names = list(sys.path), {"pipeline", "helpers", "late", "lib"}

    call(load_function(root, "pipeline:fit"), 1, 2, seed=3)

    assert sys.path == path
    assert not names & set(sys.modules)
    assert not list(root.rglob("__pycache__"))


def test_code_changes_with_any_file_that_is_reached_and_with_no_other(root: Path) -> None:
    before = load_function(root, "pipeline:fit").code
    (root / "unused.py").write_text("X = 2\n")
    assert load_function(root, "pipeline:fit").code == before

    (root / "lib" / "other.py").write_text("DAYS = 8\nNAME = ''\n")

    after = load_function(root, "pipeline:fit")
    assert after.code != before
    assert call(after, 1, 2, seed=3)[5] == 8


def test_two_versions_live_side_by_side(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "pipeline.py").write_text(
        "from helpers import FACTOR\n\n\n"
        "def fit(X, y, *, seed):\n    import helpers\n\n    return FACTOR, helpers.FACTOR\n"
    )
    (other / "helpers.py").write_text("FACTOR = 99\n")

    first, second = load_function(root, "pipeline:fit"), load_function(other, "pipeline:fit")

    assert call(second, 1, 2, seed=3) == (99, 99)
    assert call(first, 1, 2, seed=3)[4] == 20
    assert call(load_function(root, "pipeline:imports_late"), 0).endswith(".lib.other")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("pipelin:fit", "there is no module 'pipelin' (did you mean 'pipeline'?)"),
        ("lib.date:x", "there is no module 'lib.date' (did you mean 'lib.dates'?)"),
        ("pipeline:fitt", "pipeline.py: there is no function 'fitt' (did you mean 'fit'?)"),
        ("pipeline:NUMBER", "pipeline.py: 'NUMBER' is a int, not a function"),
        ("pipeline", "'pipeline' does not name a function"),
        ("../pipeline:fit", "does not name a function"),
        ("syntax:f", "syntax.py:2: not Python"),
        ("broken:f", "broken.py:1: cannot import 'broken': ZeroDivisionError"),
        ("leaves:f", "leaves.py:1: cannot import 'leaves': SystemExit: 4"),
        ("lacks:f", "install no_such_library in this environment"),
        ("nowhere:f", "no module named 'lib.nowhere' in the project"),
    ],
)
def test_what_cannot_be_loaded_says_where_and_why(root: Path, reference: str, message: str) -> None:
    (root / "syntax.py").write_text("x = 1\ndef f(:\n")
    (root / "broken.py").write_text("X = 1 / 0\n")
    (root / "leaves.py").write_text("raise SystemExit(4)\n")
    (root / "lacks.py").write_text("import no_such_library\n")
    (root / "nowhere.py").write_text("import lib.nowhere\n")

    with pytest.raises(FunctionError) as caught:
        load_function(root, reference)

    assert message in str(caught.value)


def test_a_failed_import_is_tried_again(root: Path) -> None:
    (root / "flaky.py").write_text("import os\nX = os.environ['FLAKY']\n\n\ndef f(x):\n    return X\n")
    with pytest.raises(FunctionError, match="FLAKY"):
        load_function(root, "flaky:f")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLAKY", "yes")
        assert call(load_function(root, "flaky:f"), 0) == "yes"


@pytest.mark.parametrize(
    ("definition", "parameters", "keywords", "message"),
    [
        ("def f(a): ...", ["X", "y"], [], "p:f takes 1 arguments and will be given 2: X, y"),
        ("def f(a, b): ...", ["X"], [], "p:f needs 'b', which it is not given"),
        ("def f(a, *, seed): ...", ["X"], ["seed", "dept"], "does not take 'dept'"),
        ("def f(a, *, depth): ...", ["X"], ["dept"], "does not take 'dept' (did you mean 'depth'?), needs 'depth'"),
        ("def f(a, b): ...", ["X", "y"], ["a"], "does not take 'a'"),
    ],
)
def test_signature_is_checked(
    tmp_path: Path, definition: str, parameters: list[str], keywords: list[str], message: str
) -> None:
    (tmp_path / "p.py").write_text(f"\n{definition}\n")

    with pytest.raises(FunctionError) as caught:
        load_function(tmp_path, "p:f", parameters=parameters, keywords=keywords)

    assert message in str(caught.value)
    assert str(caught.value).startswith("p.py:2: ")


@pytest.mark.parametrize(
    "definition", ["def f(*a, **k): ...", "def f(a, b, c=1, **k): ...", "def f(a, b, /, *, seed): ..."]
)
def test_signature_that_fits(tmp_path: Path, definition: str) -> None:
    (tmp_path / "p.py").write_text(f"{definition}\n")

    load_function(tmp_path, "p:f", parameters=["X", "y"], keywords=["seed"])


def test_what_it_raises_names_the_users_line(root: Path) -> None:
    with pytest.raises(UserCodeError) as caught:
        call(load_function(root, "pipeline:fails"), 1)

    assert str(caught.value).startswith("helpers.py:2: pipeline:fails raised TypeError")
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_function_cannot_end_the_process(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text("import sys\n\n\ndef f():\n    sys.exit(9)\n")
    with pytest.raises(UserCodeError, match=r"p.py:5: p:f raised SystemExit: 9"):
        call(load_function(tmp_path, "p:f"))
