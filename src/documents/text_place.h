// Places in a text that comes in pieces, with the log probabilities of the tokens around them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galago::documents {

/// Log probabilities of tokens, summed.
struct TokenSum {
  int64_t tokens = 0;
  double logprob = 0;

  TokenSum operator+(const TokenSum& other) const { return {tokens + other.tokens, logprob + other.logprob}; }
  TokenSum operator-(const TokenSum& other) const { return {tokens - other.tokens, logprob - other.logprob}; }
};

/// A place between two bytes of the text, with the tokens that end at it or before, and those that begin
/// before it: the tokens that have a byte between two places are b.begun - a.ended.
struct Mark {
  size_t offset = 0;
  TokenSum ended;
  TokenSum begun;
};

/// What was taken in so far.
class TextPlace {
 public:
  /// The place in front of a byte of the next piece, whose tokens are `sum`.
  Mark mark(size_t position, const TokenSum& sum) const {
    return {offset_ + position, total_, position == 0 ? total_ : total_ + sum};
  }
  Mark here() const { return {offset_, total_, total_}; }
  void advance(size_t bytes, const TokenSum& sum) {
    offset_ += bytes;
    total_ = total_ + sum;
  }

 private:
  size_t offset_ = 0;
  TokenSum total_;
};

}  // namespace galago::documents
