// The words of galago/dtype.h; a word's place in its list is the value of its enum.
#include "galago/dtype.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "core/words.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr std::array<std::string_view, 5> kWeights = {"auto", "f32", "bf16", "q8", "q4"};
constexpr std::array<std::string_view, 4> kCompute = {"f32", "bf16", "int8", "auto"};
constexpr std::array<std::string_view, 2> kKvCache = {"f32", "f16"};

template <class Dtype>
Dtype parse(std::string_view word, std::span<const std::string_view> words, const char* option) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end())
    throw Error(ErrorCode::usage, {.where = option, .got = std::string(word), .expected = listed(words)});
  return static_cast<Dtype>(found - words.begin());
}

template <class Dtype>
const char* word_of(Dtype dtype, std::span<const std::string_view> words) {
  const auto place = static_cast<size_t>(dtype);
  return place < words.size() ? words[place].data() : "unknown";
}

}  // namespace

const char* to_string(WeightDtype dtype) noexcept { return word_of(dtype, kWeights); }
const char* to_string(ComputeDtype dtype) noexcept { return word_of(dtype, kCompute); }
const char* to_string(KvCacheDtype dtype) noexcept { return word_of(dtype, kKvCache); }

WeightDtype weight_dtype(std::string_view word) { return parse<WeightDtype>(word, kWeights, "dtype"); }
ComputeDtype compute_dtype(std::string_view word) { return parse<ComputeDtype>(word, kCompute, "compute"); }
KvCacheDtype kv_cache_dtype(std::string_view word) {
  return parse<KvCacheDtype>(word, kKvCache, "kv_cache_dtype");
}

}  // namespace galago
