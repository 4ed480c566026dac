"""vLLM's engine as an expert. The only file that imports vLLM, and only replicas import this one.

Written against vLLM 0.29: `AsyncLLM` computes; its `OnlineRenderer` turns messages into tokens with the model's chat
template; its parsers read tool calls. What is raised leaves here as an error of ours.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.chat_utils import load_chat_template
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.entrypoints.serve.engine.protocol import ErrorResponse
from vllm.entrypoints.serve.utils.api_utils import get_max_tokens
from vllm.exceptions import GracefulHTTPError, VLLMClientError
from vllm.lora.request import LoRARequest
from vllm.parser import ParserManager
from vllm.renderers.online_renderer import OnlineRenderer
from vllm.usage.usage_lib import UsageContext
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError
from vllm.v1.metrics.loggers import StatLoggerBase

from deployments.engine.answers import Aborted, Parser, Reading
from deployments.engine.gathering import gathered, window
from mixture.config import EngineConfig
from mixture.errors import ExpertUnavailable, InvalidQuery, MixtureError, RateLimited, StreamBroken
from mixture.providers.openai.request import body
from mixture.providers.vllm.cost import Throughput
from mixture.types import Chunk, EngineLoad, ExpertCard, Query
from mixture.upstream.failures import Reported, failure

Adapter = tuple[str, str]
"""An adapter's name, and the folder of its weights."""


class Engine:
    """A running engine; `load` is what it has to do at the moment."""

    def __init__(
        self,
        card: ExpertCard,
        config: EngineConfig,
        arguments: dict[str, Any],
        adapters: Sequence[Adapter] = (),
        replica: str = "",
    ) -> None:
        """`arguments` are those of `AsyncEngineArgs`; `replica` names this one in reports of its load. Blocks until the
        engine is ready; raises what vLLM raises.
        """
        self.card = card
        # As a server: vLLM's defaults follow from it, on a large GPU four times the tokens in a step of a plain engine.
        settings = AsyncEngineArgs(**arguments).create_engine_config(UsageContext.OPENAI_API_SERVER)
        self._model = settings.model_config
        self.load = EngineLoad(replica, places=settings.scheduler_config.max_num_seqs)
        self._engine = AsyncLLM.from_vllm_config(
            settings,
            usage_context=UsageContext.ENGINE_CONTEXT,
            stat_loggers=[lambda config, index: _Recorder(self)],
            disable_log_stats=True,
        )
        parsing: dict[str, Any] = {"tool_parser": config.tool_parser, "enable_auto_tools": bool(config.tool_parser)}
        template = load_chat_template(config.chat_template)
        self._renderer = OnlineRenderer(
            self._model,
            self._engine.renderer,
            request_logger=None,
            chat_template=template,
            chat_template_content_format="auto",
            reasoning_parser=config.reasoning_parser,
            **parsing,
        )
        self._parser = ParserManager.get_parser(
            tool_parser_name=config.tool_parser,
            reasoning_parser_name=config.reasoning_parser,
            enable_auto_tools=bool(config.tool_parser),
            model_name=self._model.model,
            is_harmony=self._model.hf_config.model_type == "gpt_oss",
        )
        self._defaults = self._model.get_diff_sampling_param()
        self._adapters = {
            name: LoRARequest(name, number, folder) for number, (name, folder) in enumerate(adapters, start=1)
        }

    async def add(self, adapter: str) -> None:
        """Load an adapter now. Raises what vLLM raises when it does not fit the weights."""
        await self._engine.add_lora(self._adapters[adapter])

    @property
    def dead(self) -> bool:
        """Whether the engine's process is gone."""
        return bool(self._engine.errored)

    def close(self) -> None:
        """End the engine's processes."""
        self._engine.shutdown()

    async def stream(self, query: Query, adapter: str | None = None) -> AsyncGenerator[Chunk, None]:
        """The model's answer: in the pieces in which it is written, or one chunk a choice when `query.stream` is off.
        Closing it takes the request out of the engine.

        Raises InvalidQuery, ExpertUnavailable, RateLimited and, after the first chunk, StreamBroken.
        """
        begun = False
        try:
            request = ChatCompletionRequest(**body(query, self._model.model, {}))
            prompt, reading = await self._prepared(request)
            outputs = self._engine.generate(
                prompt,
                self._sampling(request, prompt),
                f"{query.request_id or 'query'}-{uuid4().hex}",
                lora_request=self._adapters[adapter] if adapter is not None else None,
                reasoning_ended=reading.reasoned(prompt["prompt_token_ids"]),
            )
            read = reading.read if query.stream else reading.whole
            paced = gathered(outputs, lambda: window(self.load)) if query.stream else outputs
            async with aclosing(outputs), aclosing(paced) as running:
                async for output in running:
                    for chunk in read(output):
                        begun = True
                        yield chunk
        except Exception as error:
            raise self._translated(error, begun) from None

    async def _prepared(self, request: ChatCompletionRequest) -> tuple[Any, Reading]:
        """The prompt as the engine takes it, and who reads its answer."""
        rendered = await self._renderer.render_chat(request)
        if isinstance(rendered, ErrorResponse):
            raise InvalidQuery(rendered.error.message, param=rendered.error.param)
        _, (prompt,) = rendered
        kwargs = request.build_chat_params(None, "auto").chat_template_kwargs
        tokenizer = self._engine.get_tokenizer()

        def parser() -> Parser | None:
            if self._parser is None:
                return None
            made: Parser = self._parser(tokenizer, request.tools, chat_template_kwargs=kwargs, model_config=self._model)
            return made

        return prompt, Reading(request, parser, tokenizer)

    def _sampling(self, request: ChatCompletionRequest, prompt: Any) -> Any:
        wished = request.max_completion_tokens if request.max_completion_tokens is not None else request.max_tokens
        length = len(prompt["prompt_token_ids"])
        most = get_max_tokens(self._model.max_model_len, wished, length, self._defaults)
        return request.to_sampling_params(most, self._defaults)

    def _translated(self, error: Exception, begun: bool) -> MixtureError:
        name = self.card.name
        if isinstance(error, MixtureError):
            error.expert = error.expert or name
            return error
        if isinstance(error, EngineDeadError | EngineGenerateError | Aborted):
            kind = StreamBroken if begun else ExpertUnavailable
            return kind(f"the engine of {name} stopped", expert=name)
        if isinstance(error, GracefulHTTPError):
            return RateLimited(f"{name} has too many requests waiting", retry_after=1.0, expert=name)
        if isinstance(error, ValidationError):
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"][:1])
            return InvalidQuery(f"{where or 'request'}: {first['msg']}", param=where or None, expert=name)
        if isinstance(error, VLLMClientError | ValueError | TypeError | NotImplementedError):
            invalid = failure(Reported(400, str(error)), name, started=begun)
            invalid.param = invalid.param or getattr(error, "parameter", None)
            return invalid
        raise error


class _Recorder(StatLoggerBase):
    """Keeps an engine's load up to date."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._throughput = Throughput()

    def record(self, scheduler_stats: Any, iteration_stats: Any, *more: Any, **named: Any) -> None:
        """After each step of the engine."""
        if scheduler_stats is None:
            return
        before, cache = self._engine.load, scheduler_stats.prefix_cache_stats
        self._measure(scheduler_stats, iteration_stats)
        self._engine.load = replace(
            before,
            running=scheduler_stats.num_running_reqs,
            waiting=scheduler_stats.num_waiting_reqs,
            kv_use=scheduler_stats.kv_cache_usage,
            prefix_queries=before.prefix_queries + cache.queries,
            prefix_hits=before.prefix_hits + cache.hits,
            tokens_per_s=self._throughput.tokens_per_s,
        )

    def _measure(self, scheduler: Any, iteration: Any) -> None:
        prompt, written = (iteration.num_prompt_tokens, iteration.num_generation_tokens) if iteration else (0, 0)
        left = scheduler.num_running_reqs + scheduler.num_waiting_reqs
        self._throughput.note(prompt, written, working=left > 0)

    def log_engine_initialized(self) -> None:
        """Nothing to say."""
