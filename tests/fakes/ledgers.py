"""A gateway that keeps a ledger in a folder of the test's own, and questions to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from app.domain.configuration import Configuration, KeyEntry, StorageOptions, UpstreamEntry
from app.domain.ledger import UsageRecord
from tests.fakes.gateways import KEY, OTHER_KEY, RunningGateway, running

ADMIN_KEY = "admin-0123456789abcdef"
VIEWER_KEY = "viewer-0123456789abcdef"
ADMIN = {"authorization": f"Bearer {ADMIN_KEY}"}
VIEWER = {"authorization": f"Bearer {VIEWER_KEY}"}


def storage_in(folder: Path) -> StorageOptions:
    return StorageOptions(
        url=SecretStr(f"sqlite:///{folder / 'mindgate.db'}"),
        journal=folder / "mindgate.journal",
        pepper_file=folder / "mindgate.pepper",
    )


def keeping(folder: Path, entry: UpstreamEntry, **changes: Any) -> Configuration:
    """A configuration over one upstream with a ledger in *folder*, an admin's key and two keys of the file."""
    configuration = Configuration(
        upstreams=(entry,),
        default_upstream=entry.name,
        keys=(
            KeyEntry("test", SecretStr(KEY)),
            KeyEntry("other", SecretStr(OTHER_KEY), resources="own"),
        ),
        storage=storage_in(folder),
        admin_key=SecretStr(ADMIN_KEY),
        viewer_key=SecretStr(VIEWER_KEY),
        source="test",
    )
    server = replace(configuration.server, drain_seconds=0.5)
    return replace(configuration, **{"server": server, **changes})


@asynccontextmanager
async def ledger_over(
    folder: Path, entry: UpstreamEntry, **changes: Any
) -> AsyncIterator[RunningGateway]:
    """A running gateway that keeps."""
    async with running(keeping(folder, entry, **changes)) as gateway:
        yield gateway


async def records_of(gateway: RunningGateway) -> list[UsageRecord]:
    """All that was settled, the oldest first."""
    if gateway.kept is None:
        raise AssertionError("this gateway keeps nothing")
    await gateway.kept.recorder.flush()
    return (await gateway.kept.records.records(limit=10_000))[::-1]
