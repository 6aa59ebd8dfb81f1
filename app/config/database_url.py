"""
`storage.url`: which database, and the files beside it.

Law: no message repeats any of the URL, since it may hold a password (reliability S19).
"""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from app.config.values import SecretText

_SQLITE = "sqlite:///"
_POSTGRES = "postgresql://"
NOTHING_KEPT = "none"

_WANTED = (
    "must be sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE, or none to keep nothing"
)


def sqlite_file(url: SecretStr) -> Path | None:
    """The file of an SQLite database, as written; None for any other database."""
    text = url.get_secret_value()
    return Path(text.removeprefix(_SQLITE)) if text.startswith(_SQLITE) else None


def _database_url(url: SecretStr | None) -> SecretStr | None:
    """*url* if it is one; None, too, for the word `none`."""
    text = NOTHING_KEPT if url is None else url.get_secret_value()
    if text == NOTHING_KEPT:
        return None
    if text.startswith("sqlite:"):
        _check_sqlite(text)
    elif text.startswith("postgres"):
        _check_postgres(text)
    else:
        raise ValueError(_WANTED)
    return url


def _check_sqlite(text: str) -> None:
    if not text.startswith(_SQLITE):
        raise ValueError(
            "needs three slashes before the file, sqlite:///mindgate.db, and four before an absolute path"
        )
    file = text.removeprefix(_SQLITE)
    if file in ("", ":memory:") or file.startswith("file:"):
        raise ValueError("needs a file, sqlite:///mindgate.db; to keep nothing, write none")
    if set(file) & set("?#"):
        raise ValueError("must end behind the file's name; options (?…) are set by the gateway")
    if file.startswith("~"):
        raise ValueError("must hold the whole path: ~ is not understood here")
    if not Path(file).name or file.endswith("/"):
        raise ValueError("must name a file, not a folder, such as sqlite:////var/lib/mindgate.db")


def _check_postgres(text: str) -> None:
    wanted = "is not a URL such as postgresql://USER:PASSWORD@HOST/DATABASE"
    if not text.startswith(_POSTGRES):
        raise ValueError("must begin with sqlite:/// or postgresql://, with no driver in it")
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port != 0
    except ValueError:
        raise ValueError(wanted) from None
    if not port_is_valid or set(text) & set(" \\#"):
        raise ValueError(wanted)
    if not parts.path.strip("/"):
        raise ValueError("needs the database's name: postgresql://USER:PASSWORD@HOST/DATABASE")


DatabaseUrl = Annotated[SecretText | None, AfterValidator(_database_url)]
