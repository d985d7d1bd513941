// What an answer is likely to say: guesses that let several of its tokens go through the model at once.
// The model decides, so answers are bit for bit those without a draft (docs/generation.md#drafts).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace galago {

/// Guesses of a caller's own. Belongs to one answer. Called on the scheduler's thread, whose other requests
/// wait for it; what it throws ends the answer.
class DraftSource {
 public:
  virtual ~DraftSource() = default;
  /// The likeliest continuation of an answer of these tokens: `most` ids, or fewer, or none. What follows
  /// an id that is none of the vocabulary is not looked at.
  virtual std::vector<int32_t> propose(std::span<const int32_t> answer, int64_t most) = 0;
};

/// Makes one for each answer.
using MakeDraftSource = std::function<std::unique_ptr<DraftSource>()>;

/// Where guesses come from; all three may be used together. Nothing of it is shown to the model.
struct Draft {
  /// Texts that the answer may hold, in the order in which they are likely to come: paragraphs of a page, an
  /// answer that was given before. Names of special tokens in them stand for these. Error{input_invalid}
  /// when one is not UTF-8, Error{input_too_large} over 16 MiB in all.
  std::vector<std::string> texts;
  bool answer = false;     ///< also what stands in the answer itself so far
  MakeDraftSource source;  ///< asked first; null: none

  bool empty() const { return texts.empty() && !answer && !source; }
};

}  // namespace galago
