// Towers under every prefix they are known by, and checkpoints that hold none, two, or a broken one.
#include "nn/vision/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "named_shapes.h"

namespace galago {
namespace {

using test::error_of;
using test::head_shapes;
using test::NamedShapes;
using test::TempDir;
using test::text_shapes;
using test::tower_shapes;
using testing::HasSubstr;

ExtractedTower extract(const NamedShapes& named, const std::optional<std::string>& prefix = {}) {
  const TempDir directory;
  return extract_vision_tower_from_checkpoint(named.checkpoint(directory), prefix);
}

class Prefixes : public testing::TestWithParam<const char*> {};

TEST_P(Prefixes, AreFound) {
  const std::string prefix = GetParam();
  NamedShapes named = tower_shapes().under(prefix);
  named.merge(text_shapes("model.text_model.")).merge(text_shapes("language_model.model."));
  named.shapes["model.connector.modality_projection.proj.weight"] = {8, 32};
  named.shapes["visual_projection.weight"] = {4, 8};
  const ExtractedTower tower = extract(named);
  EXPECT_EQ(tower.prefix, prefix);
  EXPECT_EQ(tower.layout, TowerLayout::siglip);
  EXPECT_EQ(tower.num_hidden_layers, 2);
  EXPECT_EQ(tower.hidden_size, 8);
  EXPECT_EQ(tower.intermediate_size, 12);
  EXPECT_EQ(tower.num_channels, 3);
  EXPECT_EQ(tower.patch_size, 2);
  EXPECT_EQ(tower.positions, 9);
  EXPECT_EQ(tower.grid_side, 3);
  EXPECT_FALSE(tower.pooling_head);
  EXPECT_EQ(tower.tensors.size(), tower_shapes().shapes.size());
}

INSTANTIATE_TEST_SUITE_P(Known, Prefixes,
                         testing::Values("", "model.", "vision_tower.", "vision.", "vision_model.", "visual.",
                                         "model.vision_tower.", "model.vision.", "model.vision_model.",
                                         "model.visual.", "vision_tower.vision_model.",
                                         "model.vision_tower.vision_model.", "visual.vision_model."));

TEST(Extract, ClipHasAClassToken) {
  const ExtractedTower tower = extract(tower_shapes({.side = 4, .clip = true}).under("vision_tower."));
  EXPECT_EQ(tower.layout, TowerLayout::clip);
  EXPECT_EQ(tower.positions, 16);  // the table has 17 rows
  EXPECT_EQ(tower.grid_side, 4);
  EXPECT_TRUE(tower.tensors.contains("pre_layrnorm.bias"));
}

TEST(Extract, PoolingHeadComesAlong) {
  NamedShapes named = tower_shapes();
  const ExtractedTower tower = extract(named.merge(head_shapes()).under("vision_model."));
  EXPECT_TRUE(tower.pooling_head);
  EXPECT_TRUE(tower.tensors.contains("head.attention.in_proj_weight"));
}

TEST(Extract, StoredPositionIdsAreLeftOut) {
  NamedShapes named = tower_shapes();
  named.shapes["embeddings.position_ids"] = {1, 9};
  named.types["embeddings.position_ids"] = DType::i64;
  EXPECT_FALSE(extract(named).tensors.contains("embeddings.position_ids"));
}

TEST(Extract, TheTextHalfOfASiglipIsNoTower) {
  NamedShapes named = tower_shapes().under("vision_model.");
  NamedShapes text = tower_shapes().under("text_model.");
  text.erase("text_model.embeddings.patch_embedding");
  EXPECT_EQ(extract(named.merge(text)).prefix, "vision_model.");
}

TEST(Extract, PrefixDecidesBetweenTwo) {
  NamedShapes named = tower_shapes().under("image_tower.");
  named.merge(tower_shapes({.layers = 1}).under("vision_tower."));
  named.merge(tower_shapes({.layers = 3}).under("model.visual."));
  EXPECT_EQ(extract(named, "model.visual").num_hidden_layers, 3);
  EXPECT_EQ(extract(named, "image_tower.").num_hidden_layers, 2);  // a name that is not looked for otherwise
}

TEST(Extract, NamesSeenAreFewAndShort) {
  NamedShapes named;
  for (int i = 0; i < 5000; ++i) named.shapes["layer" + std::to_string(i) + ".weight"] = {1};
  named.shapes[std::string(100'000, 'x') + "\x1b[2J"] = {1};
  const Error error = error_of([&] { extract(named); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.got(), HasSubstr("layer0.weight"));
  EXPECT_THAT(error.got(), HasSubstr("and 4989 more"));
  EXPECT_LT(std::string(error.what()).size(), 1500U);
  EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
}

TEST(Extract, FaultsAreListedTogetherAndBounded) {
  NamedShapes named = tower_shapes({.layers = 40});
  for (int i = 1; i < 40; ++i) {
    named.shapes["encoder.layers." + std::to_string(i) + ".mlp.fc1.bias"] = {13};
    named.erase("encoder.layers." + std::to_string(i) + ".mlp.fc2.");
  }
  const Error error = error_of([&] { extract(named); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.got(), HasSubstr("117 faults"));
  EXPECT_THAT(error.got(), HasSubstr("shape of encoder.layers.1.mlp.fc1.bias: got [13], expected [12]"));
  EXPECT_THAT(error.got(), HasSubstr("and 77 more"));
}

/// One way to spoil a whole tower under "model.vision_model.", and what is said then.
struct Spoilt {
  const char* what;
  std::function<void(NamedShapes&)> spoil;
  ErrorCode code;
  const char* says;
};

const std::string kAt = "model.vision_model.";  // NOLINT(cert-err58-cpp)
const std::string kLayer1 = kAt + "encoder.layers.1.";

void set(NamedShapes& named, const std::string& name, Shape shape) {
  named.shapes[kAt + name] = std::move(shape);
}

std::vector<Spoilt> spoilt_layers() {
  constexpr auto invalid = ErrorCode::model_invalid;
  const auto moved_layer = [](const std::string& index) {
    return [index](NamedShapes& n) { n.rename(kLayer1, kAt + "encoder.layers." + index + "."); };
  };
  return {
      {"no layers", [](NamedShapes& n) { n.erase(kAt + "encoder."); }, invalid, "no layers"},
      {"a gap", [](NamedShapes& n) { n.rename(kAt + "encoder.layers.0.", kAt + "encoder.layers.4."); },
       invalid, "without 0"},
      {"a gap in the middle", moved_layer("3"), invalid, "2 layers up to 3, without 1"},
      {"a huge index", moved_layer("99999999999"), invalid, "a number below 1024"},
      {"an index beyond 64 bits", moved_layer("99999999999999999999999999"), invalid, "a number below 1024"},
      {"the first index too large", moved_layer("1024"), invalid, "a number below 1024"},
      {"the last index that is allowed", moved_layer("1023"), invalid, "without 1"},
      {"a negative index", moved_layer("-1"), invalid, "layer \"-1\""},
      {"an index that is no number", moved_layer("one"), invalid, "layer \"one\""},
      {"an index with a zero before it", moved_layer("01"), invalid, "layer \"01\""},
      {"an empty index", moved_layer(""), invalid, "layer \"\""},
      {"a hexadecimal index", moved_layer("0x1"), invalid, "layer \"0x1\""},
      {"an index that is a bomb", moved_layer(std::string(65'536, '9')), invalid, "a number below 1024"},
      {"half a layer", [](NamedShapes& n) { n.erase(kLayer1 + "self_attn."); }, invalid,
       "missing encoder.layers.1.self_attn.q_proj.weight"},
      {"no bias", [](NamedShapes& n) { n.erase(kLayer1 + "mlp.fc2.bias"); }, invalid,
       "missing encoder.layers.1.mlp.fc2.bias"},
      {"a layer of another width",
       [](NamedShapes& n) {
         set(n, "encoder.layers.1.self_attn.q_proj.weight", {6, 6});
       },
       invalid, "got [6, 6], expected [8, 8]"},
      {"a layer with another inner width",
       [](NamedShapes& n) {
         set(n, "encoder.layers.1.mlp.fc1.weight", {16, 8});
       },
       invalid, "got [16, 8], expected [12, 8]"},
      {"fc1 the wrong way round",
       [](NamedShapes& n) {
         set(n, "encoder.layers.0.mlp.fc1.weight", {8, 12});
       },
       invalid, "fc1.weight: got [8, 12]"},
      {"fc1 without a shape", [](NamedShapes& n) { set(n, "encoder.layers.0.mlp.fc1.weight", {}); }, invalid,
       "[intermediate, 8]"},
      {"no fc1", [](NamedShapes& n) { n.erase(kAt + "encoder.layers.0.mlp.fc1.weight"); }, invalid,
       "nothing"},
      {"more than a layer has", [](NamedShapes& n) { set(n, "encoder.layers.1.self_attn.rel_pos", {4}); },
       invalid, "unknown encoder.layers.1.self_attn.rel_pos [4]"},
      {"weights that are integers", [](NamedShapes& n) { n.types[kLayer1 + "mlp.fc1.weight"] = DType::i8; },
       invalid, "type of encoder.layers.1.mlp.fc1.weight: got I8"},
      {"weights in double", [](NamedShapes& n) { n.types[kLayer1 + "mlp.fc1.bias"] = DType::f64; }, invalid,
       "got F64"},
      {"fused qkv",
       [](NamedShapes& n) {
         set(n, "encoder.layers.0.self_attn.qkv.weight", {24, 8});
       },
       ErrorCode::model_unsupported, "query, key and value in one weight"},
      {"fused qkv_proj",
       [](NamedShapes& n) { n.rename(kLayer1 + "self_attn.q_proj.", kLayer1 + "self_attn.qkv_proj."); },
       ErrorCode::model_unsupported, "query, key and value in one weight"},
      {"torch's fused attention",
       [](NamedShapes& n) {
         set(n, "encoder.layers.0.attn.in_proj_weight", {24, 8});
       },
       ErrorCode::model_unsupported, "query, key and value in one weight"}};
}

std::vector<Spoilt> spoilt_embeddings() {
  constexpr auto invalid = ErrorCode::model_invalid;
  const std::string patch = "embeddings.patch_embedding.weight";
  const std::string table = "embeddings.position_embedding.weight";
  const auto to = [](const std::string& name, Shape shape) {
    return [name, shape](NamedShapes& n) { set(n, name, shape); };
  };
  return {{"no patch embedding", [](NamedShapes& n) { n.erase(kAt + "embeddings.patch_embedding."); },
           invalid, "parts of a tower without embeddings.patch_embedding.weight"},
          {"a table that is not square", to(table, {10, 8}), invalid, "[10, 8]"},
          {"CLIP's table without CLIP's token", to(table, {17, 8}), invalid, "a square number"},
          {"an empty table", to(table, {0, 8}), invalid, "[0, 8]"},
          {"a table of another width", to(table, {9, 6}), invalid, "[9, 6]"},
          {"a table with one dimension", to(table, {72}), invalid, "[72]"},
          {"no table", [](NamedShapes& n) { n.erase(kAt + "embeddings.position_embedding."); }, invalid,
           "nothing"},
          {"oblong patches", to(patch, {8, 3, 2, 4}), invalid, "[8, 3, 2, 4]"},
          {"patches of nothing", to(patch, {8, 3, 0, 0}), invalid, "[8, 3, 0, 0]"},
          {"a width of nothing", to(patch, {0, 3, 2, 2}), invalid, "[0, 3, 2, 2]"},
          {"patches in time, too", to(patch, {8, 3, 2, 2, 2}), invalid, "[8, 3, 2, 2, 2]"},
          {"patches embedded by a product", to(patch, {8, 12}), ErrorCode::model_unsupported,
           "patches embedded by a product, [8, 12]"},
          {"no bias of the patches", [](NamedShapes& n) { n.erase(kAt + "embeddings.patch_embedding.bias"); },
           invalid, "missing embeddings.patch_embedding.bias"},
          {"no last norm", [](NamedShapes& n) { n.erase(kAt + "post_layernorm."); }, invalid,
           "missing post_layernorm.weight"},
          {"half of CLIP", to("pre_layrnorm.weight", {8}), invalid, "a square number"},
          {"half a pooling head", to("head.probe", {1, 1, 8}), invalid, "missing head.mlp.fc2.bias"},
          {"a pooling head without its probe", to("head.layernorm.bias", {8}), invalid,
           "unknown head.layernorm.bias"}};
}

std::vector<Spoilt> spoilt_places() {
  constexpr auto unsupported = ErrorCode::model_unsupported;
  const auto instead = [](NamedShapes other) { return [other](NamedShapes& n) { n = other; }; };
  NamedShapes text;
  text.merge(text_shapes("model."));
  NamedShapes qwen;
  qwen.shapes["visual.patch_embed.proj.weight"] = {8, 3, 2, 2};
  qwen.shapes["visual.blocks.0.attn.qkv.weight"] = {24, 8};
  NamedShapes timm;
  timm.shapes["visual.trunk.patch_embed.proj.weight"] = {8, 3, 2, 2};
  NamedShapes open_clip;
  open_clip.shapes["visual.conv1.weight"] = {8, 3, 2, 2};
  NamedShapes named_otherwise = tower_shapes().under("picture_tower.");
  NamedShapes audio;
  audio.shapes["model.encoder.conv1.weight"] = {8, 3, 2};
  NamedShapes caption;  // the name of a tower, and nothing of one
  caption.shapes["vision_model.caption.weight"] = {1};
  return {{"nothing at all", instead({}), ErrorCode::not_found, "no tensors"},
          {"a language model", instead(text), ErrorCode::not_found, "lm_head.weight, model.embed_tokens"},
          {"a tower under another name", instead(named_otherwise), ErrorCode::not_found,
           "picture_tower.embeddings"},
          {"an encoder of sound", instead(audio), ErrorCode::not_found, "model.encoder"},
          {"only the name of a tower", instead(caption), ErrorCode::not_found, "vision_model.caption"},
          {"two towers", [](NamedShapes& n) { n.merge(tower_shapes().under("vision_tower.")); },
           ErrorCode::model_invalid, "2 towers: model.vision_model., vision_tower."},
          {"a tower and a flat one", [](NamedShapes& n) { n.merge(tower_shapes()); },
           ErrorCode::model_invalid, "2 towers: no prefix, model.vision_model."},
          {"fused, and patches under another name", instead(qwen), unsupported, "a tower of another layout"},
          {"another library's trunk", instead(timm), unsupported, "a tower of another layout"},
          {"OpenCLIP's names", instead(open_clip), unsupported, "a tower of another layout"}};
}

class BadTowers : public testing::TestWithParam<Spoilt> {};

TEST_P(BadTowers, AreNamed) {
  NamedShapes named = tower_shapes().under(kAt);
  named.merge(text_shapes("model.text_model."));
  GetParam().spoil(named);
  const Error error = error_of([&] { extract(named); });
  EXPECT_EQ(error.code(), GetParam().code) << error.what();
  EXPECT_THAT(error.what(), HasSubstr(GetParam().says));
  EXPECT_LT(std::string(error.what()).size(), 4000U);
}

std::string case_name(const testing::TestParamInfo<Spoilt>& info) {
  std::string name;
  for (const char c : std::string(info.param.what))
    name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Layers, BadTowers, testing::ValuesIn(spoilt_layers()), case_name);
INSTANTIATE_TEST_SUITE_P(Embeddings, BadTowers, testing::ValuesIn(spoilt_embeddings()), case_name);
INSTANTIATE_TEST_SUITE_P(Places, BadTowers, testing::ValuesIn(spoilt_places()), case_name);

TEST(Extract, PrefixWithoutATower) {
  const NamedShapes named = tower_shapes().under("vision_tower.");
  const Error error = error_of([&] { extract(named, "vision_model"); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.expected(), HasSubstr("under vision_model."));
  EXPECT_THAT(error.got(), HasSubstr("vision_tower.embeddings"));
}

}  // namespace
}  // namespace galago
