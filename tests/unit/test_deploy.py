"""What stands in deploy/ and docker-compose.yml is accepted by the programs that read it, and hangs together.

No container is started here: the engine, the images and a cluster are what these tests cannot stand for.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

import pytest
import yaml

from stream.board.server import PORT
from stream.cli.main import build_parser
from stream.generate.inputs import RuleInputs
from stream.generate.kubernetes import kubernetes_files
from tests.support.data import deskpulse

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ENV = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env").read_text(), re.MULTILINE))
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(Template(COMPOSE_TEXT).substitute(ENV))
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("deskpulse:")}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
MANIFESTS = {
    (manifest["kind"], manifest["metadata"]["name"]): manifest
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    if file.name != "kustomization.yaml"
    for manifest in yaml.safe_load_all(file.read_text())
}
STATEFUL_SET = MANIFESTS["StatefulSet", "deskpulse"]
(WORKER,) = STATEFUL_SET["spec"]["template"]["spec"]["containers"]


def accepted(tool: str, package: str, *arguments: str | Path) -> None:
    """Have a program of Debian's judge a file that it will read."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"NO {tool.upper()}: Debian's package {package} has it")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", [DEPLOY, DEPLOY / "kubernetes"], ids=["compose", "kubernetes"])
def test_the_worker_takes_its_configuration(folder):
    done = deskpulse("config", "check", folder / "deskpulse.toml")
    assert done.returncode == 0, done.stderr


def test_prometheus_takes_its_configuration():
    accepted("promtool", "prometheus", "check", "config", DEPLOY / "prometheus" / "prometheus.yml")


def test_alertmanager_takes_its_configuration():
    accepted("amtool", "prometheus-alertmanager", "check-config", DEPLOY / "alertmanager" / "alertmanager.yml")


def test_compose_finds_all_its_variables_in_the_environment_file_and_uses_each():
    assert set(re.findall(r"\$\{(\w+)\}", COMPOSE_TEXT)) == set(ENV)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_to_a_version(name):
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_a_port_is_open_to_this_machine_only():
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(published) == len(set(published)) == 4
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if "restart" in service])
def test_what_keeps_running_is_watched_or_has_no_port(name):
    assert "healthcheck" in SERVICES[name] or name == "simulator"


def test_a_folder_or_file_that_is_mounted_is_there():
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", ())]
    for mount in mounts:
        assert mount in COMPOSE["volumes"] if not mount.startswith("./") else (ROOT / mount).exists(), mount


@pytest.mark.parametrize("name", OURS)
def test_a_command_of_compose_is_one_of_ours(name):
    build_parser().parse_args(OURS[name]["command"])


@pytest.mark.parametrize("name", [name for name in OURS if name.startswith("deskpulse")])
def test_a_worker_says_that_it_answers_under_its_own_name(name):
    assert OURS[name]["environment"]["DESKPULSE_ADVERTISED_URL"] == f"http://{name}:{PORT}"
    assert OURS[name]["read_only"]


def test_prometheus_scrapes_every_worker_and_reports_to_alertmanager():
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    (scraped,) = jobs["deskpulse"]["static_configs"]
    assert scraped["targets"] == [f"{name}:{PORT}" for name in OURS if name.startswith("deskpulse")]
    (reported,) = config["alerting"]["alertmanagers"]
    assert reported["static_configs"] == [{"targets": ["alertmanager:9093"]}]


def test_grafana_reads_from_prometheus_and_its_dashboards_from_where_compose_puts_them():
    provisioning = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert urlsplit(source["url"]).hostname in SERVICES
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "deskpulse.yml").read_text())["providers"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]


def test_the_image_runs_as_nobody_in_particular_without_a_shell():
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\d+):\d+$", last, re.MULTILINE)
    assert int(user) > 0
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", last, re.MULTILINE)
    assert json.loads(entry)
    assert len(set(re.findall(r"^FROM (\S+:[\d.]+-\S+)", DOCKERFILE, re.MULTILINE))) == 1


def test_the_image_gets_what_it_copies():
    copied = [
        path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for path in line.split()
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert set(copied) == let_in
    assert all((ROOT / path).exists() for path in copied)


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def test_the_image_holds_the_tested_versions_of_what_we_depend_on_and_nothing_of_our_tools():
    image, tested = pins(DEPLOY / "requirements.lock"), pins(ROOT / "requirements.lock")
    assert image.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {re.match(r"[a-z0-9-]+", one)[0] for one in project["dependencies"]} <= set(image)
    assert not {"pytest", "ruff", "mypy"} & set(image)


def test_the_cluster_loads_the_rules_that_were_tested():
    for path, text in kubernetes_files(RuleInputs()).items():
        assert (ROOT / path).read_text() == text
    rules = {
        group["name"]: group
        for file in (DEPLOY / "prometheus" / "rules").glob("*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
    }
    loaded = MANIFESTS["PrometheusRule", "deskpulse"]["spec"]["groups"]
    assert {group["name"]: group for group in loaded} == rules


def test_everything_in_the_cluster_means_the_pods_of_the_workers():
    labels = STATEFUL_SET["spec"]["template"]["metadata"]["labels"]
    for (kind, name), manifest in MANIFESTS.items():
        selector = manifest["spec"].get("selector")
        if selector is not None:
            assert selector.get("matchLabels", selector) == labels, (kind, name)


def test_a_pod_runs_a_worker_as_nobody_in_particular_on_a_read_only_root():
    build_parser().parse_args(WORKER["args"])
    assert WORKER["securityContext"]["readOnlyRootFilesystem"]
    assert not WORKER["securityContext"]["allowPrivilegeEscalation"]
    assert STATEFUL_SET["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]
    assert [port["containerPort"] for port in WORKER["ports"]] == [PORT]


def test_a_pod_is_a_static_member_of_the_group_under_its_own_name():
    environment = {one["name"]: one.get("value") for one in WORKER["env"]}
    assert environment["DESKPULSE_INSTANCE_ID"] == "$(POD_NAME)"
    assert environment["DESKPULSE_ADVERTISED_URL"] == f"http://$(POD_NAME).{STATEFUL_SET['spec']['serviceName']}:{PORT}"
    assert MANIFESTS["Service", STATEFUL_SET["spec"]["serviceName"]]["spec"]["clusterIP"] == "None"


def test_alive_is_asked_of_livez_and_ready_of_readyz():
    asked = {probe: WORKER[probe]["httpGet"]["path"] for probe in WORKER if probe.endswith("Probe")}
    assert asked == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}


def test_kustomize_makes_one_document_of_every_manifest():
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("NO KUBECTL: it has kustomize in it")
    command = [kubectl, "kustomize", DEPLOY / "kubernetes"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = {manifest["kind"] for manifest in yaml.safe_load_all(done.stdout)}
    assert made == {kind for kind, _ in MANIFESTS} | {"ConfigMap"}
