"""What is under deploy/, the Dockerfile and compose.yaml: linted, held against their schemas, and locked down."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from officepro.settings import declarations

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml")
KUBERNETES = ("1.30", "1.37")  # the oldest and the newest that we say anything about
SCRIPTS = [*sorted(DEPLOY.rglob("*.sh")), DEPLOY / "systemd" / "officepro-admin"]
Manifest = dict[str, Any]


def tool(name: str, *arguments: str) -> None:
    done = subprocess.run([TOOLS / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def manifests() -> Iterator[Manifest]:
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def pods() -> dict[str, Manifest]:
    """What each workload says of its pods."""
    return {
        one["metadata"]["name"]: one["spec"]["template"] for one in manifests() if one["kind"] in ("Deployment", "Job")
    }


def services() -> dict[str, Manifest]:
    found: dict[str, Manifest] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return found


def test_the_dockerfile_is_as_hadolint_wants_it() -> None:
    tool("hadolint", "Dockerfile")


def test_the_scripts_are_as_shellcheck_wants_them() -> None:
    assert len(SCRIPTS) >= 7
    tool("shellcheck", *map(str, SCRIPTS))
    assert [path for path in SCRIPTS if not path.stat().st_mode & 0o111] == []


def test_the_compose_file_follows_the_specification() -> None:
    tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml")


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_manifests_follow_the_schemas_of_kubernetes(version: str) -> None:
    assert {one["kind"] for one in manifests()} >= {
        "Deployment",
        "Job",
        "Service",
        "PodDisruptionBudget",
        "NetworkPolicy",
    }
    for one in manifests():
        kubernetes_validate.validate(one, version, strict=True)


def test_the_kustomization_names_files_that_there_are() -> None:
    named = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())["resources"]
    assert {DEPLOY / "kubernetes" / name for name in named} == {path for path in MANIFESTS if path.stem != "migrate"}


@pytest.mark.parametrize("name", ["officepro-api", "officepro-worker", "officepro-migrate"])
def test_a_pod_is_locked_down(name: str) -> None:
    pod = pods()[name]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "a service named officepro would set OFFICEPRO_PORT"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/run/officepro", "/run/secrets"}


def test_api_and_worker_are_probed_and_only_ready_pods_are_sent_requests() -> None:
    (api,) = pods()["officepro-api"]["spec"]["containers"]
    assert api["livenessProbe"]["httpGet"]["path"] == api["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (worker,) = pods()["officepro-worker"]["spec"]["containers"]
    in_compose = services()["worker"]["healthcheck"]["test"]
    assert in_compose == ["CMD", *(part.replace("$", "$$") for part in worker["livenessProbe"]["exec"]["command"])]


def test_every_pod_has_a_network_policy_and_every_deployment_a_budget() -> None:
    def chosen(kind: str, key: str) -> set[str]:
        return {
            one["spec"][key]["matchLabels"]["app.kubernetes.io/component"] for one in manifests() if one["kind"] == kind
        }

    components = {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods().values()}
    assert chosen("NetworkPolicy", "podSelector") == components
    assert chosen("PodDisruptionBudget", "selector") == {"api", "worker"}
    for one in manifests():
        if one["kind"] == "NetworkPolicy":
            assert sorted(one["spec"]["policyTypes"]) == ["Egress", "Ingress"]


def test_the_secrets_that_pods_mount_are_those_that_are_made() -> None:
    made = set(re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", (DEPLOY / "make-secrets.sh").read_text()))
    for name, pod in pods().items():
        (secrets,) = (volume["secret"] for volume in pod["spec"]["volumes"] if volume["name"] == "secrets")
        keys = {item["key"] for item in secrets["items"]}
        assert keys <= made
        assert ("owner_database_url" in keys) == (name == "officepro-migrate"), "theirs is the application's login"


@pytest.mark.parametrize("name", sorted(services()))
def test_a_service_of_the_compose_file_is_locked_down(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", service["user"])
    assert "healthcheck" in service
    assert ("owner_database_url" in service["secrets"]) == (name == "migrate")
    for variable, value in service["environment"].items():
        if re.search("PASSWORD|SECRET|KEYS|_URL_FILE", variable):
            assert variable.endswith("_FILE")
            assert str(value).startswith("/run/secrets/")
            assert str(value).removeprefix("/run/secrets/") in service["secrets"]


def test_the_compose_file_asks_for_no_secret_that_is_not_made() -> None:
    told = yaml.safe_load((ROOT / "compose.yaml").read_text())
    made = (DEPLOY / "make-secrets.sh").read_text()
    used = {secret for service in told["services"].values() for secret in service["secrets"]}
    assert used == set(told["secrets"])
    assert [secret for secret in used if secret not in made] == []


def test_every_variable_that_is_set_is_a_setting() -> None:
    """One that is misspelt stops the program, on the operator's machine."""
    known = {setting.variable for setting in declarations()}
    known |= {f"{setting.variable}_FILE" for setting in declarations() if setting.secret}
    files = [ROOT / "Dockerfile", ROOT / "compose.yaml", *(path for path in DEPLOY.rglob("*") if path.is_file())]
    pages = [ROOT / "docs" / name for name in ("operating.md", "runbook.md", "upgrading.md")]
    for path in (*files, *pages):
        found = set(re.findall(r"\bOFFICEPRO_[A-Z_]+\b", path.read_text()))
        assert found <= known, f"{path.name}: {sorted(found - known)}"


def test_the_image_takes_no_more_than_the_program() -> None:
    """What is not listed stays outside; the folder of secrets is one of those things."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert taken == {"pyproject.toml", "LICENSE", "requirements/run.txt", "src"}
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert {name for names in copied for name in names.split()} == taken
