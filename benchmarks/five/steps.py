import polars as pl


def numbers():
    return pl.DataFrame({"x": list(range(1000))})


def double(numbers):
    return numbers.select(pl.col("x") * 2)


def split(doubled):
    return doubled.with_columns((pl.int_range(pl.len()) < pl.len() // 2).alias("first"))


def mean(halves):
    return halves.group_by("first", maintain_order=True).agg(pl.col("x").mean())


def difference(means):
    return means.select(pl.col("x").last() - pl.col("x").first())
