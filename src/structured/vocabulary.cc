// See the header.
#include "structured/vocabulary.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "galago/error.h"
#include "structured/constraint.h"

namespace galago {

Vocabulary::Vocabulary(const Tokenizer& tokenizer, int64_t size, std::vector<int32_t> end_ids)
    : tokenizer_(tokenizer), bytes_(static_cast<size_t>(size)), end_ids_(std::move(end_ids)) {
  std::sort(end_ids_.begin(), end_ids_.end());
  end_ids_.erase(std::unique(end_ids_.begin(), end_ids_.end()), end_ids_.end());
  std::erase_if(end_ids_, [size](int32_t id) { return id < 0 || id >= size; });
  const int64_t known = std::min(size, tokenizer.vocab_size());
  for (int32_t id = 0; id < known; ++id) {
    if (tokenizer.is_special(id) || std::binary_search(end_ids_.begin(), end_ids_.end(), id)) continue;
    std::string& bytes = bytes_[static_cast<size_t>(id)];
    bytes = tokenizer.token_bytes(id);
    if (bytes.empty()) continue;
    longest_ = std::max(longest_, static_cast<int64_t>(bytes.size()));
    sorted_.push_back(id);
  }
  mask_.resize(static_cast<size_t>(mask_words(size)));
  for (const auto* ids : {&sorted_, &end_ids_})
    for (const int32_t id : *ids) mask_[static_cast<size_t>(id) / 32] |= 1U << (id % 32);
  std::sort(sorted_.begin(), sorted_.end(), [this](int32_t a, int32_t b) {
    const auto order = bytes_[static_cast<size_t>(a)].compare(bytes_[static_cast<size_t>(b)]);
    return order != 0 ? order < 0 : a < b;
  });
}

std::span<const int32_t> Vocabulary::ids_of(std::string_view bytes) const {
  const auto text = [this](int32_t id) { return std::string_view(bytes_[static_cast<size_t>(id)]); };
  const auto first = std::lower_bound(sorted_.begin(), sorted_.end(), bytes,
                                      [&](int32_t id, std::string_view wanted) { return text(id) < wanted; });
  auto last = first;
  while (last != sorted_.end() && text(*last) == bytes) ++last;
  return {first, last};
}

std::string Vocabulary::common_beginning(std::span<const uint32_t> mask) const {
  std::optional<std::string_view> common;
  for (size_t word = 0; word < mask.size(); ++word) {
    for (uint32_t bits = mask[word]; bits != 0; bits &= bits - 1) {
      const std::string_view bytes = bytes_[word * 32 + static_cast<size_t>(std::countr_zero(bits))];
      if (!common) common = bytes;
      size_t same = 0;
      while (same < std::min(common->size(), bytes.size()) && (*common)[same] == bytes[same]) ++same;
      common = common->substr(0, same);
      if (same == 0) return {};
    }
  }
  return std::string(common.value_or(""));
}

std::vector<int32_t> Vocabulary::tokens_of(const std::string& text) const {
  // A newline before it keeps away the space that SentencePiece puts before a text; what stands for the
  // newline is left out.
  std::vector<int32_t> ids;
  try {
    ids = tokenizer_.encode({{"\n" + text, true}});
  } catch (const Error&) {
    return {};  // the certain text ends within a character
  }
  const auto bytes_of = [this](int32_t id) {
    const auto index = static_cast<size_t>(id);
    return index < bytes_.size() ? std::string_view(bytes_[index]) : std::string_view();
  };
  std::string before;
  size_t first = 0;
  while (first < ids.size() && !before.ends_with('\n')) before += bytes_of(ids[first++]);
  if (before != "\n" && before != " \n") return {};
  std::vector<int32_t> certain;
  std::string_view rest = text;
  for (size_t i = first; i + 1 < ids.size(); ++i) {
    const std::string_view bytes = bytes_of(ids[i]);
    if (bytes.empty() || !rest.starts_with(bytes)) break;
    rest.remove_prefix(bytes.size());
    certain.push_back(ids[i]);
  }
  return certain;
}

}  // namespace galago
