"""A process that writes a journal until it is killed: `python -m tests.usage.killed_writer FOLDER NAME`.

It prints `begun ID`, `claimed ID` and `settled ID COST` after the journal has them, so whatever was printed must be
found.
"""

import sys
from collections import deque
from pathlib import Path

from app.usage.journal import Journal
from app.usage.segments import Series
from tests.usage.notes import a_claim, a_progress, a_record, an_intent

IN_FLIGHT = 7


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    journal = Journal(
        Series.begin(folder, name), warn=lambda event, **_: None, segment_bytes=20_000
    )
    out = sys.stdout
    out.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    in_flight: deque[str] = deque()
    number = 0
    while True:
        number += 1
        id = f"{name}-{number:06}"
        journal.intend(an_intent(id))
        out.write(f"begun {id}\n")
        in_flight.append(id)
        journal.progress(a_progress(id, cost_nano=number))
        if len(in_flight) > IN_FLIGHT:
            done = in_flight.popleft()
            journal.claim(a_claim(done, object_id=f"file-{number}"))
            out.write(f"claimed {done}\n")
            journal.settle(a_record(done, cost_nano=3 * number))
            out.write(f"settled {done} {3 * number}\n")


if __name__ == "__main__":
    main()
