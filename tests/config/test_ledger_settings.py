"""Limits, storage, ledger, peppers and prices: what they mean, and what is refused because it could not work."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.domain.configuration import LimitOptions, StorageOptions, UsageOptions
from app.domain.errors import ConfigurationError
from app.domain.limits import NO_LIMITS, Limits
from tests.config.settings_from import KEY, LOCAL, OTHER_KEY, load

PEPPER = "c3ab8ff13720e8ad9047dd39466b3c89"
OLD_PEPPER = PEPPER[::-1]


def test_every_limit_of_a_key_arrives(folder):
    text = LOCAL + (
        f"keys: [{{name: a, key: {KEY}, team: research, rpm: 1, tpm: 2, concurrency: 3, budget_usd: 4.5,"
        " budget_tokens: 5, budget_period: week, max_tokens: 6, native: [use, read],"
        " labels: {owner: ada}}]"
    )
    [key] = load(folder, text).keys

    assert Limits(1, 2, 3, 4_500_000_000, 5, "week", 6) == key.limits
    assert ("research", ("use", "read"), {"owner": "ada"}) == (key.team, key.native, key.labels)


def test_a_key_has_no_limit_that_is_not_written(folder):
    [key] = load(folder, LOCAL + f"keys: [{{name: a, key: {KEY}}}]").keys

    assert (NO_LIMITS, None, (), {}) == (key.limits, key.team, key.native, dict(key.labels))


def test_a_budget_without_a_period_is_for_ever(folder):
    [key] = load(folder, LOCAL + f"keys: [{{name: a, key: {KEY}, budget_usd: 1}}]").keys

    assert "total" == key.limits.budget_period


def test_the_environment_sets_limits_too(folder):
    environment = {
        "MINDGATE_KEYS": f'[{{"name": "a", "key": "{KEY}", "rpm": 60, "budget_usd": 0.1}}]',
        "MINDGATE_USAGE__FSYNC": "always",
        "MINDGATE_USAGE__RETENTION_DAYS": "7",
        "MINDGATE_LIMITS__UNPRICED": "refuse",
        "MINDGATE_SERVER__ADMIN_PORT": "9000",
        "MINDGATE_AUTH__PEPPER": PEPPER,
        "MINDGATE_PRICES": '{"Local/*": {"usd_per_request": 0.000000000001}}',
    }
    found = load(folder, LOCAL, environment=environment)

    assert Limits(rpm=60, budget_nano=100_000_000) == found.keys[0].limits
    assert ("always", 7, "refuse", 9000) == (
        found.usage.fsync,
        found.usage.retention_days,
        found.limits.unpriced,
        found.server.admin_port,
    )
    assert (SecretStr(PEPPER),) == found.peppers
    assert {"local/*": 1} == {name: price.request for name, price in found.prices.items()}


def test_the_usage_and_limits_sections_arrive(folder):
    text = LOCAL + (
        "usage: {fsync: never, on_journal_failure: refuse, retention_days: 30}\n"
        "limits: {assumed_output_tokens: 1, assumed_media_tokens: 2, unpriced: refuse}\n"
    )
    found = load(folder, text)

    assert UsageOptions("never", "refuse", 30) == found.usage
    assert LimitOptions(1, 2, "refuse") == found.limits


@pytest.mark.parametrize(
    ("written", "journal", "pepper_file"),
    [
        pytest.param("sqlite:///a.db", "a.journal", "a.pepper", id="beside the file"),
        pytest.param(
            "sqlite:////var/lib/a.db", "/var/lib/a.journal", "/var/lib/a.pepper", id="absolute"
        ),
        pytest.param("sqlite:///a/b", "a/b.journal", "a/b.pepper", id="a file without an ending"),
        pytest.param(
            "postgresql://u:p@h:5432/db",
            "mindgate.journal",
            "mindgate.pepper",
            id="a server has no folder of ours",
        ),
        pytest.param(
            "postgresql:///db?host=/run/postgresql",
            "mindgate.journal",
            "mindgate.pepper",
            id="a server at a socket",
        ),
    ],
)
def test_where_things_are_kept(folder, written, journal, pepper_file):
    found = load(folder, LOCAL + f"storage: {{url: '{written}'}}").storage

    assert StorageOptions(SecretStr(written), Path(journal), Path(pepper_file)) == found


@pytest.mark.parametrize("url", ["sqlite:///a.db", "postgresql://h/db"])
def test_the_journal_may_lie_elsewhere(folder, url):
    text = LOCAL + f"storage: {{url: '{url}'}}\nusage: {{journal: /fast/disk}}"
    found = load(folder, text).storage

    assert found is not None
    assert Path("/fast/disk") == found.journal


def test_the_journal_may_lie_in_the_home_folder(folder, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    found = load(folder, LOCAL + "usage: {journal: ~/journal}").storage

    assert found is not None
    assert Path("/home/ada/journal") == found.journal


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        pytest.param("storage: {url: none}", {}, id="none"),
        pytest.param("storage: {url: null}", {}, id="null"),
        pytest.param("", {"MINDGATE_STORAGE__URL": "none"}, id="none in a variable"),
        pytest.param("", {"MINDGATE_STORAGE": '{"url": null}'}, id="null in a variable"),
        pytest.param(
            "storage: {url: 'sqlite:///x.db'}",
            {"MINDGATE_STORAGE__URL": "none"},
            id="against the file",
        ),
    ],
)
def test_nothing_is_kept_where_that_is_said(folder, text, environment):
    assert load(folder, LOCAL + text, environment=environment).storage is None


def test_limits_that_forget_nothing_work_without_storage(folder):
    text = (
        f"keys: [{{name: a, key: {KEY}, team: t, rpm: 1, tpm: 2, concurrency: 3, max_tokens: 4}}]"
    )
    found = load(folder, LOCAL + "storage: {url: none}\n" + text)

    assert Limits(rpm=1, tpm=2, concurrency=3, max_tokens=4) == found.keys[0].limits


def test_peppers_come_newest_first(folder):
    text = LOCAL + f"auth: {{pepper: {PEPPER}, previous_peppers: [{OLD_PEPPER}]}}"

    assert (SecretStr(PEPPER), SecretStr(OLD_PEPPER)) == load(folder, text).peppers


def test_prices_keep_their_order_and_take_their_upstreams_spelling(folder):
    text = """
        upstreams: {Local: {base_url: "http://127.0.0.1:1"}, openmind: {api_key: a}}
        prices:
          openmind/nearai/x: {usd_per_request: 1}
          local/b*: {usd_per_request: 2}
          LOCAL/a: {usd_per_request: 3}
    """

    assert ["openmind/nearai/x", "Local/b*", "Local/a"] == list(load(folder, text).prices)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("{port: 8080, admin_port: 8081}", id="two ports"),
        pytest.param("{port: 0, admin_port: 0}", id="two free ones"),
    ],
)
def test_the_admin_api_may_have_a_listener_of_its_own(folder, server):
    assert load(folder, LOCAL + f"server: {server}").server.admin_port is not None


UNKEPT = "storage: {url: none}\n"
SQLITE_SLASHES = (
    "mindgate.yaml: storage.url: needs three slashes before the file, sqlite:///mindgate.db,"
    " and four before an absolute path"
)
KINDS = (
    "mindgate.yaml: storage.url: must be sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE,"
    " or none to keep nothing"
)
POSTGRES = (
    "mindgate.yaml: storage.url: is not a URL such as postgresql://USER:PASSWORD@HOST/DATABASE"
)
SAME_LISTENER = (
    "mindgate.yaml: server.admin_port: is server.port; the two listeners are told apart by their ports,"
    " whatever their addresses: choose another, or take this key out"
)
NO_FILE = (
    "mindgate.yaml: storage.url: needs a file, sqlite:///mindgate.db; to keep nothing, write none"
)

FAULTS = [
    pytest.param("storage: {url: 'mysql://h/db'}", KINDS, id="a database we do not know"),
    pytest.param("storage: {url: mindgate.db}", KINDS, id="a file is no URL"),
    pytest.param("storage: {url: 'sqlite://mindgate.db'}", SQLITE_SLASHES, id="two slashes"),
    pytest.param("storage: {url: 'sqlite:///'}", NO_FILE, id="no file"),
    pytest.param("storage: {url: 'sqlite:///:memory:'}", NO_FILE, id="memory"),
    pytest.param(
        "storage: {url: 'sqlite:////var/lib/'}",
        "mindgate.yaml: storage.url: must name a file, not a folder, such as"
        " sqlite:////var/lib/mindgate.db",
        id="a folder",
    ),
    pytest.param(
        "storage: {url: 'sqlite:///~/a.db'}",
        "mindgate.yaml: storage.url: must hold the whole path: ~ is not understood here",
        id="a home folder",
    ),
    pytest.param(
        "storage: {url: 'sqlite:///a.db?mode=ro'}",
        "mindgate.yaml: storage.url: must end behind the file's name;"
        " options (?…) are set by the gateway",
        id="options of SQLite",
    ),
    pytest.param(
        "storage: {url: 'postgresql+asyncpg://h/db'}",
        "mindgate.yaml: storage.url: must begin with sqlite:/// or postgresql://,"
        " with no driver in it",
        id="a driver in the URL",
    ),
    pytest.param(
        "storage: {url: 'postgresql://h'}",
        "mindgate.yaml: storage.url: needs the database's name:"
        " postgresql://USER:PASSWORD@HOST/DATABASE",
        id="a server without a database",
    ),
    pytest.param("storage: {url: 'postgresql://h:99999/db'}", POSTGRES, id="an impossible port"),
    pytest.param("storage: {url: 'postgresql://u:p#w@h/db'}", POSTGRES, id="a bare # in it"),
    pytest.param(
        "storage: {url: 'sqlite:///a.journal'}",
        "mindgate.yaml: storage.url: the database, the journal and the pepper need three names;"
        " end this in .db",
        id="a database with the journal's name",
    ),
    pytest.param(
        "usage: {journal: mindgate.db}",
        "mindgate.yaml: usage.journal: the database, the journal and the pepper need three names;"
        " end storage.url in .db, and this in something else",
        id="a journal with the database's name",
    ),
    pytest.param(
        "storage: {url: 'postgresql://h/db'}\nusage: {journal: mindgate.pepper}",
        "mindgate.yaml: usage.journal: the database, the journal and the pepper need three names;"
        " end storage.url in .db, and this in something else",
        id="a journal with the pepper's name",
    ),
    pytest.param(
        UNKEPT + f"keys: [{{name: a, key: {KEY}, budget_usd: 1}}]",
        "mindgate.yaml: keys[0].budget_usd: cannot hold with storage.url none: what was spent would"
        " be forgotten at each start; set storage.url, such as sqlite:///mindgate.db",
        id="a budget of dollars that is forgotten",
    ),
    pytest.param(
        UNKEPT + f"keys: [{{name: a, key: {KEY}, budget_tokens: 1}}]",
        "mindgate.yaml: keys[0].budget_tokens: cannot hold with storage.url none: what was spent"
        " would be forgotten at each start; set storage.url, such as sqlite:///mindgate.db",
        id="a budget of tokens that is forgotten",
    ),
    pytest.param(
        UNKEPT + "usage: {journal: j}",
        "mindgate.yaml: usage.journal: has nowhere to go with storage.url none;"
        " set storage.url, such as sqlite:///mindgate.db, or take it out",
        id="a journal that nothing reads",
    ),
    pytest.param(
        "usage: {fsync: sometimes}",
        "mindgate.yaml: usage.fsync: must be one of interval, always, never",
        id="fsync",
    ),
    pytest.param(
        "usage: {retention_days: 0}",
        "mindgate.yaml: usage.retention_days: must be at least 1",
        id="a day at least",
    ),
    pytest.param(
        "usage: {journal: '~nobody-of-this-name/j'}",
        "mindgate.yaml: usage.journal: begins with ~ and a user that this machine does not have",
        id="a home that is nobody's",
    ),
    pytest.param(
        "limits: {assumed_output_tokens: 0}",
        "mindgate.yaml: limits.assumed_output_tokens: must be at least 1",
        id="an answer has a token",
    ),
    pytest.param(
        "limits: {unpriced: ask}",
        "mindgate.yaml: limits.unpriced: must be one of allow, refuse",
        id="unpriced",
    ),
    pytest.param(
        f"keys: [{{name: a, key: {KEY}, tpm: 10000000000}}]",
        "mindgate.yaml: keys[0].tpm: must be at most 1000000000",
        id="more tokens a minute than anybody has",
    ),
    pytest.param(
        f"keys: [{{name: a, key: {KEY}, native: [write]}}]",
        "mindgate.yaml: keys[0].native[0]: must be one of use, read, manage",
        id="a native right",
    ),
    pytest.param(
        "auth: {pepper: abcdefghijklmnop}",
        "mindgate.yaml: auth.pepper: is shorter than 32 characters; make one with: openssl rand -hex 32",
        id="a short pepper",
    ),
    pytest.param(
        f"auth: {{pepper: {'ab' * 20}}}",
        "mindgate.yaml: auth.pepper: is too easy to guess; make one with: openssl rand -hex 24",
        id="a simple pepper",
    ),
    pytest.param(
        f"auth: {{pepper: {PEPPER}}}\nkeys: [{{name: a, key: {PEPPER}}}]",
        "mindgate.yaml: auth.pepper: is the same secret as keys[0].key",
        id="a pepper that somebody has as a key",
    ),
    pytest.param(
        f"auth: {{pepper: {PEPPER}, previous_peppers: [{PEPPER}]}}",
        "mindgate.yaml: auth.previous_peppers[0]: is the same secret as auth.pepper",
        id="a pepper that replaces itself",
    ),
    pytest.param(
        f"auth: {{previous_peppers: [{PEPPER}]}}",
        "mindgate.yaml: auth.previous_peppers: needs auth.pepper, the one that new keys are hashed with",
        id="only a pepper of the past",
    ),
    pytest.param("server: {admin_port: 8080}", SAME_LISTENER, id="one port for both"),
    pytest.param(
        "server: {host: localhost, admin_port: 8080}", SAME_LISTENER, id="localhost is 127.0.0.1"
    ),
    pytest.param(
        "server: {admin_host: '::', admin_port: 8080}", SAME_LISTENER, id="everywhere is here too"
    ),
    pytest.param(
        "server: {host: 127.0.0.1, admin_host: 127.0.0.2, admin_port: 8080}",
        SAME_LISTENER,
        id="one port on two addresses",
    ),
    pytest.param(
        "server: {admin_host: 127.0.0.2}",
        "mindgate.yaml: server.admin_host: needs server.admin_port; without it the admin API stays"
        " on server.port",
        id="a host without a port",
    ),
    pytest.param(
        "prices: {gpt-4: {usd_per_request: 1}}",
        "mindgate.yaml: prices.gpt-4: is no upstream/model; a price belongs to one upstream's model"
        " or pattern",
        id="a price for a name of ours",
    ),
    pytest.param(
        "prices: {locla/x: {usd_per_request: 1}}",
        "mindgate.yaml: prices.locla/x: there is no upstream locla; did you mean 'local'?",
        id="a price of nobody",
    ),
    pytest.param(
        "prices: {'*/x': {usd_per_request: 1}}",
        "mindgate.yaml: prices.*/x: there is no upstream *; configured: local",
        id="a pattern of upstreams",
    ),
    pytest.param(
        "prices: {openmind/x: {usd_per_request: 1}}",
        "mindgate.yaml: prices.openmind/x: the upstream openmind is not switched on;"
        " set OPENMIND_API_KEY, or add it under upstreams:",
        id="a price of a service that is not switched on",
    ),
    pytest.param(
        "prices: {local/: {usd_per_request: 1}}",
        "mindgate.yaml: prices.local/: needs a model or pattern behind local/, such as local/*",
        id="a price for no model",
    ),
    pytest.param(
        "prices: {local/x: {usd_per_request: 1}, LOCAL/x: {usd_per_request: 2}}",
        "mindgate.yaml: prices.LOCAL/x: stands there twice, in another case",
        id="two prices for one model",
    ),
    pytest.param(
        "prices: {local/x: {}}",
        "mindgate.yaml: prices.local/x: needs at least one price; write 0 for what costs nothing",
        id="a price without one",
    ),
    pytest.param(
        "prices: {local/x: {usd_per_million: 1}}",
        "mindgate.yaml: prices.local/x.usd_per_million: unknown key;"
        " did you mean 'input_usd_per_million'?",
        id="a price of another name",
    ),
]


@pytest.mark.parametrize(("text", "line"), FAULTS)
def test_a_fault_names_the_key_and_what_would_be_right(folder, text, line):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, LOCAL + text)

    assert line == str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        pytest.param(
            {"MINDGATE_ADMIN_KEY": KEY},
            "environment: MINDGATE_ADMIN_KEY: has nothing to administer with storage.url none;"
            " set storage.url, such as sqlite:///mindgate.db, or unset it",
            id="the admin key",
        ),
        pytest.param(
            {"MINDGATE_VIEWER_KEY": OTHER_KEY},
            "environment: MINDGATE_VIEWER_KEY: has nothing to administer with storage.url none;"
            " set storage.url, such as sqlite:///mindgate.db, or unset it",
            id="the viewer key",
        ),
    ],
)
def test_nobody_administers_what_is_not_kept(folder, environment, line):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, LOCAL + UNKEPT, environment=environment)

    assert line == str(caught.value)


def test_the_pepper_is_not_the_admin_key(folder):
    environment = {"MINDGATE_ADMIN_KEY": PEPPER, "MINDGATE_AUTH__PEPPER": PEPPER}
    with pytest.raises(ConfigurationError) as caught:
        load(folder, LOCAL, environment=environment)

    assert "environment: MINDGATE_ADMIN_KEY: is the same secret as auth.pepper" == str(caught.value)


def test_postgres_without_its_package_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setattr("app.config.ledger_checks.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError) as caught:
        load(folder, LOCAL + "storage: {url: 'postgresql://h/db'}")

    assert str(caught.value).endswith(
        "storage.url: needs a package more; run: pip install 'mindgate[postgres]'"
    )
