"""Foreign errors stop at their room (style 4.7)."""

import inspect
import sqlite3

import pytest
from sqlalchemy import exc

from app.domain.errors import InvalidRequest, LedgerUnavailable
from app.storage.storage_errors import DEFECTS, ERRORS, Duplicate, Unstorable, typed_errors

# They are never raised: they mark, warn, or are the root of all the others.
NOT_RAISED = {
    exc.SQLAlchemyError,
    exc.DontWrapMixin,
    exc.HasDescriptionCode,
    exc.SADeprecationWarning,
    exc.SAPendingDeprecationWarning,
    exc.SATestSuiteWarning,
    exc.SAWarning,
    exc.Base20DeprecationWarning,
    exc.LegacyAPIWarning,
    exc.MovedIn20Warning,
    exc.EmulatedDBAPIException,
}


def public_exceptions():
    return [
        kind
        for name, kind in vars(exc).items()
        if not name.startswith("_")
        and inspect.isclass(kind)
        and kind.__module__ == exc.__name__
        and kind not in NOT_RAISED
    ]


@pytest.mark.parametrize("kind", public_exceptions())
def test_every_error_of_sqlalchemy_is_a_row_or_our_own_defect(kind):
    rows = [each for each in ERRORS if issubclass(kind, each)]
    defects = [each for each in DEFECTS if issubclass(kind, each)]

    assert rows or defects


@pytest.mark.parametrize("kind", [kind for _, kind in inspect.getmembers(sqlite3, inspect.isclass)
                                  if issubclass(kind, sqlite3.Error)])  # fmt: skip
def test_every_error_of_sqlite_is_a_row(kind):
    assert any(issubclass(kind, each) for each in ERRORS)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(sqlite3.OperationalError("disk full"), LedgerUnavailable, id="SQLite's own"),
        pytest.param(exc.TimeoutError("pool"), LedgerUnavailable, id="a pool without a place"),
        pytest.param(ConnectionRefusedError(), LedgerUnavailable, id="a server that is down"),
        pytest.param(TimeoutError(), LedgerUnavailable, id="a server that is silent"),
        pytest.param(OverflowError(), Unstorable, id="a number too large"),
        pytest.param(
            sqlite3.IntegrityError("NOT NULL"), LedgerUnavailable, id="another constraint"
        ),
    ],
)
def test_an_error_becomes_the_gateways(error, expected):
    with pytest.raises(expected) as caught, typed_errors():
        raise error

    assert caught.value.__cause__ is error


def test_what_cannot_be_stored_is_the_requests_fault():
    assert issubclass(Unstorable, InvalidRequest)


@pytest.mark.parametrize("error", [exc.ArgumentError("x"), KeyError("x"), Duplicate("x")])
def test_a_defect_of_ours_and_a_storage_error_pass_as_they_are(error):
    with pytest.raises(type(error)) as caught, typed_errors():
        raise error

    assert caught.value is error
