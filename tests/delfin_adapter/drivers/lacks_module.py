"""A driver whose environment lacks a library."""

import no_such_library_of_an_array
from delfin.drivers import driver


class LacksModuleDriver(driver.StorageDriver):
    library = no_such_library_of_an_array
