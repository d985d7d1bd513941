// The vocabulary of a tokenizer: token texts and their ids, looked up without copying the text.
// In: the "vocab" of a tokenizer file. Out: ids. Shared by the kinds of models and by the added tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/limits.h"

namespace galago {

/// Largest token id accepted; ids index vectors.
inline constexpr int64_t kMaxTokenId = limits::kConfigVocabulary - 1;

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using Vocabulary = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

inline std::optional<int32_t> id_in(const Vocabulary& vocabulary, std::string_view token) {
  const auto found = vocabulary.find(token);
  if (found == vocabulary.end()) return std::nullopt;
  return found->second;
}

/// "<0x41>", the token of a byte in vocabularies with byte fallback.
inline std::string byte_token(unsigned byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

}  // namespace galago
