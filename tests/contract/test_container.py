"""The image, the compose file and the scrape: held by their own linters, and to each other."""

import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config.loading import load_configuration

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.executable).parent


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / command[0]), *command[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def stages() -> list[list[str]]:
    """The instructions of the Dockerfile, joined over line ends, one list per stage."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    lines = [
        line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")
    ]
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(" ".join(line.split()))
    return found


@pytest.fixture
def gateway() -> dict[str, Any]:
    service: dict[str, Any] = load("docker-compose.yml")["services"]["gateway"]
    return service


@pytest.fixture
def scrape() -> dict[str, Any]:
    jobs = {job["job_name"]: job for job in load("config/prometheus.yml")["scrape_configs"]}
    job: dict[str, Any] = jobs["mindgate"]
    return job


def test_the_dockerfile_passes_its_linter():
    lint = run("hadolint", "--failure-threshold", "style", "Dockerfile")

    assert (lint.stdout, lint.returncode) == ("", 0)


def test_the_compose_file_follows_the_specification():
    check = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")

    assert check.returncode == 0, check.stdout + check.stderr


def test_the_image_runs_without_root_and_starts_the_gateway():
    final = stages()[-1]

    assert [line for line in final if line.startswith("USER ")] == ["USER 65532:65532"]
    assert "EXPOSE 8080" in final
    assert final[-2:] == [
        'ENTRYPOINT ["mindgate"]',
        'CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]',
    ]
    assert any(line.startswith("HEALTHCHECK ") and "/healthz" in line for line in final)


def test_only_hashed_packages_reach_the_image_and_pip_does_not():
    build, final = ["\n".join(stage) for stage in stages()]
    installs = [part for part in build.replace("\n", " && ").split(" && ") if " install " in part]

    assert installs
    assert [
        part for part in installs if "--require-hashes" not in part and "--no-index" not in part
    ] == []
    assert "install" not in final.replace("pip* ", "")
    assert "rm -rf /usr/local/bin/pip*" in final


def test_secrets_stay_out_of_the_build_and_what_the_build_needs_is_let_in():
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and line[0] != "#"
    ]
    allowed = [line[1:] for line in rules if line.startswith("!")]
    copied = [
        source for line in stages()[0] if line.startswith("COPY ") for source in line.split()[1:-1]
    ]

    assert rules[0] == "*"
    assert sorted(copied) == sorted(allowed)
    assert not [
        name
        for name in (".env", "config/mindgate.yaml", ".git")
        if any(fnmatch(name, rule) for rule in allowed)
    ]


@pytest.mark.parametrize("name", ["gateway", "prometheus"])
def test_a_service_can_do_no_more_than_it_must(name):
    service = load("docker-compose.yml")["services"][name]

    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert not service.get("privileged")


def test_the_gateway_cannot_write_and_reads_the_configuration(gateway):
    assert gateway["read_only"] is True
    assert "./config:/srv/mindgate/config:ro" in gateway["volumes"]
    assert "WORKDIR /srv/mindgate" in stages()[-1]


def test_what_the_gateway_keeps_lies_in_its_one_volume(gateway):
    final = stages()[-1]
    loaded = load_configuration(
        environment={
            "OPENMIND_API_KEY": FILLED_IN["OPENMIND_API_KEY"],
            "MINDGATE_STORAGE__URL": gateway["environment"]["MINDGATE_STORAGE__URL"],
        },
        dotenv=None,
    )
    kept = loaded.storage

    assert kept is not None
    assert {Path("/var/lib/mindgate")} == {kept.journal.parent, kept.pepper_file.parent}
    assert "sqlite:////var/lib/mindgate/mindgate.db" == kept.url.get_secret_value()
    assert "mindgate-data:/var/lib/mindgate" in gateway["volumes"]
    assert "mindgate-data" in load("docker-compose.yml")["volumes"]
    assert [line for line in final if line.startswith("VOLUME")] == ["VOLUME /var/lib/mindgate"]


def test_the_image_alone_can_write_its_volume_on_a_read_only_root():
    final = "\n".join(stages()[-1])

    assert "MINDGATE_STORAGE__URL=sqlite:////var/lib/mindgate/mindgate.db" in final
    assert "chown 65532:65532 /var/lib/mindgate" in final.partition("VOLUME")[0]


def test_the_drain_fits_into_the_grace_period(gateway):
    drain = int(gateway["environment"]["MINDGATE_SERVER__DRAIN_SECONDS"])

    assert drain < int(gateway["stop_grace_period"].removesuffix("s"))


def test_every_variable_of_the_compose_file_is_in_the_example_and_empty_there():
    lines = [
        line for line in (ROOT / ".env.example").read_text().splitlines() if line and line[0] != "#"
    ]
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    asked = {word.partition(":?")[0] for word in compose.replace("$${", "").split("${")[1:]}
    passed = {
        name
        for name, value in load("docker-compose.yml")["services"]["gateway"]["environment"].items()
        if value is None
    }

    assert passed == {
        *("FOURMINDS_API_KEY", "MINDS_API_KEY", "OPENMIND_API_KEY"),
        "MINDGATE_ADMIN_KEY",
    }
    assert sorted(f"{name}=" for name in asked | passed) == sorted(lines)


# What a person fills in before `docker compose up`; made up, and as long as the gateway demands.
FILLED_IN = {
    "OPENMIND_API_KEY": "om-0123456789abcdef",
    "GATEWAY_KEY": "gate-0123456789abcdef",
    "MINDGATE_SERVER__METRICS_TOKEN": "metrics-0123456789abcdef",
}


def as_compose_sees_it(name: str, value: str | None) -> str:
    """The value of a variable in the container, as far as our file uses what compose can do."""
    if value is None or value.startswith("${"):
        return FILLED_IN.get(name, "")
    return value.replace("$$", "$")


def test_the_compose_file_needs_no_configuration_file(gateway, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = {
        name: as_compose_sees_it(name, value) for name, value in gateway["environment"].items()
    }

    loaded = load_configuration(
        environment=environment,
        dotenv=None,
        overrides={"server.host": "0.0.0.0"},  # noqa: S104
    )

    assert [upstream.name for upstream in loaded.upstreams] == ["openmind"]
    assert [key.key.get_secret_value() for key in loaded.keys] == [FILLED_IN["GATEWAY_KEY"]]
    assert loaded.server.metrics_token is not None


def test_the_env_file_of_the_compose_file_serves_make_run_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in FILLED_IN.items():
        example = example.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    (tmp_path / ".env").write_text(example, encoding="utf-8")

    loaded = load_configuration(environment={}, dotenv=tmp_path / ".env")

    assert [upstream.name for upstream in loaded.upstreams] == ["openmind"]


def test_prometheus_shows_the_token_that_the_gateway_asks_for(scrape):
    compose = load("docker-compose.yml")
    secret = Path(scrape["authorization"]["credentials_file"])

    assert scrape["authorization"]["type"] == "Bearer"
    assert secret.parent == Path("/run/secrets")
    assert compose["services"]["prometheus"]["secrets"] == [secret.name]
    assert (
        compose["secrets"][secret.name]["environment"]
        in compose["services"]["gateway"]["environment"]
    )


def test_prometheus_can_be_given_a_secret(scrape):
    # compose copies a secret of the environment into the container: not into a read-only one
    prometheus = load("docker-compose.yml")["services"]["prometheus"]

    assert not prometheus.get("read_only")


def test_prometheus_scrapes_the_gateway_of_the_compose_file(scrape):
    assert scrape["metrics_path"] == "/metrics"
    assert scrape["static_configs"] == [{"targets": ["gateway:8080"]}]
    assert (
        "./config/prometheus.yml:/etc/prometheus/prometheus.yml:ro"
        in load("docker-compose.yml")["services"]["prometheus"]["volumes"]
    )
