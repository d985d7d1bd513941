// The words of the element types that a caller chooses.
#include "galago/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "galago/error.h"

namespace galago {
namespace {

using testing::HasSubstr;

template <class Dtype, class Parse>
void expect_words(const std::vector<std::pair<Dtype, std::string>>& words, Parse parse) {
  for (const auto& [dtype, word] : words) {
    EXPECT_EQ(to_string(dtype), word);
    EXPECT_EQ(parse(word), dtype) << word;
  }
}

template <class Parse>
std::string refused(Parse parse, const std::string& word) {
  try {
    parse(word);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    return error.what();
  }
  return "taken";
}

TEST(Dtype, WordsGoBothWays) {
  expect_words<WeightDtype>({{WeightDtype::as_stored, "auto"},
                             {WeightDtype::f32, "f32"},
                             {WeightDtype::bf16, "bf16"},
                             {WeightDtype::q8, "q8"},
                             {WeightDtype::q4, "q4"}},
                            weight_dtype);
  expect_words<ComputeDtype>({{ComputeDtype::f32, "f32"},
                              {ComputeDtype::bf16, "bf16"},
                              {ComputeDtype::int8, "int8"},
                              {ComputeDtype::automatic, "auto"}},
                             compute_dtype);
  expect_words<KvCacheDtype>({{KvCacheDtype::f32, "f32"}, {KvCacheDtype::f16, "f16"}}, kv_cache_dtype);
}

TEST(Dtype, OtherWordsAreRefusedWithTheList) {
  EXPECT_THAT(refused(weight_dtype, "q5"), HasSubstr("dtype: got q5, expected auto, f32, bf16, q8 or q4"));
  EXPECT_THAT(refused(compute_dtype, "int4"),
              HasSubstr("compute: got int4, expected f32, bf16, int8 or auto"));
  EXPECT_THAT(refused(kv_cache_dtype, "q8"), HasSubstr("kv_cache_dtype: got q8, expected f32 or f16"));
  EXPECT_THAT(refused(kv_cache_dtype, ""), HasSubstr("expected f32 or f16"));
}

}  // namespace
}  // namespace galago
