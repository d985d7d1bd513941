// longrope with two lists: which of them a row is turned by depends on the prompt and on the row's own place,
// not on how many rows go through the decoder in one call.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "nn/decoder/llama.h"
#include "tiny_decoder.h"

namespace galago {
namespace {

constexpr int64_t kOriginal = 16;  // positions that a short text has
constexpr int64_t kRows = 30;

void make_long(TextConfig& config) {
  config.rope.rope_type = "longrope";
  config.rope.original_max_position_embeddings = kOriginal;
  config.rope.divisors = {1, 2};
  config.rope.long_divisors = {3, 40};
  config.rope.attention_scaling = 1.2F;
}

std::vector<int32_t> ids_of(int64_t count) {
  std::vector<int32_t> ids(static_cast<size_t>(count));
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>((i * i * 3 + i * 5 + 2) % 29);
  return ids;
}

/// Hidden rows [kRows, D]: the prompt in one call, what follows it `together` rows in a call, and as many of
/// another sequence beside them, which begins at another place.
Tensor hidden_of(const LlamaDecoder& decoder, int64_t prompt, int64_t together, bool company = false) {
  const int64_t d = decoder.config().hidden_size;
  Workspace workspace(decoder.device());
  Tensor embeds({kRows, d}), hidden({kRows, d});
  decoder.embed(ids_of(kRows), embeds.matrix());
  KvCache cache = decoder.make_cache(2, kRows);
  cache.at(0).set_prompt(prompt);
  cache.at(1).set_prompt(3);
  const auto call = [&](int64_t begin, int64_t count, bool with_other) {
    const int64_t other = with_other ? std::min(count, kRows - cache.length(1)) : 0;
    Tensor rows({count + other, d}), out({count + other, d});
    std::vector<RowPlace> places;
    const auto take = [&](int32_t sequence, int64_t from, int64_t n) {
      for (int64_t i = 0; i < n; ++i) {
        std::copy_n(embeds.matrix().row(from + i), d, rows.matrix().row(std::ssize(places)));
        places.push_back({sequence, static_cast<int32_t>(from + i)});
      }
    };
    take(1, cache.length(1), other);
    take(0, begin, count);
    decoder.forward(rows.matrix(), places, cache, workspace, out.matrix());
    for (int64_t i = 0; i < count; ++i)
      std::copy_n(out.matrix().row(other + i), d, hidden.matrix().row(begin + i));
  };
  call(0, prompt, false);
  for (int64_t begin = prompt; begin < kRows; begin += together)
    call(begin, std::min(together, kRows - begin), company);
  return hidden;
}

TEST(LongRope, RowsBehindThePromptAreTheSameHoweverManyGoInACall) {
  for (const test::Backend backend : {test::Backend::reference, test::Backend::cpu}) {
    test::TinyDecoder tiny;
    tiny.backend = backend;
    make_long(tiny.config);
    const auto decoder = tiny.load();
    for (const int64_t prompt : {1, 9, 12, 15, 16, 17, 20}) {
      const std::vector<float> one = test::values(hidden_of(*decoder, prompt, 1));
      for (int64_t together = 2; together <= 7; ++together)
        for (const bool company : {false, true})
          EXPECT_EQ(test::values(hidden_of(*decoder, prompt, together, company)), one)
              << "prompt " << prompt << ", " << together << " in a call";
    }
  }
}

TEST(LongRope, ARowIsLongFromTheOriginalLengthOn) {
  test::TinyDecoder two, short_only;
  make_long(two.config);
  make_long(short_only.config);
  short_only.config.rope.long_divisors.clear();
  const auto decoder = two.load(), as_short = short_only.load();
  const Tensor got = hidden_of(*decoder, 12, 7), expected = hidden_of(*as_short, 12, 7);
  const auto row = [](const Tensor& rows, int64_t i) { return rows.matrix().slice_rows(i, 1); };
  for (int64_t i = 0; i < kOriginal; ++i)
    EXPECT_EQ(test::max_difference(row(got, i), row(expected, i)), 0) << i;
  EXPECT_GT(test::max_difference(row(got, kOriginal), row(expected, kOriginal)), 1e-3);
  // All rows of a long prompt are.
  const Tensor all = hidden_of(*decoder, kOriginal + 1, 7), none = hidden_of(*as_short, kOriginal + 1, 7);
  EXPECT_GT(test::max_difference(row(all, 3), row(none, 3)), 1e-3);
}

// Rows of a prompt that see all of it, and a window behind it.
TEST(PromptSeesAll, RowsBehindThePromptAreTheSameHoweverManyGoInACall) {
  test::TinyDecoder tiny;
  tiny.config.sliding_window = 5;
  tiny.config.prompt_sees_all = true;
  const auto decoder = tiny.load();
  for (const int64_t prompt : {1, 4, 9, 17}) {
    const std::vector<float> one = test::values(hidden_of(*decoder, prompt, 1));
    for (int64_t together = 2; together <= 7; ++together)
      EXPECT_EQ(test::values(hidden_of(*decoder, prompt, together)), one) << prompt << ", " << together;
  }
}

}  // namespace
}  // namespace galago
