// GGUF twins of tiny checkpoints against transformers' goldens: the same numbers in other files give the same
// stations. The quantised twin's golden was made with what its blocks stand for.
#include <gtest/gtest.h>

#include <string>

#include "golden_case.h"
#include "support/devices.h"

namespace galago {
namespace {

using Case = test::GoldenCase;

class GgufTwins : public testing::TestWithParam<Case> {};

TEST_P(GgufTwins, AgreeWithTransformers) { test::expect_golden(GetParam()); }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto backend : {test::Backend::reference, test::Backend::cpu}) {
    all.push_back({"smolvlm_tiles", "gguf_smolvlm", 11, backend});
    all.push_back({"two_images", "gguf_smolvlm", 10, backend});
    all.push_back({"text_only", "gguf_smolvlm", 4, backend});
    all.push_back({"gguf_smolvlm_q8", "gguf_smolvlm_q8", 11, backend});
    all.push_back({"text_smollm2", "gguf_smollm2", 4, backend});
    all.push_back({"text_llama2", "gguf_llama2/model.gguf", 4, backend});
    all.push_back({"text_llama3", "gguf_llama3", 4, backend});
    all.push_back({"text_granite", "gguf_granite", 4, backend});
    all.push_back({"llava_granite_tall", "gguf_llava_granite", 9, backend});
    all.push_back({"llava_granite_two", "gguf_llava_granite", 9, backend});
    all.push_back({"llava_clip_square", "gguf_llava_clip", 9, backend});
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const bool scalar = info.param.backend == test::Backend::reference;
  return std::string(info.param.golden) + (scalar ? "_scalar" : "_cpu");
}

INSTANTIATE_TEST_SUITE_P(Goldens, GgufTwins, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace galago
