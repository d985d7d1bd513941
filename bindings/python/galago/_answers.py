"""What comes out of a request: plain objects that can be compared, printed and pickled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TokenLogprob:
    """A token, and the natural logarithm of its probability by the raw logits: before any penalty, filter or format."""

    id: int
    text: str  #: malformed UTF-8 in it replaced by U+FFFD
    bytes: bytes  #: what it stands for; a part of a character where a character takes several tokens
    logprob: float
    top: tuple[TokenLogprob, ...] = ()  #: the likeliest in its place, the likeliest first; as many as were asked for


@dataclass(frozen=True)
class Confidence:
    """How sure a model was of some tokens together."""

    tokens: int
    mean_logprob: float
    min_logprob: float  #: of the least likely of them
    margin: float  #: mean distance, in logits, to the likeliest other token; below 0: that was likelier


@dataclass(frozen=True)
class Element:
    """An element of an answer in DocTags: tokens from `begin` to before `end` of Answer.tokens."""

    name: str  #: of the tag, e.g. "section_header_level_1"
    begin: int
    end: int
    depth: int  #: 0: on the page
    confidence: Confidence


@dataclass(frozen=True)
class ImageInfo:
    """How one picture is cut, and what it costs."""

    width: int  #: in pixels
    height: int
    rows: int  #: of the tile grid; 0 x 0 when it is not cut
    cols: int
    tiles: int  #: encoded tiles, that of the whole picture included
    tokens: int  #: of the prompt


@dataclass(frozen=True)
class VideoInfo:
    """What the model saw of one video."""

    width: int  #: of a frame, in pixels
    height: int
    frames: int  #: in the video
    fps: float
    seconds: float
    sampled: tuple[int, ...]  #: indices of the frames that were seen
    tokens: int  #: of the prompt, of all of them


@dataclass(frozen=True)
class Usage:
    """Tokens of one request."""

    prompt_tokens: int
    image_tokens: int  #: of the prompt
    completion_tokens: int
    cached_tokens: int  #: of the prompt, taken from an earlier one that began with the same
    drafted_tokens: int = field(default=0, compare=False)  #: guesses that went through the model (Options: draft)
    accepted_tokens: int = field(default=0, compare=False)  #: of these, that the answer says


@dataclass(frozen=True)
class Timings:
    """Milliseconds of each stage of one request."""

    load_ms: float
    decode_image_ms: float
    preprocess_ms: float
    vision_ms: float
    connector_ms: float
    prefill_ms: float
    first_token_ms: float  #: from the start of the request to the first token
    decode_ms: float
    tokens_per_second: float  #: of decoding, without prefill


@dataclass(frozen=True)
class CacheCounts:
    """What one request did not have to encode. Pictures are images and the frames of videos."""

    memory_hits: int
    directory_hits: int
    misses: int
    unsaved: int
    tiles_encoded: int
    tiles_repeated: int


@dataclass(frozen=True)
class Answer:
    """The answer to one request."""

    text: str
    finish_reason: str  #: "stop"; "length" where max_tokens or the context cut it; "cancelled"
    tokens: tuple[int, ...] = field(repr=False)  #: ids of the answer, the end token included where one was chosen
    prompt_tokens: tuple[int, ...] = field(repr=False)  #: ids of the whole prompt, pictures' placeholders included
    usage: Usage
    timings: Timings = field(repr=False, compare=False)
    logprobs: tuple[TokenLogprob, ...] = field(repr=False, default=())  #: as tokens, with the option logprobs
    prompt_logprobs: tuple[TokenLogprob, ...] = field(repr=False, default=())  #: as prompt_tokens; the first has 0
    confidence: Confidence | None = field(repr=False, default=None)  #: with logprobs, and of answers in DocTags
    elements: tuple[Element, ...] = field(repr=False, default=())  #: of an answer in DocTags
    images: tuple[ImageInfo, ...] = field(repr=False, default=())
    videos: tuple[VideoInfo, ...] = field(repr=False, default=())
    cache: CacheCounts | None = field(repr=False, default=None, compare=False)
    parsed: Any = None  #: with the option schema: the validated object; None of an answer that was cut


@dataclass(frozen=True)
class Piece:
    """A piece of an answer as it is written; str(piece) is its text."""

    text: str  #: whole characters
    token: int  #: the id of the token that made it certain; -1 for what is left at the end
    logprobs: TokenLogprob | None = None  #: of that token, with the option logprobs

    def __str__(self) -> str:
        return self.text


def _token(facts: dict[str, Any]) -> TokenLogprob:
    return TokenLogprob(**{**facts, "top": tuple(TokenLogprob(**other) for other in facts["top"])})


def piece_of(facts: dict[str, Any]) -> Piece:
    """What the extension module says of a piece."""
    return Piece(facts["text"], facts["token"], _token(facts["logprobs"]) if facts["logprobs"] else None)


def answer_of(facts: dict[str, Any], parsed: Any) -> Answer:
    """What the extension module says of an answer."""
    return Answer(
        text=facts["text"],
        finish_reason=facts["finish_reason"],
        tokens=tuple(facts["tokens"]),
        prompt_tokens=tuple(facts["prompt_tokens"]),
        usage=Usage(**facts["usage"]),
        timings=Timings(**facts["timings"]),
        logprobs=tuple(_token(token) for token in facts["logprobs"]),
        prompt_logprobs=tuple(_token(token) for token in facts["prompt_logprobs"]),
        confidence=Confidence(**facts["confidence"]) if facts["confidence"] else None,
        elements=tuple(
            Element(**{**element, "confidence": Confidence(**element["confidence"])}) for element in facts["elements"]
        ),
        images=tuple(ImageInfo(**image) for image in facts["images"]),
        videos=tuple(VideoInfo(**{**video, "sampled": tuple(video["sampled"])}) for video in facts["videos"]),
        cache=CacheCounts(**facts["cache"]),
        parsed=parsed,
    )
