"""What the daily verbs print for a person, and what the steps' commands print as they do."""

from collections.abc import Sequence
from typing import Any

import typer

from penstock.cli.shell import counted, pencil, rub_out, say, when
from penstock.digest import short

MARKS = {"PASS": ("✓", "green"), "FAIL": ("✗", "red"), "UNDECIDED": ("?", "yellow")}
GRADES = {
    "bytes": "the same model, byte for byte",
    "bit-equal": "the same predictions, bit for bit",
    "within tolerance": "the same predictions, up to rounding",
    "different": "another model",
}
STATES = {"cached": ("=", "bright_black"), "done": ("✓", "green")}
EXPECTED = {"cached": ("=", "bright_black"), "run": ("▸", "green"), "unknown": ("?", "yellow")}


def scaffolded(made: Any) -> None:
    """What `init` wrote, and how to go on."""
    typer.secho(f"{made.name}: a {made.task} project", bold=True)
    for note in made.notes:
        say(f"  {note}")
    say()
    for file in made.files:
        say(f"  wrote {file}")
    say()
    say(f"next: cd {made.directory} && penstock run")


def step(event: Any) -> None:
    """A step of `run`: its name while it works, a line when it ends."""
    if event.state == "start":
        pencil(event.step)
        return
    rub_out()
    mark, colour = STATES[event.state]
    typer.secho(f"  {mark} ", fg=colour, nl=False)
    took = f"  {event.seconds:.1f} s" if event.seconds >= 0.05 else ""
    typer.echo(f"{event.step:<22} {event.result}{took}", nl=False)
    typer.secho(f"  ({event.detail})" if event.detail else "", fg="bright_black")
    for note in event.notes:
        typer.secho(f"      {note}", fg="yellow")


def turn(result: Any) -> None:
    """What `run` came to."""
    say()
    if result.evaluation:
        gates(result.results)
        say()
    if result.evaluation is None:
        say("data are up to date" if not result.changed else "data are ready; there is no section `train`")
    elif result.evaluation.verdict == "PASS":
        name, state = result.version.name, result.version.state
        nothing = "" if result.changed else "nothing has changed; "
        place = {"candidate": "a candidate", "archived": "archived"}.get(state, f"in {state}")
        typer.secho(f"{nothing}{name} passed every gate and is {place}", fg="green", bold=True)
        if result.version.state in ("candidate", "staging"):
            number = result.version.number
            say(f"next: penstock promote {number}   # or look first: penstock validate card {number}")
        elif state == "archived":
            say(f"next: penstock deliver history   # why; penstock promote {result.version.number} puts it back")
    elif result.version:
        typer.secho(f"{result.version.name} is registered, but undecided", fg="yellow", bold=True)
        say(f"next: penstock validate show {result.version.number}")
    elif result.lapsed:
        typer.secho(f"the gates refuse {result.lapsed.name} now; it stays registered", fg="red", bold=True)
        say(f"next: penstock validate card {result.lapsed.number}   # every number")
    else:
        typer.secho("the gates refuse this model; it was not registered", fg="red", bold=True)
        say("next: penstock validate card   # every number; then change data, features or parameters and run again")


def explanation(found: Any) -> None:
    """What a run would do, and why."""
    for one in found.steps:
        mark, colour = EXPECTED[one.state]
        typer.secho(f"  {mark} ", fg=colour, nl=False)
        after = [f"depends on {', '.join(one.after)}"] if one.state == "unknown" else []
        first, *rest = [*one.reasons, *after] or [f"after {', '.join(one.after)}"]
        typer.echo(f"{one.step:<22} {'' if one.state == 'cached' else first}", nl=False)
        typer.secho(f"({first})" if one.state == "cached" else "", fg="bright_black")
        for reason in rest:
            say(f"{'':<26} {reason}")
    say()
    run, unknown = found.count("run"), found.count("unknown")
    if not run + unknown:
        say("nothing would run")
        return
    open_ = f", and {counted(unknown, 'step')} may run, as these turn out" if unknown else ""
    say(f"{counted(run, 'step')} would run{open_}")
    say("next: penstock run")


def gates(results: Sequence[Any]) -> None:
    """A line for each gate."""
    for result in results:
        mark, colour = MARKS[result.outcome]
        typer.secho(f"  {mark} ", fg=colour, nl=False)
        warns = " (warns only)" if result.severity == "warn" else ""
        name = f"{result.gate} [{result.slice}]" if result.slice else result.gate
        say(f"{name:<52} {result.reason}{warns}")


def status(state: Any) -> None:
    """The loop at a glance."""
    from penstock.report import cell

    typer.secho(state.project, bold=True)
    if state.production:
        version = state.production.version
        reason = state.production.reason or "no reason given"
        since = when(state.production.since)
        say(f"  production   {version.name} since {since} UTC, by {state.production.by}: {reason}")
    else:
        say("  production   nothing yet")
    if state.candidate:
        lacks = f", lacks {len(state.candidate_lacks)}" if state.candidate_lacks else ", lacks nothing"
        say(f"  candidate    {state.candidate.name} ({state.candidate.state}{lacks})")
        for lack in state.candidate_lacks:
            say(f"                 {lack}")
    say(f"  objective    {'signed by ' + ', '.join(state.signed_by) if state.signed_by else 'not signed as it stands'}")
    say(f"  server       {state.serving or 'not running'}")
    for version in state.data:
        created = when(version.created_at)
        say(f"  data         {version.dataset}@{short(version.commit)}, {version.rows:,} rows, {created}")
    for number in state.numbers:
        mark, colour = MARKS[{True: "PASS", False: "FAIL", None: "UNDECIDED"}[number.holds]]
        window = f"window from {number.window_start:%Y-%m-%d}, n = {number.n:,}"
        few = ", too few to say" if number.holds is None else ""
        say(f"  {typer.style(mark, fg=colour)} {number.metric:<18} {cell(number.value)}  ({number.aim}; {window}{few})")
    for alert in state.alerts[:8]:
        typer.secho(
            f"  ! {alert.severity:<5} {alert.rule}: {alert.message}", fg="red" if alert.severity == "page" else "yellow"
        )
    if len(state.alerts) > 8:
        say(f"    and {len(state.alerts) - 8} more: penstock monitor alerts --state firing")
    if state.last_action:
        action = state.last_action
        say(f"  last action  {action.kind} {action.state}, {when(action.started_at)}: {action.reason}")
    say(f"  maturity     level {state.maturity.level} of 2")
    done = ", ".join(item.name for item in state.maturity.items if item.done)
    say(f"    {typer.style('✓', fg='green')} {done}")
    for item in state.maturity.missing:
        say(f"    {typer.style('·', fg='bright_black')} {item.name} (level {item.level}): {item.evidence}; {item.next}")
    say(f"  next         {state.due}")


def promoted(done: Any) -> None:
    """A version in its new state."""
    replaced = f", in place of {done.replaced.name}" if done.replaced else ""
    typer.secho(f"{done.version.name} is in {done.state}{replaced}", fg="green", bold=True)
    if done.serving:
        say(f"  {done.serving.detail}")
    if done.state == "production" and done.serving and done.serving.outcome == "no_server":
        say("next: penstock serve   # or: penstock up")


def approved(given: Any) -> None:
    """An approval."""
    say(f"{given.name} ({given.role}) approves {given.model}@{given.number} for {given.state}")
    say(f"next: penstock promote {given.number} --to {given.state}")


def trace(found: Any) -> None:
    """A lineage as two lists, nearest first."""
    from penstock.report import cell

    typer.secho(f"{found.start.kind} {found.start.label}", bold=True, nl=False)
    say(f"  {found.start.detail}")
    if found.prediction:
        prediction = found.prediction
        say(f"  asked     {when(prediction['at'])} UTC, key {prediction['key']}, generation {prediction['generation']}")
        say(f"  request   {_pairs(prediction['request'])}")
        say(f"  features  {_pairs(prediction['vector'])}")
        answer = {
            name: prediction[name] for name in ("label", "score", "probabilities") if prediction[name] is not None
        }
        truth = prediction["truth"]
        if "label" not in answer:  # a regression: its score is the answer
            say(f"  answer    {cell(prediction['score'])}")
            truth = None if truth is None else cell(float(truth))
        else:
            say(f"  answer    {_pairs(answer)}")
        say(f"  truth     {'not known yet' if truth is None else truth}")
    for title, nodes in (("made from", found.upstream), ("led to", found.downstream)):
        if nodes:
            say(f"{title}:")
            _nodes(nodes)
    if found.lineage.truncated:
        say("  and more: --json has the first ten thousand")


def _nodes(nodes: Sequence[Any], most: int = 40) -> None:
    width = max(28, *(len(one.label) for one in nodes[:most]))
    for one in nodes[:most]:
        reason = f" — {one.reason}" if one.reason else ""
        say(f"  {one.kind:<12} {one.label:<{width}} {when(one.at):<17} {one.detail}{reason}")
    if len(nodes) > most:
        say(f"  and {len(nodes) - most} more")


def _pairs(values: dict[str, Any]) -> str:
    from penstock.report import cell

    return ", ".join(f"{name} {cell(value)}" for name, value in values.items())


def reproduction(result: Any) -> None:
    """How equal the second training is."""
    colour = "green" if result.same else "red"
    typer.secho(f"run {result.run.number}: {GRADES[result.grade]}", fg=colour, bold=True)
    if result.max_difference is not None:
        say(f"  largest difference between two predictions: {result.max_difference:g}")
    for name, (then, now) in result.metrics.items():
        say(f"  metric {name}: {then} then, {now} now")
    say("  in the recorded environment, built again" if result.rebuilt else "  in the environment at hand")
    for difference in result.differences:
        say(f"  {difference}")
    if not result.differences:
        say("  the environment is the same")
    for cause in result.causes:
        say(f"  likely cause: {cause}")


def tick_line(done: Any) -> None:
    """One line when a tick did something."""
    _news(done.look, done.action)


def look(found: Any) -> None:
    """What a look found."""
    predictions = counted(found.compacted.predictions, "new prediction")
    labels = counted(found.compacted.feedback, "new label")
    say(f"{predictions} and {labels} in the server's log; {counted(len(found.points), 'number')} measured")
    if found.open_until:
        say(f"the window that ends {when(found.open_until)} UTC is measured when it is over")
    for rule in found.unjudged:
        say(f"not judged: {rule}")
    _news(found)


def _news(seen: Any, action: Any = None) -> None:
    for alert in seen.opened:
        typer.secho(f"alert {alert.severity}: {alert.rule}: {alert.message}", fg="yellow")
    for alert in seen.resolved:
        say(f"resolved: {alert.rule}: {alert.message}")
    if action:
        say(f"{action.kind} {action.state}: {action.reason}")
    for notice in seen.notices:
        typer.secho(notice, fg="yellow", err=True)
