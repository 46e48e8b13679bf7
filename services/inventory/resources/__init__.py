"""Answers about resources: `service` has the methods, `lists` what each kind is filtered and ordered by."""
