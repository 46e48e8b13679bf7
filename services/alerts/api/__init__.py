"""AlertService: what callers see of the book.

`service` has the handlers, `listing` the list and `walks` how its pages are found, `matching` judges one alert by a
filter, `watching` follows the log, `live` asks arrays, `ports` says what the handlers need of the other parts.
"""
