"""What is odd about a driver's answer: counted while it is read, and told once for each oddity."""

from __future__ import annotations

from delphis.sdk import Context, errors

MOST = 30
_REASON = errors.DriverBrokeContract


class Notes:
    """The oddities of one answer."""

    def __init__(self, context: Context, what: str) -> None:
        """
        Args:
            context: The call whose answer they become warnings of.
            what: What the answer holds: `Volume`.
        """
        self._context = context
        self._what = what
        self._counts: dict[tuple[str, str], int] = {}
        self._examples: dict[tuple[str, str], str] = {}
        self._extra: set[str] = set()
        self._lacking = False

    def extra(self, key: str) -> None:
        """A key that no field stands for; its value went into `native`."""
        self._extra.add(key)

    def odd(self, where: str, problem: str, example: object = None, times: int = 1) -> None:
        """Something was mapped, or left out.

        Args:
            where: A key of the driver's.
            problem: What is odd, and what was made of it.
            example: A value.
            times: How often.
        """
        key = (where, problem)
        self._counts[key] = self._counts.get(key, 0) + times
        if key not in self._examples and example is not None:
            self._examples[key] = repr(example)[:60]

    def lacks(self, where: str, problem: str, example: object = None) -> None:
        """Something of the array's can't be read: the answer is not complete."""
        self._lacking = True
        self.odd(where, problem, example)

    def tell(self) -> None:
        """Makes them warnings of the call."""
        told = list(self._counts.items())
        for (where, problem), count in told[:MOST]:
            example = self._examples.get((where, problem))
            times = f" ({count} times)" if count > 1 else ""
            such = f", such as {example}" if example is not None else ""
            self._context.warn(f"{self._what}.{where} {problem}{such}{times}.", reason=_REASON)
        if len(told) > MOST:
            self._context.warn(f"{self._what}: {len(told) - MOST} more oddities.", reason=_REASON)
        if self._lacking:
            self._context.incomplete(f"The list of {self._what} lacks what could not be read.", reason=_REASON)
        if self._extra:
            self._context.warn(f"{self._what} has no {', '.join(sorted(self._extra))}: see `native`.")
        self._extra.clear()
        self._counts.clear()
        self._examples.clear()
        self._lacking = False
