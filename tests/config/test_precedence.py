"""Who wins: the command line, the environment, .env, the file, the default."""

import pytest

from app.config.loading import load_configuration
from tests.config.settings_from import KEY, LOCAL, OTHER_KEY, load

FILE = LOCAL + "server: {port: 1001, host: 127.0.0.2}\n"
DOTENV = "MINDGATE_SERVER__PORT=1002\n"
ENVIRONMENT = {"MINDGATE_SERVER__PORT": "1003"}
COMMAND_LINE = {"server.port": 1004}


@pytest.mark.parametrize(
    ("text", "dotenv", "environment", "overrides", "port"),
    [
        pytest.param(LOCAL, None, {}, {}, 8080, id="nothing said: the default"),
        pytest.param(FILE, None, {}, {}, 1001, id="the file wins over the default"),
        pytest.param(FILE, DOTENV, {}, {}, 1002, id=".env wins over the file"),
        pytest.param(FILE, DOTENV, ENVIRONMENT, {}, 1003, id="the environment wins over .env"),
        pytest.param(FILE, DOTENV, ENVIRONMENT, COMMAND_LINE, 1004, id="the command line wins"),
        pytest.param(
            FILE, None, {}, {"server.port": None}, 1001, id="an option not given is silent"
        ),
        pytest.param(FILE, None, {"MINDGATE_SERVER__PORT": ""}, {}, 1001, id="empty is not set"),
        pytest.param(
            FILE, DOTENV, {"MINDGATE_SERVER__PORT": ""}, {}, 1001, id="empty hides the one in .env"
        ),
    ],
)
def test_the_port_is(folder, text, dotenv, environment, overrides, port):
    found = load(folder, text, dotenv=dotenv, environment=environment, overrides=overrides)

    assert port == found.server.port


def test_a_section_is_merged_key_by_key(folder):
    server = load(folder, FILE, environment=ENVIRONMENT).server

    assert ("127.0.0.2", 1003) == (server.host, server.port)


def test_a_list_is_replaced_as_a_whole(folder):
    text = LOCAL + f"keys: [{{name: a, key: {KEY}}}, {{name: b, key: {OTHER_KEY}}}]"
    environment = {"MINDGATE_KEYS": f'[{{"name": "c", "key": "{KEY}"}}]'}

    assert ["c"] == [key.name for key in load(folder, text, environment=environment).keys]


@pytest.mark.parametrize(
    ("variables", "written"),
    [
        pytest.param({"MINDS_API_KEY": "mk-env"}, ["minds"], id="a variable is an upstream"),
        pytest.param(
            {"OPENMIND_API_KEY": "ok", "FOURMINDS_API_KEY": "fk", "MINDS_API_KEY": "mk"},
            ["4minds", "minds", "openmind"],
            id="three variables are three upstreams",
        ),
        pytest.param(
            {"MINDS_API_KEY": "mk", "OPENMIND_API_KEY": " "}, ["minds"], id="blanks are no key"
        ),
    ],
)
def test_a_variable_alone_switches_its_upstream_on(folder, variables, written):
    found = load(folder, environment=variables)

    assert written == [upstream.name for upstream in found.upstreams]
    assert written == [upstream.dialect for upstream in found.upstreams]
    assert "environment" == found.source


@pytest.mark.parametrize(
    ("text", "environment", "key"),
    [
        pytest.param("{api_key: mk-file}", {}, "mk-file", id="the entry's own key wins"),
        pytest.param("{generation: llm}", {}, "mk-env", id="the variable gives the key left out"),
        pytest.param("{}", {}, "mk-env", id="an entry may be empty"),
        pytest.param("", {}, "mk-env", id="an entry may be nothing"),
        pytest.param("{api_key: '${MINDS_API_KEY}'}", {}, "mk-env", id="named or not"),
        pytest.param(
            "{api_key: mk-file}",
            {"MINDGATE_UPSTREAMS__MINDS__API_KEY": "mk-set"},
            "mk-set",
            id="a setting wins over the entry",
        ),
        pytest.param(
            "{dialect: openai, base_url: 'http://127.0.0.1:1'}",
            {},
            None,
            id="an entry that speaks to another service is not given the key",
        ),
    ],
)
def test_the_key_of_an_entry_beside_its_variable(folder, text, environment, key):
    variables = {"MINDS_API_KEY": "mk-env", **environment}
    [upstream] = load(folder, f"upstreams: {{minds: {text}}}", environment=variables).upstreams

    assert key == (upstream.api_key and upstream.api_key.get_secret_value())


def test_a_variable_beside_a_file_adds_its_upstream_behind_those_written_down(folder):
    """Where several have a route, the first configured gets it (architecture 5)."""
    environment = {
        "MINDS_API_KEY": "mk",
        "OPENMIND_API_KEY": "ok",
        "MINDGATE_UPSTREAMS__OTHER__BASE_URL": "http://127.0.0.1:2",
    }
    text = "upstreams: {local: {base_url: 'http://127.0.0.1:1'}, openmind: {catalogue: extended}}"
    found = load(folder, text, environment=environment)

    assert ["local", "openmind", "other", "minds"] == [
        upstream.name for upstream in found.upstreams
    ]


def test_an_upstream_is_met_in_the_spelling_of_the_file(folder):
    text = "upstreams: {My-Box.1: {base_url: 'http://127.0.0.1:1'}}"
    environment = {"MINDGATE_UPSTREAMS__MY_BOX_1__USER_AGENT": "me"}
    [upstream] = load(folder, text, environment=environment).upstreams

    assert ("My-Box.1", "me") == (upstream.name, upstream.user_agent)


def test_any_setting_can_come_from_the_environment(folder):
    found = load(
        folder,
        environment={
            "MINDGATE_UPSTREAMS__LOCAL__BASE_URL": "http://127.0.0.1:1/v1",
            "MINDGATE_UPSTREAMS__LOCAL__TIMEOUTS__IDLE_SECONDS": "7.5",
            "MINDGATE_UPSTREAMS__LOCAL__APPEND_V1": "false",
            "MINDGATE_UPSTREAMS__LOCAL__MODELS": '["llama-*"]',
            "MINDGATE_MODELS__FAST": '["local/a","local/b"]',
            "MINDGATE_MODELS__SMART": "local/c",
            "MINDGATE_DEFAULT_UPSTREAM": "LOCAL",
            "MINDGATE_LOGS__FORMAT": "json",
            "MINDGATE_SERVER__HOST": "[::1]",
        },
    )
    [upstream] = found.upstreams

    assert 7.5 == upstream.timeouts.idle_seconds
    assert (False, ("llama-*",)) == (upstream.append_v1, upstream.models)
    assert {"fast": ("local/a", "local/b"), "smart": ("local/c",)} == {
        route.name: route.targets for route in found.routes
    }
    assert ("local", "json", "::1") == (found.default_upstream, found.log_format, found.server.host)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MINDGATE_SERVICE_HOST", "10.0.0.7"),
        ("MINDGATE_SERVICE_PORT_HTTP", "8080"),
        ("MINDGATE_PORT", "tcp://10.0.0.7:8080"),
        ("MINDGATE_PORT_8080_TCP", "tcp://10.0.0.7:8080"),
        ("MINDGATE_PORT_8080_TCP_ADDR", "10.0.0.7"),
        ("MINDGATE_REDIS_SERVICE_PORT", "6379"),
    ],
)
def test_what_kubernetes_adds_for_a_service_of_our_name_is_no_typo(folder, name, value):
    environment = {"MINDS_API_KEY": "mk", name: value}

    assert 8080 == load(folder, environment=environment).server.port


def test_a_variable_that_the_file_or_another_variable_names_is_no_typo(folder):
    text = LOCAL + "keys: [{name: a, key: '${MINDGATE_KEY_OF_A}'}]"
    environment = {
        "MINDGATE_KEY_OF_A": KEY,
        "MINDGATE_TOKEN": OTHER_KEY,
        "MINDGATE_SERVER__METRICS_TOKEN": "${MINDGATE_TOKEN}",
    }
    found = load(folder, text, environment=environment)

    assert KEY == found.keys[0].key.get_secret_value()
    assert found.server.metrics_token
    assert OTHER_KEY == found.server.metrics_token.get_secret_value()


@pytest.mark.parametrize(
    ("named", "by_variable", "by_default", "port"),
    [
        pytest.param(True, True, True, 1, id="the argument first"),
        pytest.param(False, True, True, 2, id="then MINDGATE_CONFIG"),
        pytest.param(False, False, True, 3, id="then config/mindgate.yaml"),
        pytest.param(False, False, False, 8080, id="else none"),
    ],
)
def test_the_file_that_is_read(folder, named, by_variable, by_default, port):
    (folder / "variable.yaml").write_text("server: {port: 2}")
    if by_default:
        (folder / "config").mkdir()
        (folder / "config" / "mindgate.yaml").write_text("server: {port: 3}")
    dotenv = "MINDS_API_KEY=mk\n" + ("MINDGATE_CONFIG=variable.yaml\n" if by_variable else "")
    found = load(folder, "server: {port: 1}" if named else None, dotenv=dotenv)

    assert port == found.server.port


def test_the_processs_own_environment_is_the_default(folder, monkeypatch):
    monkeypatch.setenv("OPENMIND_API_KEY", "ok-1")
    found = load_configuration(dotenv=None)

    assert "openmind" in [upstream.name for upstream in found.upstreams]
