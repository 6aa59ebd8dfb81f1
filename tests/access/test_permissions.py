"""What a key may use, as a table (architecture 5; reliability S15; contract F14, F17)."""

import pytest

from app.access.permissions import Permissions, require_all_resources
from app.domain.errors import PermissionDenied
from app.domain.principal import Principal
from app.domain.routes import Deployment, Route


def route(name: str, *targets: str, is_named: bool = False) -> Route:
    parts = (target.partition("/") for target in targets)
    return Route(name, tuple(Deployment(up, model) for up, _, model in parts), is_named)


UPSTREAMS = ("openmind", "local", "router", "openai")
FAST = route("fast", "openmind/gpt-4o-mini", "local/llama", is_named=True)
CLAUDE = route("claude-3", "local/sonnet", is_named=True)
GPT = route("gpt-4o", "openmind/gpt-4o")
PREFIXED = route("openmind/gpt-4o", "openmind/gpt-4o")
DEEP = route("m", "openmind/gemini/gemini-2.5-pro")
DEFAULTED = route("anything at all", "local/anything at all")


@pytest.mark.parametrize(
    ("models", "asked", "may"),
    [
        pytest.param((), FAST, True, id="no patterns: all"),
        pytest.param((), DEFAULTED, True, id="no patterns: what nobody listed, too"),
        # a route or alias by its name
        pytest.param(("fast",), FAST, True, id="a route's name brings its targets"),
        pytest.param(("f*",), FAST, True, id="a pattern of its name too"),
        pytest.param(("claude-*",), CLAUDE, True, id="an alias that is a pattern"),
        pytest.param(("slow",), FAST, False, id="another route's name"),
        pytest.param(("Fast",), FAST, False, id="names have their case"),
        # reached any other way: every target must match
        pytest.param(("openmind/*", "local/*"), FAST, True, id="each target matches"),
        pytest.param(("openmind/*",), FAST, False, id="a failover target does not match"),
        pytest.param(("local/*",), FAST, False, id="the first target does not match"),
        pytest.param(("gpt-4o-mini", "llama"), FAST, True, id="each target by its bare name"),
        pytest.param(("gpt-4o-mini",), FAST, False, id="one by its bare name is not enough"),
        pytest.param(("openmind/gpt-4o-mini", "llama"), FAST, True, id="one each way"),
        # a bare name
        pytest.param(("gpt-4o",), GPT, True, id="a bare name"),
        pytest.param(("openmind/gpt-4o",), GPT, True, id="a bare name, allowed with its prefix"),
        pytest.param(("gpt-4o",), PREFIXED, True, id="a prefixed name, allowed bare"),
        pytest.param(("gpt-*",), GPT, True, id="a pattern of bare names"),
        pytest.param(("openmind/gpt-*",), PREFIXED, True, id="a pattern with a prefix"),
        pytest.param(("openmind",), GPT, False, id="an upstream's name alone is no pattern of it"),
        pytest.param(("local/*",), GPT, False, id="another upstream"),
        pytest.param(("gpt-4",), GPT, False, id="a prefix of the name is not the name"),
        pytest.param(("fast",), GPT, False, id="a route that has it as target, asked directly"),
        # upstream/* covers whatever that upstream serves, under any name
        pytest.param(("local/*",), DEFAULTED, True, id="upstream/*: a name nobody listed"),
        pytest.param(("openmind/*",), DEEP, True, id="upstream/*: a name with slashes"),
        pytest.param(("openmind/gemini/*",), DEEP, True, id="a provider's own"),
        pytest.param(("openmind/xai/*",), DEEP, False, id="another provider's"),
        pytest.param(("*",), FAST, True, id="a star is everything"),
        pytest.param(
            ("openai/*",),
            route("m", "router/openai/gpt-4o"),
            False,
            id="S15: a router's bare name does not pass for an upstream of that name",
        ),
        # a name that is not of the configuration brings nothing along
        pytest.param(
            ("m",), route("m", "local/other"), False, id="a name is no route unless configured"
        ),
        pytest.param(
            ("m",), route("m", "local/other", is_named=True), True, id="and is one when it is"
        ),
    ],
)
def test_may_a_key_use_it(models, asked, may):
    assert may is Permissions(UPSTREAMS).may_use(Principal("k", models), asked)


@pytest.mark.parametrize(
    ("models", "team_models", "asked", "may"),
    [
        pytest.param((), (), GPT, True, id="neither has patterns"),
        pytest.param(("gpt-*",), ("*",), GPT, True, id="both let it"),
        pytest.param((), ("gpt-*",), GPT, True, id="the team's alone let it"),
        pytest.param((), ("llama",), GPT, False, id="the team's alone do not"),
        pytest.param(("gpt-*",), ("llama",), GPT, False, id="the key's let it, its team's do not"),
        pytest.param(("llama",), ("gpt-*",), GPT, False, id="the team's let it, the key's do not"),
        pytest.param(("fast",), ("openmind/*", "local/*"), FAST, True, id="each in its own way"),
        pytest.param(
            ("fast",), ("openmind/*",), FAST, False, id="a failover target is not the team's"
        ),
        pytest.param(
            ("openmind/*", "local/*"), ("fast",), FAST, True, id="the route is the team's"
        ),
    ],
)
def test_s15_key_and_team_must_both_let_it(models, team_models, asked, may):
    permissions = Permissions(UPSTREAMS)
    caller = Principal("k", models, team_models=team_models)

    assert [may, may] == [permissions.may_use(caller, asked) for _ in range(2)]


def test_the_same_patterns_of_key_and_team_are_two_questions():
    permissions = Permissions(UPSTREAMS)
    callers = (
        Principal("k", ("gpt-*",)),
        Principal("k", team_models=("gpt-*",)),
        Principal("k", ("gpt-*",), team_models=("x",)),
    )

    assert [True, True, False] == [permissions.may_use(caller, GPT) for caller in callers]


def test_f17_only_a_key_for_all_resources_touches_what_others_made():
    require_all_resources(Principal("k", resources="all"))

    with pytest.raises(PermissionDenied) as caught:
        require_all_resources(Principal("k", resources="own"))

    assert (403, "insufficient_permissions") == (caught.value.status, caught.value.code)


def test_what_is_remembered_is_bounded_and_stays_right():
    permissions = Permissions(UPSTREAMS)
    key = Principal("k", ("gpt-*",))

    for number in range(10_000):
        name = f"gpt-{number}" if number % 2 else f"llama-{number}"
        asked = route(name, f"openmind/{name}")
        assert [bool(number % 2)] * 2 == [permissions.may_use(key, asked) for _ in range(2)]

    assert len(permissions._known) <= 4096


def test_r4_a_long_name_of_a_clients_own_is_judged_and_not_kept():
    permissions = Permissions(UPSTREAMS)
    name = "gpt-" + "x" * 10_000

    may = permissions.may_use(Principal("k", ("gpt-*",)), route(name, f"openmind/{name}"))

    assert (True, {}) == (may, permissions._known)
