"""What the file says of limits, money and where they are kept, as objects of the domain."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from pydantic import SecretStr

from app.config.amounts import nano_dollars, pico_dollars, pico_dollars_each
from app.config.database_url import sqlite_file
from app.config.schema import KeySection, LimitSection, PriceSection, Settings, UsageSection
from app.domain.configuration import LimitOptions, StorageOptions, UsageOptions
from app.domain.limits import Limits
from app.domain.prices import Price

# The files beside a database that is a file; beside any other they lie in the working directory.
_JOURNAL, _PEPPER = ".journal", ".pepper"
_FILE_ELSEWHERE = Path("mindgate.db")


def limits_of(key: KeySection) -> Limits:
    """What an entry of `keys:` may take."""
    return Limits(
        rpm=key.rpm,
        tpm=key.tpm,
        concurrency=key.concurrency,
        budget_nano=None if key.budget_usd is None else nano_dollars(key.budget_usd),
        budget_tokens=key.budget_tokens,
        budget_period=key.budget_period,
        max_tokens=key.max_tokens,
    )


def prices_of(settings: Settings) -> Mapping[str, Price]:
    """The prices by `upstream/model` in the order written, each upstream spelt as it is configured."""
    spelt = {name.lower(): name for name in settings.upstreams}
    prices: dict[str, Price] = {}
    for name, price in settings.prices.items():
        prefix, _, model = name.partition("/")
        prices[f"{spelt[prefix.lower()]}/{model}"] = _price(price)
    return prices


def storage_options(settings: Settings) -> StorageOptions | None:
    """Where things are kept; None when nothing is."""
    url = settings.storage.url
    if url is None:
        return None
    database = sqlite_file(url) or _FILE_ELSEWHERE
    journal = settings.usage.journal
    return StorageOptions(
        url=url,
        journal=Path(journal) if journal else database.with_suffix(_JOURNAL),
        pepper_file=database.with_suffix(_PEPPER),
    )


def usage_options(usage: UsageSection) -> UsageOptions:
    """How the ledger is kept."""
    return UsageOptions(
        fsync=usage.fsync,
        on_journal_failure=usage.on_journal_failure,
        retention_days=usage.retention_days,
    )


def limit_options(limits: LimitSection) -> LimitOptions:
    """What is assumed of a request that does not say."""
    return LimitOptions(
        assumed_output_tokens=limits.assumed_output_tokens,
        assumed_media_tokens=limits.assumed_media_tokens,
        unpriced=limits.unpriced,
    )


def peppers_of(settings: Settings) -> tuple[SecretStr, ...]:
    """The peppers, the one in use first; none when one is to be made."""
    pepper = settings.auth.pepper
    return () if pepper is None else (pepper, *settings.auth.previous_peppers)


def _price(price: PriceSection) -> Price:
    cached = price.cached_input_usd_per_million
    return Price(
        input=_each(price.input_usd_per_million),
        output=_each(price.output_usd_per_million),
        cached_input=None if cached is None else pico_dollars_each(cached),
        request=_one(price.usd_per_request),
        audio_second=_one(price.usd_per_audio_second),
        character=_each(price.usd_per_million_characters),
    )


def _each(dollars_per_million: Decimal | None) -> int:
    return 0 if dollars_per_million is None else pico_dollars_each(dollars_per_million)


def _one(dollars: Decimal | None) -> int:
    return 0 if dollars is None else pico_dollars(dollars)
