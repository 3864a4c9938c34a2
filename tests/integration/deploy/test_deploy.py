"""What takes packages from a registry, or a Kafka: schemas of Compose and Kubernetes, the image's steps, its broker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
import yaml

from tests.kafka.fixtures import NO_KAFKA
from tests.kafka.jars import KafkaUnavailableError, find_kafka

ROOT = Path(__file__).parents[3]
# In an environment of their own: one needs a click that Faust cannot have.
TOOLS = ("check-jsonschema==0.39.0", "kubernetes-validate==1.37.0")
# pip's words for it; that a package is missing is a fault of ours.
UNREACHABLE = re.compile(r"connection broken|establish a new connection|timed out", re.IGNORECASE)


def run(*command: str | Path, cwd: Path = ROOT, path: Path | None = None) -> str:
    """Run a command, with *path* before all other folders of programs; return what it printed."""
    environment = os.environ | ({"PATH": f"{path}:{os.environ['PATH']}"} if path else {})
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("NO REGISTRY: the packages cannot be had")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tools(request: pytest.FixtureRequest) -> Path:
    """The folder of the programs; kept between sessions."""
    folder = request.config.cache.mkdir("deploy-tools") / "-".join(TOOLS)
    if not (folder / "ready").exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(folder / "bin" / "pip", "install", "--quiet", *TOOLS)
        (folder / "ready").touch()
    return folder / "bin"


def test_the_compose_file_keeps_to_the_compose_specification(tools: Path) -> None:
    run(tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


def test_a_misspelt_key_of_compose_would_be_found(tools: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "docker-compose.yml"
    spoilt.write_text((ROOT / "docker-compose.yml").read_text().replace("healthcheck:", "healthchek:", 1))
    with pytest.raises(AssertionError, match="healthchek"):
        run(tools / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", spoilt)


def test_the_manifests_keep_to_the_schemas_of_kubernetes(tools: Path) -> None:
    files = [file for file in (ROOT / "deploy/kubernetes").glob("*.yaml") if file.name != "kustomization.yaml"]
    run(tools / "kubernetes-validate", "--strict", "--quiet", "--no-warn", *files)


def test_the_steps_of_the_image_give_a_command_that_works_without_the_sources(tmp_path: Path) -> None:
    """The Dockerfile's own RUN and COPY lines, in folders of this test; its base image alone is another."""
    base, work = tmp_path / "base", tmp_path / "src"
    run(sys.executable, "-m", "venv", base)
    work.mkdir()
    places = {"/wheels": tmp_path / "wheels", "/opt/deskpulse": tmp_path / "opt"}
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / "deploy/Dockerfile").read_text())
    for inside, outside in places.items():
        text = text.replace(inside, str(outside))
    for step, rest in re.findall(r"^(COPY|RUN) (?:--mount=\S+ )?(.+)$", text, re.MULTILINE):
        if step == "COPY":
            *sources, _ = rest.split()
            for source in sources:
                _copy(ROOT / source, work / Path(source).name)
            continue
        run("bash", "-ec", rest, cwd=work, path=base / "bin")
    command = places["/opt/deskpulse"] / "bin" / "deskpulse"
    shutil.rmtree(work)
    assert run(command, "--help", cwd=tmp_path).startswith("usage: deskpulse")
    assert ": fine" in run(command, "config", "check", ROOT / "deploy/deskpulse.toml", cwd=tmp_path)
    packages = tmp_path / "opt" / "lib"
    assert list(packages.rglob("stream/board/static/*"))
    assert not list(packages.rglob("pytest"))


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


@pytest.mark.kafka
def test_kafka_takes_the_settings_of_its_container(tmp_path: Path) -> None:
    """As the image does it: KAFKA_A_B becomes a.b, and the storage is formatted with that."""
    try:
        install = find_kafka()
    except KafkaUnavailableError as error:
        pytest.skip(f"{NO_KAFKA}: {error}")
    environment = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["kafka"]["environment"]
    settings = {name.removeprefix("KAFKA_").lower().replace("_", "."): value for name, value in environment.items()}
    assert settings["log.dirs"] == "/var/lib/kafka/data"  # where compose mounts the volume
    settings["log.dirs"] = str(tmp_path / "data")
    properties = tmp_path / "server.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    cluster = urlsafe_b64encode(bytes(range(16))).decode().rstrip("=")
    format_ = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)]
    said = run(install.java, "-cp", install.classpath, *format_, cwd=tmp_path)
    assert "Formatting" in said
