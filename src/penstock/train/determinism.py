"""What makes a training repeatable, as far as it can be done from outside fit: seeds, and the libraries' own switches.

A library is set up when the user's code imports it, and is not imported for that. scikit-learn draws from NumPy's
generator when it has no `random_state`; XGBoost and LightGBM have a fixed seed of their own.
"""

import ast
import linecache
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

VARIABLES = {
    "PYTHONHASHSEED": "0",  # the order of a set of strings
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # without it PyTorch refuses deterministic matrix products on a GPU
}
_GENERATORS = frozenset({"random", "secrets", "uuid"})

SetUp = Callable[[ModuleType], str]


def seed_everything(seed: int) -> None:
    """Seed the generators that user code reaches for without asking."""
    import numpy as np
    import polars as pl

    random.seed(seed)
    np.random.seed(seed % 2**32)
    pl.set_random_seed(seed % 2**64)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


class Libraries(MetaPathFinder):
    """Sets libraries up when they are imported; `applied` says which were, and how."""

    def __init__(self, set_up: Mapping[str, SetUp]) -> None:
        self._waiting = dict(set_up)
        self._looking: set[str] = set()
        self.applied: dict[str, str] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the other finders have, with a loader that sets the module up at last."""
        if name not in self._waiting or name in self._looking:
            return None
        self._looking.add(name)
        try:
            spec = find_spec(name)
        finally:
            self._looking.remove(name)
        if spec and spec.loader:
            spec.loader = _AndThen(spec.loader, lambda module: self._set_up(name, module))
        return spec

    def _set_up(self, name: str, module: ModuleType) -> None:
        self.applied[name] = self._waiting.pop(name)(module)


class _AndThen(Loader):
    """Another loader, and something to do with the module that it has loaded."""

    def __init__(self, loader: Loader, action: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._action = action

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # As if it had been loaded without us: who asks a module for its loader wants its resources.
        module.__loader__ = self._loader
        if module.__spec__:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._action(module)


def set_up_libraries(seed: int, *, deterministic: bool) -> Libraries:
    """From now on set up every library that is imported. Not `deterministic`: seeds alone."""
    libraries = Libraries(
        {"torch": lambda module: _torch(module, seed), "lightgbm": _lightgbm}
        if deterministic
        else {"torch": lambda module: _torch_seed(module, seed)}
    )
    sys.meta_path.insert(0, libraries)
    return libraries


def _torch_seed(torch: Any, seed: int) -> str:
    torch.manual_seed(seed)  # of every device
    return "seed"


def _torch(torch: Any, seed: int) -> str:
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False  # the fastest algorithm of a moment is not always the same one
    return f"{_torch_seed(torch, seed)}, deterministic algorithms"


def _lightgbm(lightgbm: Any) -> str:
    """Give every training the parameters, unless it says something else itself.

    Without them LightGBM takes the way of counting that was faster a moment before.
    """
    train = lightgbm.Booster.__init__

    def with_defaults(self: Any, params: Any = None, train_set: Any = None, *rest: Any, **named: Any) -> None:
        train(self, params if train_set is None else _with_lightgbm_defaults(params or {}), train_set, *rest, **named)

    lightgbm.Booster.__init__ = with_defaults
    return "deterministic, force_col_wise"


def _with_lightgbm_defaults(params: Mapping[str, Any]) -> dict[str, Any]:
    way = {} if {"force_row_wise", "force_col_wise"} & {*params} else {"force_col_wise": True}
    return {"deterministic": True, **way, **params}


def unseeded_at(place: str) -> str:
    """In words: a line of the user's code that asked the system for random bits."""
    return f"{place} takes random bits from the system, which no seed determines"


class Entropy:
    """Notes which lines of the user's code ask the system for random bits, which no seed determines."""

    def __init__(self, code: Path) -> None:
        self._code = f"{code.resolve()}{os.sep}"
        self._places: dict[str, None] = {}

    @property
    def places(self) -> tuple[str, ...]:
        """`("pipeline.py:12",)` in the order in which they asked first."""
        return tuple(self._places)

    def watch(self) -> None:
        """Watch what asks from now on, in this process."""
        import numpy.random.bit_generator as generators

        os.urandom = self._noted(os.urandom)
        random._urandom = self._noted(random._urandom)  # type: ignore[attr-defined]
        generators.randbits = self._noted(generators.randbits, unless=_given_a_seed)  # type: ignore[attr-defined]
        self._watch_random()

    def _watch_random(self) -> None:
        """`random.Random()` and `random.seed()` seed themselves, in C."""
        seed = random.Random.seed

        def noted(generator: random.Random, a: Any = None, version: int = 2) -> None:
            if a is None:
                self._note(sys._getframe(1))
            seed(generator, a, version)

        random.Random.seed = noted  # type: ignore[method-assign, assignment]
        random.seed = random._inst.seed

    def _noted(
        self, source: Callable[..., Any], *, unless: Callable[[FrameType], bool] = lambda _: False
    ) -> Callable[..., Any]:
        def asked(*arguments: Any) -> Any:
            frame = sys._getframe(1)
            if not unless(frame):
                self._note(frame)
            return source(*arguments)

        return asked

    def _note(self, frame: FrameType) -> None:
        """Note the line that asked if it is the user's: a library that draws a file's name changes no model."""
        asking = next((each for each in _frames(frame) if each.f_globals.get("__name__") not in _GENERATORS), frame)
        file = asking.f_code.co_filename
        if file.startswith(self._code):
            self._places.setdefault(f"{file.removeprefix(self._code)}:{asking.f_lineno}")


def _given_a_seed(frame: FrameType) -> bool:
    """Whether the call that runs has arguments: NumPy's `RandomState(3)` asks for random bits too, and drops them."""
    first, last, start, end = [*frame.f_code.co_positions()][frame.f_lasti // 2]
    if first is None or last is None or start is None or end is None:
        return False
    lines = [line.encode() for line in linecache.getlines(frame.f_code.co_filename)[first - 1 : last]]
    if not lines:
        return False
    lines[-1] = lines[-1][:end]
    text = b"".join([lines[0][start:], *lines[1:]]).decode()
    try:
        call = ast.parse(f"({text})", mode="eval").body
    except SyntaxError:
        return False
    return isinstance(call, ast.Call) and bool(call.args or call.keywords)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
