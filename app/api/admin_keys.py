"""`/admin/v1/keys`: virtual keys, issued, shown, changed, rotated and revoked."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response
from pydantic import SecretStr

from app.api.admin_bodies import KeyChange, KeyCreate, KeyRotate, edited_key
from app.api.admin_door import actor_of
from app.api.admin_pages import Names, answered, page_of
from app.api.admin_parts import AdminParts
from app.api.admin_queries import Id, KeysQuery
from app.api.admin_replies import KeyObject, KeyPage, NewKey
from app.api.admin_values import usd_or_null, utc_seconds
from app.domain.keys import KeyDraft, Team, VirtualKey


def add_keys(router: APIRouter, parts: AdminParts) -> None:
    """*router* has the routes that make and show keys."""

    @router.post("/keys", status_code=201, response_model=NewKey)
    async def create_key(request: Request, body: KeyCreate) -> Response:
        """Issue a key. Its secret is in this answer and nowhere else."""
        draft = edited_key(body, KeyDraft(body.name))
        made, secret = await parts.keys.create(draft, actor_of(request.scope))
        return answered(await _with_secret(made, secret, parts), 201)

    @router.get("/keys", response_model=KeyPage)
    async def list_keys(query: Annotated[KeysQuery, Query()]) -> Response:
        """List keys, revoked ones too."""
        names = Names(parts)
        rows = await parts.keys.listing(after=query.after, limit=query.limit + 1, team=query.team)

        async def show(key: VirtualKey) -> Mapping[str, Any]:
            return shown_key(key, await names.team(key.team_id))

        return await page_of(rows, query.limit, lambda key: key.id, show)

    @router.get("/keys/{id}", response_model=KeyObject)
    async def get_key(id: Id) -> Response:
        """Show one key."""
        return await _answered_key(await parts.keys.get(id), parts)

    _add_changes(router, parts)


def _add_changes(router: APIRouter, parts: AdminParts) -> None:
    @router.patch("/keys/{id}", response_model=KeyObject)
    async def change_key(request: Request, id: Id, body: KeyChange) -> Response:
        """Change the fields that are given; null clears one."""
        changed = await parts.keys.change(
            id, lambda draft: edited_key(body, draft), actor_of(request.scope)
        )
        return await _answered_key(changed, parts)

    @router.delete("/keys/{id}", response_model=KeyObject)
    async def revoke_key(request: Request, id: Id) -> Response:
        """Revoke a key: it opens nothing any more. Its row and what it used are kept."""
        return await _answered_key(await parts.keys.revoke(id, actor_of(request.scope)), parts)

    @router.post("/keys/{id}/rotate", response_model=NewKey)
    async def rotate_key(
        request: Request, id: Id, body: Annotated[KeyRotate | None, Body()] = None
    ) -> Response:
        """Give a key a new secret, shown in this answer alone. The old one goes on for a while."""
        grace = (body or KeyRotate.model_construct()).grace_seconds
        rotated, secret = await parts.keys.rotate(id, grace, actor_of(request.scope))
        return answered(await _with_secret(rotated, secret, parts))


async def _answered_key(key: VirtualKey, parts: AdminParts) -> Response:
    return answered(shown_key(key, await Names(parts).team(key.team_id)))


async def _with_secret(key: VirtualKey, secret: SecretStr, parts: AdminParts) -> Mapping[str, Any]:
    team = await Names(parts).team(key.team_id)
    return {**shown_key(key, team), "key": secret.get_secret_value()}


def shown_key(key: VirtualKey, team: str | None) -> Mapping[str, Any]:
    """A key whose team has the name *team*."""
    return {
        "object": "key",
        "prefix": key.prefix,
        "team": team,
        "team_id": key.team_id,
        **shown_limits(key),
        "resources": key.resources,
        "native": key.native,
        "expires_at": utc_seconds(key.expires_at),
        "revoked_at": utc_seconds(key.revoked_at),
        "source": key.source,
    }


def shown_limits(of: VirtualKey | Team) -> Mapping[str, Any]:
    """What keys and teams both have."""
    limits = of.limits
    return {
        "id": of.id,
        "name": of.name,
        "models": of.models,
        "rpm": limits.rpm,
        "tpm": limits.tpm,
        "concurrency": limits.concurrency,
        "budget_usd": usd_or_null(limits.budget_nano),
        "budget_tokens": limits.budget_tokens,
        "budget_period": limits.budget_period,
        "max_tokens": limits.max_tokens,
        "labels": of.labels,
        "created_at": utc_seconds(of.created_at),
    }
