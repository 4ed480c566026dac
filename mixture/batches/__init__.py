"""Batches of requests in OpenAI's form: files that are handed in, answered beside live traffic, and handed out."""

from mixture.batches.files import File, Files, UnknownFile
from mixture.batches.register import Batch, Batches, UnknownBatch
from mixture.batches.requests import ENDPOINTS, Fault, Request
from mixture.batches.worker import Ask, Worker

__all__ = [
    "ENDPOINTS",
    "Ask",
    "Batch",
    "Batches",
    "Fault",
    "File",
    "Files",
    "Request",
    "UnknownBatch",
    "UnknownFile",
    "Worker",
]
