// The words of galago/dtype.h; a word's place in its list is the value of its enum.
#include "galago/dtype.h"

#include <array>
#include <string>

#include "galago/error.h"

namespace galago {
namespace {

constexpr std::array<const char*, 5> kWeights = {"auto", "f32", "bf16", "q8", "q4"};
constexpr std::array<const char*, 2> kCompute = {"f32", "bf16"};
constexpr std::array<const char*, 2> kKvCache = {"f32", "f16"};

template <size_t N>
std::string all(const std::array<const char*, N>& words) {
  std::string text;
  for (size_t i = 0; i < N; ++i) text += (i == 0 ? "" : i + 1 == N ? " or " : ", ") + std::string(words[i]);
  return text;
}

template <class Dtype, size_t N>
Dtype parse(std::string_view word, const std::array<const char*, N>& words, const char* option) {
  for (size_t i = 0; i < N; ++i)
    if (word == words[i]) return static_cast<Dtype>(i);
  throw Error(ErrorCode::usage, {.where = option, .got = std::string(word), .expected = all(words)});
}

template <class Dtype, size_t N>
const char* word_of(Dtype dtype, const std::array<const char*, N>& words) {
  const auto place = static_cast<size_t>(dtype);
  return place < N ? words[place] : "unknown";
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
