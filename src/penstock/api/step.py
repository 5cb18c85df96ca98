"""What every step's part of the interface starts from."""

from penstock.api.workspace import Workspace


class StepApi:
    """The methods of one step, on one project."""

    def __init__(self, workspace: Workspace) -> None:
        self._work = workspace
