"""Pictures and prompts as docling's stages give them -> texts, by a galago.Model in this process."""

import logging
import time
from pathlib import Path
from typing import Any

import galago
from docling.datamodel.base_models import OpenAiResponseLogprobs, OpenAiTokenLogprob, VlmStopReason
from docling.models.inference_engines.vlm import BaseVlmEngine, VlmEngineInput, VlmEngineOutput

from ._options import GalagoEngineOptions

_log = logging.getLogger(__name__)
_STOP_REASONS = {"stop": VlmStopReason.END_OF_SEQUENCE.value, "length": VlmStopReason.LENGTH.value}


def open_model(named: str | Path | galago.Model, load: dict[str, Any], artifacts: str | Path | None) -> galago.Model:
    """The model of this name. ORG/NAME is ORG--NAME in docling's folder of artifacts, where there is one."""
    if isinstance(named, galago.Model):
        return named
    if artifacts is not None and not Path(named).exists():
        named = Path(artifacts) / str(named).replace("/", "--")
    _log.info("Loading %s", named)
    return galago.Model(named, **load)


def _options(asked: VlmEngineInput, params: dict[str, Any]) -> galago.Options:
    options: dict[str, Any] = {
        "max_tokens": asked.max_new_tokens,
        "temperature": asked.temperature,
        "stop": asked.stop_strings,
        **params,
    }
    return options  # type: ignore[return-value]


def _logprobs(answer: galago.Answer) -> OpenAiResponseLogprobs | None:
    tokens = [OpenAiTokenLogprob(token=token.text, bytes=list(token.bytes), logprob=token.logprob) for token in answer.logprobs]
    return OpenAiResponseLogprobs(content=tokens) if tokens else None


def _output(answer: galago.Answer | Exception, seconds: float) -> VlmEngineOutput:
    """docling's words for an answer. What failed costs its page alone, as with docling's remote engines; wrong options are raised."""
    if isinstance(answer, (TypeError, galago.UsageError)):
        raise answer
    if isinstance(answer, Exception):
        reason = f"{type(answer).__name__}: {answer}"
        _log.error("A picture was not read: %s", reason)
        return VlmEngineOutput(text="", stop_reason=VlmStopReason.INFERENCE_ERROR.value, metadata={"num_tokens": 0, "error": reason})
    used = answer.usage
    usage = {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }
    metadata = {"generation_time": seconds, "num_tokens": used.completion_tokens, "usage": usage, "logprobs": _logprobs(answer)}
    return VlmEngineOutput(text=answer.text.strip(), stop_reason=_STOP_REASONS.get(answer.finish_reason), metadata=metadata)


class GalagoVlmEngine(BaseVlmEngine):
    """Answers a batch side by side; its model is loaded at once.

    Args:
        options: with the model's name, or the model.
        repo_id: the model where the options name none.
        artifacts_path: docling's folder of models, or None.

    Raises:
        What galago.Model raises; TypeError or galago.UsageError of params that are wrong, from predict_batch.
    """

    options: GalagoEngineOptions

    def __init__(self, options: GalagoEngineOptions, repo_id: str, artifacts_path: str | Path | None = None) -> None:
        super().__init__(options)
        self._named = repo_id if options.model is None else options.model
        self._artifacts = artifacts_path
        self.initialize()

    def initialize(self) -> None:
        self.model = open_model(self._named, self.options.load, self._artifacts)
        self._initialized = True

    def predict_batch(self, input_batch: list[VlmEngineInput]) -> list[VlmEngineOutput]:
        if any(asked.extra_generation_config.get("custom_stopping_criteria") for asked in input_batch):
            _log.warning("custom_stopping_criteria are not looked at: stop and stop_token_ids in params are")
        began = time.monotonic()
        requests = [galago.Request(asked.prompt, [asked.image], options=_options(asked, self.options.params)) for asked in input_batch]
        answers = self.model.generate(requests, progress=False, return_exceptions=True)
        seconds = time.monotonic() - began
        return [_output(answer, seconds) for answer in answers]
