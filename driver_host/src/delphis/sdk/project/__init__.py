"""New projects for drivers, complete and running: what `delphis-driver new` writes.

The files lie in `template/`; «name» in them stands for what depends on the project.
"""

from delphis.sdk.project.errors import ProjectError
from delphis.sdk.project.names import Names
from delphis.sdk.project.writing import write

__all__ = ["Names", "ProjectError", "write"]
