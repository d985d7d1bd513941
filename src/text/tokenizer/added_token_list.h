// The growing list of added tokens while a tokenizer is put together: who adds what, and which id it gets.
// In: tokens one after another. Out: the "added_tokens" of a tokenizer.json.
// Reference: `tokenizers` added_vocabulary.rs (add_tokens).
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "formats/json.h"

namespace galago {

class AddedTokenList {
 public:
  /// The "model" of a tokenizer.json, whose vocabulary is an object of ids (BPE) or a list of pieces
  /// (Unigram); it must outlive the list.
  explicit AddedTokenList(const JsonField& model);

  /// Adds a token that has an id already.
  void add_with_id(Json token, int64_t id);
  /// Adds a token, or gives a token of the same text these flags. A text of the vocabulary keeps its id;
  /// another gets the first id behind all others.
  void add(Json token);
  bool contains(const std::string& content) const { return places_.contains(content); }

  /// By id, each with its id.
  Json list() const;

 private:
  int64_t new_id(const std::string& content) const;

  const Json* ids_ = nullptr;                        // BPE
  std::unordered_map<std::string, int64_t> pieces_;  // Unigram
  int64_t vocabulary_size_ = 0;
  std::unordered_map<std::string, size_t> places_;  ///< text -> index
  std::vector<Json> tokens_;
  int64_t largest_ = -1;
};

}  // namespace galago
