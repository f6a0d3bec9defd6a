"""Compose, Kubernetes, KServe, nginx and the image against their schemas, against the code, and against each other."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest

from service import __version__
from service.settings import Process, Settings, describe
from tests.deploy.manifests import (
    BASE,
    CUSTOM,
    DEPLOY,
    KSERVE,
    KUSTOMIZATIONS,
    MONITORING,
    compose,
    directives,
    dockerfile,
    gunicorn,
    gunicorn_variables,
    image_environment,
    memory_needed,
    plain_environment,
    read,
    resources,
    seconds,
    size,
)
from tests.serving import ROOT

# From the oldest with preStop.sleep on by default to the newest whose schema is here.
VERSIONS = ("1.30", "1.34", "1.37")
NATIVE = [(folder, kind) for folder in KUSTOMIZATIONS for kind in resources(folder) if kind not in CUSTOM]


def tool(name):
    """A program of the environment that runs the tests."""
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else shutil.which(name) or pytest.skip(f"{name} is not installed")


def run(*command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deployment():
    return resources(BASE)["Deployment"]["spec"]["template"]["spec"]


def containers():
    """(name of the file, container) of every container of the service in Kubernetes."""
    return [
        ("base", deployment()["containers"][0]),
        ("kserve", resources(KSERVE)["ServingRuntime"]["spec"]["containers"][0]),
    ]


def environments():
    """(where, variables) of every place that sets the service's environment."""
    return [
        ("image", image_environment()),
        ("compose", compose()["services"]["service"]["environment"]),
        *((name, plain_environment(container)) for name, container in containers()),
    ]


# --- schemas ---------------------------------------------------------------------------------------------------------


def test_every_yaml_file_is_laid_out_well():
    files = [str(path) for path in DEPLOY.rglob("*.yaml") if "requirements" not in path.name]
    run(sys.executable, "-m", "yamllint", "--strict", "-c", "deploy/.yamllint.yaml", *files)


def test_the_dockerfile_has_no_known_trap():
    run(tool("hadolint"), "deploy/Dockerfile")


def test_compose_follows_its_specification():
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("folder", "kind"), NATIVE)
def test_every_resource_follows_the_schema_of_kubernetes(folder, kind, version):
    kubernetes_validate.validate(resources(folder)[kind], version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pod_of_the_serving_runtime_follows_the_schema_of_kubernetes(version):
    spec = resources(KSERVE)["ServingRuntime"]["spec"]
    pod = {"containers": spec["containers"], "volumes": spec["volumes"]}
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}, version, strict=True
    )


def test_a_wrong_field_would_be_seen():
    wrong = resources(BASE)["Deployment"]
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinesProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


# --- kustomizations --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_every_file_beside_a_kustomization_is_one_of_its_resources_and_there(folder):
    names = read(folder / "kustomization.yaml")["resources"]
    assert [name for name in names if not (folder / name).exists()] == []
    beside = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert {name for name in names if not (folder / name).is_dir()} == beside


@pytest.mark.parametrize("folder", [BASE, KSERVE], ids=lambda folder: folder.name)
def test_the_image_is_the_release(folder):
    (image,) = read(folder / "kustomization.yaml")["images"]
    assert image["newTag"] == __version__
    assert {container["image"] for _, container in containers()} == {image["name"]}
    assert compose()["services"]["service"]["image"] == image["name"]


# --- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "environment"), environments(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_variable_is_one_that_something_reads(where, environment):
    known = {variable for variable, *_ in describe()} | gunicorn_variables()
    # Python's own, the home of whatever looks for one, and onnxruntime's.
    known |= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "HOME", "ORT_DISABLE_TELEMETRY"}
    assert set(environment) - known == set()
    assert all(isinstance(value, str) for value in environment.values()), "YAML would make a number of it"


@pytest.mark.parametrize(
    ("where", "environment"), environments(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_setting_has_a_value_that_it_can_have(where, environment):
    Settings.from_environ(environment)
    Process.from_environ(environment)


@pytest.mark.parametrize(("name", "container"), containers(), ids=["base", "kserve"])
def test_there_is_a_worker_for_every_cpu_that_is_asked_for(name, container):
    (workers,) = [variable for variable in container["env"] if variable["name"] == "WORKERS"]
    field = workers["valueFrom"]["resourceFieldRef"]
    assert field == {"containerName": container["name"], "resource": "requests.cpu", "divisor": "1"}


def test_compose_has_a_worker_for_every_cpu_that_it_allows():
    service = compose()["services"]["service"]
    assert service["environment"]["WORKERS"] == service["deploy"]["resources"]["limits"]["cpus"]


# --- ports and paths -------------------------------------------------------------------------------------------------


def test_one_port_leads_from_the_image_to_everyone():
    port = image_environment()["PORT"]
    (ports,) = [container["ports"] for name, container in containers() if name == "base"]
    (target,) = resources(BASE)["Service"]["spec"]["ports"]
    (allowed,) = resources(BASE)["NetworkPolicy"]["spec"]["ingress"][0]["ports"]
    (job,) = read(DEPLOY / "prometheus" / "prometheus.yaml")["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    (server,) = directives("upstreams.conf", "server")
    service = compose()["services"]["service"]
    assert dockerfile("EXPOSE") == [port]
    assert (ports[0]["containerPort"], ports[0]["name"]) == (int(port), "http")
    assert target["targetPort"] == allowed["port"] == ports[0]["name"]
    assert service["expose"] == [port]
    assert f"127.0.0.1:{port}/" in service["healthcheck"]["test"][-1]
    assert server[0] == f"service:{port}"
    assert (discovery["names"], discovery["port"]) == (["service"], int(port))
    assert "service" in compose()["services"]


def test_the_port_under_kserve_is_the_one_it_listens_on():
    spec = resources(KSERVE)["ServingRuntime"]["spec"]
    (container,) = spec["containers"]
    port = plain_environment(container)["PORT"]
    assert container["ports"][0]["containerPort"] == int(port)
    assert spec["annotations"]["prometheus.kserve.io/port"] == port
    assert {container[probe]["httpGet"]["port"] for probe in container if probe.endswith("Probe")} == {int(port)}


def test_every_probe_asks_a_route_that_there_is(app):
    routes = {rule.rule for rule in app.url_map.iter_rules() if "GET" in rule.methods}
    probes = {
        container[name]["httpGet"]["path"] for _, container in containers() for name in container if "Probe" in name
    }
    checks = compose()["services"]["service"]["healthcheck"]["test"] + dockerfile("HEALTHCHECK")
    checks += compose()["services"]["nginx"]["healthcheck"]["test"]
    # Each ends in a URL: its path follows the port, or begins a string.
    asked = re.findall(r"[\d'](/\w+)", " ".join(checks))
    assert probes == {"/readyz", "/healthz", "/v2/health/ready", "/v2/health/live"}
    assert len(asked) == 3
    assert {*probes, *asked} - routes == set()


def test_every_pod_has_the_three_probes_and_the_patient_one_asks_for_life_alone():
    for _, container in containers():
        assert "ready" in container["startupProbe"]["httpGet"]["path"]
        assert "ready" in container["readinessProbe"]["httpGet"]["path"]
        live = container["livenessProbe"]
        assert re.search("healthz|live", live["httpGet"]["path"])
        assert live["periodSeconds"] * live["failureThreshold"] >= 60


def test_metrics_are_asked_for_where_they_are(app):
    monitor = resources(MONITORING)["ServiceMonitor"]["spec"]
    (endpoint,) = monitor["endpoints"]
    (port,) = resources(BASE)["Service"]["spec"]["ports"]
    paths = {endpoint["path"], resources(KSERVE)["ServingRuntime"]["spec"]["annotations"]["prometheus.kserve.io/path"]}
    assert endpoint["port"] == port["name"]
    assert paths == {"/metrics"}
    assert re.search(r"location ~ \^/metrics/\?\$ \{\s+return 404;", (DEPLOY / "nginx" / "service.conf").read_text())
    if "/metrics" not in {rule.rule for rule in app.url_map.iter_rules()}:
        pytest.skip("there is no /metrics yet")


# --- who may do what -------------------------------------------------------------------------------------------------


def test_everyone_agrees_on_who_the_user_is():
    ((user, group),) = [line.split(":") for line in dockerfile("USER")]
    pod = deployment()["securityContext"]
    kserve = resources(KSERVE)["ServingRuntime"]["spec"]["containers"][0]["securityContext"]
    assert (pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (int(user), int(group), int(group))
    assert (kserve["runAsUser"], kserve["runAsGroup"]) == (int(user), int(group))


def test_every_pod_may_do_next_to_nothing():
    pod = deployment()
    assert pod["automountServiceAccountToken"] is False
    assert resources(KSERVE)["InferenceService"]["spec"]["predictor"]["automountServiceAccountToken"] is False
    for name, container in containers():
        context = container["securityContext"] | (pod["securityContext"] if name == "base" else {})
        assert context["runAsNonRoot"] is True
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("name", compose()["services"])
def test_every_service_of_compose_may_do_next_to_nothing(name):
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}


def test_the_service_has_no_way_out():
    policy = resources(BASE)["NetworkPolicy"]["spec"]
    assert "Egress" in policy["policyTypes"]
    assert policy["egress"] == []
    assert compose()["networks"]["inside"]["internal"] is True
    assert compose()["services"]["service"]["networks"] == ["inside"]
    assert "ports" not in compose()["services"]["service"]


def test_what_must_be_written_is_on_a_memory_disk():
    temporary = image_environment()["HOME"]
    kserve = resources(KSERVE)["ServingRuntime"]["spec"]
    for volumes, container in ((deployment()["volumes"], containers()[0][1]), (kserve["volumes"], containers()[1][1])):
        (mount,) = container["volumeMounts"]
        (volume,) = volumes
        assert (mount["mountPath"], mount["name"]) == (temporary, volume["name"])
        assert volume["emptyDir"]["medium"] == "Memory"
    assert [entry.split(":")[0] for entry in compose()["services"]["service"]["tmpfs"]] == [temporary]


# --- times -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [BASE, KSERVE], ids=lambda folder: folder.name)
def test_a_pod_is_given_the_time_it_takes_to_stop(folder):
    kinds = resources(folder)
    if folder == BASE:
        grace, container = deployment()["terminationGracePeriodSeconds"], deployment()["containers"][0]
    else:
        grace = kinds["InferenceService"]["spec"]["predictor"]["terminationGracePeriodSeconds"]
        container = kinds["ServingRuntime"]["spec"]["containers"][0]
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert grace == sleep + gunicorn()["graceful_timeout"] + 5
    # Longer than a pod that has stopped being ready goes on being sent requests.
    assert sleep >= 5


def test_compose_gives_the_time_it_takes_to_stop():
    services = compose()["services"]
    assert seconds(services["service"]["stop_grace_period"]) > gunicorn()["graceful_timeout"]
    ((longest,),) = directives("service.conf", "proxy_read_timeout")
    assert seconds(services["nginx"]["stop_grace_period"]) > seconds(longest)


def test_it_is_nginx_that_closes_an_idle_connection():
    ((towards_service,),) = directives("upstreams.conf", "keepalive_timeout")
    assert seconds(towards_service) < gunicorn()["keepalive"]


def test_nginx_gives_a_head_and_a_body_as_long_as_the_service_does():
    ((head,),) = directives("nginx.conf", "client_header_timeout")
    ((body,),) = directives("nginx.conf", "client_body_timeout")
    assert seconds(head) == Settings().head_timeout_seconds
    assert seconds(body) == Settings().body_timeout_seconds


def test_nginx_waits_for_an_answer_as_long_as_the_service_may_work_on_it():
    ((answer,),) = directives("service.conf", "proxy_read_timeout")
    ((retry,),) = directives("service.conf", "proxy_next_upstream_timeout")
    assert seconds(answer) >= gunicorn()["timeout"]
    # What is still at work is not sent to another instance.
    assert seconds(retry) < seconds(answer)


def test_compose_and_the_image_agree_on_the_health_check():
    (line,) = dockerfile("HEALTHCHECK")
    check = compose()["services"]["service"]["healthcheck"]
    options = dict(re.findall(r"--([\w-]+)=(\w+)", line))
    assert options == {name.replace("_", "-"): str(value) for name, value in check.items() if name != "test"}
    assert json.loads(line[line.index("[") :])[0] == check["test"][1] == "python3"


# --- limits ----------------------------------------------------------------------------------------------------------


def test_nginx_refuses_the_bodies_that_the_service_would():
    limit = Settings().max_body_bytes
    assert directives("nginx.conf", "client_max_body_size") == [[str(limit)]]
    assert f'413 "a request body may have {limit} bytes' in (DEPLOY / "nginx" / "nginx.conf").read_text()
    for where, environment in environments():
        assert "FILTERSCOPE_MAX_BODY_BYTES" not in environment, f"{where}: nginx would not know"


def test_nginx_says_the_limits_that_it_has():
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    ((_, connections),) = directives("nginx.conf", "limit_conn")
    ((answer,),) = directives("service.conf", "proxy_read_timeout")
    assert f"an address may have {connections} requests in flight" in text
    assert f"did not answer within {seconds(answer)} seconds" in text


def test_the_largest_requests_fit_into_the_memory():
    for name, container in containers():
        limit, asked = (container["resources"][kind]["memory"] for kind in ("limits", "requests"))
        workers = int(container["resources"]["requests"]["cpu"])
        assert limit == asked, "a pod that may take more than it asked for may be evicted for it"
        assert memory_needed(plain_environment(container), workers) <= size(limit), name
    service = compose()["services"]["service"]
    limits = service["deploy"]["resources"]["limits"]
    assert memory_needed(service["environment"], int(limits["cpus"])) <= size(f"{limits['memory']}i")


# --- Kubernetes among itself -----------------------------------------------------------------------------------------


def test_every_selector_finds_the_pods():
    kinds = resources(BASE)
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in deployment()["topologySpreadConstraints"]),
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    # kustomize gives the service these labels, and the monitor looks for them.
    (common,) = read(BASE / "kustomization.yaml")["labels"]
    monitor = resources(MONITORING)["ServiceMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= common["pairs"].items()
    assert monitor["jobLabel"] in common["pairs"]


def test_the_autoscaler_scales_the_deployment_and_a_disruption_leaves_some():
    kinds = resources(BASE)
    scaler = kinds["HorizontalPodAutoscaler"]["spec"]
    target = kinds["Deployment"]
    assert scaler["scaleTargetRef"] == {
        "apiVersion": target["apiVersion"],
        "kind": target["kind"],
        "name": target["metadata"]["name"],
    }
    assert "replicas" not in target["spec"]
    assert 0 < kinds["PodDisruptionBudget"]["spec"]["minAvailable"] < scaler["minReplicas"]
    assert target["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_kserve_is_told_one_thing_in_both_files():
    runtime = resources(KSERVE)["ServingRuntime"]
    predictor = resources(KSERVE)["InferenceService"]["spec"]["predictor"]
    (form,) = runtime["spec"]["supportedModelFormats"]
    assert [container["name"] for container in runtime["spec"]["containers"]] == ["kserve-container"]
    assert predictor["model"]["runtime"] == runtime["metadata"]["name"]
    assert predictor["model"]["modelFormat"] == {"name": form["name"], "version": form["version"]}
    assert predictor["model"]["protocolVersion"] in runtime["spec"]["protocolVersions"]
    assert plain_environment(runtime["spec"]["containers"][0])["FILTERSCOPE_MODELS"] == "/mnt/models"
    assert (predictor["minReplicas"], predictor["maxReplicas"], predictor["scaleTarget"]) == (
        resources(BASE)["HorizontalPodAutoscaler"]["spec"]["minReplicas"],
        resources(BASE)["HorizontalPodAutoscaler"]["spec"]["maxReplicas"],
        resources(BASE)["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
    )


# --- what is mounted, and what watches -------------------------------------------------------------------------------


def test_every_file_that_compose_mounts_is_there():
    mounts = [mount for service in compose()["services"].values() for mount in service.get("volumes", [])]
    local = [mount.split(":")[0] for mount in mounts if mount.startswith(".")]
    assert len(local) >= 4
    assert [path for path in local if not (DEPLOY / path).exists()] == []


def test_grafana_finds_the_dashboard_and_prometheus():
    grafana = compose()["services"]["grafana"]
    targets = {mount.split(":")[1]: mount.split(":")[0] for mount in grafana["volumes"]}
    (provider,) = read(DEPLOY / "grafana" / "provisioning" / "dashboards" / "filterscope.yaml")["providers"]
    (source,) = read(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")["datasources"]
    dashboard = next(target for target in targets if target.endswith(".json"))
    assert os.path.dirname(dashboard) == provider["options"]["path"]  # noqa: PTH120  # a path of another machine
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == dashboard
    assert source["url"] == "http://prometheus:9090"
    assert set(compose()["services"]["prometheus"]["networks"]) & set(grafana["networks"])


def test_prometheus_has_the_alerts():
    (rules,) = read(DEPLOY / "prometheus" / "prometheus.yaml")["rule_files"]
    assert (DEPLOY / "prometheus" / rules).is_file()


def test_the_rules_of_the_operator_are_the_alerts():
    rule = resources(MONITORING)["PrometheusRule"]
    assert rule["spec"] == read(DEPLOY / "prometheus" / "alerts.yaml"), "make manifests writes them again"
