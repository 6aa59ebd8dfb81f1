"""`/admin/v1/limits`, `/prices` and `/audit`: where things stand, to read alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import Response

from app.api.admin_pages import answered, page_of
from app.api.admin_parts import AdminParts, AuditRow
from app.api.admin_queries import AuditQuery, LimitsQuery, PageQuery
from app.api.admin_replies import AuditPage, AuditVerdict, LimitsPage, PricePage
from app.api.admin_values import usd_each, usd_per_million, utc_seconds
from app.domain.keys import Team, VirtualKey
from app.domain.limits import Scope, Standing
from app.domain.prices import Price
from app.domain.principal import Principal
from app.protocol.amounts import usd, utc


def add_sights(router: APIRouter, parts: AdminParts) -> None:
    """*router* shows limits, prices and the audit log."""

    @router.get("/limits", response_model=LimitsPage)
    async def list_limits(query: Annotated[LimitsQuery, Query()]) -> Response:
        """Show where each limit of keys, or of teams, stands now."""
        owners: Sequence[VirtualKey | Team]
        if query.scope == "key":
            owners = await parts.keys.listing(after=query.after, limit=query.limit + 1)
        else:
            owners = await parts.teams.listing(after=query.after, limit=query.limit + 1)
        return _limits_page(owners, query, parts)

    @router.get("/prices", response_model=PricePage)
    async def list_prices(query: Annotated[PageQuery, Query()]) -> Response:
        """List the prices of the configuration."""
        rows = list(parts.prices.rows())
        passed = [at for at, (name, _) in enumerate(rows, start=1) if name == query.after]
        rest = rows[passed[0] if passed else 0 if query.after is None else len(rows) :]

        async def show(row: tuple[str, Price]) -> Mapping[str, Any]:
            return _shown_price(*row)

        return await page_of(rest[: query.limit + 1], query.limit, lambda row: row[0], show)

    _add_audit(router, parts)


def _add_audit(router: APIRouter, parts: AdminParts) -> None:
    @router.get("/audit", response_model=AuditPage)
    async def list_changes(query: Annotated[AuditQuery, Query()]) -> Response:
        """List who changed what on keys and teams."""
        rows = await parts.audit.rows(after=query.after, limit=query.limit + 1)

        async def show(row: AuditRow) -> Mapping[str, Any]:
            return _shown_change(row)

        return await page_of(rows, query.limit, lambda row: str(row.seq), show)

    @router.get("/audit/verify", response_model=AuditVerdict)
    async def verify_audit() -> Response:
        """Follow the log's chain of hashes from its beginning and say where it breaks first, if it does."""
        verdict = await parts.audit.verify()
        first = verdict.first_bad_seq
        return answered(
            {
                "object": "audit_verdict",
                "ok": verdict.ok,
                "rows": verdict.rows,
                "first_bad_id": None if first is None else str(first),
                "reason": verdict.reason or None,
            }
        )


def _limits_page(
    owners: Sequence[VirtualKey | Team], query: LimitsQuery, parts: AdminParts
) -> Response:
    """A revoked key has no limits left, so a page may be shorter than was asked for."""
    seen = owners[: query.limit]
    living = [one for one in seen if not (isinstance(one, VirtualKey) and one.revoked_at)]
    return answered(
        {
            "object": "list",
            "data": [_shown_limits(one, query, parts) for one in living],
            "has_more": len(owners) > query.limit,
            "last_id": seen[-1].id if seen else None,
        }
    )


def _shown_limits(
    owner: VirtualKey | Team, query: LimitsQuery, parts: AdminParts
) -> Mapping[str, Any]:
    scope = Scope(query.scope, owner.id, owner.name, owner.limits)
    standings = parts.standings(Principal(owner.name, scopes=(scope,)))
    return {
        "object": "limits",
        "scope": query.scope,
        "id": owner.id,
        "name": owner.name,
        "limits": {standing.limit: _shown_standing(standing) for standing in standings},
    }


def _shown_standing(standing: Standing) -> Mapping[str, Any]:
    write: Callable[[int], Any] = usd if standing.limit == "budget_usd" else int
    return {
        "limit": write(standing.allowed),
        "used": write(standing.used),
        "remaining": write(max(0, standing.allowed - standing.used)),
        "reset_at": utc_seconds(standing.reset_at),
    }


def _shown_price(name: str, price: Price) -> Mapping[str, Any]:
    cached = price.cached_input
    return {
        "object": "price",
        "id": name,
        "input_usd_per_million": usd_per_million(price.input),
        "output_usd_per_million": usd_per_million(price.output),
        "cached_input_usd_per_million": None if cached is None else usd_per_million(cached),
        "usd_per_request": usd_each(price.request),
        "usd_per_audio_second": usd_each(price.audio_second),
        "usd_per_million_characters": usd_per_million(price.character),
    }


def _shown_change(row: AuditRow) -> Mapping[str, Any]:
    return {
        "object": "audit_entry",
        "id": str(row.seq),
        "created_at": utc(row.at_ms),
        "actor": row.actor,
        "address": row.address,
        "action": row.action,
        "target": row.target,
        "before": _json(row.before),
        "after": _json(row.after),
        "hash": row.hash,
    }


def _json(text: str) -> object:
    """What *text* says; itself where somebody has tampered with it so that it says nothing."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
