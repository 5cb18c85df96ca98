from penstock.deliver.serving_state import AppliedEndpoint
from penstock.serve.router import Table
from penstock.serve.worker import news


def test_an_endpoint_that_answers_is_announced_and_one_that_is_refused_says_why() -> None:
    endpoints = {
        "new": AppliedEndpoint(0, None, 1),
        "works": AppliedEndpoint(3, "parcels@3", 3),
        "stays": AppliedEndpoint(1, "parcels@1", 2, "no such file"),
    }
    assert list(news("http://127.0.0.1:8080", Table({}, endpoints))) == [
        "parcels@3 answers on http://127.0.0.1:8080/predict/works (generation 3)\n",
        "parcels@1 answers on http://127.0.0.1:8080/predict/stays (generation 1)\n",
        "generation 2 of stays is refused: no such file\n",
    ]
