"""Which upstream serves a name: each rule of architecture 5 wins over the next (K6, F14, G8, U1)."""

import pytest

from app.domain.configuration import RouteEntry
from app.domain.errors import InvalidRequest, ModelNotFound, UnsupportedEndpoint, unknown_model
from app.domain.routes import OTHER, Deployment
from app.routing.catalogue import Catalogue
from app.routing.table import Operation, RoutingTable
from app.upstreams.discovery import DiscoveredModel
from app.upstreams.model_requests import ModelList
from tests.fakes.upstreams import upstream_of

CHAT = Operation("chat.create", "POST /v1/chat/completions")
SPEECH = Operation("audio.speech", "POST /v1/audio/speech")
HEARING = Operation("audio.transcriptions", "POST /v1/audio/transcriptions")
DELETE = Operation("models.delete", "DELETE /v1/models/{model}")


def table_of(default: str | None = "fallback") -> RoutingTable:
    """Upstreams that compete for names at every rule."""
    upstreams = {
        one.name: one
        for one in (
            upstream_of("4minds"),
            upstream_of("minds"),
            upstream_of("openmind"),
            upstream_of("openai", name="local", models=("listed", "llama-*")),
            upstream_of("openai", name="second", models=("listed", "claimed-*")),
            upstream_of("openai", name="fallback"),
        )
    }
    routes = (
        RouteEntry("fast", ("openmind/gpt-4o-mini", "local/llama-3")),
        RouteEntry("gpt-4", ("local/big",)),
        RouteEntry("listed-alias", ("second/listed",)),
        RouteEntry("claude-*", ("local/claude",)),
        RouteEntry("claude-3*", ("second/claude",)),
        RouteEntry("grok-2-latest", ("local/grok",)),
        RouteEntry("disc", ("second/disc",)),
    )
    catalogue = Catalogue(upstreams.values())
    rows = {
        "local": ("disc", "found", "gpt-found", "4minds-found"),
        "minds": ("Sales_Mind",),
        "second": ("found", "minds/odd"),
    }
    for name, ids in rows.items():
        models = tuple(DiscoveredModel(one, 0, name) for one in ids)
        catalogue.replace(name, ModelList(models, "/models"))
    return RoutingTable(upstreams, routes, default, catalogue)


def served(name: str, pin: str | None = None, default: str | None = "fallback") -> list[str]:
    route = table_of(default).resolve(name, operation=CHAT, pin=pin)
    return [f"{one.upstream}/{one.model}" for one in route.deployments]


@pytest.mark.parametrize(
    ("name", "pin", "result"),
    [
        # 1, 2: a pin
        pytest.param("fast", "minds", ["minds/fast"], id="1 over 4: a pin over a route"),
        pytest.param("local/x", "minds", ["minds/local/x"], id="1 over 3: another's prefix stays"),
        pytest.param("minds/x", "minds", ["minds/x"], id="1: its own prefix is cut"),
        pytest.param("minds/minds/x", "minds", ["minds/minds/x"], id="1: and cut once"),
        pytest.param("disc", "fallback", ["fallback/disc"], id="1 over 5: a pin over a catalogue"),
        pytest.param("gpt-4o", "4minds", ["4minds/gpt-4o"], id="1 over 6: a pin over a pattern"),
        pytest.param("anything", "local", ["local/anything"], id="1 over 7"),
        # 3: upstream/model
        pytest.param("local/fast", None, ["local/fast"], id="3 over 4"),
        pytest.param("fallback/found", None, ["fallback/found"], id="3 over 5"),
        pytest.param("minds/odd", None, ["minds/odd"], id="3 over 5: though another lists the name"),
        pytest.param("local/gpt-4o", None, ["local/gpt-4o"], id="3 over 6"),
        pytest.param("openmind/gemini/x", None, ["openmind/gemini/x"], id="3: one segment is cut"),
        # 4: a route or alias
        pytest.param("fast", None, ["openmind/gpt-4o-mini", "local/llama-3"], id="4: in order"),
        pytest.param("disc", None, ["second/disc"], id="4 over 5"),
        pytest.param("gpt-4", None, ["local/big"], id="4 over 6"),
        pytest.param("grok-2-latest", None, ["local/grok"], id="4 over 5 and 6"),
        pytest.param("claude-3-opus", None, ["local/claude"], id="4: the first pattern of two"),
        pytest.param("claude-", None, ["local/claude"], id="4: a pattern's star may be empty"),
        # 5: a catalogue
        pytest.param("gpt-found", None, ["local/gpt-found"], id="5 over 6: discovered"),
        pytest.param("4minds-found", None, ["local/4minds-found"], id="5 over 6: 4minds' too"),
        pytest.param("listed", None, ["local/listed"], id="5: of two, the first configured"),
        pytest.param("found", None, ["local/found"], id="5: the same for discovered ones"),
        pytest.param("sales_mind", None, ["minds/sales_mind"], id="5: a Mind in any case, as written"),
        pytest.param("FOUND", None, ["fallback/FOUND"], id="5: other names have their case"),
        pytest.param("gpt-4o", None, ["openmind/gpt-4o"], id="5: OpenMind's own table"),
        # 6: patterns
        pytest.param("gpt-9", None, ["openmind/gpt-9"], id="6 over 7: OpenMind claims gpt-*"),
        pytest.param("o1-mini", None, ["openmind/o1-mini"], id="6: o1*"),
        pytest.param("o3", None, ["openmind/o3"], id="6: o3*"),
        pytest.param("o4-x", None, ["openmind/o4-x"], id="6: o4*"),
        pytest.param("deepseek-x", None, ["openmind/deepseek-x"], id="6: deepseek-*"),
        pytest.param("gemini-x", None, ["openmind/gemini-x"], id="6: gemini-*"),
        pytest.param("grok-x", None, ["openmind/grok-x"], id="6: grok-*"),
        pytest.param("4minds-x", None, ["4minds/4minds-x"], id="6: 4minds claims 4minds-*"),
        pytest.param("llama-3", None, ["local/llama-3"], id="6: an entry's pattern"),
        pytest.param("claimed-x", None, ["second/claimed-x"], id="6: the other entry's"),
        # 7: the default
        pytest.param("whatever", None, ["fallback/whatever"], id="7"),
        pytest.param("o2", None, ["fallback/o2"], id="7: what no pattern claims"),
        pytest.param("nobody/x", None, ["fallback/nobody/x"], id="7: a prefix of nobody"),
        pytest.param("local/", None, ["fallback/local/"], id="7: a prefix without a name"),
    ],
)  # fmt: skip
def test_who_serves_a_name(name, pin, result):
    assert result == served(name, pin)


@pytest.mark.parametrize(
    ("name", "operation", "result"),
    [
        pytest.param("tts-1", SPEECH, "openmind/tts-1", id="OpenAI's voice"),
        pytest.param("eleven_v3", SPEECH, "openmind/eleven_v3", id="ElevenLabs' own"),
        pytest.param("elevenlabs/eleven_v3", SPEECH, "openmind/elevenlabs/eleven_v3", id="its maker"),
        pytest.param("whisper-1", HEARING, "openmind/whisper-1", id="OpenAI's ears"),
        pytest.param("google/chirp_3", HEARING, "openmind/google/chirp_3", id="Google's"),
        pytest.param("riva", HEARING, "openmind/riva", id="Riva"),
        pytest.param("found", SPEECH, "local/found", id="5 over 6 here too"),
        pytest.param("tts-1", CHAT, "fallback/tts-1", id="not on chat"),
        pytest.param("google/chirp_3", CHAT, "fallback/google/chirp_3", id="and nobody's maker there"),
        pytest.param("whatever", SPEECH, "fallback/whatever", id="7 here too"),
    ],
)  # fmt: skip
def test_g8_on_audio_routes_openmind_claims_more(name, operation, result):
    route = table_of().resolve(name, operation=operation, pin=None)

    assert [result] == [f"{one.upstream}/{one.model}" for one in route.deployments]


@pytest.mark.parametrize("name", ["whatever", "nobody/x", "GPT-4O", "local/"])
def test_without_a_default_it_is_404(name):
    with pytest.raises(ModelNotFound) as caught:
        served(name, default=None)

    assert (404, "model_not_found") == (caught.value.status, caught.value.code)
    assert f"`{name}`" in caught.value.message


def test_a_pin_to_nobody_is_400_and_names_who_there_is():
    with pytest.raises(InvalidRequest, match="local"):
        served("m", pin="nobody")


@pytest.mark.parametrize(
    ("name", "pin"), [("m", "minds"), ("minds/m", None), ("openmind/gpt-4o", None)]
)
def test_g8_a_pin_to_one_that_cannot_is_404_unsupported(name, pin):
    with pytest.raises(UnsupportedEndpoint) as caught:
        table_of().resolve(name, operation=DELETE, pin=pin)

    assert caught.value.should_retry is False
    assert DELETE.words in caught.value.message


def test_g8_who_cannot_is_not_looked_at():
    """OpenMind lists gpt-4o and claims gpt-*, but deletes nothing: the default does."""
    route = table_of().resolve("gpt-4o", operation=DELETE, pin=None)

    assert [one.upstream for one in route.deployments] == ["fallback"]


def test_g8_of_a_route_only_the_targets_that_can_are_left():
    route = table_of().resolve("fast", operation=DELETE, pin=None)

    assert [one.upstream for one in route.deployments] == ["local"]


def test_u1_a_route_of_which_nobody_can_is_404_unsupported():
    upstreams = {"minds": upstream_of("minds")}
    routes = (RouteEntry("sales", ("minds/sales",)),)
    table = RoutingTable(upstreams, routes, None, Catalogue(upstreams.values()))

    for name in ("sales", "other"):
        with pytest.raises(UnsupportedEndpoint):
            table.resolve(name, operation=DELETE, pin=None)


@pytest.mark.parametrize(
    ("name", "is_named"),
    [("fast", True), ("claude-x", True), ("local/fast", False), ("found", False), ("zzz", False)],
)
def test_a_route_says_whether_the_configuration_named_it(name, is_named):
    assert is_named is table_of().resolve(name, operation=CHAT, pin=None).is_named


@pytest.mark.parametrize(
    ("name", "pin", "label"),
    [
        pytest.param("fast", None, "gpt-4o-mini", id="configured as a target"),
        pytest.param("found", None, "found", id="discovered"),
        pytest.param("listed", None, "listed", id="listed in the file"),
        pytest.param("gpt-9", None, OTHER, id="only claimed by a pattern"),
        pytest.param("made-up", None, OTHER, id="only the default's"),
        pytest.param("made-up", "local", OTHER, id="made up under a pin"),
        pytest.param("local/made-up", None, OTHER, id="made up under a prefix"),
        pytest.param("local/found", None, "found", id="known under a prefix"),
    ],
)
def test_s22_the_label_of_a_name_is_bounded(name, pin, label):
    route = table_of().resolve(name, operation=CHAT, pin=pin)

    assert label == route.deployments[0].label


def test_the_names_of_the_file_are_its_routes_without_wildcards():
    table = table_of()

    assert ("fast", "gpt-4", "listed-alias", "grok-2-latest", "disc") == table.names
    assert table.named("gpt-4").deployments == (Deployment("local", "big", "big"),)


@pytest.mark.parametrize(
    ("name", "pin", "is_settled"),
    [
        ("fast", None, True),
        ("anything", "local", True),
        ("local/anything", None, True),
        ("listed", None, True),
        ("unknown", None, False),
    ],
)
def test_what_no_catalogue_to_come_could_change(name, pin, is_settled):
    upstreams = {"local": upstream_of("openai", name="local", models=("listed",))}
    catalogue = Catalogue(upstreams.values())
    catalogue.expect("local")
    table = RoutingTable(upstreams, (RouteEntry("fast", ("local/x",)),), None, catalogue)

    assert is_settled is table.is_settled(name, pin)
    catalogue.asked("local")
    assert table.is_settled("unknown", None)


def test_f18_a_huge_name_is_not_repeated_whole():
    assert len(unknown_model("m" * 300_000).message) < 400
