import sys

from zenml import pipeline, step


@step
def numbers() -> list:
    return list(range(1000))


@step
def double(numbers: list) -> list:
    return [2 * number for number in numbers]


@step
def split(doubled: list) -> list:
    half = len(doubled) // 2
    return [doubled[:half], doubled[half:]]


@step
def mean(halves: list) -> list:
    return [sum(half) / len(half) for half in halves]


@step
def difference(means: list) -> float:
    print("difference", means[1] - means[0])
    return means[1] - means[0]


@pipeline
def five() -> None:
    difference(mean(split(double(numbers()))))


if __name__ == "__main__":
    five.with_options(enable_cache="cached" in sys.argv)()
