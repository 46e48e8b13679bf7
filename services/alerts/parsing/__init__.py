"""From datagrams in the spool to alerts in the book.

`intake` decodes what is spooled and finds the array, `records` keeps the traps that wait and those that became no
alert, `queues` hands an array's traps to its driver in order, `outcomes` says what came of them, and `handlers` serves
TrapService.
"""
