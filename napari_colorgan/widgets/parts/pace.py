"""How often something may be redrawn without the viewer suffering."""


class Pace:
    """At most every `interval` seconds, and for at most a share of the time.

    The clock is the caller's: times are seconds of any clock that only goes forward.
    """

    def __init__(self, interval: float, share: float = 0.1) -> None:
        self._interval = interval
        self._share = share
        self._not_before = float("-inf")

    def due(self, now: float) -> bool:
        """Whether enough time has passed."""
        return now >= self._not_before

    def done(self, now: float, took: float) -> None:
        """Note a redraw that has ended now."""
        self._not_before = now + max(self._interval, took / self._share)
