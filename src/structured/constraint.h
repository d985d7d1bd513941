// Which tokens may come next in one answer. In: the tokens that were chosen. Out: a mask over the vocabulary.
// Behind it: a grammar (structured/grammar.h), or the DocTags machine (structured/doctags.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace galago {

/// One bit for each id of a vocabulary, 32 in a word, the lowest first.
using TokenMask = std::span<uint32_t>;

/// Words of a mask over so many ids.
inline int64_t mask_words(int64_t vocab_size) { return (vocab_size + 31) / 32; }
/// Scores [vocabulary] of ids that are not in the mask become -infinity. Whether one is left that is not.
bool forbid_others(std::span<const uint32_t> mask, std::span<float> scores);

/// Belongs to one answer. Calls come one after the other, but fill() may come from another thread than the
/// others.
class Constraint {
 public:
  virtual ~Constraint() = default;
  /// Sets the bits of the tokens that may come next and clears the others; end tokens are among them where
  /// the answer may end. False: all may come, and the mask is as it was. Error{internal} when none may come.
  virtual bool fill(TokenMask mask) = 0;
  /// A token was chosen that fill() allowed.
  virtual void accept(int32_t id) = 0;
  /// Tokens that are certain to come next, since the answer has one continuation only; often none. They are
  /// to be accepted one by one like others.
  virtual std::vector<int32_t> forced() { return {}; }
  /// Nothing may follow any more but an end token.
  virtual bool complete() const { return false; }
};

}  // namespace galago
