"""Deploys an application to a cluster that runs, from one of its nodes, and waits until it runs:
`python -m benchmarks.deploying HEAD OWN SCHEMA`, with the addresses of both, and Serve's configuration as JSON.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Connect, start Serve where it does not run, deploy, wait."""
    import ray
    from ray.serve._private.api import serve_start
    from ray.serve.schema import ServeDeploySchema

    schema = json.loads(sys.argv[3])
    ray.init(sys.argv[1], namespace="serve", log_to_driver=False, _node_ip_address=sys.argv[2])
    client = serve_start(http_options=schema["http_options"], proxy_location=schema["proxy_location"])
    client.deploy_apps(ServeDeploySchema.model_validate(schema))
    while True:
        time.sleep(0.5)
        (application,) = client.get_serve_details()["applications"].values()
        if application["status"] == "RUNNING":
            return
        if application["status"] == "DEPLOY_FAILED":
            sys.exit(json.dumps(application, default=str))


if __name__ == "__main__":
    main()
