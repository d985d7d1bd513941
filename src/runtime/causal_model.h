// What the scheduler needs of a decoder: sequences that come and go, rows of embeddings in, logits out, a
// cache in pages. runtime/sequence.* is the decoder behind it; tests use small fakes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "core/sha256.h"
#include "core/tensor.h"
#include "runtime/backbone.h"

namespace galago {

/// From this row on, placeholder ids stand for the rows of a picture or frame with this key, until the next
/// mark. Equal keys mean equal rows.
struct ContentMark {
  int64_t begin = 0;
  Digest key{};

  bool operator==(const ContentMark&) const = default;
};

/// What decides every row of a prompt: its ids, and what the placeholders among them stand for.
struct PromptContent {
  std::span<const int32_t> ids;        ///< [L]
  std::span<const ContentMark> marks;  ///< in the order of `begin`
  bool anew = false;                   ///< all rows are to be read: nothing is taken from earlier prompts
};

/// A sequence that a model has taken in.
struct OpenSequence {
  int32_t number = 0;
  int64_t cached = 0;  ///< rows of the prompt that it already has; the rest is to be given
};

/// A chosen token of a sequence.
struct NextToken {
  int32_t sequence = 0;
  int32_t id = 0;
};

/// Called with a row's number in its call and its logits [vocab_size], valid until it returns.
using RowLogits = std::function<void(int64_t row, std::span<const float> logits)>;

/// How the memory of keys and values is counted.
struct PageSizes {
  int64_t positions = 1;  ///< of one page
  int64_t bytes = 0;      ///< of one page

  /// Pages that hold so many positions.
  int64_t pages(int64_t count) const { return (count + positions - 1) / positions; }
};

/// A causal language model with the key-value caches of several sequences. Not thread-safe, but for the
/// constants (vocab_size, hidden_size, context_length, page_sizes, ways).
class CausalModel {
 public:
  virtual ~CausalModel() = default;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t hidden_size() const = 0;
  /// Positions that the model was made for (max_position_embeddings).
  virtual int64_t context_length() const = 0;
  virtual PageSizes page_sizes() const = 0;
  virtual GenerateWays ways() const { return {.from_embeds = true}; }

  /// Bytes of all pages in use: those of open sequences, and those kept for prompts to come. A page that
  /// several share counts once.
  virtual int64_t bytes_in_use() const = 0;
  /// Gives up pages that are only kept for prompts to come, the longest unused first, until at least `bytes`
  /// are free or none is left; returns the bytes that became free.
  virtual int64_t drop_kept(int64_t bytes) = 0;

  /// A new sequence, without room yet for rows that it has to be given; fewer than all rows of its prompt may
  /// be there already.
  virtual OpenSequence open(const PromptContent& prompt) = 0;
  /// Another sequence that holds the same rows, without room for more.
  virtual int32_t fork(int32_t sequence) = 0;
  /// Room for so many positions in all. Error{resource} when memory is out; the sequence is then as before.
  virtual void grow(int32_t sequence, int64_t positions) = 0;
  /// Forgets a sequence. Does not throw.
  virtual void close(int32_t sequence) = 0;
  /// Appends rows [n, hidden_size] of its prompt to a sequence that has room for them; returns the logits
  /// [vocab_size] of the last row, valid until the next call.
  virtual std::span<const float> prefill(int32_t sequence, ConstMatrix rows) = 0;
  /// The same; `each` is told the logits of all these rows in their order.
  virtual std::span<const float> prefill(int32_t sequence, ConstMatrix rows, const RowLogits& each) = 0;
  /// Appends tokens to several sequences that have room for them, those of one sequence in
  /// their order; ids in [0, vocab_size), else Error{input_invalid}. Returns their logits [n, vocab_size],
  /// valid until the next call. Logits depend neither on other sequences nor on how many tokens of their own
  /// come in one call, bit for bit.
  virtual ConstMatrix decode(std::span<const NextToken> tokens) = 0;
  /// Forgets all but the first `positions` positions of a sequence, none of them of its prompt; its room
  /// stays. So tokens may be tried: given to decode() and taken back.
  virtual void cut(int32_t sequence, int64_t positions) = 0;
};

}  // namespace galago
