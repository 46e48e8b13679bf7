"""Collection: each array asked for its points, window by window, none twice and none forgotten.

- `announced`: what an array says that it measures, as it can be used
- `plan`: which window is next, and what is lost
- `records`: how far each kind is, in the store
- `reading`: an array asked
- `refused`: what arrays told that was not taken
- `schedule`: which array is next
- `collector`: all of them, each when its time comes
"""
