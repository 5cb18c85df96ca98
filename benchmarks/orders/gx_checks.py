"""Great Expectations on pandas: the rows are those whose index a failed expectation lists."""

import logging
import sys
import time

import great_expectations as gx
import pandas as pd
import polars as pl
from great_expectations import expectations as gxe

logging.disable(logging.CRITICAL)
EXPECTATIONS = [
    *(gxe.ExpectColumnValuesToNotBeNull(column=c) for c in ("id", "customer", "country", "channel", "quantity")),
    *(gxe.ExpectColumnValuesToNotBeNull(column=c) for c in ("price", "gift")),
    gxe.ExpectColumnValuesToBeBetween(column="id", min_value=0),
    gxe.ExpectColumnValuesToBeUnique(column="id"),
    gxe.ExpectColumnValuesToMatchRegex(column="customer", regex="^c[0-9]{6}$"),
    gxe.ExpectColumnValuesToBeInSet(column="country", value_set=["DE", "FR", "IT", "ES", "PL"]),
    gxe.ExpectColumnValuesToBeInSet(column="channel", value_set=["web", "shop", "phone"]),
    gxe.ExpectColumnValuesToBeBetween(column="quantity", min_value=1),
    gxe.ExpectColumnValuesToBeBetween(column="quantity", max_value=100),
    gxe.ExpectColumnValuesToBeBetween(column="price", min_value=0),
    gxe.ExpectColumnValuesToBeBetween(column="price", max_value=10_000),
    gxe.ExpectColumnValuesToBeBetween(column="discount", min_value=0),
    gxe.ExpectColumnValuesToBeBetween(column="discount", max_value=0.9),
    gxe.ExpectColumnValuesToBeBetween(column="weight", max_value=1_000),
    gxe.ExpectColumnValuesToBeInSet(column="rating", value_set=[1, 2, 3, 4, 5]),
    gxe.ExpectColumnValuesToBeBetween(column="ordered", min_value=pd.Timestamp("2020-01-01")),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="shipped", column_B="ordered", or_equal=True),
]

context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = {"globally": False}
suite = gx.ExpectationSuite(name="orders", expectations=EXPECTATIONS)
batch = (
    context.data_sources.add_pandas("pandas").add_dataframe_asset("orders").add_batch_definition_whole_dataframe("all")
)
table = pl.read_parquet(sys.argv[1])
frame = pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
started = time.process_time()
result = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite, result_format="COMPLETE")
failed = [one for one in result.results if not one.success]
index = sorted({row for one in failed for row in one.result["unexpected_index_list"]})
bad, good = frame.loc[index], frame.drop(index=index)
seconds = time.process_time() - started
print(f"{seconds:.3f} CPU s, {len(bad)} bad rows, {len(failed)} reasons")
