// Another tower in front of Idefics3's connector and backbone: what config and weights must agree on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/model_files.h"

namespace galago {
namespace {

using test::error_of;
using test::Loaded;
using test::ModelCopy;
using testing::HasSubstr;

using Weights = std::vector<NamedTensor>;
const std::string kAlignWeight = "model.hidden_align.proj.weight";  // NOLINT(cert-err58-cpp)

void drop(Weights& tensors, const std::string& beginning) {
  std::erase_if(tensors, [&](const NamedTensor& t) { return t.name.starts_with(beginning); });
}

/// One spoilt directory: what is done to which model, and what is said.
struct Spoilt {
  const char* what;
  const char* model;
  std::function<void(const ModelCopy&)> spoil;
  ErrorCode code;
  const char* says;
};

class BadSwaps : public testing::TestWithParam<Spoilt> {};

TEST_P(BadSwaps, AreRefusedAtLoading) {
  const ModelCopy model(GetParam().model);
  GetParam().spoil(model);
  const Error error = error_of([&] { const Loaded loaded(model.path()); });
  EXPECT_EQ(error.code(), GetParam().code) << error.what();
  EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
}

auto config(const std::string& old, const std::string& now) {
  return [old, now](const ModelCopy& model) { model.edit("config.json", old, now); };
}

auto weights(const std::function<void(Weights&)>& change) {
  return [change](const ModelCopy& model) { model.change_weights(change); };
}

std::vector<Spoilt> bad_widths() {
  constexpr auto invalid = ErrorCode::model_invalid;
  const std::string width = "\"connector_hidden_size\": 56";
  const auto other = [&](const std::string& value) {
    return config(width, "\"connector_hidden_size\": " + value);
  };
  return {
      {"width_zero", "swap_clip", other("0"), invalid, "connector_hidden_size"},
      {"width_negative", "swap_clip", other("-56"), invalid, "connector_hidden_size"},
      {"width_text", "swap_clip", other("\"56\""), invalid, "connector_hidden_size"},
      {"width_fraction", "swap_clip", other("56.5"), invalid, "connector_hidden_size"},
      {"width_list", "swap_clip", other("[56]"), invalid, "connector_hidden_size"},
      {"width_beyond_the_limit", "swap_clip", other("1048577"), invalid, "connector_hidden_size"},
      {"width_beyond_64_bits", "swap_clip", other("99999999999999999999"), invalid, "connector_hidden_size"},
      {"width_of_other_weights", "swap_clip", other("57"), invalid,
       "proj.weight: got [56, 128], expected [57, 128]"},
      {"width_absent", "swap_clip", other("null"), invalid, "unused model.hidden_align.proj.weight"},
      {"width_of_the_text_model", "swap_clip", other("48"), invalid, "unused model.hidden_align.proj.weight"},
      {"no_align", "swap_clip", weights([](Weights& w) { drop(w, "model.hidden_align."); }), invalid,
       "missing model.hidden_align.proj.weight, expected [48, 56]"},
      {"align_the_wrong_way", "swap_clip", weights([](Weights& w) {
         for (NamedTensor& t : w)
           if (t.name == kAlignWeight) std::swap(t.view.shape[0], t.view.shape[1]);
       }),
       invalid, "got [56, 48], expected [48, 56]"},
      {"align_without_weight", "swap_siglip", weights([](Weights& w) { drop(w, kAlignWeight); }), invalid,
       "missing model.hidden_align.proj.weight, expected [40, 32]"}};
}

std::vector<Spoilt> bad_towers() {
  constexpr auto invalid = ErrorCode::model_invalid;
  const std::string clip = "\"model_type\": \"clip_vision_model\"";
  return {{"clip_called_siglip", "swap_clip", config(clip, "\"model_type\": \"siglip_vision_model\""),
           invalid, "unused model.vision_model.embeddings.class_embedding"},
          {"clip_called_nothing", "swap_clip", config(clip, "\"model_type\": \"idefics3_vision\""), invalid,
           "unused model.vision_model.embeddings.class_embedding"},
          {"siglip_called_clip", "swap_siglip",
           config("\"model_type\": \"siglip_vision_model\"", "\"model_type\": \"clip_vision_model\""),
           invalid, "missing model.vision_model.embeddings.class_embedding"},
          {"tower_type_no_text", "swap_clip", config(clip, "\"model_type\": 7"), invalid, "model_type"},
          {"no_class_embedding", "swap_clip",
           weights([](Weights& w) { drop(w, "model.vision_model.embeddings.class_embedding"); }), invalid,
           "missing model.vision_model.embeddings.class_embedding, expected [32]"},
          {"no_tower", "swap_clip", weights([](Weights& w) { drop(w, "model.vision_model."); }), invalid,
           "missing model.vision_model.embeddings.patch_embedding.weight"},
          {"scale_that_does_not_divide", "swap_clip", config("\"scale_factor\": 2", "\"scale_factor\": 3"),
           invalid, "a divisor of the 8 patches"},
          // A tower that counts its patches places no others, though they would be as many.
          {"tiles_with_a_remainder", "swap_clip",
           [](const ModelCopy& model) {
             model.edit("processor_config.json", "\"longest_edge\": 48", "\"longest_edge\": 50");
           },
           invalid, "expected 48, the tower's image_size"},
          {"image_size_with_a_remainder", "swap_clip", config("\"image_size\": 48", "\"image_size\": 53"),
           invalid, "expected 53, the tower's image_size"}};
}

std::string case_name(const testing::TestParamInfo<Spoilt>& info) { return info.param.what; }

INSTANTIATE_TEST_SUITE_P(Widths, BadSwaps, testing::ValuesIn(bad_widths()), case_name);
INSTANTIATE_TEST_SUITE_P(Towers, BadSwaps, testing::ValuesIn(bad_towers()), case_name);

TEST(Swap, AHeadAndStoredIdsOfTheTowerMayStay) {
  const ModelCopy model("swap_siglip");
  const std::vector<int64_t> ids(625);
  const std::vector<float> probe(24);
  model.change_weights([&](Weights& tensors) {
    const auto* id_bytes = reinterpret_cast<const std::byte*>(ids.data());
    const auto* probe_bytes = reinterpret_cast<const std::byte*>(probe.data());
    tensors.push_back({"model.vision_model.embeddings.position_ids", {DType::i64, {1, 625}, id_bytes}});
    tensors.push_back({"model.vision_model.head.probe", {DType::f32, {1, 1, 24}, probe_bytes}});
  });
  EXPECT_NO_THROW(const Loaded loaded(model.path()));
}

TEST(Swap, StationsShowTheWidths) {
  const auto frontend = load_frontend(test::data_path("models/swap_clip"));
  std::map<std::string, std::string> outputs;
  for (const ModuleShape& station : frontend->modules()) outputs[station.name] = station.output;
  EXPECT_EQ(outputs["vision tower"], "[N, 64, 32]");
  EXPECT_EQ(outputs["connector"], "[N, 16, 56]");
  EXPECT_EQ(outputs["hidden align"], "[N, 16, 48]");
}

TEST(Swap, OwnEncoderUnderAnyName) {
  for (const char* name : {"\"idefics3\"", "\"smolvlm_vision\"", "null", "\"\""}) {
    const Idefics3Config parsed = parse_idefics3_config(
        std::string(R"({"model_type": "idefics3", "vision_config": {"model_type": )") + name + "}}",
        "config.json");
    EXPECT_EQ(parsed.vision.model_type, "idefics3_vision") << name;
    EXPECT_EQ(parsed.vision.hidden_size, 1152) << name;
    EXPECT_EQ(parsed.connector_hidden_size, parsed.text.hidden_size) << name;
  }
  // Another class brings its own defaults.
  const Idefics3Config clip = parse_idefics3_config(
      R"({"model_type": "idefics3", "vision_config": {"model_type": "clip_vision_model"}})", "config.json");
  EXPECT_EQ(clip.vision.hidden_size, 768);
  EXPECT_EQ(clip.vision.hidden_act, "quick_gelu");
}

}  // namespace
}  // namespace galago
