// SigLIP alone, NaFlex and CLIP's tower against transformers: pixels, every hidden state, embeddings, logits,
// probabilities, with the scalar kernels and the fast ones.
#include <gtest/gtest.h>

#include <cstring>

#include "formats/config/config_fields.h"
#include "formats/config/siglip_config.h"
#include "galago/embedding.h"
#include "image/fixed_size.h"
#include "image/naflex.h"
#include "kernels/kernels.h"
#include "nn/vision/clip.h"
#include "nn/vision/naflex.h"
#include "nn/vision/siglip.h"
#include "nn/vision/siglip_text.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "text/tokenizer/padded_text.h"

namespace galago {
namespace {

constexpr double kTower = 1e-4;  // relative to the reference's largest magnitude
constexpr double kLogits = 1e-3;

struct Case {
  const char* name;
  test::Backend backend;
};

class Parity : public testing::TestWithParam<Case> {
 protected:
  Parity()
      : files_(test::data_path(std::string("models/") + GetParam().name)),
        trace_(Checkpoint::open_file(
            test::data_path(std::string("goldens/") + GetParam().name + "/trace.safetensors"))),
        facts_(parse_json(
            test::read_bytes(test::data_path(std::string("goldens/") + GetParam().name + "/golden.json")),
            "golden.json")) {}

  const kernels::Device& device() const { return test::device(GetParam().backend); }

  Tensor reference(const std::string& name) const { return to_tensor(*trace_.find(name)); }
  std::vector<int64_t> integers(const std::string& name) const {
    const TensorView& view = *trace_.find(name);
    std::vector<int64_t> all(static_cast<size_t>(view.count()));
    std::memcpy(all.data(), view.data, all.size() * sizeof(int64_t));
    return all;
  }
  std::vector<std::string> names(const std::string& key) const { return facts_.at(key); }
  std::vector<RgbImage> pictures() const {
    std::vector<RgbImage> all;
    for (const std::string& name : names("images"))
      all.push_back(load_image(test::data_path("pictures/" + name)));
    return all;
  }
  std::vector<Image> images() const {
    std::vector<Image> all;
    for (const std::string& name : names("images"))
      all.push_back(Image::open(test::data_path("pictures/" + name)));
    return all;
  }
  // State `index` of hidden_states [states, N, P, C] as rows.
  static ConstMatrix hidden_state(const Tensor& states, int64_t index) {
    const int64_t rows = states.shape()[1] * states.shape()[2];
    return states.matrix().slice_rows(index * rows, rows);
  }

  DirectoryFiles files_;
  Checkpoint trace_;
  Json facts_;
};

double relative(ConstMatrix ours, ConstMatrix reference) {
  double largest = 0;
  for (int64_t i = 0; i < reference.rows; ++i)
    for (int64_t c = 0; c < reference.cols; ++c)
      largest = std::max(largest, std::abs(static_cast<double>(reference.row(i)[c])));
  return test::max_difference(ours, reference) / largest;
}

ConstMatrix rows_of(const Embeddings& embeddings) {
  return {embeddings.values.data(), embeddings.count, embeddings.dimension};
}

// What the tower gives for the golden's own pixels with taps, compared state by state.
void expect_taps(const VisionTower& tower, const PixelBatch& batch, const std::vector<int64_t>& taps,
                 const Tensor& states, const kernels::Device& device) {
  Workspace workspace(device);
  const TowerOutput output = tower.forward(batch, 0, batch.pixels.shape()[0], workspace);
  const int64_t c = states.shape().back();
  const ConstMatrix all = output.last_hidden_state->matrix();
  EXPECT_EQ(all.cols, c * static_cast<int64_t>(taps.size()));
  EXPECT_EQ(tower.hidden_size(), all.cols);
  EXPECT_FALSE(output.pooler_output);
  for (size_t k = 0; k < taps.size(); ++k) {
    const int64_t rows = states.shape()[1] * states.shape()[2];
    EXPECT_LT(relative(all.slice_cols(static_cast<int64_t>(k) * c, c),
                       states.matrix().slice_rows(taps[k] * rows, rows)),
              kTower)
        << "hidden state " << taps[k];
  }
}

class Siglip : public Parity {
 protected:
  SiglipSettings settings_ = read_siglip_settings(files_);
  Checkpoint checkpoint_ = files_.checkpoint();
};

class Naflex : public Parity {
 protected:
  // The reference's rows of pixels, all max_num_patches of them.
  PatchBatch patches() const {
    PatchBatch batch{.patches = reference("pixel_values"), .grids = {}};
    const std::vector<int64_t> shapes = integers("spatial_shapes");
    for (size_t i = 0; i < shapes.size(); i += 2)
      batch.grids.push_back({.rows = shapes[i], .cols = shapes[i + 1]});
    return batch;
  }

  NaflexSettings settings_ = read_naflex_settings(files_);
  Checkpoint checkpoint_ = files_.checkpoint();
};

// What the two kinds of models have in common: the text half and the public API.
class DualModel : public Parity {
 protected:
  SiglipTextConfig text_config() const {
    const std::string config = files_.read("config.json", limits::kConfigBytes);
    return read_model_type(files_) == "siglip2" ? parse_siglip2_config(config, "config.json").text
                                                : parse_siglip_config(config, "config.json").text;
  }
};

TEST_P(Siglip, PixelsAreTheImageProcessors) {
  const Tensor pixels = normalise(make_fixed_size_tiles(pictures(), settings_.preprocessor, device()),
                                  settings_.preprocessor, device());
  const Tensor expected = reference("pixel_values");
  EXPECT_EQ(pixels.shape(), expected.shape());
  EXPECT_LT(test::max_difference(pixels.matrix(), expected.matrix()), 1e-6);
}

TEST_P(Siglip, EveryHiddenStateOfTheVisionTower) {
  const std::vector<int64_t> taps{2, 0, 1, settings_.model.vision.num_hidden_layers};
  Binder binder(checkpoint_, device());
  const SiglipTower tower(settings_.model.vision, binder.root().sub("vision_model"),
                          {.positions = PatchPositions::in_order, .taps = taps});
  expect_taps(tower, {.pixels = reference("pixel_values"), .patch_mask = {}}, taps,
              reference("hidden_states"), device());
}

TEST_P(Siglip, PatchesAndPooledVectors) {
  Binder binder(checkpoint_, device());
  const SiglipTower tower(settings_.model.vision, binder.root().sub("vision_model"),
                          {.positions = PatchPositions::in_order, .taps = {}, .pooling_head = true});
  Workspace workspace(device());
  const TowerOutput output =
      tower.forward({.pixels = reference("pixel_values"), .patch_mask = {}}, 0, 3, workspace);
  EXPECT_LT(relative(output.last_hidden_state->matrix(), reference("vision_last_hidden_state").matrix()),
            kTower);
  EXPECT_LT(relative(output.pooler_output->matrix(), reference("image_features").matrix()), kTower);
}

TEST_P(Naflex, PatchesAreTheImageProcessors) {
  const PatchBatch batch = make_patches(pictures(), settings_.preprocessor, device());
  const PatchBatch expected = patches();
  EXPECT_EQ(batch.grids, expected.grids);
  const int64_t length = batch.patches.shape()[1];
  const int64_t padded = expected.patches.shape()[1];
  EXPECT_EQ(padded, settings_.preprocessor.max_num_patches);
  for (int64_t n = 0; n < expected.patches.shape()[0]; ++n)
    EXPECT_LT(test::max_difference(batch.patches.matrix().slice_rows(n * length, length),
                                   expected.patches.matrix().slice_rows(n * padded, length)),
              1e-6)
        << "picture " << n;
}

TEST_P(Naflex, ResizedPositionsEnterTheFirstLayer) {
  Binder binder(checkpoint_, device());
  const NaflexTower tower(settings_.model.vision, binder.root().sub("vision_model"));
  Workspace workspace(device());
  const Tensor states = reference("hidden_states");
  EXPECT_LT(relative(tower.embed(patches(), workspace).matrix(), hidden_state(states, 0)), kTower);
}

// Padding too is compared: what it sees is hidden from nobody but itself.
TEST_P(Naflex, PatchesAndPooledVectors) {
  Binder binder(checkpoint_, device());
  const NaflexTower tower(settings_.model.vision, binder.root().sub("vision_model"));
  Workspace workspace(device());
  const TowerOutput output = tower.forward(patches(), workspace);
  EXPECT_LT(relative(output.last_hidden_state->matrix(), reference("vision_last_hidden_state").matrix()),
            kTower);
  EXPECT_LT(relative(output.pooler_output->matrix(), reference("image_features").matrix()), kTower);
}

TEST_P(DualModel, TextTowerOnTheReferencesIds) {
  const Checkpoint checkpoint = files_.checkpoint();
  Binder binder(checkpoint, device());
  const SiglipTextTower tower(text_config(), binder.root().sub("text_model"));
  const std::vector<int64_t> ids = integers("input_ids");
  Workspace workspace(device());
  const Tensor pooled =
      tower.forward(std::vector<int32_t>(ids.begin(), ids.end()), std::ssize(names("texts")), {}, workspace);
  EXPECT_LT(relative(pooled.matrix(), reference("text_features").matrix()), kTower);
}

TEST_P(DualModel, IdsOfTexts) {
  const Tokenizer tokenizer = Tokenizer::from_files(files_);
  const int64_t length = trace_.find("input_ids")->shape[1];
  const std::vector<int64_t> expected = integers("input_ids");
  const std::vector<int64_t> flags = integers("attention_mask");
  const auto texts = names("texts");
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto [ids, mask] = encode_padded(tokenizer, texts[i], length);
    const int64_t* seen = flags.data() + static_cast<int64_t>(i) * length;
    EXPECT_EQ(std::vector<int64_t>(mask.begin(), mask.end()), std::vector<int64_t>(seen, seen + length))
        << texts[i];
    const auto row = expected.begin() + static_cast<int64_t>(i) * length;
    EXPECT_EQ(std::vector<int64_t>(ids.begin(), ids.end()), std::vector<int64_t>(row, row + length))
        << texts[i];
  }
}

TEST_P(DualModel, EmbeddingsThroughTheApi) {
  const EmbeddingModel model = EmbeddingModel::load(files_.path());
  const auto pictures = images();
  const auto texts = names("texts");
  EXPECT_LT(relative(rows_of(model.embed_images(pictures)), reference("image_features").matrix()), kTower);
  EXPECT_LT(relative(rows_of(model.embed_texts(texts)), reference("text_features").matrix()), kTower);
  const Embeddings image = model.embed_images(pictures, {.normalize = true});
  EXPECT_TRUE(image.normalized);
  EXPECT_LT(relative(rows_of(image), reference("image_embeds").matrix()), kTower);
  EXPECT_LT(
      relative(rows_of(model.embed_texts(texts, {.normalize = true})), reference("text_embeds").matrix()),
      kTower);
}

// Another model_input_names in tokenizer_config.json: the key absent, or the mask in its list.
TEST_P(DualModel, PaddingIsMaskedWhereTheTokenizerSaysSo) {
  const std::pair<const char*, const char*> edits[] = {
      {"\"model_input_names\"", "\"other_names\""}, {"\"input_ids\"", "\"input_ids\", \"attention_mask\""}};
  const auto texts = names("texts");
  const Tensor logits = reference("masked_logits_per_image");
  for (const auto& [old, now] : edits) {
    test::TempDir copy;
    copy.add_copy_of(files_.path());
    const std::string name = "tokenizer_config.json";
    copy.add(name, test::replaced(test::read_bytes(copy.file(name)), old, now));
    const EmbeddingModel model = EmbeddingModel::load(copy.path());
    EXPECT_LT(relative(rows_of(model.embed_texts(texts)), reference("masked_text_features").matrix()), kTower)
        << now;
    const auto result = model.classify(images(), texts, {.template_text = "{}", .on_progress = {}});
    for (size_t i = 0; i < result.images.size(); ++i)
      for (const LabelScore& score : result.images[i])
        EXPECT_NEAR(score.logit, logits.data()[static_cast<int64_t>(i * texts.size()) + score.index],
                    kLogits);
  }
}

TEST_P(DualModel, SpecialTokensAreControlTokensWhenAsked) {
  const EmbeddingModel model = EmbeddingModel::load(files_.path());
  const std::vector<std::string> text{facts_.at("special_text")};
  const Tensor expected = reference("special_text_features");
  EXPECT_LT(relative(rows_of(model.embed_texts(text, {.parse_special = true})), expected.matrix()), kTower);
  EXPECT_GT(relative(rows_of(model.embed_texts(text)), expected.matrix()), 0.01);
  const auto logit = [&](bool parse) {
    const ClassifyOptions options{.template_text = "{}", .parse_special = parse, .on_progress = {}};
    return model.classify(images(), text, options).images[0][0].logit;
  };
  EXPECT_NE(logit(true), logit(false));
}

TEST_P(DualModel, LogitsAndProbabilitiesOfLabels) {
  const EmbeddingModel model = EmbeddingModel::load(files_.path());
  const auto texts = names("texts");
  const Classification result = model.classify(images(), texts, {.template_text = "{}", .on_progress = {}});
  const Tensor logits = reference("logits_per_image");
  const Tensor probabilities = reference("probabilities");
  ASSERT_EQ(static_cast<int64_t>(result.images.size()), logits.shape()[0]);
  for (size_t i = 0; i < result.images.size(); ++i) {
    const auto& scores = result.images[i];
    ASSERT_EQ(scores.size(), texts.size());
    for (size_t k = 0; k < scores.size(); ++k) {
      const int64_t at = static_cast<int64_t>(i * texts.size()) + scores[k].index;
      EXPECT_NEAR(scores[k].logit, logits.data()[at], kLogits);
      EXPECT_NEAR(scores[k].probability, probabilities.data()[at], kLogits / 10);
      EXPECT_EQ(scores[k].label, texts[static_cast<size_t>(scores[k].index)]);
      if (k > 0) {
        EXPECT_GE(scores[k - 1].probability, scores[k].probability);
      }
    }
  }
}

class Clip : public Parity {};

TEST_P(Clip, EveryHiddenStateThePatchesAndThePooledVector) {
  const Json document = parse_json(files_.read("config.json", limits::kConfigBytes), "config.json");
  const VisionConfig config = read_vision_config(JsonField(document, "config.json"), clip_vision_defaults());
  const Checkpoint checkpoint = files_.checkpoint();
  const PixelBatch batch{.pixels = reference("pixel_values"), .patch_mask = {}};
  const Tensor states = reference("hidden_states");
  Binder binder(checkpoint, device());
  const Scope scope = binder.root().has("vision_model.pre_layrnorm.weight")
                          ? binder.root().sub("vision_model")
                          : binder.root();
  const std::vector<int64_t> taps{3, 1, 0, 1};
  expect_taps(ClipTower(config, scope, taps), batch, taps, states, device());

  const ClipTower tower(config, scope);
  binder.waive("vision_model.embeddings.position_ids");
  binder.finish("clip tower");
  EXPECT_EQ(tower.class_tokens(), 1);
  Workspace workspace(device());
  const TowerOutput output = tower.forward(batch, 0, 2, workspace);
  EXPECT_EQ(output.last_hidden_state->shape(), (Shape{2, 26, 24}));
  EXPECT_LT(relative(output.last_hidden_state->matrix(), reference("last_hidden_state").matrix()), kTower);
  EXPECT_LT(relative(output.pooler_output->matrix(), reference("pooler_output").matrix()), kTower);
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  const bool scalar = info.param.backend == test::Backend::reference;
  return std::string(info.param.name) + (scalar ? "_scalar" : "_cpu");
}

INSTANTIATE_TEST_SUITE_P(Goldens, Siglip,
                         testing::Values(Case{"siglip", test::Backend::reference},
                                         Case{"siglip", test::Backend::cpu},
                                         Case{"siglip2", test::Backend::reference},
                                         Case{"siglip2", test::Backend::cpu}),
                         case_name);
INSTANTIATE_TEST_SUITE_P(Goldens, Naflex,
                         testing::Values(Case{"naflex", test::Backend::reference},
                                         Case{"naflex", test::Backend::cpu},
                                         Case{"naflex_bf16", test::Backend::reference},
                                         Case{"naflex_bf16", test::Backend::cpu}),
                         case_name);
INSTANTIATE_TEST_SUITE_P(
    Goldens, DualModel,
    testing::Values(Case{"siglip", test::Backend::reference}, Case{"siglip", test::Backend::cpu},
                    Case{"siglip2", test::Backend::reference}, Case{"siglip2", test::Backend::cpu},
                    Case{"naflex", test::Backend::reference}, Case{"naflex", test::Backend::cpu},
                    Case{"naflex_bf16", test::Backend::reference}, Case{"naflex_bf16", test::Backend::cpu}),
    case_name);
INSTANTIATE_TEST_SUITE_P(Goldens, Clip,
                         testing::Values(Case{"clip_tower", test::Backend::reference},
                                         Case{"clip_tower", test::Backend::cpu}),
                         case_name);

}  // namespace
}  // namespace galago
