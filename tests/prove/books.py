"""The ledger as it stands in the database, whole: every record, and the sums over them."""

from dataclasses import dataclass
from typing import Self

from app.domain.ledger import UsageRecord
from app.storage.record_store import RecordStore
from app.storage.spans import HOUR_MS, spans
from tests.prove.figures import Figure, equal, told
from tests.prove.telling_upstream import Told

_PAGE = 5000


@dataclass
class Books:
    """*records* by their id. The rest is what the sums say, which are kept apart from the records."""

    records: dict[str, UsageRecord]
    rows: int
    summed_requests: int
    summed_tokens: int
    summed_nano: int

    @classmethod
    async def read(cls, store: RecordStore) -> Self:
        """All of it."""
        records: list[UsageRecord] = []
        while page := await store.records(after=records[-1].id if records else None, limit=_PAGE):
            records += page
        if not records:
            return cls({}, 0, 0, 0, 0)
        moments = [record.at_ms for record in records]
        [row] = await store.sums(spans(min(moments), max(moments) + HOUR_MS))
        return cls(
            {record.id: record for record in records},
            len(records),
            row.requests,
            row.input_tokens + row.output_tokens,
            row.cost_nano,
        )

    @property
    def nano(self) -> int:
        """What the records cost together."""
        return sum(record.cost_nano for record in self.records.values())

    @property
    def tokens(self) -> int:
        """What the records used together."""
        return sum(one.input_tokens + one.output_tokens for one in self.records.values())

    def figures(self, told_by_id: dict[str, Told]) -> list[Figure]:
        """What must be true of them whatever happened; *told_by_id*: what the upstream says."""
        return [
            told(
                "records whose request no upstream saw whole",
                len(self.records.keys() - told_by_id.keys()),
            ),
            equal(
                "upstream requests without a record",
                len(told_by_id.keys() - self.records.keys()),
                0,
            ),
            equal("records more than once", self.summed_requests - len(self.records), 0),
            equal("ids more than once", self.rows - len(self.records), 0),
            equal("sums less records, tokens", self.summed_tokens - self.tokens, 0),
            equal("sums less records, nano-dollars", self.summed_nano - self.nano, 0),
            equal("complete and not as the upstream counted", len(self.miscounted(told_by_id)), 0),
        ]

    def miscounted(self, told_by_id: dict[str, Told]) -> list[str]:
        """Complete exchanges that were not charged what the upstream says."""
        return [
            record.id
            for record in self.records.values()
            if record.outcome == "complete"
            and (
                record.usage_source != "upstream"
                or record.id not in told_by_id
                or (told_by_id[record.id].input_tokens, told_by_id[record.id].output_tokens)
                != (record.input_tokens, record.output_tokens)
            )
        ]
