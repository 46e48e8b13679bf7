"""How arrays are reached: what an operator may give, how it is kept, and who gets to see what of it.

`rules` says what is valid, `merging` what a change makes of what is stored, `identity` when two storages are one,
`infos` keeps them encrypted and hands them to the router, `updating` changes one, `handlers` answers calls.
"""
