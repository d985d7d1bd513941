// A tower written for transformers, against what transformers' SiglipVisionModel makes of it: the export is
// read back as the plain SigLIP tower that it claims to be, and its features are compared with the golden
// that tools/oracle/check_export.py took from transformers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "formats/config/config_fields.h"
#include "inspect/export_tower.h"
#include "kernels/kernels.h"
#include "models/towers.h"
#include "support/devices.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using test::data_path;
using test::TempDir;

constexpr double kBound = 1e-4;  // of the largest feature

struct Case {
  const char* model;
  test::Backend backend;
};

class TowerExports : public testing::TestWithParam<Case> {};

/// config.json of an exported folder.
VisionConfig read_config(const std::filesystem::path& folder) {
  const Json document = parse_json(test::read_bytes(folder / "config.json"), "config.json");
  return read_tower_config(JsonField(document, "config.json"), "");
}

/// Bytes as the SigLIP image processor's floats, (b / 255 - 0.5) / 0.5.
Tensor pixels_of(const TensorView& bytes) {
  Tensor pixels(bytes.shape);
  for (int64_t i = 0; i < pixels.size(); ++i)
    pixels.data()[i] = (static_cast<float>(std::to_integer<int>(bytes.data[i])) / 255.0F - 0.5F) / 0.5F;
  return pixels;
}

TEST_P(TowerExports, AgreeWithTransformers) {
  const kernels::Device& device = test::device(GetParam().backend);
  const std::string name = GetParam().model;
  const DirectoryFiles files(data_path("models/" + name));
  const Checkpoint checkpoint = files.checkpoint();
  const ExtractedTower found = extract_vision_tower_from_checkpoint(checkpoint);
  const TowerSettings settings =
      read_tower_settings(files, read_idefics3_settings(files).model.vision, found);
  const TempDir parent;
  const auto folder = parent.path() / "tower";
  to_hf_api(checkpoint, found, settings, folder);

  const VisionConfig config = read_config(folder);
  EXPECT_EQ(config.model_type, "siglip_vision_model");
  const Checkpoint written = Checkpoint::open_directory(folder);
  Binder binder(written, device);
  const auto tower = make_tower(config, binder.root());
  binder.finish(folder.string());

  const Checkpoint golden = Checkpoint::open_file(data_path("goldens/tower_export/" + name + ".safetensors"));
  const PixelBatch batch{.pixels = pixels_of(*golden.find("pixel_values_u8")), .patch_mask = {}};
  Workspace workspace(device);
  const TowerOutput output = tower->forward(batch, 0, 1, workspace);
  const Tensor expected = to_tensor(*golden.find("last_hidden_state"));
  ASSERT_TRUE(output.last_hidden_state.has_value());
  ASSERT_EQ(output.last_hidden_state->shape(), expected.shape());
  double largest = 0;
  for (int64_t i = 0; i < expected.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(expected.data()[i])));
  EXPECT_LE(test::max_difference(output.last_hidden_state->matrix(), expected.matrix()), kBound * largest);
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto backend : {test::Backend::reference, test::Backend::cpu})
    for (const char* model : {"smolvlm_tiles", "grid25_llama3"}) all.push_back({model, backend});
  return all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const bool scalar = info.param.backend == test::Backend::reference;
  return std::string(info.param.model) + (scalar ? "_scalar" : "_cpu");
}

INSTANTIATE_TEST_SUITE_P(Goldens, TowerExports, testing::ValuesIn(cases()), case_name);

}  // namespace
}  // namespace galago
