"""Where a secret may come from, and that none is ever shown (reliability S19)."""

import json
from typing import Any

import pytest

from app.config.schema_tree import EACH, NAME, Where, dotted, secret_settings, settings
from app.domain.errors import ConfigurationError
from tests.config.settings_from import KEY, LOCAL, load

CANARY = "hunter2-Zq8x"


@pytest.mark.parametrize(
    ("written", "variables", "read"),
    [
        pytest.param("${VAR}", {"VAR": "abc"}, "abc", id="a variable"),
        pytest.param("a-${VAR}-${VAR}", {"VAR": "x"}, "a-x-x", id="several, with text around"),
        pytest.param("a$${VAR}", {}, "a${VAR}", id="an escaped one stands for itself"),
        pytest.param("$VAR", {"VAR": "x"}, "$VAR", id="without braces it is text"),
        pytest.param("${VAR}", {"VAR": "${OTHER}"}, "${OTHER}", id="what a variable holds is text"),
        pytest.param("${VAR}", {"VAR": "abc\n"}, "abc", id="the line end of a variable is cut"),
    ],
)
def test_a_reference_is_replaced(folder, written, variables, read):
    text = f"upstreams: {{minds: {{api_key: '{written}'}}}}"
    [upstream] = load(folder, text, environment=variables).upstreams

    assert upstream.api_key
    assert read == upstream.api_key.get_secret_value()


def test_a_reference_stands_in_any_text_of_the_file(folder):
    text = "upstreams: {local: {base_url: 'http://${HOST}/v1'}}\nmodels: {a: ['local/${M}']}"
    found = load(folder, text, environment={"HOST": "127.0.0.1:1", "M": "llama"})

    assert "http://127.0.0.1:1/v1" == found.upstreams[0].base_url
    assert ("local/llama",) == found.routes[0].targets


def test_a_reference_is_replaced_in_a_variable_from_dotenv_too(folder):
    dotenv = "SECRET=abc\nMINDGATE_UPSTREAMS__MINDS__API_KEY=${SECRET}\n"
    [upstream] = load(folder, dotenv=dotenv).upstreams

    assert upstream.api_key
    assert "abc" == upstream.api_key.get_secret_value()


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        pytest.param(
            "${NOPE}",
            "${NOPE} is not set; set the variable NOPE, or take this key out",
            id="a variable that is not set",
        ),
        pytest.param(
            "${EMPTY}",
            "${EMPTY} is not set; set the variable EMPTY, or take this key out",
            id="a variable that is empty",
        ),
        pytest.param(
            "${NOPE:-x}",
            "holds ${ without a variable's name and }; write $${ for a literal ${",
            id="a shell's default",
        ),
        pytest.param(
            "a${NOPE",
            "holds ${ without a variable's name and }; write $${ for a literal ${",
            id="a brace that stays open",
        ),
        pytest.param(
            "file:nope",
            "the file nope cannot be read: no such file or directory",
            id="a file that is missing",
        ),
        pytest.param("file:empty", "the file empty is empty", id="a file that is empty"),
        pytest.param("file:.", "the file . cannot be read: is a directory", id="a folder"),
        pytest.param("file:binary", "the file binary is not UTF-8 text", id="a file of bytes"),
        pytest.param(
            "file:open",
            "the file open may be written by anybody; run chmod o-w on it",
            id="a file that anybody may replace",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_names_file_key_and_variable(folder, written, fault):
    (folder / "empty").write_text("\n")
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "open").write_text("secret")
    (folder / "open").chmod(0o666)
    text = f"upstreams: {{minds: {{api_key: '{written}'}}}}"
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, environment={"EMPTY": ""})
    line = str(caught.value).replace(f"{folder}/", "").replace(str(folder), ".")

    assert f"mindgate.yaml: upstreams.minds.api_key: {fault}" == line


def test_a_secrets_file_is_relative_to_the_configuration_file(folder):
    (folder / "secrets").mkdir()
    (folder / "secrets" / "minds").write_text("mk-file\n")
    (folder / "secrets" / "ci").write_text(KEY)
    text = """
        upstreams: {minds: {api_key: "file:secrets/minds", headers: {x-a: "file:secrets/ci2"}}}
        keys: [{name: ci, key: "file:${WHERE}/ci"}]
    """
    (folder / "secrets" / "ci2").write_text("header")
    found = load(folder, text, environment={"WHERE": "secrets"})
    [upstream] = found.upstreams

    assert upstream.api_key
    assert "mk-file" == upstream.api_key.get_secret_value()
    assert "SecretStr('**********')" == repr(upstream.headers["x-a"])
    assert KEY == found.keys[0].key.get_secret_value()


def test_each_secret_of_a_list_may_stand_in_a_file(folder):
    pepper = "0123456789abcdef" * 2
    (folder / "new").write_text(pepper)
    (folder / "old").write_text(pepper[::-1])
    text = LOCAL + "auth: {pepper: 'file:new', previous_peppers: ['file:old']}"

    assert [pepper, pepper[::-1]] == [
        found.get_secret_value() for found in load(folder, text).peppers
    ]


def test_only_a_secret_is_read_from_a_file(folder):
    text = "upstreams: {minds: {api_key: mk, user_agent: 'file:agent'}}"

    assert "file:agent" == load(folder, text).upstreams[0].user_agent


@pytest.mark.parametrize(
    "variable",
    ["FOURMINDS_API_KEY", "MINDS_API_KEY", "OPENMIND_API_KEY"],
)
def test_an_upstreams_variable_has_a_file_form(folder, variable):
    (folder / "key").write_text("abc\n")
    [upstream] = load(folder, environment={f"{variable}_FILE": "key"}).upstreams

    assert upstream.api_key
    assert "abc" == upstream.api_key.get_secret_value()


def test_the_admin_key_has_a_file_form(folder):
    (folder / "key").write_text(f"{KEY}\n")
    found = load(folder, LOCAL, environment={"MINDGATE_ADMIN_KEY_FILE": "key"})

    assert found.admin_key
    assert KEY == found.admin_key.get_secret_value()


def test_the_schemas_secrets_are_these():
    """Each of them takes file:PATH and prints as stars."""
    assert {
        "server.metrics_token",
        "auth.pepper",
        "auth.previous_peppers[]",
        "upstreams.NAME.api_key",
        "upstreams.NAME.headers.NAME",
        "upstreams.NAME.proxy",
        "upstreams.NAME.query.NAME",
        "keys[].key",
        "storage.url",
        "redis.url",
    } == {dotted(place) for place in secret_settings()}


def test_a_configuration_shows_no_secret(folder):
    text = f"""
        server: {{metrics_token: "{CANARY}-metrics-token"}}
        upstreams:
          local:
            base_url: "http://127.0.0.1:1/v1?api-version={CANARY}"
            api_key: "{CANARY}"
            headers: {{x-tenant: "{CANARY}"}}
            query: {{code: "{CANARY}"}}
            proxy: "http://me:{CANARY}@proxy.example:3128"
        keys: [{{name: ci, key: "{CANARY}-gateway-key"}}]
        auth: {{pepper: "{CANARY}-{"ab" * 16}", previous_peppers: ["{CANARY}-{"cd" * 16}"]}}
        storage: {{url: "postgresql://u:{CANARY}@127.0.0.1/db"}}
        redis: {{url: "redis://:{CANARY}@127.0.0.1"}}
    """
    environment = {"MINDGATE_ADMIN_KEY": f"{CANARY}-admin", "MINDGATE_VIEWER_KEY": f"{CANARY}-view"}
    found = load(folder, text, environment=environment)

    assert CANARY not in repr(found)
    assert CANARY not in str(found)


def _around(place: Where, value: object) -> Any:
    """The tree that holds *value* at *place*, in a configuration that is otherwise complete."""
    if not place:
        return value
    step, *rest = place
    inner = _around(tuple(rest), value)
    if step == EACH:
        return [inner]
    return {"local" if step == NAME else step: inner}


SECRETS = secret_settings()
EVERY_PLACE = dict.fromkeys([*(place for place, _ in settings()), *SECRETS])
# Names are shown, since the fault is that they lead nowhere.
MAY_BE_SHOWN = (f"'{CANARY}' is no upstream/model", f"there is no upstream {CANARY}")
WRONG = {
    "text": CANARY,
    "text with a line end": f"{CANARY}\n{CANARY}",
    "text that is a URL": f"https://me:{CANARY}@example.com/#{CANARY}",
    "an open reference": f"${{{CANARY}",
    "a list": [CANARY],
    "a list of mappings": [{"name": CANARY, "key": CANARY}],
    "a mapping": {"name": CANARY},
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("place", EVERY_PLACE, ids=dotted)
def test_no_fault_shows_what_stands_at(folder, place, kind):
    complete = {"upstreams": {"local": {"base_url": "http://127.0.0.1:1"}}}
    tree = {**complete, **_around(place, WRONG[kind])}
    try:
        shown = repr(load(folder, json.dumps(tree))) if place in SECRETS else ""
    except ConfigurationError as error:
        shown = str(error)
        assert "\n" not in shown
    for name in MAY_BE_SHOWN:
        shown = shown.replace(name, "")

    assert CANARY not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"server: {{metrics_token: *{CANARY}}}",
        f"server: {{metrics_token: !{CANARY} x}}",
        f"server: {{metrics_token: !x!{CANARY} x}}",
        f"server: {{metrics_token: &{CANARY} a, b: &{CANARY} b}}",
        f"server: {{metrics_token: '{CANARY}",
        f'server: {{metrics_token: "\\{CANARY}"}}',
        f"server:\n  metrics_token: {CANARY}: {CANARY}",
        f"server:\n  metrics_token: {CANARY}\n {CANARY}",
        f"{CANARY}",
        f"- {CANARY}",
        f"%{CANARY}\n---\n",
        f"server: {{metrics_token: @{CANARY}}}",
        f"server: {{metrics_token: !!int {CANARY}}}",
        f"server: {{metrics_token: !!timestamp {CANARY}}}",
        f"server: {{? [{CANARY}] : 1}}",
    ],
)
def test_no_fault_of_yaml_shows_what_stands_there(folder, text):
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)

    assert CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "MINDS_API_KEY",
        "MINDGATE_ADMIN_KEY",
        "MINDGATE_KEYS",
        "MINDGATE_SERVER",
        "MINDGATE_SERVER__PORT",
        "MINDGATE_SERVER__METRICS_TOKEN",
        "MINDGATE_UPSTREAMS__A__API_KEY",
        "MINDGATE_UPSTREAMS__A__GENERATION",
        "MINDGATE_NO_SUCH_THING",
    ],
)
@pytest.mark.parametrize(
    "value", [f"{CANARY}", f"{CANARY}\n{CANARY}", f"[{CANARY}", f'{{"{{": "{CANARY}"', f"é{CANARY}"]
)
def test_no_fault_of_a_variable_shows_its_value(folder, name, value):
    try:
        shown = repr(load(folder, environment={name: value}))
    except ConfigurationError as error:
        shown = str(error)

    assert CANARY not in shown
