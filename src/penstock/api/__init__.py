"""The library: `Project` and one method for every command.

The daily verbs are methods of the project; what belongs to a step is under the step's name:

    project.run()                    project.data.history("flights")
    project.promote("3")             project.train.runs()
    project.trace("run:12")          project.monitor.alerts()
"""

from penstock.api.project import Project

__all__ = ["Project"]
