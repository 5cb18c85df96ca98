"""`penstock data`: drafts, checks and the quarantine, at the command line."""

from pathlib import Path

import pytest
from cli.command import document, invoke

PROJECT = "name: shop\ndata:\n  datasets:\n    orders: {source: data/*.csv, key: id, contract: contracts/orders.yaml}\n"
CONTRACT = (
    "columns: {id: {type: Int64}, amount: {type: Float64, min: 0}, mail: {type: String, pii: direct_identifier}}\n"
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    files = {
        "penstock.yaml": PROJECT,
        "contracts/orders.yaml": CONTRACT,
        "data/a.csv": "id,amount,mail\n" + "".join(f"{n},{n},m{n}@x.org\n" for n in range(40)) + "90,-5,bad@x.org\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_draft_is_written_once(shop: Path) -> None:
    output = shop / "contracts" / "draft.yaml"
    assert f"wrote {output}" in invoke("data", "infer", "orders", "-C", shop, "-o", output).stdout
    assert "pii: direct_identifier" in output.read_text()
    refused = invoke("data", "infer", shop / "data" / "a.csv", "-o", output)
    assert (refused.exit_code, "--force" in refused.stderr) == (2, True)
    assert invoke("data", "infer", shop / "data" / "a.csv", "-o", output, "--force").exit_code == 0
    assert "did you mean 'orders'" in invoke("data", "infer", "order", "-C", shop).stderr


def test_check_ends_with_4_and_says_the_same_in_every_form(shop: Path) -> None:
    good = ["data", "check", shop / "data" / "*.csv", "--dataset", "orders", "-C", shop]
    assert invoke(*good).exit_code == 0
    assert "1  amount: below 0  (first: data/a.csv row 41)" in invoke(*good).stdout
    assert "40 of 41 rows keep the contract, 1 would be set aside" in invoke(*good).stdout
    (shop / "data" / "b.csv").write_text("id,amount\n1,2\n")
    told, page, machine = invoke(*good), invoke(*good, "--markdown"), invoke(*good, "--json")
    assert [result.exit_code for result in (told, page, machine)] == [4, 4, 4]
    assert "column: mail, change: missing" in told.stderr
    assert "| data/b.csv | mail | missing | String | nothing |" in page.stdout
    assert document(machine)["changes"][0]["column"] == "mail"
    assert not any("@" in result.output for result in (told, page, machine))


def test_rows_are_shown_as_they_are(shop: Path) -> None:
    rows = "id,amount,mail,late\n1234567,735.391,m@x.org,true\n2,,m@x.org,false\n"
    (shop / "data" / "a.csv").write_text(rows)
    (shop / "penstock.yaml").write_text(PROJECT.replace(", contract: contracts/orders.yaml", ""))
    invoke("data", "ingest", "-C", shop)
    lines = [line.split() for line in invoke("data", "show", "orders", "-C", shop).stdout.splitlines()]
    assert lines[1:] == [["1234567", "735.391", "m@x.org", "true"], ["2", "–", "m@x.org", "false"]]


def test_what_is_done_before_a_dataset_breaks_is_told(shop: Path) -> None:
    (shop / "penstock.yaml").write_text(PROJECT + "    lost: {source: nowhere/*.csv}\n")
    done = invoke("data", "ingest", "-C", shop)
    assert (done.exit_code, "no file matches" in done.stderr) == (2, True)
    assert "40 rows, 1 quarantined  (first ingest)" in done.stdout
    assert document(invoke("data", "ingest", "-C", shop, "--json"))["exit_code"] == 2


def test_a_difference_does_not_name_personal_values(shop: Path) -> None:
    invoke("data", "ingest", "-C", shop)
    old = document(invoke("data", "log", "orders", "-C", shop, "--json"))[0]["commit"]
    (shop / "data" / "a.csv").write_text("id,amount,mail\n" + "".join(f"{n},{n},new@x.org\n" for n in range(400)))
    invoke("data", "ingest", "-C", shop)
    found = invoke("data", "diff", f"orders@{old}", "orders", "--distribution", "-C", shop)
    assert "400 rows" in found.stdout
    assert "amount" in found.stdout
    assert "new@x.org" not in found.stdout


def test_a_dataset_without_a_version_is_known(shop: Path) -> None:
    shown = invoke("data", "show", "orders", "-C", shop)
    assert (shown.exit_code, shown.stderr) == (
        2,
        "error: orders has no version here yet\n  next: penstock data ingest orders\n",
    )
    assert invoke("data", "log", "orders", "-C", shop).stdout == "it has no version here yet\n"
    assert "unknown dataset 'order'" in invoke("data", "show", "order", "-C", shop).stderr


def test_a_mistake_in_a_contract_is_told_with_its_place_in_the_project(shop: Path) -> None:
    (shop / "contracts" / "orders.yaml").write_text("columns: {id: {typ: Int64}, amount: {type: Float}}\n")
    told = invoke("data", "ingest", "-C", shop).stderr
    assert "contracts/orders.yaml:1:16: unknown key 'typ'" in told
    assert "contracts/orders.yaml:1:44: unknown type 'Float'" in told
    assert "next: correct contracts/orders.yaml" in told


def test_a_refused_export_leaves_no_tag(shop: Path) -> None:
    invoke("data", "ingest", "-C", shop)
    url = f"sqlite:///{shop}/catalog.db"
    for table, catalog in (("rows", url), ("lab.rows", url), ("lab.rows", "nowhere")):
        assert invoke("data", "iceberg", "orders", table, "--catalog", catalog, "-C", shop).exit_code in (1, 2)
    assert [ref["kind"] for ref in document(invoke("data", "branches", "-C", shop, "--json"))] == ["branch"]


def test_what_cannot_be_readmitted_says_why(shop: Path) -> None:
    invoke("data", "ingest", "-C", shop)
    readmit = ["data", "quarantine", "readmit", "orders", "-C", shop, "--note", "a sign"]
    for path in (shop / "lost.csv", shop / "data"):
        lost = invoke(*readmit, "--file", path)
        assert lost.exit_code == 2
        assert "there is no such file\n  next: correct a file that `penstock data quarantine" in lost.stderr
    (shop / "data" / "a.csv").write_text("id,amount,mail\n1,1,m@x.org\n")
    invoke("data", "ingest", "-C", shop)
    none = invoke(*readmit, "--all")
    assert (none.exit_code, "no row of orders is in quarantine" in none.stderr) == (2, True)


def test_rows_go_into_the_quarantine_and_come_back(shop: Path) -> None:
    assert invoke("data", "ingest", "-C", shop).exit_code == 0
    listed = invoke("data", "quarantine", "list", "-C", shop).stdout
    assert "amount: below 0" in listed
    shown = invoke("data", "quarantine", "show", "orders", "-C", shop)
    assert "-5" in shown.stdout
    assert "bad@x.org" not in shown.stdout
    rows = shop / "rows.csv"
    assert invoke("data", "quarantine", "export", "orders", "-o", rows, "-C", shop).exit_code == 0
    readmit = ["data", "quarantine", "readmit", "orders", "-C", shop, "--note", "a sign"]
    assert invoke(*readmit).exit_code == 2
    assert invoke(*readmit, "--file", rows).exit_code == 4
    rows.write_text(rows.read_text().replace("-5", "5"))
    back = invoke(*readmit, "--file", rows, "--as", "ada")
    assert "1 readmitted, 41 rows now" in back.stdout
    assert "no row is in quarantine" in invoke("data", "quarantine", "list", "-C", shop).stdout
    audit = document(invoke("audit", "log", "-C", shop, "--json"))
    assert ("data.readmit", "ada", "a sign") in [(one["action"], one["actor"], one["reason"]) for one in audit]


def test_every_command_stands_under_a_heading() -> None:
    from typer.main import get_group

    from penstock.cli.data import Help, app

    listed = [name for names in Help.headings.values() for name in names]
    assert sorted(listed) == sorted(get_group(app).commands)
