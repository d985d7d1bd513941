// An exported tower: its files, its position table, and everything that is refused. The features that
// transformers gets from it are compared in tests/parity.
#include "inspect/export_tower.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "core/cancelled.h"
#include "nn/vision/position_ids.h"
#include "support/fixtures.h"
#include "unit/nn/vision/named_shapes.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::data_path;
using test::error_of;
using test::head_shapes;
using test::NamedShapes;
using test::read_bytes;
using test::TempDir;
using test::tower_shapes;
using test::TowerSizes;
using testing::HasSubstr;
using Json = nlohmann::json;

Json read_json(const fs::path& file) { return Json::parse(read_bytes(file)); }

/// A tower of zeros, found; the checkpoint lies in a folder of its own.
struct Found {
  explicit Found(const NamedShapes& named)
      : checkpoint(named.checkpoint(folder)), tower(extract_vision_tower_from_checkpoint(checkpoint)) {}
  TempDir folder;
  Checkpoint checkpoint;
  ExtractedTower tower;
};

TowerSettings two_heads() {
  TowerSettings settings;
  settings.num_attention_heads = 2;
  return settings;
}

TEST(ExportTower, ConfigTellsShapesAndSettings) {
  const Found found(
      tower_shapes({.hidden = 8, .inner = 12, .layers = 3, .patch = 4, .side = 5}).under("model."));
  TowerSettings settings = two_heads();
  settings.image_size = 23;  // a remainder of 3 pixels
  settings.hidden_act = "gelu";
  settings.layer_norm_eps = 1e-5F;
  settings.resample = Resample::lanczos;
  settings.scaling.image_mean = {0.25, 0.5, 0.75};
  settings.scaling.rescale_factor = 1.0 / 127.5;
  const TempDir parent;
  const fs::path out = parent.path() / "tower";
  EXPECT_EQ(to_hf_api(found.checkpoint, found.tower, settings, out), 0);
  const Json expected = {{"architectures", {"SiglipVisionModel"}},
                         {"attention_dropout", 0.0},
                         {"dtype", "float32"},
                         {"hidden_act", "gelu"},
                         {"hidden_size", 8},
                         {"image_size", 23},
                         {"intermediate_size", 12},
                         {"layer_norm_eps", 1e-5},
                         {"model_type", "siglip_vision_model"},
                         {"num_attention_heads", 2},
                         {"num_channels", 3},
                         {"num_hidden_layers", 3},
                         {"patch_size", 4},
                         {"vision_use_head", false}};
  EXPECT_EQ(read_json(out / "config.json"), expected);
  const Json processor = read_json(out / "preprocessor_config.json");
  EXPECT_EQ(processor["image_processor_type"], "SiglipImageProcessor");
  EXPECT_EQ(processor["size"], (Json{{"height", 23}, {"width", 23}}));
  EXPECT_EQ(processor["image_mean"], (Json{0.25, 0.5, 0.75}));
  EXPECT_EQ(processor["rescale_factor"], 1.0 / 127.5);
  EXPECT_EQ(processor["resample"], 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(out), fs::directory_iterator()), 3);
}

TEST(ExportTower, HeadAndClassTokenAreKept) {
  NamedShapes pooled = tower_shapes();
  const Found siglip(pooled.merge(head_shapes()));
  const Found clip(tower_shapes({.clip = true}).under("vision_tower.vision_model."));
  const TempDir parent;
  to_hf_api(siglip.checkpoint, siglip.tower, two_heads(), parent.path() / "siglip");
  EXPECT_EQ(read_json(parent.path() / "siglip/config.json")["vision_use_head"], true);
  to_hf_api(clip.checkpoint, clip.tower, two_heads(), parent.path() / "clip");
  const Json config = read_json(parent.path() / "clip/config.json");
  EXPECT_EQ(config["model_type"], "clip_vision_model");
  EXPECT_EQ(config["architectures"], Json{"CLIPVisionModel"});
  EXPECT_FALSE(config.contains("vision_use_head"));
  const Checkpoint written = Checkpoint::open_directory(parent.path() / "clip");
  EXPECT_NE(written.find("vision_model.embeddings.class_embedding"), nullptr);
  EXPECT_EQ(written.tensors().size(), clip.tower.tensors.size());
}

TEST(ExportTower, TypesStayAndMixedOnesAreCalledFloat32) {
  NamedShapes half = tower_shapes();
  for (const auto& [name, shape] : half.shapes) half.types[name] = DType::f16;
  NamedShapes mixed = half;
  mixed.types["post_layernorm.weight"] = DType::bf16;
  const Found all_half(half);
  const Found some(mixed);
  const TempDir parent;
  to_hf_api(all_half.checkpoint, all_half.tower, two_heads(), parent.path() / "half");
  to_hf_api(some.checkpoint, some.tower, two_heads(), parent.path() / "mixed");
  EXPECT_EQ(read_json(parent.path() / "half/config.json")["dtype"], "float16");
  EXPECT_EQ(read_json(parent.path() / "mixed/config.json")["dtype"], "float32");
  const Checkpoint written = Checkpoint::open_directory(parent.path() / "mixed");
  EXPECT_EQ(written.find("vision_model.post_layernorm.weight")->dtype, DType::bf16);
  EXPECT_EQ(written.find("vision_model.post_layernorm.bias")->dtype, DType::f16);
}

TEST(ExportTower, BytesOfSixteenBitWeightsAreCopied) {
  const Checkpoint checkpoint = Checkpoint::open_directory(data_path("models/smolvlm_tiles"));
  const ExtractedTower tower = extract_vision_tower_from_checkpoint(checkpoint);
  TowerSettings settings = two_heads();
  settings.positions = PatchPositions::bucketed;  // the identity at 16 x 16
  const TempDir parent;
  EXPECT_EQ(to_hf_api(checkpoint, tower, settings, parent.path() / "tower"), 0);
  EXPECT_EQ(read_json(parent.path() / "tower/config.json")["dtype"], "bfloat16");
  const Checkpoint written = Checkpoint::open_directory(parent.path() / "tower");
  EXPECT_EQ(written.metadata().at("format"), "pt");
  EXPECT_EQ(written.tensors().size(), tower.tensors.size());
  for (const auto& [name, view] : tower.tensors) {
    const TensorView* copy = written.find("vision_model." + name);
    ASSERT_NE(copy, nullptr) << name;
    ASSERT_EQ(copy->dtype, DType::bf16) << name;
    ASSERT_EQ(copy->shape, view.shape) << name;
    EXPECT_EQ(std::memcmp(copy->data, view.data, static_cast<size_t>(view.count()) * 2), 0) << name;
  }
}

TEST(ExportTower, WhatIsMadeIsMadeOnceAndWhenItIsWritten) {
  Found found(tower_shapes({.hidden = 8, .inner = 12, .layers = 1, .patch = 4, .side = 5}));
  const std::string name = found.tower.prefix + "encoder.layers.0.mlp.fc1.weight";
  const TensorView stored = *found.checkpoint.find(name);
  const std::vector<float> numbers(static_cast<size_t>(stored.count()), 1.5F);
  int made = 0;
  found.checkpoint.remove(name);
  found.checkpoint.add_made(name, {DType::f32, stored.shape, nullptr}, [&] {
    ++made;
    return std::shared_ptr<const std::byte>(std::shared_ptr<const std::byte>(),
                                            reinterpret_cast<const std::byte*>(numbers.data()));
  });
  const ExtractedTower tower = extract_vision_tower_from_checkpoint(found.checkpoint);
  EXPECT_EQ(made, 0);
  const TempDir parent;
  to_hf_api(found.checkpoint, tower, two_heads(), parent.path() / "tower");
  EXPECT_EQ(made, 1);
  const Checkpoint written = Checkpoint::open_directory(parent.path() / "tower");
  EXPECT_EQ(test::values(to_tensor(*written.find("vision_model.encoder.layers.0.mlp.fc1.weight"))), numbers);
}

TEST(ExportTower, BucketedRowsLieWherePatchesTakeThem) {
  const Checkpoint checkpoint = Checkpoint::open_directory(data_path("models/grid25_llama3"));
  const ExtractedTower tower = extract_vision_tower_from_checkpoint(checkpoint);
  TowerSettings settings = two_heads();
  settings.positions = PatchPositions::bucketed;
  const TempDir parent;
  EXPECT_EQ(to_hf_api(checkpoint, tower, settings, parent.path() / "tower"), 400);
  const Checkpoint written = Checkpoint::open_directory(parent.path() / "tower");
  const Tensor before = to_tensor(tower.tensors.at("embeddings.position_embedding.weight"));
  const Tensor after = to_tensor(*written.find("vision_model.embeddings.position_embedding.weight"));
  const std::vector<uint8_t> whole(625, 1);
  const std::vector<int32_t> ids = vision_position_ids(whole, 25, 25, 25);
  for (int64_t i = 0; i < 625; ++i)
    EXPECT_EQ(std::memcmp(after.matrix().row(i), before.matrix().row(ids[static_cast<size_t>(i)]), 24 * 4), 0)
        << i;
}

TEST(ExportTower, ADiskThatFillsUpLeavesNothing) {
  const Found found(tower_shapes({.hidden = 64, .inner = 128}));
  const TempDir parent;
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 20'000;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Error error =
      error_of([&] { to_hf_api(found.checkpoint, found.tower, two_heads(), parent.path() / "tower"); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(error.code(), ErrorCode::output_io);
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

/// Settings that contradict an 8 wide tower of 3 x 3 patches of 2 pixels, or an output that cannot be.
struct Refused {
  const char* what;
  std::function<void(TowerSettings&)> change;
  ErrorCode code;
  const char* says;
  bool clip = false;
};

class RefusedExports : public testing::TestWithParam<Refused> {};

TEST_P(RefusedExports, WriteNothing) {
  const Found found(tower_shapes({.clip = GetParam().clip}));
  const TempDir parent;
  TowerSettings settings = two_heads();
  GetParam().change(settings);
  const Error error =
      error_of([&] { to_hf_api(found.checkpoint, found.tower, settings, parent.path() / "tower"); });
  EXPECT_EQ(error.code(), GetParam().code);
  EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
  EXPECT_TRUE(fs::is_empty(parent.path()));
}

std::vector<Refused> refused() {
  constexpr auto invalid = ErrorCode::model_invalid;
  const auto heads = [](int64_t n) { return [n](TowerSettings& s) { s.num_attention_heads = n; }; };
  const auto size = [](int64_t n) { return [n](TowerSettings& s) { s.image_size = n; }; };
  return {{"no_heads", heads(0), invalid, "num_attention_heads: got 0"},
          {"negative_heads", heads(-2), invalid, "a divisor of the hidden size, 8"},
          {"heads_that_do_not_divide", heads(3), invalid, "got 3"},
          {"more_heads_than_width", heads(16), invalid, "got 16"},
          {"image_too_small", size(5), invalid, "image_size: got 5, expected 6 to 7"},
          {"image_too_large", size(8), invalid, "image_size: got 8"},
          {"image_negative", size(-6), invalid, "image_size: got -6"},
          {"bucketed_class_token", [](TowerSettings& s) { s.positions = PatchPositions::bucketed; },
           ErrorCode::model_unsupported, "a tower with a class token", true}};
}

std::string refused_name(const testing::TestParamInfo<Refused>& info) { return info.param.what; }

INSTANTIATE_TEST_SUITE_P(Settings, RefusedExports, testing::ValuesIn(refused()), refused_name);

TEST(ExportTower, NeverIntoTheModelItself) {
  const Found found(tower_shapes());
  for (const Existing existing : {Existing::refuse, Existing::replace}) {
    const Error error = error_of([&] {
      to_hf_api(found.checkpoint, found.tower, two_heads(), found.folder.path(),
                {.existing = existing, .go_on = {}});
    });
    EXPECT_EQ(error.code(), ErrorCode::usage);
  }
  EXPECT_FALSE(fs::exists(found.folder.path() / "config.json"));
}

TEST(ExportTower, StopsAtEveryStepWithoutATrace) {
  const Found found(tower_shapes());
  const TempDir parent;
  const fs::path out = parent.path() / "tower";
  const int all =
      static_cast<int>(found.tower.tensors.size()) + 2;  // and once for the file, once for the folder
  for (int steps = 0; steps <= all; ++steps) {
    int asked = 0;
    const ExportOptions options{.go_on = [&] { return asked++ < steps; }};
    const auto write = [&] { to_hf_api(found.checkpoint, found.tower, two_heads(), out, options); };
    if (steps < all) {
      EXPECT_THROW(write(), Cancelled) << steps;
      EXPECT_TRUE(fs::is_empty(parent.path())) << steps;
    } else {
      write();
      EXPECT_EQ(asked, all);
      EXPECT_TRUE(fs::exists(out / "config.json"));
    }
  }
}

/// config.json of another size than the weights.
class OtherSizes : public testing::TestWithParam<const char*> {};

TEST_P(OtherSizes, AreNamed) {
  const Found found(tower_shapes());
  VisionConfig vision = {.model_type = "siglip_vision_model",
                         .hidden_size = 8,
                         .intermediate_size = 12,
                         .num_hidden_layers = 2,
                         .num_attention_heads = 2,
                         .num_channels = 3,
                         .image_size = 6,
                         .patch_size = 2};
  const std::string key = GetParam();
  if (key == "hidden_size") vision.hidden_size = 16;
  if (key == "intermediate_size") vision.intermediate_size = 13;
  if (key == "num_hidden_layers") vision.num_hidden_layers = 3;
  if (key == "num_channels") vision.num_channels = 1;
  if (key == "patch_size") vision.patch_size = 3;
  const TempDir directory;
  const DirectoryFiles files(directory.path());
  const Error error = error_of([&] { read_tower_settings(files, vision, found.tower); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.where(), HasSubstr("vision_config." + key));
}

std::string key_name(const testing::TestParamInfo<const char*>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Keys, OtherSizes,
                         testing::Values("hidden_size", "intermediate_size", "num_hidden_layers",
                                         "num_channels", "patch_size"),
                         key_name);

TEST(ExportTower, SettingsComeFromTheModelsFiles) {
  const DirectoryFiles files(data_path("models/grid27_scale3"));
  const Idefics3Settings model = read_idefics3_settings(files);
  const Checkpoint checkpoint = files.checkpoint();
  const TowerSettings settings =
      read_tower_settings(files, model.model.vision, extract_vision_tower_from_checkpoint(checkpoint));
  EXPECT_EQ(settings.num_attention_heads, 4);
  EXPECT_EQ(settings.image_size, 55);
  EXPECT_EQ(settings.resample, Resample::lanczos);  // inside processor_config.json
  EXPECT_EQ(settings.positions, PatchPositions::bucketed);
}

}  // namespace
}  // namespace galago
