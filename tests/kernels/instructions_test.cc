// The cap on instruction sets: its words, and that nothing beyond it runs. ctest runs this binary once more
// for each cap, where the last two tests have something to hold.
#include "kernels/cpu/instructions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdlib>

#include "galago/error.h"
#include "kernels/cpu/bf16.h"
#include "kernels/cpu/quant.h"
#include "kernels/kernels.h"

namespace galago::kernels::cpu {
namespace {

TEST(Instructions, HaveWords) {
  for (const char* word : {"baseline", "sse4", "avx2", "avx512", "avx512_vnni", "avx512_bf16"})
    EXPECT_EQ(to_string(instructions_of(word, "test")), word);
  for (const char* word : {"", "AVX2", "avx", "avx2 ", "neon"}) try {
      instructions_of(word, "the place");
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_THAT(error.what(),
                  testing::AllOf(testing::HasSubstr("the place"), testing::HasSubstr("avx512_vnni")));
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
  const Instructions cap = word.empty() ? Instructions::avx512_bf16 : instructions_of(word, "test");
  EXPECT_EQ(may_use(cap), true);
  if (cap < Instructions::avx512_bf16) EXPECT_FALSE(has_bf16_products());
  if (cap < Instructions::avx512_vnni) EXPECT_FALSE(has_byte_products());
#if HWY_ARCH_X86
  if (cap < Instructions::avx512) EXPECT_THAT(name, testing::Not(testing::HasSubstr("AVX3")));
  if (cap < Instructions::avx2) EXPECT_THAT(name, testing::Not(testing::HasSubstr("AVX")));
  if (cap < Instructions::sse4) EXPECT_THAT(name, testing::Not(testing::HasSubstr("SSE")));
#endif
}

}  // namespace
}  // namespace galago::kernels::cpu
