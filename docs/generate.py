"""The pages of docs/ that are made from the code: the command line and the project file.

make docs          write them
--check            end with 1 when one of them is not as the code says
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from typer.main import get_command

from penstock.cli import app
from penstock.project import json_schema

HERE = Path(__file__).parent
MADE = "<!-- made by docs/generate.py: change the code, then `make docs` -->"
Rows = Sequence[Sequence[str]]

CLI = """# The command line

One command is one call of the same name on `penstock.Project`. Every command that reads or changes a project takes
`-C DIR`, and `--env NAME` for a section of `environments:` in the project file; all but the servers and the ones
that write a text take `--json`, which prints one JSON document, errors included. `penstock COMMAND --help` says the
same as this page.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | a wrong call, or something wrong in a file of the project |
| 3 | a gate, a signature or an approval is lacking |
| 4 | data do not keep their contract |
| 5 | somebody else moved first, or is at work |
"""

CONFIG = """# penstock.yaml

Seven sections, in the order of the loop. `penstock schema > penstock.schema.json` gives editors the same facts.
Whatever is wrong in a file is told at once, each problem with its line and column.

- **Who wins**: `--set train.params.depth=6` over `environments:` over the file over the default.
- **Variables**: `${VAR}` is filled in from the environment, last; `$${` is a plain `${`.
- **Functions** are `module:function`, in a file of the project, plain Python that imports nothing of Penstock.
- **Durations** are `20ms`, `90s`, `10m`, `3h`, `31d` or `2w`; shares are `0.05` or `5%`.
"""
COMMON = ("--project", "--env", "--json", "--help")


def main() -> None:
    """Write the pages, or check them."""
    pages = {"cli.md": cli_page(), "config.md": config_page()}
    stale = [name for name, text in pages.items() if not _is(HERE / name, text)]
    if "--check" in sys.argv:
        sys.exit(f"docs/{stale[0]} is not as the code says: make docs" if stale else 0)
    for name in stale:
        (HERE / name).write_text(pages[name], encoding="utf-8")


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def table(columns: Sequence[str], rows: Rows) -> str:
    """A Markdown table; nothing without rows."""
    if not rows:
        return ""
    escaped = (" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows)
    return "\n".join([f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *(f"| {row} |" for row in escaped)])


def page(*parts: str) -> str:
    """Paragraphs under one another."""
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


# --- the command line ----------------------------------------------------------------------------


def cli_page() -> str:
    """docs/cli.md"""
    root: Any = get_command(app)
    parts = [MADE, CLI]
    for heading, names in root.headings.items():
        parts.append(f"## {heading}")
        for name in names:
            parts += commands(f"penstock {name}", root.commands[name])
    return page(*parts)


def commands(path: str, command: Any) -> Iterator[str]:
    """A command, or a group and each of its commands."""
    if hasattr(command, "commands"):
        yield f"### {path}\n\n{command.help}"
        for name, inner in command.commands.items():
            yield from commands(f"{path} {name}", inner)
        return
    text, _, example = command.help.partition("Example: ")
    arguments = [_argument(p) for p in command.params if p.param_type_name == "argument"]
    yield f"#### {' '.join([path, *arguments])}"
    yield f"{text.strip()}\n\n```sh\n{example.strip()}\n```"
    yield table(("option", "meaning"), [row for p in command.params for row in _parameter(p)])


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _parameter(parameter: Any) -> Iterator[tuple[str, str]]:
    if any(option in COMMON for option in parameter.opts):
        return
    if parameter.param_type_name == "argument":
        yield f"`{parameter.metavar or parameter.name.upper()}`", parameter.help
        return
    required = ", required" if parameter.required else ""
    default = (
        f" (default: {parameter.default})" if isinstance(parameter.default, str | int) and parameter.default else ""
    )
    yield ", ".join(f"`{option}`" for option in parameter.opts) + required, parameter.help + default


# --- the project file ----------------------------------------------------------------------------


def config_page() -> str:
    """docs/config.md"""
    schema = json_schema()
    parts = [MADE, CONFIG, keys("", schema, schema["$defs"])]
    for path, section in sections("", schema, schema["$defs"]):
        level = "##" if "." not in path else "###"
        parts += [f"{level} {path}", described(section["description"]), keys(path, section, schema["$defs"])]
    return page(*parts)


def sections(
    path: str, section: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every section below this one with its path, depth first."""
    for key, value in section["properties"].items():
        for place, inner in held(f"{path}.{key}".lstrip("."), value):
            yield place, known[inner]
            yield from sections(place, known[inner], known)


def held(place: str, value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The sections that a key may hold, each with its heading; where it may be one of several, with their names."""
    inner, mark = referred(value)
    several = [referred(option)[0] for option in value.get("oneOf", ())]
    named = [(f"{place}: {name}", name) for name in several if name]
    return named or ([(f"{place}{mark}", inner)] if inner else [])


def referred(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """The section that a key holds, and how: `` once, `[]` a list of it, `.NAME` by name."""
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2], ""
    for option in value.get("anyOf", ()):
        if "$ref" in option:
            return referred(option)
    if "$ref" in value.get("items", {}):
        return referred(value["items"])[0], "[]"
    named = [*value.get("patternProperties", {}).values(), value.get("additionalProperties", {})]
    for option in named:
        if isinstance(option, dict) and "$ref" in option:
            return referred(option)[0], ".NAME"
    return None, ""


def described(text: str) -> str:
    """A docstring: sentences as they are, indented or aligned lines as code."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        aligned = "  " in paragraph or paragraph.startswith("{")
        paragraphs.append(f"```\n{paragraph}\n```" if aligned else paragraph)
    return "\n\n".join(paragraphs)


def keys(path: str, section: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """A row for each key of a section."""
    required = section.get("required", ())
    rows = []
    for key, value in section["properties"].items():
        inside = held(f"{path}.{key}".lstrip("."), value)
        links = [f"[{place}](#{anchor(place)})" for place, _ in inside]
        kind = " or ".join(["text", *links, "a list of these"] if "oneOf" in value else links) or kind_of(value)
        meaning = value.get("description") or (known[inside[0][1]]["description"].partition("\n")[0] if inside else "")
        rows.append((f"`{key}`", kind, "required" if key in required else default_of(value), meaning))
    return table(("key", "is", "default", "meaning"), rows)


def anchor(place: str) -> str:
    """The link to a heading, as GitHub makes it."""
    return "".join(letter for letter in place.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def kind_of(value: Mapping[str, Any]) -> str:
    """What may stand there, in a few words."""
    if "enum" in value:
        return " or ".join(f"`{option}`" for option in value["enum"])
    if "anyOf" in value:
        return " or ".join(kind_of(option) for option in value["anyOf"] if option.get("type") != "null")
    if "(ms|s|m|h|d|w)" in value.get("pattern", ""):
        return "duration"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}
    if value.get("type") == "array":
        return "list of texts"
    return names.get(value.get("type", ""), "mapping")


def default_of(value: Mapping[str, Any]) -> str:
    """The default as it would be written."""
    default = value.get("default")
    if default is None or default in ([], {}, ""):
        return ""
    return f"`{default}`"


if __name__ == "__main__":
    main()
