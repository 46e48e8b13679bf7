"""The relay: a core serves the methods of Delphis' other processes, too, by handing the bytes on.

So users, command lines and generated clients hold one address. The core's call pipeline authorises, audits and bounds a
call before it is relayed; the other process learns whose call it is. `connection` knows whether that process can be
reached, `relay` makes methods for the core's table, `release` is a call of the core's own.
"""
