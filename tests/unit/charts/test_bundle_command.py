"""Charts as they are: taken apart by service, checked as a release checks, and told object by object."""

from __future__ import annotations

import copy
import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from candlefish.catalog.load import load
from candlefish.catalog.model import Catalog
from candlefish.errors import InvalidInput
from candlefish.release.manifests import cron_objects, from_bundle
from candlefish.release.workload import trial_of
from cli.bundle import bundle_command
from cli.charts import rendered as rendering
from cli.charts.parts import parts_of
from cli.charts.rendered import Helm, objects_in, rendered_of
from cli.charts.report import fates, warnings

FIXTURES = Path(__file__).parents[2] / "fixtures"
CHARTS = FIXTURES / "charts"
HELM = Helm("live", "example-prod")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load(FIXTURES / "catalog")


def chart(name: str) -> Any:
    return rendered_of(str(CHARTS / f"{name}.yaml"), HELM)


def test_a_chart_as_helm_create_makes_it_is_taken_in_both_slots(catalog: Catalog) -> None:
    parts = parts_of(chart("created"), catalog, "backend-api")
    for slot in ("blue", "green"):
        made = from_bundle(parts.bundles["backend-api"], trial_of("backend-api", "production", slot, catalog))  # type: ignore[arg-type]
        names = {each["kind"]: each["metadata"]["name"] for each in made}
        assert names["Deployment"] == f"backend-api-{slot}"
        assert names["ConfigMap"] == f"backend-api-live-shop-settings-{slot}"
    (pod,) = (e["spec"]["template"]["spec"] for e in made if e["kind"] == "Deployment")
    (container,) = pod["containers"]
    assert container["envFrom"][0]["configMapRef"]["name"] == "backend-api-live-shop-settings-green"
    assert {each["name"] for each in container["env"]} >= {"LOG_LEVEL", "DATABASE_URL", "CANDLEFISH_SLOT"}
    # A hook that only sleeps, and too short, sleeps as long as the load balancer needs.
    assert container["lifecycle"]["preStop"] == {"sleep": {"seconds": 30}}
    (config,) = (each for each in made if each["kind"] == "ConfigMap")
    assert config["data"] == {"OPENS": "12:30:00"}


def test_an_object_on_the_line_of_its_marker_is_read() -> None:
    text = "--- {kind: A}\n---\n# Source: shop/templates/b.yaml\nkind: B\n--- # the last\nkind: C\n"
    assert objects_in(text, "rendered") == [
        ({"kind": "A"}, ""),
        ({"kind": "B"}, "shop/templates/b.yaml"),
        ({"kind": "C"}, ""),
    ]


def test_what_is_left_out_says_what_to_do_instead(catalog: Catalog) -> None:
    left = dict(parts_of(chart("created"), catalog, "backend-api").left)
    assert "listener rule" in left["Ingress live-shop"]
    assert left["Job live-shop-cleanup"] == "runs when the chart is deleted, which no release does"
    assert left["Pod live-shop-test-connection"] == "is a test of the chart"


def cron_job(name: str, image: str) -> Any:
    """What a chart runs by the clock, with settings of its own."""
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "live",
        "containers": [
            {
                "name": "nightly",
                "image": image,
                "envFrom": [{"configMapRef": {"name": "nightly"}}],
                "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
            }
        ],
    }
    spec = {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def test_a_cron_job_goes_with_the_service_whose_image_it_runs(catalog: Catalog) -> None:
    found = chart("created")
    own = next(each.document for each in found if each.document["kind"] == "Deployment")
    image = own["spec"]["template"]["spec"]["containers"][0]["image"]
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nightly"}, "data": {"a": "b"}}
    more = [cron_job("live-nightly", image), cron_job("backup", "docker.io/library/backup:1"), settings]
    parts = parts_of([*found, *(found[0]._replace(document=each) for each in more)], catalog, "backend-api")
    bundle = parts.bundles["backend-api"]
    (nightly,) = (each for each in bundle if each["kind"] == "CronJob")
    assert nightly["metadata"]["name"] == "backend-api-live-nightly"
    assert "CronJob backup" in dict(parts.left)
    trial = trial_of("backend-api", "production", "green", catalog)
    made = cron_objects(from_bundle(bundle, trial), trial, bundle)
    (applied,) = (each for each in made if each["kind"] == "CronJob")
    pod = applied["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["envFrom"] == [{"configMapRef": {"name": "backend-api-nightly-green"}}]
    assert pod["serviceAccountName"] == "backend-api"
    assert "CronJob backend-api-live-nightly -> backend-api-live-nightly" in "\n".join(
        f"{fate.chart} -> {fate.made}" for fate in fates(bundle, made, "green")
    )


def test_an_umbrella_chart_is_one_bundle_a_service_and_what_is_nobodys_is_listed(catalog: Catalog) -> None:
    parts = parts_of(chart("umbrella"), catalog)
    kinds = {name: [each["kind"] for each in found] for name, found in parts.bundles.items()}
    assert kinds == {
        "website": ["Deployment", "Service", "ConfigMap"],
        "backend-api": ["Deployment", "ConfigMap", "Secret"],
    }
    left = dict(parts.left)
    assert set(left) == {"ConfigMap rtpm-of-nobody", "StatefulSet rtpm-redis", "Deployment rtpm-queue"}
    assert "add it to catalog/services.yaml" in left["Deployment rtpm-queue"]
    # A shared ConfigMap is in each of the two, under each one's own name.
    assert [each["metadata"]["name"] for each in parts.bundles["website"]][2] == "website-rtpm-shared"


def test_a_secret_that_pods_read_is_refused_not_dropped(catalog: Catalog) -> None:
    bundle = parts_of(chart("umbrella"), catalog).bundles["backend-api"]
    with pytest.raises(InvalidInput, match=r"Secret rtpm-passwords.*Secrets Manager"):
        from_bundle(bundle, trial_of("backend-api", "production", "blue", catalog))


def test_one_service_of_an_umbrella_chart_is_picked(catalog: Catalog) -> None:
    assert list(parts_of(chart("umbrella"), catalog, "website").bundles) == ["website"]
    with pytest.raises(InvalidInput, match="no Deployment of the chart is storefront"):
        parts_of(chart("umbrella"), catalog, "storefront")


def test_two_deployments_of_one_service_are_asked_about(catalog: Catalog) -> None:
    found = chart("created")
    (deployment,) = (each for each in found if each.document["kind"] == "Deployment")
    for name in ("one", "two"):
        copy = {**deployment.document, "metadata": {"name": name, "labels": {"app": "backend-api"}}}
        found.append(deployment._replace(document=copy))
    with pytest.raises(InvalidInput, match="one, two could all be backend-api"):
        parts_of(found, catalog)


def test_every_change_has_a_path_and_a_reason(catalog: Catalog) -> None:
    bundle = parts_of(chart("created"), catalog, "backend-api").bundles["backend-api"]
    made = from_bundle(bundle, trial_of("backend-api", "production", "blue", catalog))
    told = {
        fate.chart: {change.path: change for change in fate.changes} for fate in fates(bundle, made, "blue")
    }
    changed = told["Deployment backend-api"]
    label = changed["spec.template.metadata.labels['app.kubernetes.io/instance']"]
    assert (label.before, label.after) == ("'live'", "'backend-api-blue'")
    assert changed["spec.replicas"].after == "nothing"
    assert "`replicas`" in changed["spec.replicas"].why
    image = changed["spec.template.spec.containers[shop].image"]
    assert image.after == "ghcr.io/example-org/backend-api@<the release's digest>"
    assert all(change.why for change in changed.values())
    # Nothing of a variable is shown but its name.
    assert "12:30:00" not in str(told)


def test_a_hook_that_does_more_than_sleep_stands_and_is_warned_of(catalog: Catalog) -> None:
    bundle = parts_of(chart("created"), catalog, "backend-api").bundles["backend-api"]
    (pod,) = (e["spec"]["template"]["spec"] for e in bundle if e["kind"] == "Deployment")
    assert warnings(bundle) == []
    pod["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["/bin/drain"]}}}
    (warning,) = warnings(bundle)
    assert "preStop.exec stands" in warning


def run(*words: str, given: str = "") -> Any:
    return CliRunner().invoke(bundle_command, [*words, "-e", "production"], input=given)


def test_checking_uploads_nothing_and_fails_when_something_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cli.bundle.CATALOG", FIXTURES / "catalog")
    well = run(str(CHARTS / "created.yaml"), "backend-api", "--check")
    assert well.exit_code == 0, well.output
    assert "Deployment backend-api -> backend-api-blue" in well.output
    bad = run(str(CHARTS / "umbrella.yaml"), "--check")
    assert isinstance(bad.exception, InvalidInput)
    assert str(bad.exception).startswith("backend-api: refused")
    assert "website: 3 objects" in bad.output
    assert "backend-api: REFUSED" in bad.output


def test_jobs_and_hooks_are_told_with_what_helm_would_do_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.bundle.CATALOG", FIXTURES / "catalog")
    said = run(str(CHARTS / "hooks.yaml"), "backend-api", "--check").output.splitlines()
    at = next(number for number, line in enumerate(said) if line.startswith("  job "))
    before, after = (
        "before anything of the version runs",
        "after the last step, with all traffic on the version",
    )
    assert [line.strip() for line in said[at : at + 5]] == [
        f"job      before: runs once, within 600 s, {before} in every release (no hook: taken as before)",
        f"job      migrate: runs once, within 300 s, {before} in every release but the first and {after} in the first release "
        "of the service alone (helm.sh/hook post-install, pre-upgrade, weight 0)",
        "helm.sh/hook-delete-policy is left out: the Job stays for a week, so that it cannot be made twice",
        f"job      warm: runs once, within 600 s, {after} in every release "
        "(helm.sh/hook post-install, post-rollback, post-upgrade, weight 5)",
        "not at post-rollback: it runs when Helm rolls back; a rollback here runs no Job",
    ]
    assert (
        "  Pod live-seed: is a Helm hook (pre-install) and a Pod, which nothing looks after; make it a Job, which a release runs once"
        in said
    )
    # What Helm makes for a hook to find is the slot's, like all else.
    assert any(
        "ConfigMap backend-api-live-hook-settings -> backend-api-live-hook-settings-blue" in line
        for line in said
    )


def test_a_job_is_its_images_services_or_its_subcharts_or_nobodys(catalog: Catalog) -> None:
    found = chart("umbrella")
    (job,) = objects_in((CHARTS / "hooks.yaml").read_text(), "hooks")[-1:]
    elsewhere = copy.deepcopy(job.document)
    elsewhere["spec"]["template"]["spec"]["containers"][0]["image"] = "docker.io/library/flyway:9"

    def whose(*jobs: Any) -> list[str]:
        bundles = parts_of([*found, *jobs], catalog).bundles
        return [name for name, each in bundles.items() if any(one["kind"] == "Job" for one in each)]

    assert whose(job) == ["backend-api"]
    assert whose(job._replace(document=elsewhere, source="rtpm/charts/website/templates/x.yaml")) == [
        "website"
    ]
    assert whose(job._replace(document=elsewhere)) == []
    left = dict(parts_of([*found, job._replace(document=elsewhere)], catalog).left)
    assert "nobody knows whose release shall run it" in left["Job live-before"]


def test_a_bundle_can_be_written_instead_of_uploaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cli.bundle.CATALOG", FIXTURES / "catalog")
    monkeypatch.setattr("sys.stdin", io.StringIO((CHARTS / "created.yaml").read_text()))
    ended = run(
        "-", "backend-api", "-o", str(tmp_path / "out.json"), given=(CHARTS / "created.yaml").read_text()
    )
    assert ended.exit_code == 0, ended.output
    said = json.loads(ended.output.splitlines()[-1])
    assert said["file"] == str(tmp_path / "out.json")
    kinds = [each["kind"] for each in json.loads((tmp_path / "out.json").read_text())]
    assert kinds == ["ServiceAccount", "Service", "Deployment", "ConfigMap", "Job"]


# What `helm template` writes unquoted and kubectl takes, where in the chart, and what the bundle has.
UNQUOTED = [
    ("data: {OPENS: 2026-11-28}", ("data", "OPENS"), "2026-11-28"),
    ("data: {OPENS: 2026-11-28T10:00:00Z}", ("data", "OPENS"), "2026-11-28T10:00:00Z"),
    ("data: {OPENS: 12:30:00}", ("data", "OPENS"), "12:30:00"),
    ("data:\n  OPENS: =\n", ("data", "OPENS"), "="),
    ("data: {404: missing.html, OPENS: i.html}", ("data", "404"), "missing.html"),
    ("# nothing\n\ndata: {OPENS: b}\n---\n# an empty document\n---\n", ("data", "OPENS"), "b"),
    ("data:\n  OPENS: |\n    a\tb\r\n    c\n", ("data", "OPENS"), "a\tb\nc\n"),
]
MODES = [("0644", 420), ("0o644", 420), ("420", 420)]


def bundled(text: str, tmp_path: Path) -> dict[str, Any]:
    """The objects of a bundle that the command makes of a text, by their kind."""
    (tmp_path / "rendered.yaml").write_text(text, newline="")
    out = tmp_path / "out.json"
    ended = run(str(tmp_path / "rendered.yaml"), "backend-api", "-o", str(out))
    assert ended.exit_code == 0, f"{ended.output}\n{ended.exception!r}"
    return {each["kind"]: each for each in json.loads(out.read_text())}


@pytest.mark.parametrize(("written", "where", "value"), UNQUOTED, ids=[case[0] for case in UNQUOTED])
def test_what_helm_writes_unquoted_is_bundled_as_kubectl_takes_it(
    written: str, where: tuple[str, str], value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.bundle.CATALOG", FIXTURES / "catalog")
    text = (CHARTS / "created.yaml").read_text()
    assert 'data: {OPENS: "12:30:00"}' in text
    found = bundled(text.replace('data: {OPENS: "12:30:00"}', written), tmp_path)["ConfigMap"]
    assert found[where[0]][where[1]] == value


@pytest.mark.parametrize(("written", "mode"), MODES)
def test_a_mode_of_files_is_octal_as_kubectl_takes_it(
    written: str, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.bundle.CATALOG", FIXTURES / "catalog")
    volume = (
        f"volumes: [{{name: files, configMap: {{name: live-shop-settings, defaultMode: {written}}}}}]\n"
        "      serviceAccountName: live-shop\n      securityContext: {}\n"
    )
    text = (CHARTS / "created.yaml").read_text()
    anchor = "serviceAccountName: live-shop\n      securityContext: {}\n"
    assert text.count(anchor) == 1
    found = bundled(text.replace(anchor, volume), tmp_path)["Deployment"]
    (files,) = found["spec"]["template"]["spec"]["volumes"]
    assert files["configMap"]["defaultMode"] == mode


def test_what_is_no_yaml_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.bundle.CATALOG", FIXTURES / "catalog")
    (tmp_path / "rendered.yaml").write_text("a: [b\nError: INSTALLATION FAILED\n")
    ended = run(str(tmp_path / "rendered.yaml"), "backend-api", "-o", str(tmp_path / "out.json"))
    assert isinstance(ended.exception, InvalidInput) and "\n" not in str(ended.exception)
    assert not (tmp_path / "out.json").exists()


def test_objects_of_a_list_are_taken_one_by_one() -> None:
    text = "kind: List\nitems:\n  - {kind: ConfigMap, metadata: {name: a}}\n---\n# Source: a/charts/b/x.yaml\nkind: Pod\n"
    found = objects_in(text, "a file")
    assert [(each.document["kind"], each.subchart) for each in found] == [("ConfigMap", ""), ("Pod", "b")]


def test_a_chart_without_helm_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Chart.yaml").write_text("name: x")
    monkeypatch.setattr(rendering.shutil, "which", lambda name: None)
    with pytest.raises(InvalidInput, match=r"helm is not on the PATH.*candlefish bundle -"):
        rendered_of(str(tmp_path), HELM)


def test_what_is_no_text_is_refused_however_it_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: caf\xe9\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: caf\xe9\n"), encoding="utf-8"))
    for source in (str(tmp_path / "latin.yaml"), str(tmp_path), "-"):
        with pytest.raises(InvalidInput, match="is not what helm template writes"):
            rendered_of(source, HELM)


def test_a_source_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"there is no nowhere\.yaml"):
        rendered_of("nowhere.yaml", HELM)


@pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on the PATH")
def test_what_the_real_helm_makes_of_its_own_chart_is_taken(catalog: Catalog, tmp_path: Path) -> None:
    subprocess.run(["helm", "create", str(tmp_path / "shop")], check=True, capture_output=True)
    sets = ("image.repository=ghcr.io/example-org/backend-api", "service.port=8000")
    found = rendered_of(str(tmp_path / "shop"), HELM._replace(sets=sets))
    parts = parts_of(found, catalog, "backend-api")
    made = from_bundle(parts.bundles["backend-api"], trial_of("backend-api", "production", "green", catalog))
    assert "backend-api-green" in {each["metadata"]["name"] for each in made}
    with pytest.raises(InvalidInput, match="helm cannot render"):
        rendered_of(str(tmp_path / "shop"), HELM._replace(sets=("replicaCount=[",)))
