"""What each command prints for a person."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from penstock.cli.shell import pencil, rub_out, table
from penstock.digest import short

if TYPE_CHECKING:
    import polars as pl

MARKS = {"PASS": ("✓", "green"), "FAIL": ("✗", "red"), "UNDECIDED": ("?", "yellow")}
GRADES = {
    "bytes": "the same model, byte for byte",
    "bit-equal": "the same predictions, bit for bit",
    "within tolerance": "the same predictions, up to rounding",
    "different": "another model",
}
STATES = {"cached": ("=", "bright_black"), "done": ("✓", "green")}


def say(text: str = "") -> None:
    """A line."""
    typer.echo(text)


def _count(number: int, noun: str) -> str:
    """`1 label`, `2,000 labels`"""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def when(moment: datetime | None) -> str:
    """2013-04-01 06:00"""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""


# --- the daily verbs ---


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
    else:
        typer.secho("the gates refuse this model; it was not registered", fg="red", bold=True)
        say("next: penstock validate card   # every number; then change data, features or parameters and run again")


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


def signed(given: Any) -> None:
    """A signature."""
    say(f"{given.name} ({given.role}) has signed objective {short(given.objective)}")


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
    for difference in result.differences:
        say(f"  {difference}")
    if not result.differences:
        say("  the environment is the same")


def tick_line(ticked_once: Any) -> None:
    """One line when a tick did something."""
    seen = ticked_once.look
    for alert in seen.opened:
        typer.secho(f"alert {alert.severity}: {alert.rule}: {alert.message}", fg="yellow")
    for alert in seen.resolved:
        say(f"resolved: {alert.rule}: {alert.message}")
    if ticked_once.action:
        say(f"{ticked_once.action.kind} {ticked_once.action.state}: {ticked_once.action.reason}")
    for notice in seen.notices:
        typer.secho(notice, fg="yellow", err=True)


def ticked(done: Any) -> None:
    """What one tick saw and did."""
    look(done.look)
    for one in done.due:
        waits = f", waits until {when(one.waits)}" if one.waits else ""
        say(f"due: {one.trigger}: {one.reason}{waits}")
    if done.action is None:
        say(done.held or "nothing to do")
        return
    say(f"{done.action.kind} {done.action.state}: {done.action.reason}")
    for lack in done.action.outcome.get("lacks", []):
        say(f"  {lack}")
    if done.action.state == "registered" and done.turn and done.turn.version:
        version = done.turn.version
        say(f"{version.name} passed every gate and is a candidate")
        say(f"next: penstock promote {version.number}   # or look first: penstock validate card {version.number}")


# --- 2 data ---


def ingested(done: Any) -> None:
    """Each dataset."""
    for one in done:
        quarantined = f", {one.quarantined:,} quarantined" if one.quarantined else ""
        say(f"{one.dataset}@{short(one.commit)}  {one.rows:,} rows{quarantined}  ({one.why})")
        for reason, count in {**one.reasons, **one.warnings}.items():
            say(f"  {count:,}  {reason}")


def versions(found: Any) -> None:
    """A dataset's history."""
    rows = [[short(v.commit), v.rows, v.bytes, when(v.created_at), short(v.content)] for v in found]
    table(["commit", "rows", "bytes", "created (UTC)", "content"], rows)


def version(found: Any) -> None:
    """One version."""
    say(f"{found.dataset}@{short(found.commit)}, {found.rows:,} rows")


def frame(rows: Any) -> None:
    """Rows as a table; a text as it is."""
    if isinstance(rows, str):
        say(rows)
        return
    table(rows.columns, [list(row) for row in rows.rows()])


def export(rows: "pl.LazyFrame", output: Path) -> str:
    """Write every row, streaming."""
    if output.suffix == ".csv":
        rows.sink_csv(output)
    else:
        rows.sink_parquet(output)
    return f"wrote {output}"


def difference(found: Any) -> None:
    """What changed."""
    say(f"{short(found.before)} → {short(found.after)}: {found.rows_before:,} → {found.rows_after:,} rows")
    by = f"by {', '.join(found.key)}" if found.key else "by whole rows"
    say(f"  rows {by}: {found.added:,} added, {found.removed:,} removed, {found.changed:,} changed")
    say(f"  parts: {found.parts_added} added, {found.parts_removed} removed")
    if found.schema:
        table(["column", "change", "before", "after"], [list(change.values()) for change in found.schema])


def checked(found: Any) -> None:
    """A file that keeps its contract."""
    typer.secho(f"{found.rows:,} rows keep the contract", fg="green")
    for reason, count in {**found.reasons, **found.warnings}.items():
        say(f"  {count:,}  {reason}")


def damage(found: Any) -> None:
    """Damaged blobs."""
    if not found:
        typer.secho("every stored byte is what was written", fg="green")
    for one in found:
        typer.secho(str(one), fg="red")


def swept(found: Any) -> None:
    """What was collected."""
    young = f", {found.young:,} too young to go" if found.young else ""
    say(f"{_count(found.removed, 'blob')} removed, {found.freed:,} bytes freed; {found.kept:,} kept{young}")


# --- 3 train ---


def runs(found: Any) -> None:
    """The newest runs."""
    rows = [
        [r.number, r.status, r.function, when(r.started_at), _seconds(r), short(r.bundle or ""), r.id] for r in found
    ]
    names = ["run", "status", "function", "started (UTC)", "seconds", "bundle", "id"]
    table(names, rows, empty="no runs yet: penstock run")


def run_details(found: Any) -> None:
    """Everything about a run."""
    one = found.run
    typer.secho(f"run {one.number}  {one.status}", bold=True, nl=False)
    say(f"  {one.id}")
    code = (
        f"commit {one.git_commit}" + (" with an uncommitted patch" if one.patch else "")
        if one.git_commit
        else "not in Git"
    )
    for name, value in (
        ("function", one.function), ("code", f"{short(one.code)}, {code}"), ("seed", one.seed),
        ("started", when(one.started_at)),
        ("seconds", _seconds(one)), ("bundle", short(one.bundle or "")), ("content", short(one.content_hash or "")),
        ("probe", short(one.probe_hash or "")), ("environment", short(one.environment)), ("error", one.error or ""),
    ):  # fmt: skip
        say(f"  {name:<12} {value}") if value != "" else None
    for title, pairs in (
        ("data", one.data.items()), ("features", one.features.items()),
        ("params", [(p.name, p.value) for p in found.params]),
        ("metrics", [(m.name, f"{m.value:g}") for m in found.metrics]),
        ("host", _host(one.host)),
    ):  # fmt: skip
        for name, value in pairs:
            shown = short(str(value)) if title in ("data", "features") else value
            say(f"  {title:<12} {name} = {shown}")
    for evaluation in found.evaluations:
        say(f"  {'judged':<12} {evaluation.verdict}, {when(evaluation.at)}")


def _host(host: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Of where it ran, what a person asks for."""
    yield "name", host.get("name", "")
    yield "kernel", host.get("kernel", "")
    yield "cpus", host.get("cpus", "")
    yield "memory", f"{host.get('memory', 0) / 2**30:.1f} GiB"


def _seconds(run: Any) -> str:
    return f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else ""


# --- 4 validate, 5 deliver ---


def judgement(found: Any) -> None:
    """Each gate."""
    mark, colour = MARKS[found.evaluation.verdict]
    typer.secho(f"{mark} {found.evaluation.verdict}", fg=colour, bold=True, nl=False)
    say(f"  bundle {short(found.evaluation.bundle)}, {when(found.evaluation.at)} UTC")
    gates(found.results)


def models(found: Any) -> None:
    """The registry."""
    rows = [[v.name, v.state, when(v.created_at), v.note, short(v.bundle)] for v in found]
    table(["version", "state", "registered (UTC)", "note", "bundle"], rows, empty="no model versions yet: penstock run")


def transitions(found: Any) -> None:
    """Every change of state."""
    rows = [
        [when(t.at), f"{t.model}@{t.number}", f"{t.before or ''} → {t.after}".strip(), t.actor, t.reason] for t in found
    ]
    table(["when (UTC)", "version", "change", "by", "why"], rows, empty="nothing was promoted yet: penstock promote")


def lacking(missing: Any) -> None:
    """What lacks."""
    if not missing:
        typer.secho("nothing lacks", fg="green")
    for lack in missing:
        say(f"lacks: {lack}")


def refreshed(deployment: Any) -> None:
    """A refresh of the views."""
    say(f"generation {deployment.generation}" if deployment else "the endpoint has the newest rows")


# --- 6 monitor, 7 improve ---


def look(found: Any) -> None:
    """What a look found."""
    read = (
        f"{_count(found.compacted.predictions, 'new prediction')} and {_count(found.compacted.feedback, 'new label')}"
    )
    say(f"{read} in the server's log; {_count(len(found.points), 'number')} measured")
    if found.open_until:
        say(f"the window that ends {when(found.open_until)} UTC is measured when it is over")
    for rule in found.unjudged:
        say(f"not judged: {rule}")
    tick_line(type("Seen", (), {"look": found, "action": None}))


def alerts(found: Any) -> None:
    """Alerts."""
    rows = [
        [a.state, a.severity, a.rule, a.subject, a.value, a.message, when(a.opened_at), when(a.resolved_at)]
        for a in found
    ]
    table(["state", "severity", "rule", "of", "value", "what", "opened", "resolved"], rows, empty="no alerts")


def series(found: Any) -> None:
    """A number over time."""
    rows = [[when(p.window_start), p.value, p.n, p.model] for p in found]
    nothing = "nothing was measured under this name yet: penstock monitor look"
    table(["window from (UTC)", "value", "n", "model"], rows, empty=nothing)


def predictions(found: Any) -> None:
    """Logged predictions, in what a person looks for; `trace` shows one whole."""
    names = {"id": "id", "at": "at (UTC)", "model": "model", "key": "key", "label": "answer", "score": "score"}
    columns = [name for name in (*names, "truth") if name in found.columns]
    if found.height and found["label"].null_count() == found.height:  # a regression: its score is the answer
        columns.remove("label")
        names["score"] = "answer"
        found = found.cast({"truth": float})
    rows = [[when(v) if isinstance(v, datetime) else v for v in row] for row in found.select(columns).rows()]
    table([names.get(name, name) for name in columns], rows, empty="no predictions yet: penstock serve")


def feedback(count: Any) -> None:
    """Labels taken."""
    say(f"{_count(count, 'label')} taken")
    if count:
        say("next: penstock monitor look   # or: penstock improve tick")


def actions(found: Any) -> None:
    """What the loop did."""
    rows = [
        [when(a.started_at), a.kind, a.state, a.trigger, a.reason, str(a.outcome.get("version", ""))] for a in found
    ]
    table(["when", "what", "outcome", "trigger", "why", "version"], rows, empty="the loop has done nothing yet")


# --- audit ---


def audit_log(found: Any) -> None:
    """Every decision."""
    rows = [[e.seq, when(e.at), e.actor, e.action, e.subject, e.reason] for e in found]
    table(["#", "when (UTC)", "who", "what", "of", "why"], rows, empty="nothing was decided yet")


def audit_check(check: Any) -> None:
    """Whether the chain holds."""
    if not check.broken:
        typer.secho(f"{check.entries} entries, every digest and signature holds", fg="green")
    for one in check.broken:
        typer.secho(f"entry {one.seq}: {one.why}", fg="red")
