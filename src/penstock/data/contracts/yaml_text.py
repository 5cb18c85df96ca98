"""A contract's settings as YAML, as people would write them."""

import json
import re

from penstock.data.contracts.contract import Column


def settings(column: Column, *only: str) -> str:
    """What a draft says of a column, as YAML; all of it, or `only` some."""
    said = {
        "type": quoted(column.type),
        "nullable": str(column.nullable).lower(),
        "missing": f"[{', '.join(map(quoted, column.missing))}]" if column.missing else "",
        "format": quoted(column.format) if column.format else "",
        "decimal": quoted(column.decimal) if column.decimal else "",
        "pii": column.pii or "",
    }
    return ", ".join(f"{name}: {text}" for name, text in said.items() if text and (not only or name in only))


def quoted(text: str) -> str:
    """A text as YAML: plain where it can only be a text, else in double quotes."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text) and text.lower() not in (
        "true",
        "false",
        "null",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "n",
    ):
        return text
    return escaped(json.dumps(text, ensure_ascii=False))


def escaped(text: str) -> str:
    """Characters that a line of YAML cannot hold, written as escapes."""
    return "".join(one if one.isprintable() else _escape(ord(one)) for one in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
