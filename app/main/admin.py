"""The admin API's parts, for a gateway and for a command that opens the database itself."""

from collections.abc import Callable

from app.access.audit_log import AuditLog
from app.access.key_desk import KeyDesk
from app.access.team_desk import TeamDesk
from app.api.admin_door import AdminKeys
from app.api.admin_parts import AdminParts
from app.domain.configuration import Configuration
from app.limits.admission import Admission
from app.main.kept import Kept
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
    parts = AdminParts(
        keys=KeyDesk(kept.keys, kept.peppers, kept.ring, wall_seconds),
        teams=TeamDesk(kept.keys, kept.ring, wall_seconds),
        audit=AuditLog(kept.keys, kept.peppers),
        reports=Reports(kept.records, wall_seconds),
        records=kept.records,
        prices=prices,
        standings=admission.standings,
        flush=kept.recorder.flush,
    )
    return parts, keys
