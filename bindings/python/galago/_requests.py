"""Questions as people write them -> requests of the extension module."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Union

from . import _core
from ._answers import Answer, answer_of
from ._errors import InputError, InputTooLargeError, UsageError
from ._media import ImageSource, VideoSource, image_of, listed, video_of

#: A conversation as transformers and the OpenAI API write it, or one user's text.
Messages = Union[str, Sequence[Mapping[str, Any]]]


class Options(TypedDict, total=False):
    """What a request may ask for. Whatever is left out is greedy decoding, and what the model's files say."""

    max_tokens: int | None  #: at least 1; None: 256, or 8192 of a model that writes DocTags
    temperature: float  #: 0: greedy; else logits are divided by it before sampling
    top_k: int  #: the k likeliest tokens; 0: off
    top_p: float  #: the smallest set whose probability reaches it; 1: off
    min_p: float  #: tokens at least so likely as this times the likeliest; 0: off
    typical_p: float
    epsilon_cutoff: float
    eta_cutoff: float
    repetition_penalty: float | None
    frequency_penalty: float  #: from -2 to 2
    presence_penalty: float  #: from -2 to 2
    no_repeat_ngram_size: int | None
    min_tokens: int | None
    logit_bias: Mapping[int, float]  #: token id -> from -100 to 100
    bad_words_ids: Sequence[Sequence[int]]
    suppress_tokens: Sequence[int]
    begin_suppress_tokens: Sequence[int]
    seed: int
    stop: str | Sequence[str]  #: texts that end the answer
    stop_token_ids: Sequence[int]
    ignore_eos: bool
    keep_special: bool | None  #: whether special tokens stay in the text
    legal_doctags: bool  #: hold a model that writes DocTags to what they allow
    logprobs: bool | int | None  #: of each token; a number: with so many of the likeliest, up to 20
    prompt_logprobs: bool | int | None
    prefill_chunk: int  #: prompt rows that are read at once; 0: 512
    #: texts that the answer is likely to hold, and with them what stands in the answer itself so far; an empty list: that alone. The same
    #: answer, sooner where they are right
    draft: str | Sequence[str] | None

    schema: Any  #: a pydantic model or TypeAdapter, or a JSON schema: Answer.parsed is what it allows
    json_object: bool  #: any JSON object
    regex: str  #: a text that it matches as a whole
    choices: Sequence[str]  #: one of them
    grammar: str  #: a text of this EBNF (GBNF) grammar

    system: str  #: a system message before the conversation
    split_images: bool | None  #: cut pictures into tiles; None: as the model's settings say
    parse_special: bool  #: special tokens in the texts are control tokens; off for texts of strangers
    raw: bool  #: a text as it stands, to be continued: no chat template
    priority: int  #: a step more is worth ten seconds of waiting
    timeout_ms: float  #: TimeoutError when it has not ended by then; 0: no limit
    tools: Sequence[Mapping[str, Any]]  #: functions that the template may offer
    template_arguments: Mapping[str, Any]  #: further variables of the template
    add_generation_prompt: bool | None
    continue_final_message: bool  #: go on where the last message's text ends


@dataclass
class Request:
    """One question for Model.generate: a text or a conversation, its pictures and videos, and options of its own."""

    messages: Messages
    images: Sequence[ImageSource] = ()
    videos: Sequence[VideoSource] = ()
    options: Options = field(default_factory=lambda: Options())


_OF_REQUEST = ("system", "split_images", "parse_special", "raw", "priority", "timeout_ms")
_OF_CONVERSATION = ("tools", "template_arguments", "add_generation_prompt", "continue_final_message")
_FORMS = ("schema", "json_object", "regex", "choices", "grammar")
_KNOWN = frozenset(Options.__annotations__)


@dataclass
class Prepared:
    """A request for the extension module, and what reads its answer's text."""

    request: _core.Request
    parse: Callable[[str], Any] | None = None


def checked_text(text: object, where: str) -> str:
    """A str that can be written as UTF-8. TypeError for another object, InputError for halves of surrogate pairs."""
    if not isinstance(text, str):
        raise TypeError(f"{where}: got {type(text).__name__}, expected str")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(where, f"half of a surrogate pair at character {error.start}", "Unicode text") from None
    return text


def _json(value: object, where: str, default: Callable[[Any], Any] | None = None) -> str:
    try:
        return json.dumps(value, default=default, allow_nan=False)
    except RecursionError:
        raise InputTooLargeError(where, "values nested without end", "JSON of at most 64 levels") from None
    except ValueError as error:  # NaN, an object inside itself; not those that `default` raises
        if isinstance(error, (InputError, UsageError)):
            raise
        raise InputError(where, str(error), "what JSON can hold") from None


def misfit(name: str, value: object, kind: object) -> Exception:
    """For a value that the extension module does not take: UsageError for a whole number out of range, else TypeError."""
    expected = str(getattr(kind, "__forward_arg__", kind))
    if isinstance(value, int) and "int" in expected:
        got = str(value) if value.bit_length() < 256 else f"a number of {value.bit_length()} bits"
        return UsageError(name, got, "a whole number of at least 0" if value < 0 else "a smaller number")
    return TypeError(f"{name}: got {value!r}, expected {expected}")


def _set(target: object, name: str, value: object) -> None:
    if isinstance(value, str):
        value = checked_text(value, name)
    try:
        setattr(target, name, value)
    except TypeError:
        raise misfit(name, value, Options.__annotations__[name]) from None


def _set_generation(request: _core.Request, options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name in _OF_REQUEST:
            _set(request, name, value)
        elif name in ("logprobs", "prompt_logprobs") and isinstance(value, bool):
            _set(request.options, name, 0 if value else None)
        elif name == "stop":
            texts = [value] if isinstance(value, str) else list(value)
            request.options.stop = [checked_text(text, "stop") for text in texts]
        elif name == "draft":
            texts = [] if value is None else [value] if isinstance(value, str) else list(value)
            request.options.set_draft([checked_text(text, "draft") for text in texts], value is not None)
        elif name == "logit_bias":
            _set(request.options, name, [_core.TokenBias(int(id), float(bias)) for id, bias in value.items()])
        elif name not in _OF_CONVERSATION and name not in _FORMS:
            _set(request.options, name, value)


def _set_schema(request: _core.Request, schema: Any) -> Callable[[str], Any]:
    def set_format(definition: str) -> None:
        request.options.set_format("schema", definition, [])

    if hasattr(schema, "model_json_schema"):  # a pydantic model
        set_format(_json(schema.model_json_schema(), "schema"))
        return lambda text: schema.model_validate_json(text)
    if hasattr(schema, "json_schema") and hasattr(schema, "validate_json"):  # a TypeAdapter of pydantic's
        set_format(_json(schema.json_schema(), "schema"))
        return lambda text: schema.validate_json(text)
    if isinstance(schema, str):
        set_format(checked_text(schema, "schema"))
    elif isinstance(schema, (Mapping, bool)):
        set_format(_json(schema, "schema"))
    else:
        raise TypeError(f"schema: got {type(schema).__name__}, expected a pydantic model, a JSON schema or its text")
    return json.loads


def _set_form(request: _core.Request, options: Mapping[str, Any]) -> Callable[[str], Any] | None:
    asked = [name for name in _FORMS if options.get(name) not in (None, False)]
    if len(asked) > 1:
        raise UsageError(asked[1], f"{asked[0]} beside it", "one form of the answer")
    if not asked:
        return None
    name, value = asked[0], options[asked[0]]
    if name == "schema":
        return _set_schema(request, value)
    if name == "json_object":
        request.options.set_format(name, "", [])
        return json.loads
    if name == "choices":
        if isinstance(value, str):
            raise TypeError("choices: got one str, expected a list of texts")
        request.options.set_format(name, "", [checked_text(text, name) for text in value])
        return None
    request.options.set_format(name, checked_text(value, name), [])
    return None


def _is_hole(part: object, kind: str) -> bool:
    """Whether it is a part of this kind whose picture stands elsewhere: {"type": "image"}."""
    if not isinstance(part, Mapping) or part.get("type") not in (kind, kind + "_url"):
        return False
    return all(part.get(key) is None for key in ("path", "url", kind, kind + "_url"))


def _fill(messages: Sequence[Any], kind: str, sources: Sequence[object]) -> tuple[list[Any], bool]:
    """The messages with a source in each part that has none; whether there was any such part."""
    left = list(sources)
    found = 0

    def filled(part: Any) -> Any:
        nonlocal found
        if not _is_hole(part, kind):
            return part
        found += 1
        return {"type": kind, kind: left.pop(0)} if left else part

    out: list[Any] = []
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, (list, tuple)):
            message = {**message, "content": [filled(part) for part in content]}
        out.append(message)
    if found and found != len(sources):
        raise InputError("messages", f"{found} parts of type {kind} without a source", f"{len(sources)}, as {kind}s are given")
    return out, found > 0


def _with_media(messages: Sequence[Any], images: Sequence[object], videos: Sequence[object]) -> list[Any]:
    """The messages with their pictures and videos: in the parts that name none, or before the last user's text."""
    front: list[Any] = []
    out = list(messages)
    for kind, sources in (("image", images), ("video", videos)):
        out, placed = _fill(out, kind, sources)
        if not placed:
            front += [{"type": kind, kind: source} for source in sources]
    if not front:
        return out
    users = [i for i, message in enumerate(out) if isinstance(message, Mapping) and message.get("role") == "user"]
    if not users:
        raise InputError("messages", "no message of role user", "one that the pictures belong to")
    last = out[users[-1]]
    content = last.get("content")
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])
    out[users[-1]] = {**last, "content": front + parts}
    return out


def _read_conversation(
    request: _core.Request,
    messages: Sequence[Any],
    images: Sequence[ImageSource],
    videos: Sequence[VideoSource],
    options: Mapping[str, Any],
) -> None:
    media: list[_core.Image | _core.Video] = []

    def place(found: Any) -> str:
        media.append(found if isinstance(found, _core.Video) else image_of(found))
        return f"\0{len(media) - 1}"

    given = [video_of(video) for video in videos]
    document: dict[str, Any] = {"messages": _with_media(messages, images, given)}
    if request.system:
        document["messages"].insert(0, {"role": "system", "content": request.system})
        request.system = ""
    document |= {name: options[name] for name in _OF_CONVERSATION if name in options}
    text = _json(document, "messages", place)
    request.read_conversation(text, media, image_of, video_of)


def _meant(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*_KNOWN, "images", "videos", "messages"], 1, 0.7)
    return f": did you mean {near[0]}?" if near else ""


def prepare(
    messages: Messages,
    images: Sequence[ImageSource],
    videos: Sequence[VideoSource],
    options: Mapping[str, Any],
) -> Prepared:
    """The request of a question. Opens its pictures; TypeError, UsageError, InputError and its kin."""
    unknown = sorted(set(options) - _KNOWN)
    if unknown:
        raise TypeError(f"{unknown[0]}: no such option{_meant(unknown[0])}; there are {', '.join(sorted(_KNOWN))}")
    pictures = listed(images, "images")
    request = _core.Request()
    _set_generation(request, options)
    parse = _set_form(request, options)
    if isinstance(messages, str):
        used = [name for name in _OF_CONVERSATION if options.get(name)]
        if used:
            raise UsageError(used[0], "a text in the place of messages", "a conversation: a list of messages")
        request.prompt = checked_text(messages, "prompt")
        request.images = [image_of(source) for source in pictures]
        request.videos = [video_of(source) for source in videos]
    elif isinstance(messages, Mapping):
        raise TypeError("messages: got one dict, expected a text or a list of messages: [{'role': 'user', 'content': TEXT}]")
    elif not hasattr(messages, "__iter__"):
        raise TypeError(f"messages: got {type(messages).__name__}, expected a text or a list of messages")
    else:
        _read_conversation(request, messages, pictures, videos, options)
    return Prepared(request, parse)


def finished(ask: _core.Ask, prepared: Prepared) -> Answer:
    """The answer of a request that has ended, once; raises what ended it instead, and what its schema's validation raises."""
    facts = ask.answer()
    parse = prepared.parse if facts["finish_reason"] == "stop" else None
    return answer_of(facts, parse(facts["text"]) if parse else None)
