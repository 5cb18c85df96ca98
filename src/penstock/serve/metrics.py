"""Numbers for Prometheus, in a registry of their own."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from penstock.deliver.serving_state import AppliedEndpoint
from penstock.serve.log import SegmentLog

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class _LogBytes(Collector):
    """Reads what the logs count anyway."""

    def __init__(self, logs: Sequence[SegmentLog]) -> None:
        self._logs = logs

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily("penstock_log_bytes", "Bytes appended to the log", labels=["kind"])
        for log in self._logs:
            family.add_metric([log.kind], log.written)
        yield family


class Metrics:
    """What one server counts. `endpoint` and `model` are empty where the request reached none."""

    def __init__(self, *logs: SegmentLog) -> None:
        registry = self._registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "penstock_requests", "Answered requests", ("route", "endpoint", "model", "status"), registry=registry
        )
        self._seconds = Histogram(
            "penstock_request_seconds",
            "From the last byte of a prediction request to its reply",
            ("endpoint", "model"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._rows = Counter("penstock_rows", "Rows predicted", ("endpoint", "model"), registry=registry)
        self._feedback = Counter("penstock_feedback_rows", "Feedback rows taken", ("endpoint",), registry=registry)
        self._generation = Gauge("penstock_generation", "Generation in force", ("endpoint", "model"), registry=registry)
        self._refused = Gauge(
            "penstock_refused_generation",
            "Newest generation that could not be opened, else 0",
            ("endpoint",),
            registry=registry,
        )
        registry.register(_LogBytes(logs))
        # A look-up by label values costs as much as the counting itself.
        self._request_of = cache(self._requests.labels)
        self._seconds_of = cache(self._seconds.labels)
        self._rows_of = cache(self._rows.labels)

    def predicted(self, endpoint: str, model: str, rows: int, seconds: float) -> None:
        """A request was answered with predictions."""
        self._request_of("predict", endpoint, model, "200").inc()
        self._seconds_of(endpoint, model).observe(seconds)
        self._rows_of(endpoint, model).inc(rows)

    def refused(self, route: str, endpoint: str, model: str, status: int) -> None:
        """A request was answered with an error."""
        self._request_of(route, endpoint, model, str(status)).inc()

    def feedback(self, endpoint: str, rows: int) -> None:
        """Feedback was taken."""
        self._request_of("feedback", endpoint, "", "200").inc()
        self._feedback.labels(endpoint).inc(rows)

    def applied(self, endpoints: Mapping[str, AppliedEndpoint]) -> None:
        """Another table of routes is in force."""
        self._generation.clear()
        self._refused.clear()
        for name, endpoint in endpoints.items():
            self._generation.labels(name, endpoint.model or "").set(endpoint.generation)
            self._refused.labels(name).set(endpoint.wanted if endpoint.error else 0)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)
