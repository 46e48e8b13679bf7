"""Collection: each array asked for its points, window by window, none twice and none forgotten.

- `plan`: which window is next, and what is lost
- `records`: how far each kind is, in the store
"""
