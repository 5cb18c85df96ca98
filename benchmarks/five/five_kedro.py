import steps
from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner

five = [
    node(steps.numbers, None, "numbers"),
    node(steps.double, "numbers", "doubled"),
    node(steps.split, "doubled", "halves"),
    node(steps.mean, "halves", "means"),
    node(steps.difference, "means", "difference"),
]
print("difference", SequentialRunner().run(pipeline(five), DataCatalog({}))["difference"].load().item())
