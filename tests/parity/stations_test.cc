// Every golden of transformers against our run, station by station, with the bounds of models/verify.h.
#include <gtest/gtest.h>

#include <string>

#include "golden_case.h"
#include "support/devices.h"

namespace galago {
namespace {

using Case = test::GoldenCase;

class Stations : public testing::TestWithParam<Case> {};

TEST_P(Stations, AgreeWithTransformers) { test::expect_golden(GetParam()); }

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto backend : {test::Backend::reference, test::Backend::cpu}) {
    all.push_back({"smolvlm_tiles", "smolvlm_tiles", 11, backend});
    all.push_back({"smolvlm_tiles", "sharded", 11, backend});
    all.push_back({"grid27_scale3", "grid27_scale3", 11, backend});
    all.push_back({"grid26_scale2_partial", "grid26_scale2_partial", 10, backend});
    all.push_back({"grid25_llama3", "grid25_llama3", 10, backend});
    all.push_back({"tied_head", "tied_head", 10, backend});
    all.push_back({"two_images", "smolvlm_tiles", 10, backend});
    all.push_back({"no_split", "smolvlm_tiles", 11, backend});
    all.push_back({"text_only", "smolvlm_tiles", 4, backend});
    all.push_back({"idefics3_llama3", "idefics3_llama3", 11, backend});
    all.push_back({"idefics3_llama3_partial", "idefics3_llama3", 10, backend});
    all.push_back({"docling", "docling", 10, backend});
    all.push_back({"smolvlm2_image", "smolvlm2_video", 11, backend});
    all.push_back({"video_gif", "smolvlm2_video", 10, backend});
    all.push_back({"video_webp_system", "smolvlm2_video", 11, backend});
    all.push_back({"video_folder", "smolvlm2_video", 10, backend});
    all.push_back({"two_videos", "smolvlm2_video", 10, backend});
    all.push_back({"swap_siglip", "swap_siglip", 10, backend});
    all.push_back({"idefics3_granite", "idefics3_granite", 11, backend});
    all.push_back({"idefics3_mistral", "idefics3_mistral", 11, backend});
    all.push_back({"swap_clip", "swap_clip", 10, backend});
    all.push_back({"text_llama2", "text_llama2", 4, backend});
    all.push_back({"text_llama2_raw", "text_llama2", 4, backend});
    all.push_back({"text_llama2_hub", "text_llama2_hub", 4, backend});
    all.push_back({"text_llama3", "text_llama3", 4, backend});
    all.push_back({"text_smollm2", "text_smollm2", 4, backend});
    all.push_back({"text_granite", "text_granite", 4, backend});
    all.push_back({"text_mistral", "text_mistral", 4, backend});
    all.push_back({"text_base", "text_base", 4, backend});
    all.push_back({"llava_granite_tall", "llava_granite", 9, backend});
    all.push_back({"llava_granite_tall_pillow12", "llava_granite", 9, backend});
    all.push_back({"llava_granite_wide", "llava_granite", 9, backend});
    all.push_back({"llava_granite_two", "llava_granite", 9, backend});
    all.push_back({"llava_clip_square", "llava_clip", 9, backend});
    all.push_back({"llava_clip_text", "llava_clip", 4, backend});
    all.push_back({"llava_mistral", "llava_mistral", 9, backend});
    all.push_back({"llava_old_names", "llava_old_names", 9, backend});
  }
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const bool scalar = info.param.backend == test::Backend::reference;
  return std::string(info.param.golden) + "_" + info.param.model + (scalar ? "_scalar" : "_cpu");
}

INSTANTIATE_TEST_SUITE_P(Goldens, Stations, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace galago
