// What `galago inspect` predicts against what `galago run` then takes, within 10 %: on the demo model, where
// the program itself is most of it, and on one made here, large enough for weights, cache and scratch to
// count.
#include <gtest/gtest.h>

#include <cmath>

#include "program.h"

namespace galago::test {
namespace {

constexpr int64_t kText = 512, kTextInner = 2048, kTextLayers = 5, kKeys = 2 * 64;
constexpr int64_t kVision = 384, kVisionInner = 1536, kVisionLayers = 3;

void add_text(Weights& w) {
  w.add_random("model.text_model.embed_tokens.weight", {512, kText});
  w.add_random("lm_head.weight", {512, kText});
  w.add_norm("model.text_model.norm", kText, false);
  for (int64_t i = 0; i < kTextLayers; ++i) {
    const std::string layer = "model.text_model.layers." + std::to_string(i) + ".";
    w.add_norm(layer + "input_layernorm", kText, false)
        .add_norm(layer + "post_attention_layernorm", kText, false);
    for (const char* name : {"q_proj", "o_proj"})
      w.add_linear(layer + "self_attn." + name, kText, kText, false);
    for (const char* name : {"k_proj", "v_proj"})
      w.add_linear(layer + "self_attn." + name, kKeys, kText, false);
    for (const char* name : {"gate_proj", "up_proj"})
      w.add_linear(layer + "mlp." + name, kTextInner, kText, false);
    w.add_linear(layer + "mlp.down_proj", kText, kTextInner, false);
  }
}

void add_vision(Weights& w) {
  w.add_random("model.connector.modality_projection.proj.weight", {kText, kVision * 16}, 0.02F);
  const std::string tower = "model.vision_model.";
  w.add_random(tower + "embeddings.patch_embedding.weight", {kVision, 3, 4, 4});
  w.add_random(tower + "embeddings.patch_embedding.bias", {kVision});
  w.add_random(tower + "embeddings.position_embedding.weight", {256, kVision});
  w.add_norm(tower + "post_layernorm", kVision, true);
  for (int64_t i = 0; i < kVisionLayers; ++i) {
    const std::string layer = tower + "encoder.layers." + std::to_string(i) + ".";
    w.add_norm(layer + "layer_norm1", kVision, true).add_norm(layer + "layer_norm2", kVision, true);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"})
      w.add_linear(layer + "self_attn." + name, kVision, kVision, true);
    w.add_linear(layer + "mlp.fc1", kVisionInner, kVision, true);
    w.add_linear(layer + "mlp.fc2", kVision, kVisionInner, true);
  }
}

/// smolvlm_tiles with wider and more layers: about 110 MB of float32.
class LargerModel {
 public:
  LargerModel() {
    directory_.add_copy_of(tiny());
    Json config = Json::parse(read_bytes(directory_.file("config.json")));
    config["text_config"].update({{"hidden_size", kText},
                                  {"intermediate_size", kTextInner},
                                  {"num_hidden_layers", kTextLayers},
                                  {"num_attention_heads", 8},
                                  {"num_key_value_heads", 2},
                                  {"head_dim", 64}});
    config["vision_config"].update({{"hidden_size", kVision},
                                    {"intermediate_size", kVisionInner},
                                    {"num_hidden_layers", kVisionLayers},
                                    {"num_attention_heads", 6}});
    directory_.add("config.json", config.dump());
    Weights weights;
    add_text(weights);
    add_vision(weights);
    weights.checkpoint(directory_);
    std::filesystem::rename(directory_.path() / "weights.safetensors",
                            directory_.path() / "model.safetensors");
  }
  std::string path() const { return directory_.path().string(); }

 private:
  TempDir directory_;
};

/// The prediction over what was taken. Both commands get the same flags.
double ratio(const std::vector<std::string>& flags) {
  const Finished planned = galago(std::vector<std::string>{"inspect", "--json", "-t", "1"} + flags);
  EXPECT_EQ(planned.code, 0) << planned.err;
  const Finished done = galago(std::vector<std::string>{"run", "--json"} + flags);
  EXPECT_EQ(done.code, 0) << done.err;
  if (planned.code != 0 || done.code != 0) return 0;
  const Json memory = planned.json()["memory"], answer = done.json();
  EXPECT_EQ(memory["prompt_tokens"], answer["usage"]["prompt_tokens"]);
  EXPECT_EQ(memory["max_new_tokens"], answer["usage"]["completion_tokens"]) << "the answer ended early";
  const double result = memory["peak_bytes"].get<double>() / answer["peak_memory_bytes"].get<double>();
  testing::Test::RecordProperty("ratio", std::to_string(result));
  EXPECT_NEAR(result, 1, 0.1) << planned.out << done.out;
  return result;
}

TEST(PredictedMemory, OfTheDemo) {
  const std::string cat = std::string(GALAGO_SOURCE_DIR) + "/models/demo/pictures/cat.jpg";
  ratio({"-m", std::string(GALAGO_SOURCE_DIR) + "/models/demo", "-i", cat, "-p", "What is it?", "-n", "1"});
}

TEST(PredictedMemory, OfALargerModel) {
  const LargerModel model;
  const std::vector<std::string> photo = {"-m", model.path(), "-i", picture("shapes_640x488.jpg"),
                                          "-p", "What?"};
  ratio(photo + std::vector<std::string>{"-n", "4"});
  ratio(photo + std::vector<std::string>{"--dtype", "q8", "-n", "4"});
  ratio(photo + std::vector<std::string>{"-i", picture("shapes_300x60.jpg"), "-n", "4"});

  // A long text: cache and prefill are a large part.
  std::string words;
  for (int i = 0; i < 300; ++i) words += "What is in this image? ";
  const std::vector<std::string> text = {"-m", model.path(), "-p", words, "-n", "4"};
  ratio(text);
  ratio(text + std::vector<std::string>{"--kv-cache-dtype", "f16", "--prefill-chunk", "64"});
}

}  // namespace
}  // namespace galago::test
