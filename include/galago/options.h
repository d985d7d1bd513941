// What a caller can ask of generation and what comes back. Names follow transformers' GenerationConfig.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "galago/draft.h"
#include "galago/logits_processor.h"
#include "galago/tokens.h"
#include "galago/visibility.h"

namespace galago {

/// What is added to the logit of one token.
struct TokenBias {
  int32_t id = 0;   ///< of the vocabulary
  double bias = 0;  ///< from -100, which all but forbids it, to 100
};

/// The form that an answer has to have (docs/structured-answers.md). Its text alone: neither prompt nor end
/// token.
struct AnswerFormat {
  enum class Kind {
    text,         ///< any
    json_object,  ///< a JSON object
    json_schema,  ///< JSON that the schema in `definition` allows
    regex,        ///< a text that the pattern in `definition` matches as a whole
    choice,       ///< one of `choices`
    grammar,      ///< a text of the EBNF (GBNF) grammar in `definition`, from its rule root
  };
  Kind kind = Kind::text;
  std::string definition;
  std::vector<std::string> choices;
};

/// How the next token is chosen and when to stop. The defaults are greedy decoding. What is not set, the
/// model's generation_config.json says.
struct GenerateOptions {
  /// At least 1; beyond the context: up to its end. Unset: AnswerDefaults::max_new_tokens of the model.
  std::optional<int64_t> max_new_tokens;
  double temperature = 0;     ///< 0: greedy; else logits are divided by it before sampling
  int64_t top_k = 0;          ///< keep the k most likely tokens; 0: off
  double top_p = 1;           ///< keep the smallest set whose probability reaches this; 1: off
  double min_p = 0;           ///< drop tokens less likely than this times the likeliest; 0: off
  double typical_p = 1;       ///< keep the most typical tokens whose probability reaches this; 1: off
  double epsilon_cutoff = 0;  ///< drop tokens less likely than this; 0: off
  double eta_cutoff = 0;      ///< drop tokens less likely than this or what the entropy says; 0: off
  /// Above 1 makes tokens of prompt and answer less likely; 1: off.
  std::optional<double> repetition_penalty;
  double frequency_penalty = 0;  ///< from -2 to 2: taken from a logit each time its token was answered
  double presence_penalty = 0;   ///< from -2 to 2: taken once from the logits of tokens of the answer
  std::optional<int64_t> no_repeat_ngram_size;  ///< so many tokens in a row come once only; 0: off
  std::optional<int64_t> min_new_tokens;        ///< no end token before so many; 0: off
  std::vector<TokenBias> logit_bias;
  std::vector<std::vector<int32_t>> bad_words_ids;  ///< sequences that do not come, beside the model's own
  std::vector<int32_t> suppress_tokens;             ///< tokens that do not come, beside the model's own
  std::vector<int32_t> begin_suppress_tokens;       ///< that do not come first, beside the model's own
  std::vector<MakeLogitsProcessor> processors;      ///< the caller's own, after those above
  uint64_t seed = 0;                                ///< of the sampler; the same seed gives the same answer
  /// Texts that end the answer; they are not part of it. One that is a special token's text ends it by that
  /// token, whatever keep_special says.
  std::vector<std::string> stop;
  std::vector<int32_t> stop_token_ids;  ///< end tokens beside the model's own
  bool ignore_eos = false;              ///< end tokens of the model are tokens like others
  /// true: special tokens stay in the text, the end token too; false: they do not. Unset: they do not, but
  /// for a model that writes DocTags (AnswerDefaults::doctags), whose text keeps all but the end token.
  std::optional<bool> keep_special;
  AnswerFormat format;
  /// Whether a model that writes DocTags is held to what DocTags allow (docs/doctags.md).
  bool legal_doctags = true;
  std::optional<int> logprobs;         ///< Answer::tokens, with so many of the likeliest; from 0 to 20
  std::optional<int> prompt_logprobs;  ///< Answer::prompt_tokens, the same way
  /// Whether the prompt may begin with what an earlier one left (LoadOptions::prefix_cache_bytes).
  bool reuse_prefix = true;
  /// What the answer is likely to say. Makes it faster where that is right, and never another one.
  Draft draft;
  /// Prompt rows that go through the decoder at once: a prompt is cut at its multiples. 0: 512.
  int64_t prefill_chunk = 0;
};

/// What a model does where GenerateOptions leave it open.
struct AnswerDefaults {
  int64_t max_new_tokens = 256;  ///< 8192 for a model that writes DocTags: a page of text
  /// Whether its vocabulary has the special token <doctag>: a Docling model, which writes a page as tags
  /// among texts. The tags are special tokens, and the text is of no use without them.
  bool doctags = false;
};

/// How requests that run at the same time share a model (docs/scheduling.md).
struct SchedulerOptions {
  int64_t max_sequences = 8;   ///< in work at a time, 1 to 1024; more wait for their turn
  int64_t max_waiting = 1024;  ///< that may wait; more are refused with Error{overloaded}
  /// Bytes that requests in work may hold together: keys and values, image rows, pixels. 0: no limit.
  int64_t max_memory = 0;
  /// Milliseconds that others' pictures and prompts may put between two tokens of a running answer. The
  /// smallest piece is a layer of the tower or 64 rows of a prompt.
  double max_gap_ms = 200;
  int64_t step_tokens = 512;  ///< rows of prompts that are read between two tokens, at least one piece
  int64_t mailbox = 256;      ///< pieces that wait for a slow reader; then its request pauses
};

/// Why the answer ended.
enum class FinishReason { stop, length, cancelled };
GALAGO_API const char* to_string(FinishReason reason) noexcept;

/// One streamed piece of an answer.
struct StreamPiece {
  std::string_view text;                    ///< whole UTF-8; may be empty
  int32_t token_id = -1;                    ///< the token that made it certain; -1 for the last flush
  const TokenLogprobs* logprobs = nullptr;  ///< of that token, when GenerateOptions::logprobs asks for them
};
/// Called as text becomes certain; return false to stop cleanly (FinishReason::cancelled).
using StreamCallback = std::function<bool(const StreamPiece&)>;

/// Milliseconds spent in each stage of one request.
struct Timings {
  double load_ms = 0;
  double decode_image_ms = 0;
  double preprocess_ms = 0;
  double vision_ms = 0;
  double connector_ms = 0;
  double prefill_ms = 0;
  double first_token_ms = 0;  ///< from the start of the request to the first token
  double decode_ms = 0;
  double tokens_per_second = 0;  ///< of decoding, without prefill
};

/// Where image rows are kept for the next request about the same picture (docs/caching.md).
struct ImageCacheOptions {
  int64_t memory_bytes = int64_t{256} << 20;   ///< in this process, for each loaded model; 0: none
  std::filesystem::path directory;             ///< shared between processes; empty: none
  int64_t directory_bytes = int64_t{1} << 30;  ///< of all files in it
};

/// What one request did not have to encode. Pictures are images and the frames of videos.
struct CacheCounts {
  int64_t memory_hits = 0;     ///< pictures whose rows were in memory
  int64_t directory_hits = 0;  ///< pictures whose rows were in the directory
  int64_t misses = 0;          ///< pictures that were encoded
  int64_t unsaved = 0;         ///< encoded pictures that the directory did not take
  int64_t tiles_encoded = 0;   ///< tiles that went through the tower
  int64_t tiles_repeated = 0;  ///< tiles equal to one of them: its rows were copied
};

/// Tokens of one request.
struct Usage {
  int64_t prompt_tokens = 0;
  int64_t image_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;    ///< of the prompt, taken from an earlier one that began with the same
  int64_t drafted_tokens = 0;   ///< guesses that went through the model (GenerateOptions::draft)
  int64_t accepted_tokens = 0;  ///< of these, that the answer says
};

}  // namespace galago
