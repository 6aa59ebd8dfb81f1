"""Whatever is wrong is one line that names the source, the key, the fault and what would be right."""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from app.config.loading import load_configuration
from app.domain.errors import ConfigurationError
from tests.config.settings_from import KEY, LOCAL, OTHER_KEY, load


def message(folder: Path, text: str | None, environment: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, environment=environment)
    line = str(caught.value)

    assert "\n" not in line
    return line.replace(f"{folder}/", "")


def local(fields: str) -> str:
    return f"upstreams: {{local: {{base_url: 'http://127.0.0.1:1', {fields}}}}}"


IN_FILE = [
    pytest.param(
        "upstreams: {minds: {api_key: mk, genration: seed}}",
        "mindgate.yaml: upstreams.minds.genration: unknown key; did you mean 'generation'?",
        id="a misspelt key names its neighbour",
    ),
    pytest.param(
        "sever: {port: 1}",
        "mindgate.yaml: sever: unknown key; did you mean 'server'?",
        id="a misspelt section names its neighbour",
    ),
    pytest.param(
        LOCAL + "auth: {zzz: 1}",
        "mindgate.yaml: auth.zzz: unknown key; known here: mode, pepper, previous_peppers",
        id="a key that is like no other is told the known ones",
    ),
    pytest.param(
        LOCAL + f"keys: [{{nmae: a, key: {KEY}}}]",
        "mindgate.yaml: keys[0].nmae: unknown key; did you mean 'name'? (and 1 more)",
        id="the misspelt key comes before the missing one it caused",
    ),
    pytest.param(
        LOCAL + "server: {prot: 1, hots: x, drain_seconds: -1}",
        "mindgate.yaml: server.prot: unknown key; did you mean 'port'? (and 2 more)",
        id="several faults are counted",
    ),
    pytest.param(
        LOCAL + "server: {port: 70000}",
        "mindgate.yaml: server.port: must be at most 65535",
        id="a port has five digits up to 65535",
    ),
    pytest.param(
        LOCAL + "server: {port: eighty}",
        "mindgate.yaml: server.port: needs a whole number",
        id="a port is a number",
    ),
    pytest.param(
        LOCAL + "server: {port: 80.5}",
        "mindgate.yaml: server.port: needs a whole number",
        id="a port is a whole number",
    ),
    pytest.param(
        LOCAL + "server: {port: true}",
        "mindgate.yaml: server.port: needs a number",
        id="true is no number",
    ),
    pytest.param(
        LOCAL + "server: {host: 'localhost:80'}",
        "mindgate.yaml: server.host: must be a bare host or address such as 127.0.0.1;"
        " the port is server.port",
        id="a host has no port",
    ),
    pytest.param(
        LOCAL + "server: {cors_origins: ['https://a.example/']}",
        "mindgate.yaml: server.cors_origins[0]: must be an origin such as https://app.example.com,"
        " without a path, or *",
        id="an origin has no path",
    ),
    pytest.param(
        LOCAL + "server: {metrics_token: short}",
        "mindgate.yaml: server.metrics_token: is shorter than 16 characters;"
        " make one with: openssl rand -hex 24",
        id="the metrics token is a secret like a key",
    ),
    pytest.param(
        LOCAL + "server: 5",
        "mindgate.yaml: server: needs a mapping (key: value)",
        id="a section is a mapping",
    ),
    pytest.param(
        LOCAL + "timeouts: {connect_seconds: -1}",
        "mindgate.yaml: timeouts.connect_seconds: must be more than 0",
        id="time does not run backwards",
    ),
    pytest.param(
        LOCAL + "timeouts: {idle_seconds: .inf}",
        "mindgate.yaml: timeouts.idle_seconds: needs a number that is not infinite",
        id="a deadline comes some day",
    ),
    pytest.param(
        LOCAL + "timeouts: {idle_seconds: 5s}",
        "mindgate.yaml: timeouts.idle_seconds: needs a number",
        id="seconds have no unit",
    ),
    pytest.param(
        LOCAL + "streams: {heartbeat_seconds: 0}",
        "mindgate.yaml: streams.heartbeat_seconds: must be more than 0",
        id="a heartbeat without pause would be a flood",
    ),
    pytest.param(
        LOCAL + "auth: {mode: key}",
        "mindgate.yaml: auth.mode: must be one of keys, none; did you mean 'keys'?",
        id="a misspelt choice names its neighbour",
    ),
    pytest.param(
        LOCAL + "logs: {format: text}",
        "mindgate.yaml: logs.format: must be one of auto, console, json",
        id="a choice is told the choices",
    ),
    pytest.param(
        LOCAL + "prices: {local/a: {input_usd_per_million: -1}}",
        "mindgate.yaml: prices.local/a.input_usd_per_million: must be at least 0",
        id="nobody is paid for asking",
    ),
    pytest.param(
        "upstreams: {minds: {}}",
        "mindgate.yaml: upstreams.minds.api_key: is needed for the dialect minds;"
        " set MINDS_API_KEY, or api_key here",
        id="a service without its key names the variable",
    ),
    pytest.param(
        "upstreams: {second: {dialect: minds}}",
        "mindgate.yaml: upstreams.second.api_key: is needed for the dialect minds; set api_key here",
        id="a second entry of a service has no variable",
    ),
    pytest.param(
        "upstreams: {local: {dialect: openai}}",
        "mindgate.yaml: upstreams.local.base_url: is needed for the dialect openai",
        id="a generic upstream needs its URL",
    ),
    pytest.param(
        "upstreams: {local: {base_url: 'ftp://example.com'}}",
        "mindgate.yaml: upstreams.local.base_url: must begin with https:// or http://",
        id="only http and https (S7)",
    ),
    pytest.param(
        "upstreams: {local: {base_url: 'https://me:secret@example.com'}}",
        "mindgate.yaml: upstreams.local.base_url: must not hold a user or password;"
        " put the secret in api_key",
        id="no userinfo in a URL (S7)",
    ),
    pytest.param(
        "upstreams: {local: {base_url: 'https://example.com/v1#x'}}",
        "mindgate.yaml: upstreams.local.base_url: must not hold a fragment (#…)",
        id="no fragment in a URL (S7)",
    ),
    pytest.param(
        "upstreams: {local: {base_url: 'https:///v1'}}",
        "mindgate.yaml: upstreams.local.base_url: is not a URL such as https://api.example.com/v1",
        id="a URL has a host",
    ),
    pytest.param(
        "upstreams: {local: {base_url: 'https://example.com:99999'}}",
        "mindgate.yaml: upstreams.local.base_url: is not a URL such as https://api.example.com/v1",
        id="a URL has a possible port",
    ),
    pytest.param(
        "upstreams: {local: {base_url: 'https://example.com/v1/chat/completions'}}",
        "mindgate.yaml: upstreams.local.base_url: must end before /chat/completions;"
        " the gateway adds the route's path",
        id="a base URL is not the whole endpoint",
    ),
    pytest.param(
        local("proxy: 'ftp://proxy.example'"),
        "mindgate.yaml: upstreams.local.proxy: must begin with http://, https://, socks5:// or socks5h://",
        id="a proxy speaks HTTP or SOCKS5",
    ),
    pytest.param(
        local("proxy: 'http://'"),
        "mindgate.yaml: upstreams.local.proxy: is not a proxy's URL such as"
        " http://proxy.example.com:3128",
        id="a proxy has a host",
    ),
    pytest.param(
        local("proxy: 'http://proxy.example:99999'"),
        "mindgate.yaml: upstreams.local.proxy: is not a proxy's URL such as"
        " http://proxy.example.com:3128",
        id="a proxy has a possible port",
    ),
    pytest.param(
        local("proxy: 'http://proxy.example/v1'"),
        "mindgate.yaml: upstreams.local.proxy: must end behind the port",
        id="a proxy has no path",
    ),
    pytest.param(
        local(f"proxy: 'socks5://{'u' * 256}@proxy.example'"),
        "mindgate.yaml: upstreams.local.proxy: must not hold a user or password of more than"
        " 255 characters",
        id="a user that SOCKS cannot say",
    ),
    pytest.param(
        local("http2: true"),
        "mindgate.yaml: upstreams.local.http2: is agreed on in the TLS handshake, so base_url must"
        " begin with https://",
        id="no HTTP/2 without TLS",
    ),
    pytest.param(
        local("max_connection_age_seconds: 0"),
        "mindgate.yaml: upstreams.local.max_connection_age_seconds: must be more than 0",
        id="a connection that is too old at once",
    ),
    pytest.param(
        "upstreams: {v1: {base_url: 'https://example.com'}}",
        "mindgate.yaml: upstreams.v1: is a path of the gateway's own; choose another name",
        id="an upstream is not named like a path of ours",
    ),
    pytest.param(
        "upstreams: {Embeddings: {base_url: 'https://example.com'}}",
        "mindgate.yaml: upstreams.Embeddings: is a path of the gateway's own; choose another name",
        id="in no case at all",
    ),
    pytest.param(
        "upstreams: {a/b: {base_url: 'https://example.com'}}",
        "mindgate.yaml: upstreams.a/b: an upstream's name is letters, digits, dots, dashes"
        " and underscores only",
        id="an upstream's name is one path segment",
    ),
    pytest.param(
        "upstreams: {A: {base_url: 'https://a.example'}, a: {base_url: 'https://b.example'}}",
        "mindgate.yaml: upstreams.a: stands there twice, in another case",
        id="names that differ in case only are one",
    ),
    pytest.param(
        "upstreams: {openmind: {api_key: ok, generation: seed}}",
        "mindgate.yaml: upstreams.openmind.generation: only the dialect minds knows it,"
        " and this upstream is openmind",
        id="a field of another dialect says whose it is",
    ),
    pytest.param(
        "upstreams: {x: {dialect: openmnd}}",
        "mindgate.yaml: upstreams.x.dialect: must be one of 4minds, minds, openmind, openai;"
        " did you mean 'openmind'?",
        id="a dialect is one of four",
    ),
    pytest.param(
        local("capabilities: {respones: auto}"),
        "mindgate.yaml: upstreams.local.capabilities.respones: unknown key;"
        " did you mean 'responses'?",
        id="a capability is one of the matrix",
    ),
    pytest.param(
        local("capabilities: {responses: maybe}"),
        "mindgate.yaml: upstreams.local.capabilities.responses:"
        " must be one of native, map, local, auto, bridge, -",
        id="a capability has one of six values",
    ),
    pytest.param(
        local("headers: {Host: x}"),
        "mindgate.yaml: upstreams.local.headers.Host: is set by the gateway itself",
        id="a static header does not frame the request",
    ),
    pytest.param(
        local("headers: {User-Agent: x}"),
        "mindgate.yaml: upstreams.local.headers.User-Agent: has a setting of its own: user_agent",
        id="the user agent has its own key",
    ),
    pytest.param(
        local('headers: {x-team: "a\\r\\nx-admin: 1"}'),
        "mindgate.yaml: upstreams.local.headers.x-team: must be printable ASCII on one line,"
        " and not empty",
        id="a header value is one line",
    ),
    pytest.param(
        local("api_key: k, headers: {authorization: x}"),
        "mindgate.yaml: upstreams.local.headers.authorization:"
        " would be a second credential beside api_key",
        id="one credential is sent, not two",
    ),
    pytest.param(
        local("api_key: 12345678"),
        "mindgate.yaml: upstreams.local.api_key: needs text; put it in quotes",
        id="a key of digits needs quotes",
    ),
    pytest.param(
        local("models: llama"),
        'mindgate.yaml: upstreams.local.models: needs a list, such as ["a", "b"]',
        id="a list is a list",
    ),
    pytest.param(
        local("drop: [model]"),
        "mindgate.yaml: upstreams.local.drop[0]: must not be model, which every request needs",
        id="what every request needs is not dropped",
    ),
    pytest.param(
        local("timeouts: {idle_secs: 3}"),
        "mindgate.yaml: upstreams.local.timeouts.idle_secs: unknown key;"
        " did you mean 'idle_seconds'?",
        id="a key three levels down is found, too",
    ),
    pytest.param(
        local("append_v1: maybe"),
        "mindgate.yaml: upstreams.local.append_v1: needs true or false",
        id="a switch is on or off",
    ),
    pytest.param(
        "upstreams: {minds: {api_key: mk, chat_path: chat}}",
        "mindgate.yaml: upstreams.minds.chat_path: must be a path such as /v1/models",
        id="a path begins with a slash",
    ),
    pytest.param(
        "upstreams: {openmind: {api_key: ok, model_providers: {x: opnai}}}",
        "mindgate.yaml: upstreams.openmind.model_providers.x: names no entry of providers;"
        " did you mean 'openai'?",
        id="a model's provider is one of the providers",
    ),
    pytest.param(
        "upstreams: [minds]",
        "mindgate.yaml: upstreams: needs a mapping (key: value)",
        id="upstreams have names",
    ),
    pytest.param(
        LOCAL + "models: {a: [local/x, 5]}",
        "mindgate.yaml: models.a[1]: needs a mapping (key: value)",
        id="a target in a list is named by its place",
    ),
    pytest.param(
        LOCAL + "models: {a: []}",
        "mindgate.yaml: models.a: needs at least one entry",
        id="a route leads somewhere",
    ),
    pytest.param(
        LOCAL + "models: {a: {policy: first}}",
        "mindgate.yaml: models.a.deployments: is needed",
        id="a route in its long form, too",
    ),
    pytest.param(
        LOCAL + "models: {a: {deployments: [{target: local/x, weight: 0}]}}",
        "mindgate.yaml: models.a.deployments[0].weight: must be at least 1",
        id="a weight of nothing is no weight",
    ),
    pytest.param(
        LOCAL + "models: {a: {policy: random, deployments: [local/x]}}",
        "mindgate.yaml: models.a.policy: must be one of ordered, first, weighted",
        id="a policy is one that exists",
    ),
    pytest.param(
        LOCAL + "models: {a: loca/x}",
        "mindgate.yaml: models.a: there is no upstream loca; did you mean 'local'?",
        id="a misspelt upstream in a target names its neighbour",
    ),
    pytest.param(
        LOCAL + "models: {a: [local/x, nowhere/y]}",
        "mindgate.yaml: models.a[1]: there is no upstream nowhere; configured: local",
        id="an unknown upstream is told the configured ones",
    ),
    pytest.param(
        LOCAL + "models: {a: openmind/gpt-4o}",
        "mindgate.yaml: models.a: the upstream openmind is not switched on;"
        " set OPENMIND_API_KEY, or add it under upstreams:",
        id="a service that is not switched on names its variable",
    ),
    pytest.param(
        LOCAL + "models: {fast: local/x, a: fats}",
        "mindgate.yaml: models.a: 'fats' is no upstream/model, and no route has this name;"
        " did you mean 'fast'?",
        id="a target without a slash is another route",
    ),
    pytest.param(
        LOCAL + "models: {a: b, b: [local/x, a]}",
        "mindgate.yaml: models.a: leads back to itself: a → b → a (and 1 more)",
        id="a circle is shown",
    ),
    pytest.param(
        LOCAL + "models: {a: local/}",
        "mindgate.yaml: models.a: needs a model behind local/",
        id="a target names a model",
    ),
    pytest.param(
        LOCAL + "models: {a: local/*}",
        "mindgate.yaml: models.a: must be one model; only a route's name may be a pattern",
        id="a target is no pattern",
    ),
    pytest.param(
        LOCAL + "models: {local/a: local/b}",
        "mindgate.yaml: models.local/a: can never be reached: local/… goes to that upstream",
        id="a route does not hide behind an upstream's prefix",
    ),
    pytest.param(
        LOCAL + "default_upstream: loca",
        "mindgate.yaml: default_upstream: there is no upstream loca; did you mean 'local'?",
        id="the default upstream exists",
    ),
    pytest.param(
        LOCAL + "keys: [{name: a}]",
        "mindgate.yaml: keys[0].key: is needed",
        id="a key has a key",
    ),
    pytest.param(
        LOCAL + "keys: [{name: a, key: ''}]",
        "mindgate.yaml: keys[0].key: must be printable ASCII on one line, and not empty",
        id="an empty key opens nothing (S12)",
    ),
    pytest.param(
        LOCAL + "keys: [{name: a, key: abc}]",
        "mindgate.yaml: keys[0].key: is shorter than 16 characters;"
        " make one with: openssl rand -hex 24",
        id="a short key can be guessed (S12)",
    ),
    pytest.param(
        LOCAL + f"keys: [{{name: a, key: {KEY}}}, {{name: a, key: {OTHER_KEY}}}]",
        "mindgate.yaml: keys[1].name: is also the name of keys[0]",
        id="a key's name is its own",
    ),
    pytest.param(
        LOCAL + f"keys: [{{name: a, key: {KEY}}}, {{name: b, key: {KEY}}}]",
        "mindgate.yaml: keys[1].key: is the same secret as keys[0].key",
        id="two keys differ",
    ),
    pytest.param(
        f"upstreams: {{minds: {{api_key: {KEY}}}}}\nkeys: [{{name: a, key: {KEY}}}]",
        "mindgate.yaml: keys[0].key: is also a key that an upstream gets; use another one here",
        id="an upstream's key is not given to clients",
    ),
    pytest.param(
        LOCAL + f"keys: [{{name: a, key: {KEY}, budget_period: year}}]",
        "mindgate.yaml: keys[0].budget_period: must be one of day, week, month, total",
        id="a budget has a known period",
    ),
    pytest.param(
        LOCAL + f"keys: [{{name: a, key: {KEY}, rpm: 0}}]",
        "mindgate.yaml: keys[0].rpm: must be at least 1",
        id="a limit of nothing is no limit",
    ),
    pytest.param(
        LOCAL + f"keys: [{{name: a, key: {KEY}, expires_at: soon}}]",
        "mindgate.yaml: keys[0].expires_at: needs a date and time such as 2027-01-31T12:00:00Z",
        id="an end has a date",
    ),
    pytest.param(
        LOCAL + f"keys: {{a: {KEY}}}",
        'mindgate.yaml: keys: needs a list, such as ["a", "b"]',
        id="keys are a list",
    ),
    pytest.param(
        "server: {port: 1}\nserver: {port: 2}",
        "mindgate.yaml: line 2: server: stands here twice",
        id="a key that stands twice is not half ignored",
    ),
    pytest.param(
        "server: {port: 1",
        "mindgate.yaml: line 1: expected ',' or '}', but got '<stream end>'",
        id="broken YAML has a line",
    ),
    pytest.param(
        "server:\n\tport: 1",
        "mindgate.yaml: line 2: found character '\\t' that cannot start any token",
        id="a tab does not indent",
    ),
    pytest.param(
        "upstreams: {1: {}}",
        "mindgate.yaml: line 1: a key must be text; put it in quotes",
        id="a key is text",
    ),
    pytest.param(
        "upstreams: {minds: {api_key: !!python/name:os.system }}",
        "mindgate.yaml: line 1: a value of a kind that has no place here;"
        " put text that begins with ! in quotes",
        id="YAML builds no Python objects (S21)",
    ),
    pytest.param(
        "- server",
        "mindgate.yaml: needs a mapping of sections, such as `server:`",
        id="a file is a mapping",
    ),
    pytest.param(
        "[" * 5000,
        "mindgate.yaml: is nested too deeply",
        id="a file has an end to its depth",
    ),
    pytest.param(
        "",
        "mindgate.yaml: no upstream is configured; set one of FOURMINDS_API_KEY, MINDS_API_KEY,"
        " OPENMIND_API_KEY, or add an entry under upstreams:, or try it without any key:"
        " mindgate demo",
        id="without an upstream the way to begin is told",
    ),
]


@pytest.mark.parametrize(("text", "expected"), IN_FILE)
def test_a_fault_in_the_file(folder, text, expected):
    assert expected == message(folder, text)


IN_ENVIRONMENT = [
    pytest.param(
        {},
        "environment: no upstream is configured; set one of FOURMINDS_API_KEY, MINDS_API_KEY,"
        " OPENMIND_API_KEY, or add an entry under upstreams:, or try it without any key:"
        " mindgate demo",
        id="nothing at all",
    ),
    pytest.param(
        {"MINDGATE_SERVER__PROT": "1"},
        "environment: server.prot (MINDGATE_SERVER__PROT): unknown key; did you mean 'port'?",
        id="a misspelt key names variable and neighbour",
    ),
    pytest.param(
        {"MINDGATE_SERVER_PORT": "1"},
        "environment: MINDGATE_SERVER_PORT: unknown variable;"
        " did you mean 'MINDGATE_SERVER__PORT'?",
        id="one underscore where two belong",
    ),
    pytest.param(
        {"MINDGATE_PORT": "9000"},
        "environment: MINDGATE_PORT: unknown variable; did you mean 'MINDGATE_SERVER__PORT'?",
        id="a setting without its section",
    ),
    pytest.param(
        {"MINDGATE_CONFIG_FILE": "x"},
        "environment: MINDGATE_CONFIG_FILE: unknown variable; did you mean 'MINDGATE_CONFIG'?",
        id="the variable that names the file",
    ),
    pytest.param(
        {"MINDGATE_QQQQQ": "1"},
        "environment: MINDGATE_QQQQQ: unknown variable",
        id="a variable that is like no other",
    ),
    pytest.param(
        {"MINDGATE_SERVER__PORT": "70000"},
        "environment: server.port (MINDGATE_SERVER__PORT): must be at most 65535",
        id="an impossible value",
    ),
    pytest.param(
        {"MINDGATE_SERVER__": "1"},
        "environment: MINDGATE_SERVER__: ends in __ without a key",
        id="a section without its key",
    ),
    pytest.param(
        {"MINDGATE_KEYS": '[{"name": "a"'},
        'environment: MINDGATE_KEYS: is not valid JSON, such as ["a", "b"]',
        id="broken JSON",
    ),
    pytest.param(
        {"MINDGATE_KEYS": '[{"name": "a", "name": "b"}]'},
        "environment: MINDGATE_KEYS: name stands there twice",
        id="a JSON key that stands twice",
    ),
    pytest.param(
        {"MINDGATE_KEYS": "ci"},
        'environment: keys (MINDGATE_KEYS): needs a list, such as ["a", "b"]',
        id="text where a list belongs",
    ),
    pytest.param(
        {"MINDGATE_KEYS": '[{"name": "a", "key": "abc"}]'},
        "environment: keys[0].key (MINDGATE_KEYS): is shorter than 16 characters;"
        " make one with: openssl rand -hex 24",
        id="a weak key",
    ),
    pytest.param(
        {"MINDGATE_MODELS__A": "minds/a", "MINDGATE_MODELS__A__POLICY": "first"},
        "environment: MINDGATE_MODELS__A__POLICY: cannot be set beside MINDGATE_MODELS__A,"
        " which sets all of it",
        id="the whole and a part of it",
    ),
    pytest.param(
        {"MINDGATE_ADMIN_KEY": "admin"},
        "environment: MINDGATE_ADMIN_KEY: is shorter than 16 characters;"
        " make one with: openssl rand -hex 24",
        id="a weak admin key",
    ),
    pytest.param(
        {"MINDGATE_ADMIN_KEY": KEY, "MINDGATE_VIEWER_KEY": KEY},
        "environment: MINDGATE_VIEWER_KEY: is the same secret as MINDGATE_ADMIN_KEY",
        id="one secret for two planes",
    ),
    pytest.param(
        {"MINDGATE_ADMIN_KEY": KEY, "MINDGATE_KEYS": f'[{{"name": "a", "key": "{KEY}"}}]'},
        "environment: MINDGATE_ADMIN_KEY: is the same secret as keys[0].key",
        id="a client's key is not the admin's (S13)",
    ),
    pytest.param(
        {"MINDS_API_KEY": "mk", "MINDS_API_KEY_FILE": "key.txt"},
        "environment: MINDS_API_KEY: is set, and so is MINDS_API_KEY_FILE; unset one of them",
        id="a key in two places",
    ),
    pytest.param(
        {"MINDS_API_KEY": "mk\nx"},
        "environment: MINDS_API_KEY: must be printable ASCII on one line",
        id="a key with a line end inside",
    ),
    pytest.param(
        {"MINDS_API_KEY_FILE": "nowhere"},
        "environment: MINDS_API_KEY_FILE: the file nowhere cannot be read:"
        " no such file or directory",
        id="a key file that is missing",
    ),
    pytest.param(
        {"MINDGATE_CONFIG": "nowhere.yaml"},
        "environment: MINDGATE_CONFIG: there is no file nowhere.yaml",
        id="a configuration file that is missing",
    ),
    pytest.param(
        {"MINDGATE_UPSTREAMS__OPENMIND__CATALOGUE": "seed"},
        "environment: upstreams.openmind.api_key: is needed for the dialect openmind;"
        " set OPENMIND_API_KEY, or api_key here",
        id="a service without its key",
    ),
]


@pytest.mark.parametrize(("environment", "expected"), IN_ENVIRONMENT)
def test_a_fault_in_the_environment(folder, environment, expected):
    upstream = {"MINDS_API_KEY": "mk-1"} if environment and "MINDS" not in str(environment) else {}

    assert expected == message(folder, None, {**upstream, **environment})


def test_a_part_from_the_environment_does_not_hide_a_section_of_the_wrong_kind(folder):
    expected = "environment: server: sets a part of what mindgate.yaml sets as a whole"

    assert expected == message(folder, LOCAL + "server: 5", {"MINDGATE_SERVER__PORT": "1"})


@pytest.mark.parametrize(
    "key",
    [
        "sk-1234567890abcdef",
        "sk-xxxxxxxxxxxxxxxx",
        "changeme-changeme-1",
        "this-is-your-key-ok",
        "test-0123456789abcd",
        "aaaaaaaaaaaaaaaaaaaa",
    ],
)
def test_an_example_is_no_key(folder, key):
    """Reliability S12."""
    line = message(folder, LOCAL + f"keys: [{{name: a, key: {key}}}]")

    assert line.startswith("mindgate.yaml: keys[0].key: ")
    assert key not in line


def test_a_file_that_was_named_must_exist(folder):
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(config_file=folder / "no.yaml", environment={}, dotenv=None)

    assert f"command line: there is no file {folder}/no.yaml" == str(caught.value)


def test_a_file_that_is_no_text_is_refused(folder):
    (folder / "mindgate.yaml").write_bytes(b"server: \xff")

    with pytest.raises(ConfigurationError, match=r"mindgate\.yaml: is not UTF-8 text"):
        load(folder, environment={"MINDGATE_CONFIG": "mindgate.yaml"})


def test_a_broken_line_of_dotenv_is_refused_with_its_number(folder):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, dotenv="MINDS_API_KEY=mk\n'oops\n")

    assert f"{folder}/.env: line 2: is not of the form NAME=value" == str(caught.value)


def test_http2_without_its_package_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "h2", None)

    assert (
        "mindgate.yaml: upstreams.local.http2: needs a package more; run: pip install 'mindgate[http2]'"
        == message(folder, "upstreams: {local: {base_url: 'https://a.example', http2: true}}")
    )
