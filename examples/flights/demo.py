"""A year at three airports: the whole loop on real flights, month by month.

    make demo

A model is trained on January to March, judged, signed off, promoted and served over HTTP. Then April to December
arrive: each month's flights are sent to the running server; on the first of the next month it becomes known which of
them were late, and the loop looks, retrains if a trigger asks for it, and promotes what its gates let through. At the
end one version is rolled back and one prediction traced to its roots. Every number comes out of this run.
"""

import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import httpx
import polars as pl
import world

from penstock import Project
from penstock.serve import ServerProcess

BATCH = 2000  # flights in one request
FIRST, LAST = 4, 12
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
STARTED = time.monotonic()


@dataclass(frozen=True)
class Month:
    """A line of the timeline."""

    name: str
    sent: int
    auc: float | None
    brier: float | None
    alerts: str
    model: str
    decision: str


class Passenger(threading.Thread):
    """Somebody who asks about the same flight of New Year's Eve five times a second, change-over or not."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.asked = self.failed = 0
        self._url = f"{url}/predict/flight-delay"
        self._flight = requests(world.departures(LAST + 1))[0]
        self._ended = threading.Event()

    def run(self) -> None:
        """Ask until told to stop."""
        with httpx.Client(timeout=30) as client:
            while not self._ended.wait(0.2):
                self.asked += 1
                try:
                    self.failed += client.post(self._url, json=self._flight).status_code != 200
                except httpx.HTTPError:
                    self.failed += 1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


def main() -> None:
    """Run the year."""
    clean()
    say("January to March arrive")
    for month in range(1, FIRST):
        world.flights_arrive(month)
        world.weather_arrives(month)
    project = Project.open(world.ROOT, actor="ada")
    turn = project.run(on_event=step)
    for result in turn.results:
        say(f"    {result.outcome:<10}{result.gate}: {result.reason}")
    if turn.version is None:
        sys.exit("the first model did not pass its gates")
    say("Ada, who owns the objective, signs it and promotes the model")
    project.objective.sign(role="owner", note="agreed with operations")
    project.promote(reason="first model; every gate passed")
    with ServerProcess(world.ROOT / ".penstock" / "serve") as server:
        say(f"serving on {server.url}")
        with Passenger(server.url) as passenger:
            timeline = list(year(project, server.url))
            show(timeline)
            roll_back(project, server.url)
    say(f"all the while one passenger asked {passenger.asked:,} times; {passenger.failed} requests failed")
    trace_one(project)
    say(f"done in {time.monotonic() - STARTED:.0f} s")
    farewell()


def year(project: Project, url: str) -> Iterator[Month]:
    """April to December: flights are answered, then the month's outcomes are known and the loop acts."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for month in range(FIRST, LAST + 1):
            world.weather_arrives(month)
            project.data.ingest("weather")
            project.deliver.refresh()
            answered_by, sent = send(client, month)
            say(f"{MONTHS[month - 1]}: {sent:,} flights answered by {answered_by}")
            report_outcomes(client, month)
            world.flights_arrive(month)
            first_of_next = world.month_start(month + 1).replace(day=3)
            ticked = project.improve.tick(now=first_of_next)
            yield Month(
                name=MONTHS[month - 1],
                sent=sent,
                auc=value(project, "roc_auc", month),
                brier=value(project, "brier", month),
                alerts=alerts(ticked.look.opened),
                model=answered_by,
                decision=decision(ticked),
            )
            say(f"    {decision(ticked)}")


def send(client: httpx.Client, month: int) -> tuple[str, int]:
    """Ask about every flight of a month, in order of time; which model answered, and how many answers came."""
    flights = requests(world.departures(month))
    sent, model = 0, ""
    for start in range(0, len(flights), BATCH):
        reply = client.post("/predict/flight-delay", json={"rows": flights[start : start + BATCH]})
        reply.raise_for_status()
        answer = reply.json()
        sent, model = sent + len(answer["predictions"]), answer["model"]
    return model, sent


def report_outcomes(client: httpx.Client, month: int) -> None:
    """Tell the server which flights of a month were late."""
    for batch in world.outcomes(month).iter_slices(5 * BATCH):
        client.post("/feedback/flight-delay", json={"rows": batch.to_dicts()}).raise_for_status()


def value(project: Project, metric: str, month: int) -> float | None:
    """A metric of a month, as the monitors measured it."""
    start = world.month_start(month)
    return next((point.value for point in project.monitor.series(metric) if point.window_start == start), None)


def alerts(opened: tuple) -> str:
    """Alerts of a month in a few words."""
    rules = sorted({alert.rule for alert in opened})
    counts = {rule: sum(alert.rule == rule for alert in opened) for rule in rules}
    return ", ".join(f"{rule} ({count} features)" if count > 1 else rule for rule, count in counts.items())


def decision(ticked) -> str:
    """What the loop did, and why."""
    if ticked.action is None:
        return "nothing due"
    outcome = ticked.action.outcome
    if ticked.action.state == "promoted":
        return f"retrained ({ticked.action.trigger}), {outcome['version']} promoted"
    lacks = outcome.get("lacks", [])
    return f"retrained ({ticked.action.trigger}), {ticked.action.state}: {lacks[0] if lacks else ''}"


def roll_back(project: Project, url: str) -> None:
    """One command, while the server answers."""
    started = time.perf_counter()
    done = project.rollback(reason="a drill: can we go back?")
    took = time.perf_counter() - started
    flight = requests(world.departures(LAST))[0]
    reply = httpx.post(f"{url}/predict/flight-delay", json={"rows": [flight]}).raise_for_status().json()
    say(f"rollback to {done.version.name} in {took:.2f} s; the next answer came from {reply['model']}")


def trace_one(project: Project) -> None:
    """From one answer to everything behind it."""
    newest = project.monitor.predictions(limit=1)
    found = project.trace(newest["id"][0])
    say(f"trace of prediction {found.start.label}")
    for one in found.upstream[:14]:
        say(f"    {one.kind:<12}{one.label:<30} {one.detail}{' — ' + one.reason if one.reason else ''}")


def requests(flights: pl.DataFrame) -> list[dict]:
    """Flights as the server wants them: JSON, times as ISO text."""
    return flights.with_columns(pl.col("scheduled").dt.to_string("iso:strict")).to_dicts()


def show(timeline: list[Month]) -> None:
    """The year as a table."""
    from penstock.cli.shell import table

    rows = [[m.name, m.sent, m.model, m.auc, m.brier, m.alerts, m.decision] for m in timeline]
    table(["month", "flights", "answered by", "AUC", "Brier", "alerts opened", "what the loop did after it"], rows)


def step(event) -> None:
    """A step of the turn, as it ends."""
    if event.state != "start":
        say(f"    {event.step:<22}{event.result}  {event.seconds:.1f} s")


def say(text: str) -> None:
    """A line with the seconds since the start."""
    print(f"[{time.monotonic() - STARTED:5.0f} s] {text}", flush=True)


def clean() -> None:
    """Begin with nothing."""
    for name in (".penstock", "data"):
        shutil.rmtree(world.ROOT / name, ignore_errors=True)
    (world.ROOT / "penstock.lock").unlink(missing_ok=True)


def farewell() -> None:
    """Where to look next."""
    print("\nLook around (cd examples/flights):")
    for command, what in (
        ("penstock status", "the loop at a glance"),
        ("penstock deliver history", "who promoted what, when and why"),
        ("penstock monitor series roc_auc", "how good the answers were"),
        ("penstock improve actions", "what the loop did by itself"),
        ("penstock validate card -o card.html", "the newest model card"),
        ("penstock audit verify", "nobody changed the record"),
        ("penstock reproduce 1", "train the first model again and compare"),
    ):
        print(f"  {command:<38}{what}")


if __name__ == "__main__":
    main()
