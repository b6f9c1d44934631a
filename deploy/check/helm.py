#!/usr/bin/env python3
"""Renders the chart with each of its value sets and writes what comes out.

    helm.py CHART FOLDER

Each `ci/NAME-values.yaml` becomes FOLDER/NAME.yaml, and the configuration file
in it FOLDER/settings/NAME.yaml. Value sets that the schema must refuse are
tried, too.
"""

import copy
import json
import pathlib
import sys

import yaml
from helm_python import Chart

import manifests

GOOD = {"config": {"endpoint": "https://console.example.com", "company_id": "acme", "source": "https://git.example.com/c.git"}}

# What must be refused, and a word that the message must hold.
REFUSED = {
    "no company": ({"config": {"company_id": None}}, "company_id"),
    "no source": ({"config": {"source": None}}, "source"),
    "a misspelt value": ({"resorces": {}}, "resorces"),
    "a second replica": ({"replicas": 2}, "replicas"),
    "a secret in the configuration": ({"config": {"client_secret": "x"}}, "client_secret"),
    "a secret in the environment": ({"extraEnv": [{"name": "MARKETSYNC_TOKEN", "value": "x"}]}, "extraEnv"),
    "a tag as digest": ({"image": {"digest": "v1"}}, "digest"),
    "git-sync without a repository": ({"config": {"source": None}, "gitSync": {"enabled": True}}, "repo"),
    "git-sync and a clone": ({"gitSync": {"enabled": True, "repo": "https://git.example.com/c.git"}}, "config"),
    "a path out of the checkout": ({"gitSync": {"subPath": "../x"}}, "subPath"),
    "an unknown drift mode": ({"config": {"drift": "yes"}}, "drift"),
}


def merged(base, change):
    """`base` with `change` laid over it; None takes a key out."""
    result = copy.deepcopy(base)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key) or {}, value)
        else:
            result[key] = value
    return result


def documents(rendered):
    for path, text in sorted(rendered.items()):
        if not path.endswith(".txt"):
            yield from (document for document in yaml.safe_load_all(text) if document)


def render(chart, values):
    return chart.render(values, name="acme", namespace="catalogue", is_install=True)


def optional_parts(found):
    """What the value set with every option must hold."""
    kinds = {document["kind"]: document for document in found}
    for kind in ("ServiceMonitor", "PrometheusRule", "NetworkPolicy", "Service"):
        if kind not in kinds:
            yield f"no {kind}"
    if "ServiceAccount" in kinds or "PersistentVolumeClaim" in kinds:
        yield "what exists already is made again"
    rules = kinds["PrometheusRule"]["spec"]["groups"][0]["rules"]
    if not any("{{ $labels.instance }}" in rule["annotations"]["summary"] for rule in rules):
        yield "the templates of the alerts were rendered by Helm"
    dashboard = next(d for d in found if d["metadata"]["name"].endswith("-dashboard"))
    if json.loads(dashboard["data"]["marketsync.json"])["uid"] != "marketsync":
        yield "the dashboard is not the dashboard"


def main():
    folder, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    (out / "settings").mkdir(parents=True, exist_ok=True)
    chart = Chart.load(str(folder))
    wrong = []
    for file in sorted((folder / "ci").glob("*-values.yaml")):
        name = file.name.removesuffix("-values.yaml")
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        rendered = render(chart, values)
        found = list(documents(rendered))
        if not rendered["marketsync/templates/NOTES.txt"].strip():
            wrong.append(f"{name}: no notes")
        wrong += [f"{name}: {problem}" for problem in manifests.problems(found)]
        if name == "all":
            wrong += [f"{name}: {problem}" for problem in optional_parts(found)]
        # The schemas of Kubernetes know nothing of the Prometheus Operator.
        known = [d for d in found if "monitoring.coreos.com" not in d["apiVersion"]]
        (out / f"{name}.yaml").write_text(yaml.safe_dump_all(known), encoding="utf-8")
        (settings,) = (d["data"]["marketsync.yaml"] for d in found if "marketsync.yaml" in d.get("data", {}))
        (out / "settings" / f"{name}.yaml").write_text(settings, encoding="utf-8")
        print(f"{name}: {len(found)} documents")

    render(chart, GOOD)
    for what, (change, word) in REFUSED.items():
        try:
            render(chart, merged(GOOD, change))
        except Exception as error:  # the library has one error for each stage
            if word not in str(error):
                wrong.append(f"{what}: refused, but the message does not name {word}: {error}")
        else:
            wrong.append(f"{what}: not refused")
    print(f"{len(REFUSED)} wrong value sets tried")
    for line in wrong:
        print(line)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
