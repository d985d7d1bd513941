// Constraints over the tiny tokenizers: what they allow, and answers of a model that picks any token.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "formats/model_files.h"
#include "structured/grammar.h"
#include "support/fixtures.h"

namespace galago::test {

using Kind = AnswerFormat::Kind;

inline Tokenizer tokenizer_of(const std::string& model) {
  return Tokenizer::from_files(DirectoryFiles(data_path("models/" + model)));
}

inline AnswerFormat format(Kind kind, const std::string& definition) { return {kind, definition, {}}; }
inline AnswerFormat choices(std::vector<std::string> texts) { return {Kind::choice, "", std::move(texts)}; }
inline AnswerFormat schema(const std::string& text) { return format(Kind::json_schema, text); }

/// A compiler with its tokenizer.
struct Grammars {
  explicit Grammars(const std::string& model, const std::string& end, int64_t cache_bytes = 64 << 20)
      : tokenizer(tokenizer_of(model)),
        end_id(tokenizer.token_to_id(end).value()),
        size(tokenizer.vocab_size() + 7),
        compiler(tokenizer, size, {end_id}, cache_bytes) {}

  std::vector<int32_t> allowed(Constraint& constraint) const {
    std::vector<uint32_t> mask(static_cast<size_t>(mask_words(size)), 0xaaaaaaaaU);
    EXPECT_TRUE(constraint.fill(mask));
    std::vector<int32_t> ids;
    for (int32_t id = 0; id < static_cast<int32_t>(mask.size() * 32); ++id)
      if ((mask[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0) ids.push_back(id);
    return ids;
  }

  bool allows(Constraint& constraint, int32_t id) const {
    const auto ids = allowed(constraint);
    return std::binary_search(ids.begin(), ids.end(), id);
  }

  /// Whether the text, in the tokenizer's tokens, is an answer.
  bool accepts(const AnswerFormat& form, const std::string& text) {
    const auto constraint = compiler.constrain(form);
    for (const int32_t id : content(text)) {
      if (!allows(*constraint, id)) return false;
      constraint->accept(id);
    }
    return allows(*constraint, end_id);
  }

  /// Tokens whose bytes are the text's.
  std::vector<int32_t> content(const std::string& text) const {
    std::vector<int32_t> ids = tokenizer.encode({{"\n" + text, true}});
    std::string before;
    while (!before.ends_with('\n')) {
      before += tokenizer.token_bytes(ids.front());
      ids.erase(ids.begin());
    }
    return ids;
  }

  /// A random answer; empty when it did not end. Checks forced() and complete() on the way.
  std::optional<std::string> answer(const AnswerFormat& form, std::mt19937& random, int most = 600) {
    const auto constraint = compiler.constrain(form);
    std::string text;
    for (int tokens = 0; tokens < most; ++tokens) {
      for (const int32_t id : constraint->forced()) {
        EXPECT_TRUE(allows(*constraint, id)) << text;
        constraint->accept(id);
        text += tokenizer.token_bytes(id);
      }
      const auto ids = allowed(*constraint);
      EXPECT_TRUE(!constraint->complete() || ids == std::vector<int32_t>{end_id}) << text;
      std::vector<int32_t> closing;
      for (const int32_t id : ids)
        if (id == end_id ||
            std::string_view("\"]},").find(tokenizer.token_bytes(id)[0]) != std::string_view::npos)
          closing.push_back(id);
      const auto& from = !closing.empty() && random() % 100 < 30 ? closing : ids;
      if (from.empty()) {
        ADD_FAILURE() << "nothing may come after " << text;
        return std::nullopt;
      }
      const int32_t id = from[random() % from.size()];
      constraint->accept(id);
      if (id == end_id) return text;
      text += tokenizer.token_bytes(id);
    }
    return std::nullopt;
  }

  Tokenizer tokenizer;
  int32_t end_id;
  int64_t size;  ///< of the logits, a little wider than the vocabulary
  GrammarCompiler compiler;
};

}  // namespace galago::test
