"""Secrets at rest: encrypted in the stores, with a key that lies beside neither the data nor the database.

All services of an installation use one key file. `key_file` reads and makes it, `vault` encrypts with it.
"""
