// GGUF twins of tiny checkpoints against transformers' goldens: the same numbers in other files give the same
// stations. The quantised twin's golden was made with what its blocks stand for.
#include <gtest/gtest.h>

#include <string>

#include "kernels/kernels.h"
#include "models/registry.h"
#include "models/verify.h"

namespace galago {
namespace {

struct Case {
  const char* golden;
  const char* model;
  int stations;  // that the golden holds
  kernels::Backend backend;
};

std::string data(const std::string& path) { return std::string(GALAGO_TEST_DATA) + "/" + path; }

class GgufTwins : public testing::TestWithParam<Case> {};

TEST_P(GgufTwins, AgreeWithTransformers) {
  kernels::set_backend(GetParam().backend);
  const auto frontend = load_frontend(data("models/") + GetParam().model);
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const auto engine = frontend->load_engine(checkpoint);
  const auto results = verify(*frontend, *engine, data("goldens/") + GetParam().golden);
  EXPECT_EQ(static_cast<int>(results.size()), GetParam().stations);
  for (const StationResult& r : results)
    EXPECT_TRUE(r.holds) << r.station << " " << to_string(r.shape) << ": max abs " << r.max_abs
                         << ", max rel " << r.max_rel << ", bound " << r.limit << " " << r.mismatch;
  kernels::set_backend(kernels::Backend::cpu);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto backend : {kernels::Backend::reference, kernels::Backend::cpu}) {
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
  const bool scalar = info.param.backend == kernels::Backend::reference;
  return std::string(info.param.golden) + (scalar ? "_scalar" : "_cpu");
}

INSTANTIATE_TEST_SUITE_P(Goldens, GgufTwins, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace galago
