#!/usr/bin/env python3
"""What must hold for every rendering of the manifests, and no general tool knows."""

import sys

import yaml


def problems(documents):
    """Yields what is wrong with one rendering."""
    by_kind = {}
    for document in documents:
        by_kind.setdefault(document["kind"], []).append(document)

    if "Secret" in by_kind:
        yield "a Secret is rendered; secrets are the user's own"

    (deployment,) = by_kind["Deployment"]
    spec = deployment["spec"]
    labels = spec["template"]["metadata"]["labels"]
    pod = spec["template"]["spec"]
    if spec["replicas"] != 1 or spec["strategy"]["type"] != "Recreate":
        yield "two Pods could have the state at one time"
    if pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false"
    if pod.get("automountServiceAccountToken") is not False:
        yield "a token of the service account is mounted"
    if pod["terminationGracePeriodSeconds"] < 30:
        yield "the call in flight may take 25 s"
    if not pod["securityContext"]["runAsNonRoot"] or pod["securityContext"]["seccompProfile"]["type"] != "RuntimeDefault":
        yield "the Pod is not restricted"
    for container in pod["containers"]:
        name, context = container["name"], container["securityContext"]
        if context != context | {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}:
            yield f"container {name} is not restricted"
        if "memory" not in container["resources"]["limits"]:
            yield f"container {name} has no memory limit"
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        volumes = {volume["name"] for volume in pod["volumes"]}
        if not mounts <= volumes:
            yield f"container {name} mounts {mounts - volumes}, which is no volume"
        if any("subPath" in mount for mount in container["volumeMounts"]):
            yield f"container {name} mounts a subPath, which never changes"
        for variable in container.get("env", []):
            if variable["name"].endswith(("_SECRET", "_TOKEN", "_PASSWORD", "_PRIVATE_KEY")):
                yield f"container {name} has a secret in its environment: {variable['name']}"

    daemon = pod["containers"][0]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        if daemon[probe]["httpGet"]["path"] != path:
            yield f"{probe} does not ask {path}"

    # Selectors that select this Pod, and it alone.
    selectors = [("Deployment", spec["selector"]["matchLabels"])]
    selectors += [("Service", service["spec"]["selector"]) for service in by_kind.get("Service", [])]
    selectors += [("NetworkPolicy", policy["spec"]["podSelector"].get("matchLabels", {})) for policy in by_kind.get("NetworkPolicy", [])]
    for kind, selector in selectors:
        if not selector or not selector.items() <= labels.items():
            yield f"{kind} selects {selector}, the Pod has {labels}"

    # What the Pod mounts is rendered, or the user's own.
    rendered = {(document["kind"], document["metadata"]["name"]) for document in documents}
    config = next(volume for volume in pod["volumes"] if volume["name"] == "config")["configMap"]["name"]
    if ("ConfigMap", config) not in rendered:
        yield f"the ConfigMap {config} is not rendered"
    (settings,) = (d["data"]["marketsync.yaml"] for d in by_kind["ConfigMap"] if d["metadata"]["name"] == config)
    settings = yaml.safe_load(settings)
    for name in ("endpoint", "company_id", "source"):
        if not settings.get(name):
            yield f"the configuration lacks {name}"


def main():
    for file in sys.argv[1:]:
        with open(file, encoding="utf-8") as text:
            documents = [document for document in yaml.safe_load_all(text) if document]
        found = list(problems(documents))
        for problem in found:
            print(f"{file}: {problem}")
        if found:
            sys.exit(1)


if __name__ == "__main__":
    main()
