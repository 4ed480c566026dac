"""JSON Schemas of Kubernetes' kinds, from the types of its official client, and of KubeRay's RayService.

The fields of KubeRay's own types are those of its API `ray.io/v1` (ray-operator/apis/ray/v1 of
github.com/ray-project/kuberay, Apache License 2.0) as far as a server like this may need them; whatever is Kubernetes'
own inside them (pods, services, sources of variables) is checked whole.
"""

# ruff: noqa: N815  the fields have KubeRay's own names

from __future__ import annotations

from typing import Annotated, Any, Literal

from kubernetes.client import models
from pydantic import BaseModel, Field

Count = Annotated[int, Field(ge=0)]
Texts = dict[str, str]


class Credential(BaseModel):
    value: str = ""
    valueFrom: models.V1EnvVarSource | None = None


class FaultTolerance(BaseModel):
    redisAddress: str
    redisUsername: Credential | None = None
    redisPassword: Credential | None = None
    externalStorageNamespace: str = ""


class Autoscaler(BaseModel):
    version: Literal["v1", "v2"] = "v2"
    upscalingMode: Literal["Default", "Aggressive", "Conservative"] = "Default"
    idleTimeoutSeconds: Count = 60
    resources: models.V1ResourceRequirements | None = None
    image: str = ""
    imagePullPolicy: str = ""
    securityContext: models.V1SecurityContext | None = None
    env: list[models.V1EnvVar] = []
    envFrom: list[models.V1EnvFromSource] = []
    volumeMounts: list[models.V1VolumeMount] = []


class HeadGroup(BaseModel):
    template: models.V1PodTemplateSpec
    rayStartParams: Texts = {}
    labels: Texts = {}
    resources: Texts = {}
    headService: models.V1Service | None = None
    enableIngress: bool = False
    serviceType: str = ""


class WorkerGroup(BaseModel):
    groupName: Annotated[str, Field(pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    template: models.V1PodTemplateSpec
    replicas: Count = 0
    minReplicas: Count
    maxReplicas: Count
    numOfHosts: Annotated[int, Field(ge=1)] = 1
    idleTimeoutSeconds: Count = 60
    rayStartParams: Texts = {}
    labels: Texts = {}
    resources: Texts = {}
    suspend: bool = False


class Cluster(BaseModel):
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup] = []
    rayVersion: str = ""
    enableInTreeAutoscaling: bool = False
    autoscalerOptions: Autoscaler | None = None
    gcsFaultToleranceOptions: FaultTolerance | None = None
    headServiceAnnotations: Texts = {}
    suspend: bool = False
    managedBy: str = ""


class UpgradeStrategy(BaseModel):
    type: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]


class ServiceSpec(BaseModel):
    serveConfigV2: str
    rayClusterConfig: Cluster
    serveService: models.V1Service | None = None
    upgradeStrategy: UpgradeStrategy | None = None
    rayClusterDeletionDelaySeconds: Count = 60
    excludeHeadPodFromServeSvc: bool = False


class RayService(BaseModel):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: models.V1ObjectMeta
    spec: ServiceSpec


KINDS: dict[tuple[str, str], type[BaseModel]] = {
    ("v1", "ConfigMap"): models.V1ConfigMap,
    ("v1", "Secret"): models.V1Secret,
    ("v1", "Service"): models.V1Service,
    ("apps/v1", "StatefulSet"): models.V1StatefulSet,
    ("policy/v1", "PodDisruptionBudget"): models.V1PodDisruptionBudget,
    ("ray.io/v1", "RayService"): RayService,
}


def schema_for(document: dict[str, Any]) -> dict[str, Any]:
    """The schema of a manifest, by what it says it is; unknown fields are refused at every depth."""
    schema = KINDS[document["apiVersion"], document["kind"]].model_json_schema(by_alias=True)
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return schema
