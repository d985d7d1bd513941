// Parts that answers of several routes share: counts, times, pictures, logprobs.
#pragma once

#include <span>
#include <string>

#include "galago/galago.h"
#include "messages/ordered_json.h"

namespace galago::server {

/// OpenAI's usage of n answers to each of one or several prompts, with cached and image tokens; of a request
/// with a prediction also with tokens of it that went through the model.
OrderedJson usage_json(std::span<const Answer> answers, size_t n, bool predicted);
/// Stages in milliseconds, with llama-server's names beside galago's.
OrderedJson timings_json(const Answer& answer);
/// Of the tokens so far of an answer that goes on, by llama-server's names.
OrderedJson running_timings_json(int64_t tokens, double ms);
/// [{width, height, rows, cols, tiles, tokens}].
OrderedJson images_json(std::span<const ImageInfo> images);
/// What of the pictures was not encoded.
OrderedJson cache_json(const CacheCounts& cache);
/// {tokens, mean_logprob, min_logprob, margin}.
OrderedJson confidence_json(const Confidence& confidence);

/// Without the end token, if it is one of `unseen`: the tokens of the text alone, as clients expect them.
std::span<const TokenLogprobs> tokens_of_text(std::span<const TokenLogprobs> tokens,
                                              std::span<const int32_t> unseen);
/// Chat's logprobs: {"content": [...], "refusal": null}.
OrderedJson chat_logprobs(std::span<const TokenLogprobs> tokens);
/// Characters (code points) of UTF-8.
size_t characters(std::string_view text);
/// Completions': tokens, token_logprobs, top_logprobs, text_offset. offset: characters before the first of
/// them. first_is_bare: the first has no logprob.
OrderedJson completion_logprobs(std::span<const TokenLogprobs> tokens, size_t offset, bool first_is_bare);

/// "stop" or "length".
const char* finish_reason(const Answer& answer);

/// One event of a stream: "data: JSON\n\n".
std::string event(const OrderedJson& json);
/// The last one.
inline constexpr const char* kDone = "data: [DONE]\n\n";

/// An id with a prefix, 24 random digits behind it.
std::string new_id(const char* prefix);
/// Seconds since 1970.
int64_t unix_time();

}  // namespace galago::server
