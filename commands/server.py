"""The process that runs Ray and Serve for `mixture serve`; started by it, and ended by it.

It is a process of its own, in a session of its own, so that Ctrl-C reaches the launcher alone, whatever Ray is doing
at that moment, and so that the launcher stays able to end everything. It reads one JSON object from standard input and
writes one line to the file descriptor `report`: `ready`, or `failed` and why. Between the two stands a guard, so that
everything ends as well when the launcher is killed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import traceback
from typing import Any

from commands.processes import die_with_parent, guarded

OBJECT_STORE_BYTES = 128 * 1024 * 1024
"""Ray would set aside a share of the machine's memory for objects; messages between replicas do not go through it."""
SHUTDOWN_SECONDS = 4.0


def main() -> None:
    """Read the order and carry it out in a guarded child."""
    order = json.load(sys.stdin)
    die_with_parent(order["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(guarded(lambda: _serve(order), SHUTDOWN_SECONDS + 1))


def _serve(order: dict[str, Any]) -> None:
    """Start, report, wait to be told to stop, stop."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    try:
        client = _started(order)
        failure = _deployed(client, order["schema"], stop)
    except Exception as error:  # whatever it is, the launcher has to tell the user
        traceback.print_exc()
        failure = f"{type(error).__name__}: {error}"
    with os.fdopen(order["report"], "w", encoding="utf-8") as report:
        report.write("failed " + json.dumps(failure) + "\n" if failure else f"ready {_address()}\n")
    if not failure:
        stop.wait()
    _shut_down()


def _started(order: dict[str, Any]) -> Any:
    import ray
    from ray.serve._private.api import serve_start

    handler = signal.getsignal(signal.SIGTERM)
    ray.init(
        address="local",
        namespace="serve",
        include_dashboard=False,
        object_store_memory=OBJECT_STORE_BYTES,
        log_to_driver=order["verbose"],
        logging_level=logging.INFO if order["verbose"] else logging.ERROR,
        _temp_dir=order["folder"],
    )
    signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
    schema = order["schema"]
    return serve_start(
        http_options=schema["http_options"],
        proxy_location=schema.get("proxy_location"),
        global_logging_config=schema.get("logging_config"),
    )


def _address() -> str:
    """Where other processes of this machine join this Ray."""
    import ray

    address: str = ray.get_runtime_context().gcs_address
    return address


def _deployed(client: Any, schema: dict[str, Any], stop: threading.Event) -> str | None:
    """Deploy and wait until every application runs. Returns why it failed; None also when it was told to stop."""
    from ray.serve.schema import ApplicationStatus, ServeDeploySchema

    client.deploy_apps(ServeDeploySchema.model_validate(schema))
    while not stop.wait(0.1):
        applications = client.get_serve_details()["applications"].values()
        for application in applications:
            if application["status"] == ApplicationStatus.DEPLOY_FAILED:
                return _reason(application)
        if applications and all(a["status"] == ApplicationStatus.RUNNING for a in applications):
            client.wait_for_proxies_serving()
            return None
    return None


def _reason(application: dict[str, Any]) -> str:
    """Why an application failed: the error at the end of each traceback. The whole of them goes to the log."""
    said = {"": application["message"]}
    said |= {f"{name}: ": details["message"] for name, details in application["deployments"].items()}
    print(*said.values(), sep="\n", flush=True)
    return "\n".join(where + text.strip().splitlines()[-1] for where, text in said.items() if text.strip())


def _shut_down() -> None:
    """Let requests end and replicas close, within a few seconds; what is left then, the guard ends."""
    import ray
    from ray import serve

    def end() -> None:
        serve.shutdown()  # type: ignore[no-untyped-call]
        ray.shutdown()

    if ray.is_initialized():
        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        thread.join(SHUTDOWN_SECONDS)
    os._exit(0)  # threads of Ray may hang on


if __name__ == "__main__":
    main()
