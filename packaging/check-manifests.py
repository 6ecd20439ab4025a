#!/usr/bin/env python3
"""Checks the Helm chart and the plain manifests.

Lints the chart, renders it with values for each way to bring media to a pod, validates the results
against the schemas of Kubernetes, and compares packaging/kubernetes/watersmeet.yaml with what the
chart renders by default; --write writes that file instead.
"""

import subprocess
import sys
from pathlib import Path

import helm_python.chart as helm

PACKAGING = Path(__file__).resolve().parent
CHART = PACKAGING / "helm" / "watersmeet"
PLAIN = PACKAGING / "kubernetes" / "watersmeet.yaml"
KUBERNETES = "1.31"

HEADER = """\
# Plain manifests: what the chart packaging/helm/watersmeet renders by default. Needs the secret
#   kubectl create secret generic watersmeet --from-literal=jwt-secret=$(openssl rand -hex 32)
# `make dist` replaces 0.0.0-dev by the version.
"""

VALUES = {
    "host network": {},
    "node ports": {"hostNetwork": False, "rtcPort": 30000, "tlsSecret": "meet-tls"},
    "load balancer": {
        "hostNetwork": False,
        "mediaService": {"type": "LoadBalancer"},
        "announcedIps": ["203.0.113.7", "media.example.org"],
        "config": 'base_url = "https://meet.example.org"\n[caps]\nrooms_max = 100\n',
        "tolerations": [{"key": "media", "operator": "Exists"}],
    },
    "monitoring": {
        "serviceMonitor": {"enabled": True},
        "prometheusRule": {"enabled": True},
        "tlsSecret": "meet-tls",
    },
}


def render(values):
    """Returns the manifests of the chart with these values, as one text."""
    files = helm.Chart.load(CHART).render(values, name="watersmeet")
    manifests = [text.strip() for path, text in sorted(files.items()) if path.endswith(".yaml")]
    return "\n---\n".join(text for text in manifests if text) + "\n"


def validate(text):
    """Validates manifests; those of custom resources have no schema and are left out."""
    documents = [it for it in text.split("\n---\n") if "monitoring.coreos.com" not in it]
    command = ["kubernetes-validate", "--strict", "--quiet", "-k", KUBERNETES, "/dev/stdin"]
    subprocess.run(command, input="\n---\n".join(documents), text=True, check=True)


def main():
    report = helm.lint(CHART, strict=True)
    problems = [it for it in report["messages"] if it["severity"] >= 2]
    if problems or report["errors"]:
        sys.exit(f"helm lint: {problems} {report['errors']}")
    for name, values in VALUES.items():
        print(f"manifests: {name}")
        validate(render(values))
    plain = HEADER + render({})
    if "--write" in sys.argv:
        PLAIN.write_text(plain)
    elif PLAIN.read_text() != plain:
        sys.exit(f"{PLAIN} differs from the chart: packaging/check-manifests.py --write")


main()
