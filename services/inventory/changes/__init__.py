"""Changes: what appeared, changed and disappeared.

`recording` writes them in the transaction that makes the change, `reading` finds those after a position, `token` is the
position in all arrays at once, `retention` forgets the oldest, `handlers` answers ChangeService.
"""
