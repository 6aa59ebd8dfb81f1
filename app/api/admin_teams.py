"""`/admin/v1/teams`: teams, whose limits hold over all their keys together."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.api.admin_bodies import TeamChange, TeamCreate, edited_team
from app.api.admin_door import actor_of
from app.api.admin_keys import shown_limits
from app.api.admin_pages import answered, page_of
from app.api.admin_parts import AdminParts
from app.api.admin_queries import Id, PageQuery
from app.api.admin_replies import TeamObject, TeamPage
from app.api.admin_values import utc_seconds
from app.domain.keys import Team, TeamDraft


def add_teams(router: APIRouter, parts: AdminParts) -> None:
    """*router* has the routes of teams."""

    @router.post("/teams", status_code=201, response_model=TeamObject)
    async def create_team(request: Request, body: TeamCreate) -> Response:
        """Make a team."""
        draft = edited_team(body, TeamDraft(body.name))
        made = await parts.teams.create(draft, actor_of(request.scope))
        return answered(_shown(made), 201)

    @router.get("/teams", response_model=TeamPage)
    async def list_teams(query: Annotated[PageQuery, Query()]) -> Response:
        """List teams."""
        rows = await parts.teams.listing(after=query.after, limit=query.limit + 1)

        async def show(team: Team) -> Mapping[str, Any]:
            return _shown(team)

        return await page_of(rows, query.limit, lambda team: team.id, show)

    @router.get("/teams/{id}", response_model=TeamObject)
    async def get_team(id: Id) -> Response:
        """Show one team."""
        return answered(_shown(await parts.teams.get(id)))

    @router.patch("/teams/{id}", response_model=TeamObject)
    async def change_team(request: Request, id: Id, body: TeamChange) -> Response:
        """Change the fields that are given; null clears one."""
        changed = await parts.teams.change(
            id, lambda draft: edited_team(body, draft), actor_of(request.scope)
        )
        return answered(_shown(changed))

    @router.delete("/teams/{id}", response_model=TeamObject)
    async def delete_team(request: Request, id: Id) -> Response:
        """Delete a team: its keys open nothing any more. What it used is kept."""
        return answered(_shown(await parts.teams.delete(id, actor_of(request.scope))))


def _shown(team: Team) -> Mapping[str, Any]:
    return {"object": "team", **shown_limits(team), "deleted_at": utc_seconds(team.deleted_at)}
