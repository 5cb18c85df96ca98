"""The command line: one command is one library call of the same name on `penstock.Project`."""

from penstock.cli.main import app, main

__all__ = ["app", "main"]
