"""Engines of our own: vLLM behind the core's protocol. Only `deployments.engine.vllm` imports vLLM, in a replica."""
