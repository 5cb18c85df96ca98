"""Rules that are functions of the project: loaded, asked for their condition once, and blamed for what it raises."""

import inspect
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from penstock.data.contracts.conditions import fault_of, sql
from penstock.data.contracts.contract import Contract
from penstock.data.contracts.contract_file import load_contract
from penstock.errors import ContractBroken, FunctionError, UserCodeError, did_you_mean
from penstock.project import Function, call, load_function


@dataclass(frozen=True)
class Custom:
    """A function of the project and the condition that it gave."""

    function: Function
    condition: pl.Expr

    def raised(self, error: BaseException) -> bool:
        """Whether the error came out of its code."""
        files = {str(self.function.root / name) for name in self.function.sources}
        return any(str(Path(frame.filename)) in files for frame in traceback.extract_tb(error.__traceback__))


Functions = Mapping[str, Custom]  # by reference


def functions_of(path: Path) -> tuple[str, ...]:
    """The functions that a contract's file names, sorted; none of them is loaded."""
    return tuple(sorted(rule.function for rule in load_contract(path).rules if rule.function))


def load_functions(root: Path, contract: Contract) -> Functions:
    """The functions of a contract's rules and their conditions, over columns of the contract.

    FunctionError at the user's line when one cannot be loaded, takes what is no column, or gives no condition on a
    row. UserCodeError when it raises.
    """
    return {rule.function: _loaded(root, contract, rule.function) for rule in contract.rules if rule.function}


def conditions_of(functions: Functions) -> dict[str, pl.Expr]:
    """The conditions alone, as `rules` takes them."""
    return {reference: custom.condition for reference, custom in functions.items()}


@contextmanager
def explained_rules(contract: Contract, functions: Functions, rows: pl.LazyFrame) -> Iterator[None]:
    """Blame what a rule's condition raises on that rule: on the user's line, where it is a function.

    `rows` have the contract's columns, typed. Which rule it was is found out only when something was raised.
    """
    try:
        yield
    except Exception as error:
        for custom in functions.values():
            if custom.raised(error):
                raise custom.function.blame(error) from error
        if isinstance(error, pl.exceptions.PolarsError):
            _blame(contract, functions, rows, error)
        raise


def _blame(contract: Contract, functions: Functions, rows: pl.LazyFrame, error: Exception) -> None:
    """Try the rules one by one, if the rows can be read without them."""
    names = list(contract.columns)
    if not _works(rows, pl.any_horizontal(pl.col(names).is_null())):
        return
    for rule in contract.rules:
        custom = functions[rule.function] if rule.function else None
        condition = custom.condition if custom else sql(str(rule.expression))
        if _works(rows, condition):
            continue
        personal = any(contract.columns[name].pii for name in condition.meta.root_names())
        told = "it cannot be computed for some rows" if personal else str(error).splitlines()[0]
        if custom:
            raise UserCodeError(f"{rule.function}: {told}", where=custom.function.where) from error
        hint = "correct its expression, such as TRY_CAST in place of CAST"
        raise ContractBroken(f"rule {rule.name!r}: {told}", hint=hint) from error


def _works(rows: pl.LazyFrame, condition: pl.Expr) -> bool:
    try:
        rows.select(condition.alias("holds")).select(pl.col("holds").sum()).collect()
    except pl.exceptions.PolarsError:
        return False
    return True


def _loaded(root: Path, contract: Contract, reference: str) -> Custom:
    function = load_function(root, reference)
    columns = _parameters(function, contract)
    condition = call(function, *(pl.col(name) for name in columns))
    expected = "a Polars expression that is true or false in each row, such as pl.col('miles') > 0"
    if not isinstance(condition, pl.Expr):
        raise FunctionError(f"{reference} gave a {type(condition).__name__}", where=function.where, expected=expected)
    if fault := fault_of(contract, condition):
        raise FunctionError(f"{reference}: {fault[0]}", where=function.where, expected=fault[1] or expected)
    return Custom(function, condition)


def _parameters(function: Function, contract: Contract) -> Sequence[str]:
    """Its parameters without a default, which must be columns."""
    kinds = inspect.Parameter
    names = []
    for one in inspect.signature(function.call).parameters.values():
        if one.kind in (kinds.VAR_POSITIONAL, kinds.VAR_KEYWORD) or one.default is not kinds.empty:
            continue
        if one.kind is kinds.KEYWORD_ONLY or one.name not in contract.columns:
            what = (
                f"{function.reference} takes {one.name!r}, which is no column{did_you_mean(one.name, contract.columns)}"
            )
            raise FunctionError(what, where=function.where, expected="no parameters, or columns of the contract")
        names.append(one.name)
    return names
