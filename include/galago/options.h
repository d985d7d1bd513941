// What a caller can ask of generation and what comes back. Names follow transformers' GenerationConfig.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "galago/visibility.h"

namespace galago {

/// How the next token is chosen and when to stop. The defaults are greedy decoding.
struct GenerateOptions {
  /// At least 1; beyond the context: up to its end. Unset: AnswerDefaults::max_new_tokens of the model.
  std::optional<int64_t> max_new_tokens;
  double temperature = 0;  ///< 0: greedy; else logits are divided by it before sampling
  int64_t top_k = 0;       ///< keep the k most likely tokens; 0: off
  double top_p = 1;        ///< keep the smallest set whose probability reaches this; 1: off
  double min_p = 0;        ///< drop tokens less likely than this times the likeliest; 0: off
  /// Above 1 makes tokens of prompt and answer less likely; 1: off; unset: as generation_config.json says.
  std::optional<double> repetition_penalty;
  uint64_t seed = 0;              ///< of the sampler; the same seed gives the same answer
  std::vector<std::string> stop;  ///< texts that end the answer; they are not part of it
  /// true: special tokens stay in the text, the end token too; false: they do not. Unset: they do not, but
  /// for a model that writes DocTags (AnswerDefaults::doctags), whose text keeps all but the end token.
  std::optional<bool> keep_special;
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
  /// smallest piece is a group of tiles or `prefill_chunk` rows of a prompt.
  double max_gap_ms = 200;
  int64_t step_tokens = 512;  ///< rows of prompts that are read between two tokens, at least one piece
  int64_t mailbox = 256;      ///< pieces that wait for a slow reader; then its request pauses
};

/// Why the answer ended.
enum class FinishReason { stop, length, cancelled };
GALAGO_API const char* to_string(FinishReason reason) noexcept;

/// One streamed piece of an answer.
struct StreamPiece {
  std::string_view text;  ///< whole UTF-8; may be empty
  int32_t token_id = -1;  ///< the token that made it certain; -1 for the last flush
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
  int64_t cached_tokens = 0;  ///< of the prompt, taken from an earlier one that began with the same
};

}  // namespace galago
