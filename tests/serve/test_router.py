"""The table of routes follows state.json, and what works stays when what comes does not."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from penstock.deliver.serving_state import (
    EndpointState,
    ServeDirectory,
    ServedModel,
    ServingState,
    deploy,
    read_state,
    write_state,
    write_view,
)
from penstock.errors import Untrusted
from penstock.serve.router import Backoff, Router, Table, expect, open_proven, put, refuse

Eventually = Callable[[Callable[[], Any]], Any]


@contextmanager
def routing(root: Path, on_change: Callable[[Table], None] = lambda table: None) -> Iterator[Router]:
    router = Router(root, on_change)
    router.start()
    try:
        yield router
    finally:
        router.stop()


def generation(router: Router, endpoint: str = "delay") -> int:
    route = router.table.routes.get(endpoint)
    return route.generation if route else 0


def test_nothing_deployed_is_not_ready(serve: Path) -> None:
    assert not Table().ready
    with routing(serve) as router:
        assert not router.table.ready


def test_a_deployment_is_picked_up_and_switched(foundry: Any, serve: Path, eventually: Eventually) -> None:
    tables: list[Table] = []
    with routing(serve, tables.append) as router:
        foundry.deploy(serve, "yes", 1)
        eventually(lambda: generation(router) == 1)
        foundry.deploy(serve, "no", 2)
        eventually(lambda: generation(router) == 2)

        assert router.table.ready
        assert router.table.routes["delay"].model.name == "delay@2"
        assert router.table.endpoints["delay"].error is None
    for table in tables:
        for name, route in table.routes.items():
            assert table.endpoints[name].generation == route.generation


def test_a_rollback_loads_nothing(foundry: Any, serve: Path, eventually: Eventually) -> None:
    foundry.deploy(serve, "yes", 1)
    with routing(serve) as router:
        eventually(lambda: generation(router) == 1)
        before = router.table.routes["delay"].opened
        foundry.deploy(serve, "no", 2)
        eventually(lambda: generation(router) == 2)
        shutil.rmtree(serve / "bundles")

        state = read_state(serve)
        back, present = state.endpoints["delay"].previous[0], state.endpoints["delay"].current
        deploy(serve, "delay", EndpointState(3, back, (present,)))

        eventually(lambda: generation(router) == 3)
        assert router.table.routes["delay"].opened is before


def test_the_version_before_is_loaded_ahead(foundry: Any, serve: Path, eventually: Eventually) -> None:
    foundry.deploy(serve, "yes", 1)
    foundry.deploy(serve, "no", 2)
    with routing(serve) as router:
        eventually(lambda: len(router._loader._bundles) == 2)


def test_a_bundle_that_does_not_open_leaves_the_one_that_answers(
    foundry: Any, serve: Path, eventually: Eventually
) -> None:
    foundry.deploy(serve, "yes", 1)
    with routing(serve) as router:
        eventually(lambda: generation(router) == 1)
        deploy(serve, "delay", EndpointState(2, ServedModel("delay", 2, "0" * 64)))

        eventually(lambda: router.table.endpoints["delay"].error)
        assert generation(router) == 1
        assert router.table.endpoints["delay"].wanted == 2
        assert router.table.ready

        foundry.deploy(serve, "no", 3)
        eventually(lambda: generation(router) == 3)
        assert router.table.endpoints["delay"].error is None


def test_an_altered_bundle_is_refused(foundry: Any, serve: Path, eventually: Eventually) -> None:
    model = foundry.deploy(serve, "yes", 1)
    file = ServeDirectory(serve).bundle(model.bundle) / "model.skops"
    file.chmod(0o644)
    raw = bytearray(file.read_bytes())
    raw[100] ^= 1
    file.write_bytes(raw)
    with routing(serve) as router:
        eventually(lambda: router.table.endpoints.get("delay") and router.table.endpoints["delay"].error)
        assert not router.table.ready
        assert "model.skops is not what was sealed" in (router.table.endpoints["delay"].error or "")


def test_a_generation_that_was_refused_answers_once_its_files_are_back(
    foundry: Any, serve: Path, eventually: Eventually
) -> None:
    tables: list[Table] = []
    foundry.deploy(serve, "yes", 1)
    shutil.move(serve / "bundles", serve / "elsewhere")
    with routing(serve, tables.append) as router:
        eventually(lambda: router.table.endpoints.get("delay") and router.table.endpoints["delay"].error)
        told = len(tables)
        eventually(lambda: router._again.seconds > 0.5)
        assert len(tables) == told  # the same refusal again is no news
        shutil.move(serve / "elsewhere", serve / "bundles")
        eventually(lambda: generation(router) == 1)
        assert router.table.endpoints["delay"].error is None


def test_what_stays_refused_is_tried_less_and_less_often() -> None:
    waits, backoff = [], Backoff()
    for _ in range(9):
        waits.append(backoff.seconds)
        backoff = backoff.after()
    assert waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert not backoff.due()
    assert Backoff(since=0.0).due()


def test_a_stranger_s_bundle_is_refused(foundry: Any, serve: Path) -> None:
    model = foundry.deploy(serve, "yes", 1)
    with pytest.raises(Untrusted, match="stranger"):
        open_proven(ServeDirectory(serve).bundle(model.bundle), model.bundle, ("0" * 64,))


def test_a_bundle_under_another_s_name_is_refused(foundry: Any, serve: Path) -> None:
    model = foundry.deploy(serve, "yes", 1)
    with pytest.raises(Untrusted, match=model.bundle):
        open_proven(ServeDirectory(serve).bundle(model.bundle), "0" * 64, (foundry.signer.public,))


def test_newer_rows_of_a_view_are_picked_up(foundry: Any, serve: Path, eventually: Eventually) -> None:
    model = foundry.deploy(serve, "stored", 1)
    with routing(serve) as router:
        eventually(lambda: generation(router) == 1)
        opened = router.table.routes["delay"].opened
        digest = write_view(serve, "wind", foundry.weather.with_columns(wind=pl.lit(99.0)))
        newer = ServedModel(model.model, model.number, model.bundle, {"wind": digest})
        deploy(serve, "delay", EndpointState(2, newer))

        eventually(lambda: generation(router) == 2)
        assert router.table.routes["delay"].opened is opened


def test_rows_of_a_view_that_changed_on_disk_are_refused(foundry: Any, serve: Path, eventually: Eventually) -> None:
    model = foundry.deploy(serve, "stored", 1)
    ServeDirectory(serve).view("wind", model.views["wind"]).write_bytes(b"PAR1")
    with routing(serve) as router:
        eventually(lambda: router.table.endpoints.get("delay") and router.table.endpoints["delay"].error)
        assert "wind" in (router.table.endpoints["delay"].error or "")


def test_an_unreadable_state_keeps_the_table(foundry: Any, serve: Path, eventually: Eventually) -> None:
    foundry.deploy(serve, "yes", 1)
    with routing(serve) as router:
        eventually(lambda: generation(router) == 1)
        whole = ServeDirectory(serve).state.read_bytes()
        ServeDirectory(serve).state.write_bytes(whole[:20])
        eventually(lambda: router.table.problem)
        assert generation(router) == 1

        ServeDirectory(serve).state.write_bytes(whole)
        eventually(lambda: router.table.problem is None)
        assert generation(router) == 1


def test_it_goes_on_when_the_answer_cannot_be_written(foundry: Any, serve: Path, eventually: Eventually) -> None:
    told: list[Table] = []

    def on_change(table: Table) -> None:
        told.append(table)
        if len(told) == 1:
            raise OSError(28, "No space left on device")

    foundry.deploy(serve, "yes", 1)
    with routing(serve, on_change) as router:
        eventually(lambda: generation(router) == 1 and told[-1] is router.table)


def test_an_endpoint_that_is_withdrawn_is_gone(foundry: Any, serve: Path, eventually: Eventually) -> None:
    foundry.deploy(serve, "yes", 1, endpoint="a")
    foundry.deploy(serve, "no", 1, endpoint="b")
    with routing(serve) as router:
        eventually(lambda: generation(router, "b") == 1)
        state = read_state(serve)
        write_state(serve, ServingState({"a": state.endpoints["a"]}, state.trusted))
        eventually(lambda: set(router.table.routes) == {"a"})


def test_tables_are_values(foundry: Any, serve: Path) -> None:
    model = foundry.deploy(serve, "yes", 1)
    wanted = expect(Table(), read_state(serve))
    assert (wanted.endpoints["delay"].generation, wanted.endpoints["delay"].wanted, wanted.ready) == (0, 1, False)

    refused = refuse(wanted, "delay", 1, ValueError())
    assert refused.endpoints["delay"].error == "ValueError"
    assert refuse(refused, "delay", 1, ValueError()) is refused
    assert wanted.endpoints["delay"].error is None

    opened = open_proven(ServeDirectory(serve).bundle(model.bundle), model.bundle, (foundry.signer.public,))
    from penstock.serve.router import Route

    served = put(refused, Route("delay", 1, model, opened, {}))
    assert served.ready
    assert served.endpoints["delay"].error is None
