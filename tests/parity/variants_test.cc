// Small changes to the tiny checkpoints, as transformers reads them: keys of config.json, heads that are tied
// or not. tools/oracle/make_variants.py describes the files.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "formats/json.h"
#include "kernels/kernels.h"
#include "models/registry.h"
#include "runtime/sequence.h"
#include "support/devices.h"
#include "support/fixtures.h"
#include "support/model_files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr float kLogitBound = 1e-3F;  // docs/numerics.md

void merge(Json& object, const Json& changes) {
  for (const auto& [key, value] : changes.items())
    if (value == "absent")
      object.erase(key);
    else if (value.is_object() && object.contains(key) && object[key].is_object())
      merge(object[key], value);
    else
      object[key] = value;
}

/// One recorded variant, and the directory that it describes.
class Variant {
 public:
  explicit Variant(const std::string& name)
      : record_(Checkpoint::open_file(test::data_path("variants/" + name + ".safetensors"))),
        recipe_(parse_json(record_.metadata().at("recipe"), name)) {
    folder_.add_copy_of(test::data_path("models/" + recipe_.at("base").get<std::string>()));
    Json config = parse_json(test::read_bytes(folder_.file("config.json")), "config.json");
    merge(config, recipe_.at("config"));
    folder_.add("config.json", config.dump());
    change_weights();
  }

  const fs::path& path() const { return folder_.path(); }
  std::vector<int32_t> ids(const std::string& tensor) const {
    const TensorView& view = *record_.find(tensor);
    std::vector<int32_t> out;
    for (int64_t i = 0; i < view.count(); ++i) {
      int64_t value;
      std::memcpy(&value, view.data + i * static_cast<int64_t>(sizeof value), sizeof value);
      out.push_back(static_cast<int32_t>(value));
    }
    return out;
  }
  Tensor logits() const { return to_tensor(*record_.find("logits")); }

 private:
  void change_weights() {
    const Checkpoint base = Checkpoint::open_directory(path());
    std::vector<NamedTensor> tensors;
    for (const auto& [name, view] : base.tensors())
      tensors.push_back({.name = name, .view = view, .make = {}});
    for (const auto& [name, source] : recipe_.at("copied").items())
      tensors.push_back({.name = name, .view = *base.find(source.get<std::string>()), .make = {}});
    std::map<std::string, std::vector<std::byte>> owned;
    for (const auto& [name, source] : recipe_.at("reversed").items()) {
      TensorView view = *base.find(source.get<std::string>());
      const int64_t row = view.count() / view.shape[0] * size_of(view.dtype);
      std::vector<std::byte>& bytes = owned[name];
      for (int64_t i = view.shape[0] - 1; i >= 0; --i)
        bytes.insert(bytes.end(), view.data + i * row, view.data + (i + 1) * row);
      view.data = bytes.data();
      tensors.push_back({.name = name, .view = view, .make = {}});
    }
    if (tensors.size() == base.tensors().size()) return;
    write_safetensors(folder_.file("changed"), tensors);
    fs::rename(folder_.file("changed"), folder_.file("model.safetensors"));
  }

  Checkpoint record_;
  Json recipe_;
  test::TempDir folder_;
};

void expect_rows(const Decoder& decoder, const Variant& variant) {
  const std::vector<int32_t> ids = variant.ids("input_ids"), rows = variant.ids("rows");
  const int64_t length = std::ssize(ids), width = decoder.config().hidden_size;
  Tensor embeds({length, width}), hidden({length, width});
  decoder.embed(ids, embeds.matrix());
  KvCache cache = decoder.make_cache(1, length);
  cache.at(0).set_prompt(length);
  Workspace workspace(decoder.device());
  decoder.forward(embeds.matrix(), next_places(cache, 0, length), cache, workspace, hidden.matrix());
  Tensor logits({1, decoder.config().vocab_size});
  const Tensor expected = variant.logits();
  for (size_t i = 0; i < rows.size(); ++i) {
    decoder.logits(hidden.matrix().slice_rows(rows[i], 1), logits.matrix());
    float worst = 0;
    for (int64_t v = 0; v < logits.size(); ++v)
      worst = std::max(worst, std::abs(logits.data()[v] - expected.matrix().row(static_cast<int64_t>(i))[v]));
    EXPECT_LT(worst, kLogitBound) << "row " << rows[i];
  }
}

/// Greedy tokens after the prompt, which is read in calls of at most `chunk` rows.
std::vector<int32_t> greedy(const Decoder& decoder, const std::vector<int32_t>& prompt, size_t count,
                            int64_t chunk) {
  DecoderSequences sequences(decoder);
  const auto length = std::ssize(prompt);
  const int32_t number = sequences.open({.ids = prompt, .marks = {}}).number;
  sequences.grow(number, length + static_cast<int64_t>(count));
  Tensor embeds({length, decoder.config().hidden_size});
  decoder.embed(prompt, embeds.matrix());
  std::span<const float> logits;
  for (int64_t at = 0; at < length; at += chunk)
    logits = sequences.prefill(number, embeds.matrix().slice_rows(at, std::min(chunk, length - at)));
  std::vector<int32_t> tokens;
  const auto best = [&](const float* row) {
    return static_cast<int32_t>(std::max_element(row, row + sequences.vocab_size()) - row);
  };
  tokens.push_back(best(logits.data()));
  while (tokens.size() < count) {
    const NextToken next{.sequence = number, .id = tokens.back()};
    tokens.push_back(best(sequences.decode({&next, 1}).row(0)));
  }
  return tokens;
}

class Variants : public testing::TestWithParam<const char*> {};

TEST_P(Variants, AgreeWithTransformers) {
  const Variant variant(GetParam());
  const std::vector<int32_t> prompt = variant.ids("input_ids"), expected = variant.ids("generated_ids");
  for (const auto backend : {test::Backend::reference, test::Backend::cpu}) {
    const auto frontend = load_frontend(variant.path(), test::on(test::shared_device(backend)));
    const Checkpoint checkpoint = frontend->files().checkpoint();
    const auto engine = frontend->load_engine(checkpoint);
    expect_rows(engine->decoder(), variant);
    for (const int64_t chunk : {std::ssize(prompt), int64_t{5}, int64_t{1}})
      EXPECT_EQ(greedy(engine->decoder(), prompt, expected.size(), chunk), expected) << "chunks of " << chunk;
  }
}

std::vector<const char*> heads() {
  return {"own_head_llama", "own_head_granite",       "own_head_mistral", "own_head_smolvlm",
          "own_head_llava", "own_head_llava_mistral", "same_head"};
}
std::vector<const char*> rotary_scalings() {
  return {"rope_yarn",        "rope_yarn_mscale", "rope_yarn_old",     "rope_dynamic", "rope_long_below",
          "rope_long_across", "rope_long_beyond", "rope_proportional", "rope_partial", "rope_llama3_outer"};
}
std::vector<const char*> others() {
  return {"act_relu",     "act_gelu",       "act_gelu_tanh", "act_quick_gelu",
          "window_llama", "window_granite", "window_smolvlm"};
}
std::string variant_name(const testing::TestParamInfo<const char*>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Heads, Variants, testing::ValuesIn(heads()), variant_name);
INSTANTIATE_TEST_SUITE_P(Rotary, Variants, testing::ValuesIn(rotary_scalings()), variant_name);
INSTANTIATE_TEST_SUITE_P(Others, Variants, testing::ValuesIn(others()), variant_name);

}  // namespace
}  // namespace galago
