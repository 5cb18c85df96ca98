import polars as pl
import pytest

from penstock.bundle import dtype_name, dtype_of, schema_of
from penstock.bundle.dtypes import conform, same_kind
from penstock.errors import FunctionError, UsageError

TYPES = [
    pl.Int8(),
    pl.UInt64(),
    pl.Float32(),
    pl.String(),
    pl.Boolean(),
    pl.Date(),
    pl.Time(),
    pl.Null(),
    pl.Categorical(),
    pl.Enum(["a", 'b"]', "é"]),
    pl.Datetime("us"),
    pl.Datetime("ns", "America/New_York"),
    pl.Duration("ms"),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_type_is_read_back_from_its_name(dtype):
    assert dtype_of(dtype_name(dtype)) == dtype


@pytest.mark.parametrize("dtype", [pl.List(pl.Int8), pl.Struct({"a": pl.Int8}), pl.Binary(), pl.Object()], ids=str)
def test_other_types_have_no_name(dtype):
    with pytest.raises(UsageError):
        dtype_name(dtype)


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="unknown column type 'Int65'"):
        dtype_of("Int65")


@pytest.mark.parametrize(
    ("given", "wanted", "same"),
    [
        (pl.Int8(), pl.Int64(), True),
        (pl.String(), pl.Categorical(), True),
        (pl.Datetime("us"), pl.Datetime("ns"), True),
        (pl.Datetime("us"), pl.Datetime("us", "UTC"), False),
        (pl.Int64(), pl.String(), False),
        (pl.Int64(), pl.Boolean(), False),
        (pl.Date(), pl.Datetime("us"), False),
    ],
)
def test_kinds_whose_values_can_be_equal(given, wanted, same):
    assert same_kind(given, wanted) is same


def test_conform_orders_selects_and_casts_without_loss():
    frame = pl.DataFrame({"b": [1, 2], "extra": [0, 0], "a": [None, None], "c": ["x", "y"]})
    schema = (("a", "Int64"), ("b", "Float64"), ("c", 'Enum["x","y"]'))

    assert schema_of(conform(frame, schema, "it")) == schema


@pytest.mark.parametrize(
    ("values", "dtype"), [([1.5], "Int64"), (["1"], "Int64"), ([1], "String"), ([300], "Int8"), (["z"], 'Enum["a"]')]
)
def test_conform_refuses_what_would_lose_something(values, dtype):
    with pytest.raises(FunctionError, match="column 'a' of it"):
        conform(pl.DataFrame({"a": values}), (("a", dtype),), "it")
