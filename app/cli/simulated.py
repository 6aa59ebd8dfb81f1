"""What `demo` and `simulate` print: everything there is to try."""

from pydantic import SecretStr

from app.cli.presentation import show
from app.domain.configuration import Configuration
from app.main.demo import EXAMPLE_MODELS
from app.simulators.keys import KEYS, SOCKETS
from app.simulators.server import Simulators

_UPLOAD = (
    "curl {base_url}/files -H 'Authorization: Bearer {key}' "
    "-F purpose=fine-tune -F 'file=@-;filename=data.jsonl' -F '4minds={{\"dataset_name\": \"Mine\"}}'"
)
_SPEECH = (
    """echo '{{"model": "tts-1", "voice": "alloy", "input": "Hello"}}' | curl {base_url}/audio/speech """
    "-H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d @- -o hello.mp3"
)
_QUESTION = '[{"role": "user", "content": "Hello"}]'


def announce_demo(configuration: Configuration, base_url: str, made_key: SecretStr | None) -> None:
    """The base URL, the keys, and a line to try for each upstream."""
    key = made_key.get_secret_value() if made_key is not None else ""
    admin_key = configuration.admin_key.get_secret_value() if configuration.admin_key else ""
    root = base_url.removesuffix("/v1")
    lines = [
        "Mindgate demo: every upstream is simulated and nothing leaves this machine.",
        "",
        f"base URL  {base_url}",
        f"API key   {key}",
        f"admin key {admin_key}",
        "",
    ]
    lines += [_curl(base_url, key, model) for model in EXAMPLE_MODELS.values()]
    lines += ["", f"echo '{{}}' | {_UPLOAD.format(base_url=base_url, key=key)}"]
    lines += [_SPEECH.format(base_url=base_url, key=key)]
    lines += ["", f"mindgate usage --url {root} --admin-key {admin_key}"]
    lines += ["", f"Browse the API at {root}/docs. Stop with Ctrl-C."]
    show(lines)


def announce_simulators(simulators: Simulators) -> None:
    """Where each simulated upstream is, and the key it takes."""
    show(
        ["Simulated upstreams:"]
        + [f"  {name:9} {simulators.base_url(name):45} key {key}" for name, key in KEYS.items()]
        + [
            f"  {name:9} {simulators.socket_url(name):45} key {KEYS['openmind']}, as ?api_key="
            for name in SOCKETS
        ]
    )


def _curl(base_url: str, key: str, model: str) -> str:
    body = f'{{"model": "{model}", "stream": true, "messages": {_QUESTION}}}'
    return (
        f"curl -N {base_url}/chat/completions -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
