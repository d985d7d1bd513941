// Byte-pair encoding: one word of characters becomes tokens by merging the pair of best rank again and again.
// In: the "model" field of tokenizer.json; words from the pre-tokenizer. Out: token ids.
// Time is O(n log n) in a word's length. Reference: Sennrich et al. 2016; `tokenizers` models/bpe.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "formats/json.h"
#include "text/tokenizer/vocabulary.h"

namespace galago {

/// Immutable, thread-safe.
class Bpe {
 public:
  /// Error{model_invalid} for wrong types, bad ids, merges of unknown tokens; Error{model_unsupported} for
  /// another model type and for options that the supported models do not use.
  static Bpe from_json(const JsonField& field);

  /// Appends the ids of one word.
  void encode(std::string_view word, std::vector<int32_t>& out) const;

  /// Tokens that no text may become: the special ones, which only the added tokens can give.
  void reserve(std::unordered_set<int32_t> ids) { reserved_ = std::move(ids); }

  std::optional<int32_t> id_of(std::string_view token) const;
  const Vocabulary& vocabulary() const { return ids_; }

 private:
  struct Merge {
    int32_t rank = 0;
    int32_t id = 0;
  };
  /// Entry `index` of the merges.
  struct MergeText {
    size_t index = 0;
    std::string_view left;
    std::string_view right;
  };
  struct Symbol;
  struct Candidate;
  class Merger;
  void read_options(const JsonField& field);
  void read_vocabulary(const JsonField& field);
  void read_merges(const JsonField& field);
  void add_merge(const MergeText& merge, int32_t rank, const JsonField& field);
  std::vector<int32_t> characters(std::string_view word) const;
  bool add_bytes(std::string_view character, std::vector<int32_t>& out) const;

  Vocabulary ids_;
  std::unordered_map<uint64_t, Merge> merges_;       // left id << 32 | right id
  std::array<std::optional<int32_t>, 256> bytes_{};  // <0xNN>, for byte_fallback
  std::unordered_set<int32_t> reserved_;
  std::optional<int32_t> unknown_;
  bool byte_fallback_ = false;
  bool fuse_unknown_ = false;
  bool ignore_merges_ = false;
};

}  // namespace galago
