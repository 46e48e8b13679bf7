"""Can't be imported."""

from __future__ import annotations

import a_library_that_nobody_has  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]

from delphis.sdk import StorageDriver


class NoImport(StorageDriver):
    library = a_library_that_nobody_has
