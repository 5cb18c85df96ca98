"""Pages that are made from the code are as the code says; every door and every command keeps its promise."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from penstock.cli import app

ROOT = Path(__file__).parents[2]
DOORS = sorted(path.parent.name for path in (ROOT / "src" / "penstock").glob("*/__init__.py"))
HEAVY = {
    "polars",
    "numpy",
    "sqlalchemy",
    "alembic",
    "pydantic",
    "sklearn",
    "httpx",
    "starlette",
    "rich",
    "cryptography",
}


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", DOORS)
def test_a_door_is_sorted_documented_and_opens(name: str) -> None:
    door = import_module(f"penstock.{name}")
    assert door.__doc__
    names = door.__all__
    assert list(names) == sorted(names, key=lambda one: (not one.isupper(), not one[0].isupper(), one))
    assert all(getattr(door, one) is not None for one in names)


@pytest.mark.parametrize("command", ["import penstock", "from penstock.cli import main; main()"])
def test_start_up_loads_nothing_heavy(command: str) -> None:
    told = "import sys; sys.argv = ['penstock', '--help']"
    code = f"{told}\ntry:\n    exec({command!r})\nfinally:\n    print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split("\n")[-2].split())


def test_every_command_has_an_example() -> None:
    def leaves(command: object) -> list[object]:
        inner = getattr(command, "commands", None)
        return [leaf for child in inner.values() for leaf in leaves(child)] if inner else [command]

    assert all("Example: penstock" in leaf.help for leaf in leaves(get_command(app)))  # type: ignore[attr-defined]
