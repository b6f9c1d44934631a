#!/usr/bin/env python3
"""Holds alerts, dashboard and the daemon against deploy/prometheus/metrics.txt.

    metrics.py              what the alerts and the dashboard use is listed
    metrics.py SCRAPE…      also: what /metrics showed is listed, and the reverse

What a daemon has not met yet (a guard, a webhook) need not be in a scrape, as
long as its `# TYPE` line is.
"""

import json
import pathlib
import re
import sys

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent.parent
NAME = re.compile(r"\b((?:marketsync|process)_[a-z0-9_]+)\s*(?:\{([^}]*)\})?")
PARTS = ("_bucket", "_sum", "_count")
# What Prometheus adds, and what the templates of the dashboard stand for.
OF_PROMETHEUS = {"job", "instance", "le", "quantile"}


def listed():
    lines = (DEPLOY / "prometheus/metrics.txt").read_text(encoding="utf-8").splitlines()
    words = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: set(labels) for name, *labels in words}


def base(name, known):
    """The listed name of a part of a histogram."""
    for part in PARTS:
        if name not in known and name.endswith(part) and name.removesuffix(part) in known:
            return name.removesuffix(part)
    return name


def expressions():
    rules = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    board = json.loads((DEPLOY / "grafana/marketsync.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", variable["query"]["query"]


def used(known):
    uses = 0
    for where, expression in expressions():
        found = [(base(name, known), matchers) for name, matchers in NAME.findall(expression)]
        for name, matchers in found:
            uses += 1
            if name not in known:
                yield f"{where}: {name} does not exist"
                continue
            labels = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", matchers))
            for label in sorted(labels - OF_PROMETHEUS - known[name]):
                yield f"{where}: {name} has no label {label}"
        anybody = set().union(OF_PROMETHEUS, *(known.get(name, set()) for name, _ in found))
        for group in re.findall(r"\bby \(([^)]*)\)", expression):
            for label in {label.strip() for label in group.split(",")} - anybody:
                yield f"{where}: no metric here has a label {label}"
    if uses < 30:
        yield f"only {uses} metrics were found in alerts and dashboard: this check is broken"


def shown(scrape, known):
    text = pathlib.Path(scrape).read_text(encoding="utf-8")
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    seen = {}
    for name, labels in re.findall(r"^([a-z_][a-z0-9_]*)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        seen.setdefault(base(name, types), set()).update(re.findall(r'([a-z_]+)="', labels))
    for name in sorted(types.keys() | seen.keys()):
        if name not in known:
            yield f"{scrape}: {name} is not in metrics.txt"
        elif name in seen and seen[name] - {"le", "quantile"} - known[name]:
            yield f"{scrape}: {name} has labels {sorted(seen[name] - known[name])} that are not in metrics.txt"
        elif name in seen and known[name] - seen[name]:
            yield f"{scrape}: {name} has no labels {sorted(known[name] - seen[name])}"
    for name in sorted(known.keys() - types.keys()):
        yield f"{scrape}: {name} is not shown"


def main():
    known = listed()
    found = list(used(known))
    for scrape in sys.argv[1:]:
        found += shown(scrape, known)
    for line in found:
        print(line)
    if not found:
        print(f"{len(known)} metrics")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
