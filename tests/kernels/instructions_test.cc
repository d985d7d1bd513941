// The cap on instruction sets: its words, and that nothing beyond it runs. ctest runs this binary once more
// for each cap, where the last two tests have something to hold.
#include "kernels/cpu/instructions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <array>
#include <cstdlib>

#include "galago/error.h"
#include "kernels/cpu/amx.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/quant.h"
#include "kernels/kernels.h"

namespace galago::kernels::cpu {
namespace {

#if HWY_ARCH_ARM
constexpr std::array kWords = {"baseline", "dotprod", "i8mm"};
constexpr const char* kWordOfAnother = "avx2";
#else
constexpr std::array kWords = {"baseline", "sse4",        "avx2",        "avx_vnni",
                               "avx512",   "avx512_vnni", "avx512_bf16", "amx"};
constexpr const char* kWordOfAnother = "dotprod";
#endif

TEST(Instructions, HaveWords) {
  for (const char* word : kWords) EXPECT_EQ(to_string(instructions_of(word, "test")), word);
  for (const char* word : {"", "AVX2", "avx", "avx2 ", "neon", kWordOfAnother}) try {
      instructions_of(word, "the place");
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::HasSubstr("the place"), testing::HasSubstr(kWords.back())));
    }
}

TEST(Instructions, ADeviceSaysItsCap) {
  const char* const word = std::getenv(kCapVariable);
  const std::string name = cpu_device(1)->name();
  if (word && *word)
    EXPECT_THAT(name, testing::EndsWith(" (GALAGO_CPU=" + std::string(word) + ")"));
  else
    EXPECT_THAT(name, testing::Not(testing::HasSubstr(kCapVariable)));
}

TEST(Instructions, NothingBeyondTheCapRuns) {
  const std::string name = cpu_device(1)->name();
  const std::string word = cap_word();
  const Instructions cap = instructions_of(word.empty() ? kWords.back() : word, "test");
  EXPECT_EQ(may_use(cap), true);
  for (const char* other : kWords) {
    const Instructions step = instructions_of(other, "test");
    if (step > cap) {
      EXPECT_FALSE(may_use(step) || can_use(step)) << other;
    }
  }
  if (cap < Instructions::avx_vnni) {
    EXPECT_FALSE(can_use_evex_for_avx_vnni());
  }
  if (cap < Instructions::amx) {
    EXPECT_FALSE(has_amx());
  }
  if (cap < Instructions::avx512_bf16) {
    EXPECT_FALSE(has_bf16_products());
  }
  if (cap < Instructions::avx512_vnni) {
    EXPECT_FALSE(has_byte_products());
  }
#if HWY_ARCH_X86
  if (cap < Instructions::avx512) {
    EXPECT_THAT(name, testing::Not(testing::HasSubstr("AVX3")));
  }
  if (cap < Instructions::avx2) {
    EXPECT_THAT(name, testing::Not(testing::HasSubstr("AVX")));
  }
  if (cap < Instructions::sse4) {
    EXPECT_THAT(name, testing::Not(testing::HasSubstr("SSE")));
  }
#endif
}

}  // namespace
}  // namespace galago::kernels::cpu
