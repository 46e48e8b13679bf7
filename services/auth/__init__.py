"""Who may call Delphis, and who did what.

`secret` makes and hashes tokens, `tokens` keeps them, `authenticator` knows their bearers without waiting,
`service_token` is that of our own processes, `audit` keeps the log, `handlers` answers AuthService.
"""
