"""Runs drivers of SODA Delfin's interface, unmodified, as drivers of Delphis.

`delphis-delfin run "vendor model"` serves one in its own environment; `delphis-delfin manifest` tells Delphis of it.

What a driver returns is read here and written as messages of the contract: rows (`rows`), groups (`groups`), alerts
(`alerts`), metrics (`points`), exceptions (`failures`). Where Delfin's own modules are absent, `standin` has them.
"""
