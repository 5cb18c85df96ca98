from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner


def numbers():
    return list(range(1000))


def double(numbers):
    return [2 * number for number in numbers]


def split(doubled):
    half = len(doubled) // 2
    return [doubled[:half], doubled[half:]]


def mean(halves):
    return [sum(half) / len(half) for half in halves]


def difference(means):
    return means[1] - means[0]


steps = [
    node(numbers, None, "numbers"),
    node(double, "numbers", "doubled"),
    node(split, "doubled", "halves"),
    node(mean, "halves", "means"),
    node(difference, "means", "difference"),
]
print("difference", SequentialRunner().run(pipeline(steps), DataCatalog({}))["difference"].load())
