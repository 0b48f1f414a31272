"""The chart `deploy/helm/nextcloud-mcp`: manifests for each set of values in `values/`, and refused values."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from nextcloud_mcp.app import create_app
from nextcloud_mcp.settings import Settings, load_settings
from tests.helm.chart import FOLDER, SECONDS, SETS, VALUES, Chart, container, environment

PROOF = "/run/secrets/nextcloud-mcp/proof"


@pytest.mark.parametrize("values", SETS)
def test_lint_strict_passes(chart: Chart, values: str) -> None:
    """`helm lint --strict` reports nothing."""
    done = chart.run("lint", "--strict", str(FOLDER), values=values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("values", SETS)
def test_manifests_match_kubernetes_schemas(chart: Chart, kubeconform: str, schemas: Path, values: str) -> None:
    """Every manifest is valid by its Kubernetes schema, without unknown fields, and none is skipped."""
    summary = _conform(kubeconform, schemas, chart.template(values=values))
    assert summary["valid"] >= 3
    assert summary == {"valid": summary["valid"], "invalid": 0, "errors": 0, "skipped": 0}


def test_unknown_field_is_noticed(chart: Chart, kubeconform: str, schemas: Path) -> None:
    """Control: the validation of the manifests refuses unknown fields."""
    manifests = chart.template().replace("readOnlyRootFilesystem", "readonlyRootFilesystem")
    assert _conform(kubeconform, schemas, manifests)["invalid"] == 1


def _conform(kubeconform: str, schemas: Path, manifests: str) -> dict[str, int]:
    location = str(schemas / "{{.ResourceKind}}{{.KindSuffix}}.json")
    done = subprocess.run(  # noqa: S603 - the tool that is meant, and arguments of ours
        [kubeconform, "-strict", "-summary", "-output", "json", "-schema-location", location],
        input=manifests,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    summary: dict[str, int] = json.loads(done.stdout)["summary"]
    return summary


@pytest.mark.parametrize("values", SETS)
def test_server_starts_with_the_charts_settings(chart: Chart, values: str, tmp_path: Path) -> None:
    """The Deployment's variables are all settings of the server, which starts with them."""
    variables = environment(chart.resources(values=values)["Deployment"])
    (tmp_path / "proof").write_text("a secret of the test's")
    (tmp_path / "ours.png").write_bytes(b"a logo")
    places = {PROOF: str(tmp_path / "proof"), "/organisation/ours.png": str(tmp_path / "ours.png")}
    variables = {name: places.get(value, value) for name, value in variables.items()}
    known = {field.alias for field in Settings.model_fields.values()} | {"SSL_CERT_FILE"}

    assert set(variables) <= known
    settings = load_settings(variables)
    if settings.client_private_key_file is None:  # else it wants a real key
        create_app(settings)
    assert settings.port == container(chart.resources(values=values)["Deployment"])["ports"][0]["containerPort"]


def test_every_server_setting_has_a_value(chart: Chart) -> None:
    """The chart has a value for each setting, except for secrets in variables."""
    reached = {name for values in SETS for name in environment(chart.resources(values=values)["Deployment"])}
    assert {field.alias for field in Settings.model_fields.values()} - reached == {"OIDC_CLIENT_SECRET"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(
            "smallest",
            {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET_FILE": PROOF, "OIDC_CLIENT_PRIVATE_KEY_FILE": None},
            id="exchange-with-a-secret",
        ),
        pytest.param(
            "full",
            {"ENABLE_TOKEN_EXCHANGE": "true", "OIDC_CLIENT_SECRET_FILE": None, "OIDC_CLIENT_PRIVATE_KEY_FILE": PROOF},
            id="exchange-with-a-key",
        ),
        pytest.param(
            "pass-through",
            {"ENABLE_TOKEN_EXCHANGE": "false", "OIDC_CLIENT_SECRET_FILE": None, "OIDC_CLIENT_PRIVATE_KEY_FILE": None},
            id="pass-through",
        ),
    ],
)
def test_client_credential_is_a_mounted_file(chart: Chart, values: str, expected: dict[str, str | None]) -> None:
    """The server's client secret or key is a mounted file of a Secret, and no variable contains it."""
    deployment = chart.resources(values=values)["Deployment"]
    variables = environment(deployment)
    volumes = deployment["spec"]["template"]["spec"].get("volumes", [])

    assert {name: variables.get(name) for name in expected} == expected
    assert ("proof" in {volume["name"] for volume in volumes}) == (PROOF in variables.values())


@pytest.mark.parametrize("values", SETS)
def test_pod_meets_the_restricted_standard(chart: Chart, values: str) -> None:
    """The pod meets Kubernetes' "restricted" standard, with a read-only root and no service account token."""
    pod = chart.resources(values=values)["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert pod["containers"][0]["securityContext"] == {
        "runAsGroup": 10001,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_group_id_is_the_images(chart: Chart) -> None:
    """The group id in the chart is the group of the image's user."""
    group = container(chart.resources()["Deployment"])["securityContext"]["runAsGroup"]
    assert f"\nUSER 10001:{group}\n" in (FOLDER.parents[2] / "server" / "Dockerfile").read_text()


def test_disruption_budget_never_blocks_a_drain(chart: Chart) -> None:
    """The budget permits the eviction of one replica, however few there are, and of any that is not ready."""
    budget = chart.resources()["PodDisruptionBudget"]["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_selectors_match_the_pod_labels(chart: Chart) -> None:
    """Service, budget, policy and topology spread select the pods' labels; the autoscaler names the Deployment."""
    found = chart.resources()
    pod = found["Deployment"]["spec"]["template"]
    selectors = {
        "Deployment": found["Deployment"]["spec"]["selector"]["matchLabels"],
        "Service": found["Service"]["spec"]["selector"],
        "PodDisruptionBudget": found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        "spread": pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    }
    assert [kind for kind, labels in selectors.items() if not labels.items() <= pod["metadata"]["labels"].items()] == []
    target = found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert target["name"] == found["Deployment"]["metadata"]["name"]
    assert "replicas" not in found["Deployment"]["spec"]  # what `helm template` gives is applied again and again


DNS: list[tuple[int | str, str]] = [(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")]


def test_network_policy_opens_only_the_configured_rules(chart: Chart) -> None:
    """Inbound: one port for the configured peers. Outbound: DNS and the configured rules. Nothing else."""
    rules = (
        '[{"to":[{"podSelector":{}}],"ports":[{"port":"web"},{"port":8000,"endPort":8080}]},{"ports":[{"port":443}]}]'
    )
    policy = chart.resources("--set-json", f"networkPolicy.egress={rules}")["NetworkPolicy"]["spec"]
    (way_in,) = policy["ingress"]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert way_in["ports"] == [{"port": "http"}]
    assert way_in["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    assert _opened(policy) == [*DNS, ("web", "TCP"), (8000, "TCP"), (443, "TCP")]
    assert policy["egress"][1:] == json.loads(rules)


def _opened(policy: dict[str, Any]) -> list[tuple[int | str, str]]:
    return [(port["port"], port.get("protocol", "TCP")) for rule in policy["egress"] for port in rule["ports"]]


@pytest.mark.parametrize("missing", ["from", "egress"])
def test_network_policy_has_no_default_peers(chart: Chart, missing: str) -> None:
    """The policy is closed by default: the operator names callers and neighbors, or disables it."""
    refusal = chart.refusal("--set-json", f"networkPolicy.{missing}=[]")
    other = {"from": "egress", "egress": "from"}[missing]

    assert f"networkPolicy.{missing} must be set" in refusal
    assert f"networkPolicy.{other} must be set" not in refusal
    assert "kubectl get endpointslices" in refusal
    assert "networkPolicy.enabled=false" in refusal
    assert ("https://cloud.example.org" in refusal) == (missing == "egress")
    without = ("--set-json", f"networkPolicy.{missing}=[]", "--set", "networkPolicy.enabled=false")
    assert "NetworkPolicy" not in chart.resources(*without)


@pytest.mark.parametrize(
    "value", ["egress=[{}]", 'egress=[{"to":[{"podSelector":{}}]}]', 'egress=[{"ports":[]}]', "from=[{}]"]
)
def test_network_policy_refuses_empty_rules(chart: Chart, value: str) -> None:
    """In Kubernetes a rule without ports permits all: a rule must have ports, and a peer must not be empty."""
    assert "at '/networkPolicy/" in chart.refusal("--set-json", f"networkPolicy.{value}")


WHOLE_HOST: Final = (
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
)


@pytest.mark.parametrize(
    ("url", "host", "paths"),
    [
        pytest.param(
            "https://mcp.example.org/mcp",
            "mcp.example.org",
            [
                "/mcp",
                "/mcp/",
                "/.well-known/oauth-protected-resource/mcp",
                "/.well-known/oauth-protected-resource/mcp/",
                "/.well-known/oauth-authorization-server/mcp",
                "/.well-known/openid-configuration/mcp",
                "/mcp/.well-known/openid-configuration",
                "/mcp/assets/",
                "/",
                *WHOLE_HOST,
            ],
            id="path",
        ),
        pytest.param(
            "https://mcp.example.org:8443/a/b/",
            "mcp.example.org",
            [
                "/a/b",
                "/a/b/",
                "/.well-known/oauth-protected-resource/a/b",
                "/.well-known/oauth-protected-resource/a/b/",
                "/.well-known/oauth-authorization-server/a/b",
                "/.well-known/openid-configuration/a/b",
                "/a/b/.well-known/openid-configuration",
                "/a/b/assets/",
                "/",
                *WHOLE_HOST,
            ],
            id="port-and-longer-path",
        ),
        pytest.param(
            "https://mcp.example.org",
            "mcp.example.org",
            ["/", "/assets/", *WHOLE_HOST],
            id="no-path",
        ),
    ],
)
def test_ingress_has_the_servers_public_paths(chart: Chart, url: str, host: str, paths: list[str]) -> None:
    """The ingress has the URL's host and the paths of the endpoint and the metadata, but not of the health checks."""
    found = chart.resources(*_settings(["ingress.enabled=true", f"server.url={url}"]))
    (rule,) = found["Ingress"]["spec"]["rules"]
    served = {getattr(route, "path", None) for route in create_app(_pass_through(url)).routes}

    assert rule["host"] == host
    routed = [path["path"] for path in rule["http"]["paths"]]
    assert len(routed) == len(paths)
    assert set(routed) == set(paths)
    served = {str(path).removesuffix("{name}") for path in served}
    assert set(paths) == served - {"/health/live", "/health/ready"}


def test_ingress_without_pages_has_none_of_their_paths(chart: Chart) -> None:
    """If the pages are off, the ingress has neither the root of the host nor the files."""
    values = ["ingress.enabled=true", "pages.enabled=false", "server.url=https://mcp.example.org/mcp"]
    (rule,) = chart.resources(*_settings(values))["Ingress"]["spec"]["rules"]
    routed = {path["path"] for path in rule["http"]["paths"]}
    assert not routed & {"/", "/mcp/assets/"}
    assert {"/mcp", "/mcp/"} <= routed


@pytest.mark.parametrize("url", ["https://mcp.example.org/mcp", "https://mcp.example.org"])
def test_ingress_has_the_pages_of_the_sign_in_where_they_are_on(chart: Chart, url: str) -> None:
    """The pages /journey and /connections, their callbacks and the journey's endpoints are routed if they are on."""
    on = ["pages.journey=true", "pages.connections=true"]
    (rule,) = chart.resources(*_settings(["ingress.enabled=true", f"server.url={url}", *on]))["Ingress"]["spec"][
        "rules"
    ]
    paths = rule["http"]["paths"]
    exact = {each["path"] for each in paths if each["pathType"] == "Exact"}
    prefixes = {each["path"] for each in paths if each["pathType"] == "Prefix"}
    settings = _pass_through(url).model_copy(update={"journey": True, "connections": True})
    served = {str(getattr(route, "path", None)) for route in create_app(settings).routes}
    added = served - {str(getattr(route, "path", None)) for route in create_app(_pass_through(url)).routes}
    assert len(added) >= 7
    assert all(path in exact or any(f"{path}/".startswith(f"{each}/") for each in prefixes) for path in added)
    assert len(paths) == len(exact | prefixes)


def test_ingress_shares_a_host(chart: Chart) -> None:
    """Two servers at one host have no path in common: ingress controllers refuse a path that exists already."""
    servers = ("https://mcp.example.org/exchange/mcp", "https://mcp.example.org/pass-through/mcp")
    shared = ["ingress.enabled=true", "ingress.wholeHost=false"]
    rules = [
        chart.resources(*_settings([*shared, f"server.url={url}"]))["Ingress"]["spec"]["rules"][0] for url in servers
    ]
    first, second = ({path["path"] for path in rule["http"]["paths"]} for rule in rules)
    assert not first & second


def _pass_through(url: str) -> Settings:
    return load_settings(
        {
            "NEXTCLOUD_MCP_SERVER_URL": url,
            "NEXTCLOUD_HOST": "https://cloud.example.org",
            "OIDC_DISCOVERY_URL": "https://id.example.org/.well-known/openid-configuration",
        }
    )


def test_service_monitor_selects_the_metrics_port(chart: Chart) -> None:
    """The monitor selects the Service by labels and names its port, which leads to the server's metrics port."""
    found = chart.resources(values="full")
    service, monitor = found["Service"], found["ServiceMonitor"]
    (endpoint,) = monitor["spec"]["endpoints"]
    targets = {port["name"]: port["targetPort"] for port in service["spec"]["ports"]}
    ports = {port["name"]: port["containerPort"] for port in container(found["Deployment"])["ports"]}

    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert str(ports[targets[endpoint["port"]]]) == environment(found["Deployment"])["MCP_METRICS_PORT"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize(
    ("values", "peers"),
    [
        pytest.param([], None, id="off"),
        pytest.param(["metrics.enabled=true"], [{"podSelector": {}}], id="this-namespace"),
        pytest.param(
            ["metrics.enabled=true", "metrics.from[0].podSelector.matchLabels.app=prometheus"],
            [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
            id="who-is-named",
        ),
    ],
)
def test_metrics_are_off_or_limited_by_the_policy(chart: Chart, values: list[str], peers: list[Any] | None) -> None:
    """Metrics are off by default; if on, the policy opens their port to this namespace or to the configured peers."""
    found = chart.resources(*_settings(values))
    rules = {rule["ports"][0]["port"]: rule.get("from") for rule in found["NetworkPolicy"]["spec"]["ingress"]}

    assert rules.keys() == ({"http", "metrics"} if peers else {"http"})
    assert rules.get("metrics") == peers
    assert ("metrics" in {port["name"] for port in container(found["Deployment"])["ports"]}) == bool(peers)


URL = "https://mcp.example.org/mcp"
REFUSED: dict[str, tuple[list[str], str]] = {
    "misspelt-name": (["sever.url=x"], "additional properties 'sever' not allowed"),
    "misspelt-name-inside": (["server.nextcloudURL=x"], "additional properties 'nextcloudURL' not allowed"),
    "secret-among-the-values": (["exchange.secret=x"], "additional properties 'secret' not allowed"),
    "unknown-proof": (
        ["exchange.proof=password"],
        "at '/exchange/proof': value must be one of 'secret', 'private-key'",
    ),
    "unknown-log-level": (["server.logLevel=TRACE"], "at '/server/logLevel': value must be one of 'DEBUG'"),
    "no-replicas": (["replicas=0"], "at '/replicas': minimum: got 0, want 1"),
    "text-for-a-number": (["autoscaling.maxReplicas=many"], "at '/autoscaling/maxReplicas': got string, want integer"),
    "unknown-field-of-a-peer": (["networkPolicy.from[0].namespace=x"], "at '/networkPolicy/from/0'"),
    "unknown-resource": (["resources.limits.memroy=1Gi"], "additional properties 'memroy' not allowed"),
    "less-than-none": (["resources.limits.memory=-1"], "at '/resources/limits/memory': minimum: got -1, want 0"),
}
IN_WORDS: dict[str, tuple[list[str], str]] = {
    "plain-http-in-public": (["server.url=http://mcp.example.org/mcp"], "server.url must begin with https://"),
    "plain-http-beside-localhost": (["server.url=http://localhost.example.org"], "server.url must begin with https://"),
    "no-scheme": (["server.url=mcp.example.org/mcp"], "server.url must begin with https:// or http://"),
    "no-url": (
        ["server.url="],
        f"server.url must begin with https:// or http://: it is '', and should look like {URL}",
    ),
    "query-in-the-url": (["server.url=https://mcp.example.org/mcp?x=y"], "server.url must not have a query"),
    "fragment-in-the-url": (["server.url=https://mcp.example.org/mcp#x"], "server.url must not have a fragment"),
    "space-in-the-url": (
        ["server.nextcloudUrl=https://cloud.example.org "],
        "server.nextcloudUrl must not contain spaces",
    ),
    "credentials-in-the-url": (
        ["server.nextcloudUrl=https://u:p@cloud.example.org"],
        "server.nextcloudUrl must not contain a user name or a password",
    ),
    "no-host": (["server.nextcloudUrl=https:///cloud"], "server.nextcloudUrl must have a host name"),
    "word-for-a-port": (["server.nextcloudUrl=https://cloud.example.org:https"], "its number after ':'"),
    "no-such-port": (["server.nextcloudUrl=https://cloud.example.org:70000"], "a port between 1 and 65535"),
    "port-zero": (["server.nextcloudUrl=https://cloud.example.org:0"], "a port between 1 and 65535"),
    "issuer-in-place-of-its-document": (
        ["server.discoveryUrl=https://id.example.org/realms/r"],
        "server.discoveryUrl must be the address of the realm's discovery document, which ends in /.well-known/",
    ),
    "origin-with-a-path": (
        ["server.allowedOrigins[0]=https://app.example.org/"],
        "server.allowedOrigins must not have a path: one of them is 'https://app.example.org/'",
    ),
    "no-audience": (["server.nextcloudAudience="], "server.nextcloudAudience must be the client id"),
    "scope-of-no-kind": (["server.firstScopes[0]=files"], "such as files:read or notes:write: not 'files'"),
    "app-with-a-capital": (["server.apps[0]=Files"], "such as files or notes: not 'Files'"),
    "tag-in-the-repository": (["image.repository=r.example.org/a:1"], "without a tag, such as registry.example.org"),
    "tag-with-a-slash": (["image.tag=a/b"], "image.tag must be a tag"),
    "short-digest": (["image.digest=sha256:12"], "image.digest must be 'sha256:' and 64 hexadecimal digits"),
    "name-with-a-capital": (["exchange.secretName=Secret"], "exchange.secretName must be the name of a Secret"),
    "no-secret": (["exchange.secretName="], "exchange.secretName must name the Secret"),
    "key-with-a-slash": (["exchange.secretKey=a/b"], "exchange.secretKey must be a key of the Secret"),
    "file-for-a-config-map": (["trustedCA.configMapName=/etc/ca"], "must be the name of a ConfigMap"),
    "quantity-without-sense": (
        ["resources.limits.memory=plenty"],
        "quantity of Kubernetes, such as 500m or 2 (cpu), 256Mi or 1Gi (memory): not 'plenty'",
    ),
    "quantity-with-a-space": (["resources.limits.memory=1 Gi"], "not '1 Gi'"),
    "interval-without-unit": (["metrics.serviceMonitor.interval=30"], "must be a time with its unit, such as 30s"),
    "less-at-most-than-at-least": (["autoscaling.maxReplicas=1"], "autoscaling.maxReplicas is less than"),
    "journey-at-a-shared-host": (
        ["pages.journey=true", "ingress.wholeHost=false"],
        "pages.journey needs a host that no other server shares",
    ),
    "connections-at-a-shared-host": (
        ["pages.connections=true", "ingress.wholeHost=false"],
        "set ingress.wholeHost=true, or pages.connections=false",
    ),
    "monitor-of-nothing": (["metrics.serviceMonitor.enabled=true"], "there is nothing to scrape"),
}


@pytest.mark.parametrize(("values", "sentence"), REFUSED.values(), ids=REFUSED)
def test_schema_refuses_wrong_names_and_types(chart: Chart, values: list[str], sentence: str) -> None:
    """A wrong name or type is refused before the installation, and the message has its place."""
    assert sentence in chart.refusal(*_settings(values))


@pytest.mark.parametrize(("values", "sentence"), IN_WORDS.values(), ids=IN_WORDS)
def test_wrong_value_gets_a_readable_message(chart: Chart, values: list[str], sentence: str) -> None:
    """The message says what is wrong and what is valid, without a regular expression."""
    refusal = chart.refusal(*_settings(values))
    assert sentence in refusal
    assert "pattern" not in refusal


def test_schema_has_no_patterns() -> None:
    """The schema has no pattern, because Helm would print it as the error for a wrong value."""
    assert '"pattern"' not in (FOLDER / "values.schema.json").read_text()


def test_all_wrong_values_are_reported_at_once(chart: Chart) -> None:
    """One attempt reports every wrong value."""
    refusal = chart.refusal(*_settings(["server.url=x", "image.repository=X", "autoscaling.maxReplicas=1"]))
    for name in ("server.url", "image.repository", "autoscaling.maxReplicas"):
        assert f"\n{name} " in refusal


@pytest.mark.parametrize(
    "quantity",
    [
        '"1"',
        "1",
        "0.5",
        '".5"',
        '"1."',
        '"+1"',
        '"500m"',
        '"100n"',
        '"10u"',
        '"1k"',
        '"1M"',
        '"1Ki"',
        '"1Ti"',
        '"2.5Gi"',
        '"1E"',
        '"1Ei"',
        "1e3",
        '"1e3"',
        '"1E-3"',
        '"1e+09"',
        "268435456",
        "12345678901234",
    ],
)
def test_every_kubernetes_quantity_is_accepted(chart: Chart, quantity: str) -> None:
    """Numbers and strings with each suffix and exponent of Kubernetes are valid, for each kind of resource."""
    names = ("cpu", "memory", "ephemeral-storage", "hugepages-2Mi", "example.com/device")
    given = ", ".join(f'"{name}": {quantity}' for name in names)
    found = chart.resources("--set-json", f"resources.limits={{{given}}}")
    assert set(container(found["Deployment"])["resources"]["limits"]) == set(names)


def test_missing_values_are_named_in_one_message(chart: Chart) -> None:
    """Without values, one message names all required ones."""
    refusal = chart.refusal(values=None)
    assert "at '/image': missing property 'repository'" in refusal
    assert "at '/server': missing properties 'url', 'nextcloudUrl', 'discoveryUrl'" in refusal
    assert "at '/exchange': missing property 'secretName'" in refusal


def _settings(values: list[str]) -> list[str]:
    return [part for value in values for part in ("--set", value)]


@pytest.mark.parametrize("values", SETS)
def test_notes_have_url_and_mode(chart: Chart, values: str) -> None:
    """After an installation the notes have the URL and the mode, and mention an ingress that is still missing."""
    done = chart.run("install", "r", str(FOLDER), "--dry-run=client", values=values)
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    given: dict[str, Any] = yaml.safe_load((VALUES / f"{values}.yaml").read_text())

    assert given["server"]["url"] in notes
    assert ("exchange mode" in notes) == given["exchange"].get("enabled", True)
    assert ("No ingress was made" in notes) == (not given.get("ingress", {}).get("enabled", False))


def test_full_values_set_every_value() -> None:
    """`values/full.yaml` sets every value, so that every branch of the templates is checked."""
    defaults = yaml.safe_load((FOLDER / "values.yaml").read_text())
    full = yaml.safe_load((VALUES / "full.yaml").read_text())
    missing = {
        f"{name}.{inner}"
        for name, value in defaults.items()
        for inner in (value if isinstance(value, dict) else [])
        if inner not in full.get(name, {})
    } | (set(defaults) - set(full))
    on_by_default = {
        f"{part}.enabled" for part in ("autoscaling", "disruptionBudget", "exchange", "networkPolicy", "pages")
    }
    one_or_the_other = {"image.tag", "replicas", "disruptionBudget"}
    assert missing == on_by_default | one_or_the_other


def test_janitor_is_off_by_default(chart: Chart) -> None:
    """Without `clientJanitor.enabled` there is no CronJob."""
    assert "CronJob" not in chart.resources()


def test_janitor_deletes_and_has_only_its_secret(chart: Chart) -> None:
    """The CronJob runs the command with the janitor's secret as a file, and with no credential of the server."""
    found = chart.resources(values="full")
    pod = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]
    assert found["CronJob"]["spec"]["schedule"] == "*/10 * * * *"
    (job,) = pod["spec"]["containers"]
    assert job["args"] == ["clients", "prune", "--delete"]
    variables = {entry["name"]: entry["value"] for entry in job["env"]}
    assert variables == {
        "OIDC_DISCOVERY_URL": environment(found["Deployment"])["OIDC_DISCOVERY_URL"],
        "CLIENT_JANITOR_SECRET_FILE": "/run/secrets/nextcloud-mcp/janitor",
        "SSL_CERT_FILE": "/etc/nextcloud-mcp/ca.crt",
    }
    secrets = [volume["secret"] for volume in pod["spec"]["volumes"] if "secret" in volume]
    assert [(each["secretName"], each["items"]) for each in secrets] == [
        ("nextcloud-mcp-janitor", [{"key": "secret", "path": "janitor"}])
    ]
    server = found["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    assert (job["image"], job["securityContext"]) == (server["image"], server["securityContext"])


def test_service_does_not_select_the_janitor(chart: Chart) -> None:
    """Its pods get no calls, and have a network policy of their own that lets nobody in."""
    found = chart.resources(values="full")
    labels = found["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert not found["Service"]["spec"]["selector"].items() <= labels.items()
    policy = found["NetworkPolicy janitor"]["spec"]
    assert (policy["podSelector"]["matchLabels"], policy["ingress"]) == (labels, [])
    assert policy["egress"] == found["NetworkPolicy"]["spec"]["egress"]


def test_janitor_needs_a_secret(chart: Chart) -> None:
    """Without the Secret's name, the error names the value."""
    assert "clientJanitor.secretName is missing" in chart.refusal("--set", "clientJanitor.enabled=true")
