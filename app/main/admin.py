"""The admin API's parts, for a gateway and for a command that opens the database itself."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from app.access.audit_log import AuditLog
from app.access.key_desk import KeyDesk
from app.access.key_ring import KeyRing
from app.access.pepper import Peppers
from app.access.team_desk import TeamDesk
from app.api.admin_door import AdminKeys
from app.api.admin_parts import AdminParts
from app.domain.configuration import Configuration
from app.domain.limits import Standing
from app.domain.principal import Principal
from app.limits.admission import Admission
from app.main.kept import Kept
from app.storage.key_store import KeyStore
from app.storage.record_store import RecordStore
from app.usage.price_book import PriceBook
from app.usage.reports import Reports


def admin_plane(
    configuration: Configuration,
    kept: Kept | None,
    admission: Admission,
    prices: PriceBook,
    wall_seconds: Callable[[], float],
) -> tuple[AdminParts, AdminKeys] | None:
    """None without a key that opens it, and where nothing is kept that it could show."""
    keys = AdminKeys(configuration.admin_key, configuration.viewer_key)
    if kept is None or (keys.admin is None and keys.viewer is None):
        return None
    shelf = Shelf(kept.keys, kept.peppers, kept.ring, kept.records)
    return admin_parts(shelf, prices, wall_seconds, admission.standings, kept.recorder.flush), keys


class Shelf(NamedTuple):
    """What of the storage the admin API shows and changes."""

    keys: KeyStore
    peppers: Peppers
    ring: KeyRing
    records: RecordStore


def admin_parts(
    shelf: Shelf,
    prices: PriceBook,
    wall_seconds: Callable[[], float],
    standings: Callable[[Principal], tuple[Standing, ...]],
    flush: Callable[[], Awaitable[None]],
) -> AdminParts:
    """The parts over *shelf*; *standings* and *flush* are whose exchanges run, if any do."""
    keys, peppers, ring, records = shelf
    return AdminParts(
        keys=KeyDesk(keys, peppers, ring, wall_seconds),
        teams=TeamDesk(keys, ring, wall_seconds),
        audit=AuditLog(keys, peppers),
        reports=Reports(records, wall_seconds),
        records=records,
        prices=prices,
        standings=standings,
        flush=flush,
    )
