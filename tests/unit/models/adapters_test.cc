// Adapters over a checkpoint: the sums themselves, over stored floats and over quantised planes, what does
// not fit, and that pictures' keys know of them.
#include "models/adapters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/lora_adapter.h"
#include "formats/weights.h"
#include "models/registry.h"
#include "runtime/image_key.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using test::TempDir;
using testing::AllOf;
using testing::HasSubstr;

std::string adapter(const std::string& name) { return test::data_path("adapters/" + name); }
std::string model(const std::string& name) { return test::data_path("models/" + name); }

ModelOptions with(std::vector<Lora> lora) { return {.numbers = {}, .mmproj = {}, .lora = std::move(lora)}; }

constexpr const char* kWeight = "model.layers.0.self_attn.v_proj.weight";

/// max |merged - (base + scale B A)|, with the product by hand.
double off_by(const std::filesystem::path& directory, double scale) {
  const Checkpoint plain = open_model(directory)->checkpoint();
  const Checkpoint merged = open_model(directory, with({{adapter("smollm2_all"), scale}}))->checkpoint();
  const LoraAdapter lora = read_lora_adapter(adapter("smollm2_all"));
  const LoraMatrix& matrix = lora.matrices.at(kWeight);
  const Tensor a = to_tensor(matrix.a), b = to_tensor(matrix.b), sum = to_tensor(merged.read(kWeight));
  const int64_t rows = sum.shape()[0], cols = sum.shape()[1], rank = a.shape()[0];
  Tensor base({rows, cols});
  Binder binder(plain);
  to_floats(binder.root().weight(kWeight, {.out = rows, .in = cols}), base.data());
  double worst = 0;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      double expected = base.data()[i * cols + j];
      for (int64_t k = 0; k < rank; ++k)
        expected += scale * matrix.scale * b.data()[i * rank + k] * a.data()[k * cols + j];
      worst = std::max(worst, std::abs(expected - sum.data()[i * cols + j]));
    }
  return worst;
}

TEST(Adapters, AreAddedToWhatIsStored) {
  EXPECT_LT(off_by(model("text_smollm2"), 0.5), 1e-6);
  EXPECT_LT(off_by(model("text_smollm2"), -2), 1e-6);
  EXPECT_EQ(off_by(model("text_smollm2"), 0), 0);
}

TEST(Adapters, AreAddedToQuantisedMatricesInFloats) {
  EXPECT_LT(off_by(model("gguf_smollm2/model.gguf"), 1), 1e-6);
  const auto files = open_model(model("gguf_smolvlm_q8"), with({{adapter("smolvlm"), 1}}));
  const Checkpoint checkpoint = files->checkpoint();
  const std::string name = "model.text_model.layers.0.self_attn.q_proj.weight";
  EXPECT_EQ(checkpoint.find(name)->dtype, DType::f32);
  EXPECT_EQ(checkpoint.find(name + kScaleSuffix), nullptr);
  const Tensor sum = to_tensor(checkpoint.read(name));
  EXPECT_EQ(sum.shape(), checkpoint.find(name)->shape);
}

TEST(Adapters, OfAnotherModelAreListed) {
  const auto files = open_model(model("text_llama2"), with({{adapter("smollm2_all")}}));
  const Error shapes = test::error_of([&] { files->checkpoint(); });
  EXPECT_EQ(shapes.code(), ErrorCode::model_invalid);
  EXPECT_THAT(shapes.what(),
              AllOf(HasSubstr("model.layers.0.self_attn.v_proj.weight of "), HasSubstr("the model has [")));
  const auto seen = open_model(model("text_smollm2"), with({{adapter("smolvlm")}}));
  const Error names = test::error_of([&] { seen->checkpoint(); });
  EXPECT_EQ(names.code(), ErrorCode::model_invalid);
  EXPECT_THAT(names.what(), HasSubstr("unmatched model.connector.modality_projection.proj.weight"));
}

TEST(Adapters, ThatReplaceTheSameTensorTwiceAreRefused) {
  const auto files = open_model(model("smolvlm_tiles"), with({{adapter("smolvlm")}, {adapter("smolvlm")}}));
  EXPECT_THAT(test::error_of([&] { files->checkpoint(); }).what(),
              HasSubstr("which another adapter replaces, too"));
  const auto dora =
      open_model(model("text_mistral"), with({{adapter("mistral_dora")}, {adapter("mistral_dora")}}));
  EXPECT_EQ(test::error_of([&] { dora->checkpoint(); }).code(), ErrorCode::model_unsupported);
}

TEST(Adapters, ScalesAreFiniteNumbersBehindAColon) {
  EXPECT_EQ(parse_lora("a/b").scale, 1);
  EXPECT_EQ(parse_lora("a/b:0.5").scale, 0.5);
  EXPECT_EQ(parse_lora("a:b:-2").directory, "a:b");
  for (const char* text : {"a:x", "a:", "a:inf", "a:nan", "a:1x"})
    EXPECT_EQ(test::error_of([&] { parse_lora(text); }).code(), ErrorCode::usage) << text;
  const double beyond = std::numeric_limits<double>::infinity();
  EXPECT_EQ(test::error_of([&] {
              open_model(model("text_smollm2"), with({{adapter("smollm2_all"), beyond}}));
            }).code(),
            ErrorCode::usage);
}

TEST(Adapters, OfATowerGiveItsPicturesAnotherKey) {
  const auto key = [](const std::vector<Lora>& lora) {
    const auto frontend = load_frontend(model("smolvlm_tiles"), with(lora));
    return model_key(*frontend, frontend->files().checkpoint(), "auto");
  };
  const Digest plain = key({});
  EXPECT_NE(key({{adapter("smolvlm")}}), plain);
  EXPECT_NE(key({{adapter("lora_bias")}}), plain);
  EXPECT_NE(key({{adapter("lora_bias"), 0.5}}), key({{adapter("lora_bias")}}));
  EXPECT_EQ(key({{adapter("smolvlm")}}), key({{adapter("smolvlm")}}));
}

TEST(Adapters, AloneMeanTheirBase) {
  const TempDir folder;
  folder.add_copy_of(adapter("smollm2_all"));
  const auto name = [&](const std::string& base) {
    folder.add("adapter_config.json",
               test::replaced(test::read_bytes(adapter("smollm2_all") + "/adapter_config.json"),
                              "galago/text_smollm2", base));
  };
  name(model("text_smollm2"));
  const auto files = open_model(folder.path());
  EXPECT_EQ(files->path(), model("text_smollm2"));
  EXPECT_EQ(files->checkpoint().find(kWeight)->dtype, DType::f32);
  EXPECT_THAT(files->notes(), testing::ElementsAre(HasSubstr("LoRA adapter " + folder.path().string())));
  name("galago/none");
  const Error missing = test::error_of([&] { open_model(folder.path()); });
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  EXPECT_THAT(missing.what(), AllOf(HasSubstr("a LoRA adapter of galago/none"), HasSubstr("--lora ")));
  name(folder.path().string());
  EXPECT_EQ(test::error_of([&] { open_model(folder.path()); }).code(), ErrorCode::model_invalid);
}

}  // namespace
}  // namespace galago
