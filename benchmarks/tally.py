"""What a load generator counts."""

from array import array
from collections import Counter


class Tally:
    """Right answers with their latencies, while the window is open; and all that failed, always."""

    def __init__(self) -> None:
        self.is_open = False
        self.latencies = array("d")
        self.errors: Counter[str] = Counter()

    def right(self, seconds: float) -> None:
        """An answer or event came, *seconds* after it was due."""
        if self.is_open:
            self.latencies.append(seconds)

    def wrong(self, reason: str) -> None:
        """Something failed; in the warm-up it counts too."""
        self.errors[reason] += 1

    def milliseconds(self, *shares: float) -> list[float]:
        """The percentiles at *shares*, each 0 when nothing was counted."""
        ordered = sorted(self.latencies)
        return [percentile(ordered, share) * 1000 for share in shares]


def percentile(ordered: list[float], share: float) -> float:
    """The least of *ordered* that *share* of all do not exceed; 0 when it is empty."""
    if not ordered:
        return 0.0
    place = -int(-share * len(ordered) // 1)  # rounded up
    return ordered[max(place, 1) - 1]
