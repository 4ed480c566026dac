"""Ray Serve as it runs, on this machine or on a cluster, seen from a command."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, Protocol


class Unreachable(Exception):
    """There is no server, or it does not answer; the message is for the user."""


class Cluster(Protocol):
    """Where an application runs."""

    def schema(self) -> dict[str, Any]:
        """The Ray Serve config that was deployed last."""
        ...

    def deploy(self, schema: dict[str, Any]) -> None:
        """Have Serve bring about what `schema` says."""
        ...

    def settled(self) -> bool:
        """Whether it has."""
        ...


def reached(address: str | None, environ: Mapping[str, str]) -> Cluster:
    """The cluster whose dashboard is at `address`; without one the server that was started last on this machine. Raises
    Unreachable.
    """
    if address is not None:
        return Dashboard(address)
    from commands import running

    server = next((one for one in running.noted(environ) if one.ray is not None), None)
    if server is None:
        raise Unreachable("no server of `mixture serve` runs on this machine; name a cluster with --address")
    return Local(server.ray or "", server.token or "")


class Dashboard:
    """Through the REST API of Ray's dashboard, as `serve deploy` goes. RAY_AUTH_TOKEN is sent where it is set."""

    def __init__(self, address: str) -> None:
        from ray.dashboard.modules.serve.sdk import ServeSubmissionClient

        try:
            self._client: Any = ServeSubmissionClient(address)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise Unreachable(f"{address} does not answer: {error}") from None

    def schema(self) -> dict[str, Any]:
        """See `Cluster`."""
        return _deployed(self._client.get_serve_details())

    def deploy(self, schema: dict[str, Any]) -> None:
        """See `Cluster`."""
        self._client.deploy_applications(schema)

    def settled(self) -> bool:
        """See `Cluster`."""
        return _settled(self._client.get_serve_details())


class Local:
    """A server of `mixture serve` on this machine, joined as a further driver."""

    def __init__(self, address: str, token: str) -> None:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}  # Ray reads them when it is imported
        import ray
        from ray.serve.context import _get_global_client

        try:
            ray.init(address=address, namespace="serve", log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError) as error:
            raise Unreachable(f"Ray at {address} does not answer: {error}") from None
        self._client: Any = _get_global_client()

    def schema(self) -> dict[str, Any]:
        """See `Cluster`."""
        return _deployed(self._client.get_serve_details())

    def deploy(self, schema: dict[str, Any]) -> None:
        """See `Cluster`."""
        from ray.serve.schema import ServeDeploySchema

        self._client.deploy_apps(ServeDeploySchema.model_validate(schema))

    def settled(self) -> bool:
        """See `Cluster`."""
        return _settled(self._client.get_serve_details())


def _deployed(details: Mapping[str, Any]) -> dict[str, Any]:
    """The config behind Serve's details: without one of the applications it would be taken for a wish to end that."""
    configs = [one.get("deployed_app_config") for one in details["applications"].values()]
    made: dict[str, Any] = {"applications": [config for config in configs if config is not None]}
    for name in ("proxy_location", "http_options"):
        if details.get(name) is not None:
            made[name] = details[name]
    return made


def _settled(details: Mapping[str, Any]) -> bool:
    applications = details["applications"].values()
    deployments = [one for application in applications for one in application["deployments"].values()]
    return all(one["status"] == "RUNNING" for one in applications) and all(
        one["status"] == "HEALTHY" for one in deployments
    )
