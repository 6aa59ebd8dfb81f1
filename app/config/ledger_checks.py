"""What must hold for storage, ledger, peppers and prices together."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from app.config.database_url import sqlite_file
from app.config.faults import Fault
from app.config.ledger_conversion import storage_options
from app.config.schema import Settings
from app.config.schema_tree import Where
from app.config.upstream_checks import unknown_upstream

_BUDGETS = ("budget_usd", "budget_tokens")
_SET_IT = "set storage.url, such as sqlite:///mindgate.db"


def ledger_faults(settings: Settings, planes: Mapping[str, SecretStr]) -> Iterator[Fault]:
    """Faults of `storage`, `usage`, `auth` and `prices`; *planes* are the admin and viewer keys by variable."""
    if settings.storage.url is None:
        yield from _forgotten(settings, planes)
    else:
        yield from _place_faults(settings, settings.storage.url)
    if settings.auth.previous_peppers and settings.auth.pepper is None:
        yield Fault(
            ("auth", "previous_peppers"), "needs auth.pepper, the one that new keys are hashed with"
        )
    yield from _price_faults(settings)


def _forgotten(settings: Settings, planes: Mapping[str, SecretStr]) -> Iterator[Fault]:
    """What cannot work where nothing is kept."""
    for n, key in enumerate(settings.keys):
        for field in _BUDGETS:
            if getattr(key, field) is not None:
                yield Fault(
                    ("keys", n, field),
                    "cannot hold with storage.url none: what was spent would be forgotten at each"
                    f" start; {_SET_IT}",
                )
    for variable in planes:
        yield Fault(
            (variable,),
            f"has nothing to administer with storage.url none; {_SET_IT}, or unset it",
        )
    if settings.usage.journal is not None:
        yield Fault(
            ("usage", "journal"),
            f"has nowhere to go with storage.url none; {_SET_IT}, or take it out",
        )


def _place_faults(settings: Settings, url: SecretStr) -> Iterator[Fault]:
    file, storage = sqlite_file(url), storage_options(settings)
    if file is None and find_spec("asyncpg") is None:
        yield Fault(
            ("storage", "url"), "needs a package more; run: pip install 'mindgate[postgres]'"
        )
    if storage is not None and _collide(file, storage.journal, storage.pepper_file):
        names = "the database, the journal and the pepper need three names; "
        if settings.usage.journal is None:
            yield Fault(("storage", "url"), f"{names}end this in .db")
        else:
            yield Fault(
                ("usage", "journal"), f"{names}end storage.url in .db, and this in something else"
            )


def _collide(*paths: Path | None) -> bool:
    return len(set(paths)) < len(paths)


def _price_faults(settings: Settings) -> Iterator[Fault]:
    upstreams = {name.lower() for name in settings.upstreams}
    seen: set[tuple[str, str]] = set()
    for name, price in settings.prices.items():
        where: Where = ("prices", name)
        prefix, slash, model = name.partition("/")
        if not slash:
            yield Fault(
                where, "is no upstream/model; a price belongs to one upstream's model or pattern"
            )
        elif prefix.lower() not in upstreams:
            yield Fault(where, unknown_upstream(prefix, settings))
        elif not model:
            yield Fault(where, f"needs a model or pattern behind {prefix}/, such as {prefix}/*")
        if (prefix.lower(), model) in seen:
            yield Fault(where, "stands there twice, in another case")
        seen.add((prefix.lower(), model))
        if not price.model_fields_set:
            yield Fault(where, "needs at least one price; write 0 for what costs nothing")
