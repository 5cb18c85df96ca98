import pandas as pd
import whylogs
from facts import tell

for name in ("reference", "current"):
    whylogs.log(pd.read_parquet(f"{name}.parquet")).view().serialize()
tell("whylogs", [])  # it has profiled; comparing them wants IPython
