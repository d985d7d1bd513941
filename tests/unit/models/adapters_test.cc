// Adapters over a checkpoint: the sums themselves, over stored floats and over quantised planes, what does
// not fit, and that pictures' keys know of them.
#include "models/adapters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/lora_adapter.h"
#include "formats/model_files.h"
#include "formats/weights.h"
#include "models/registry.h"
#include "runtime/image_key.h"
#include "support/devices.h"
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
  Binder binder(plain, test::device());
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

/// A directory with a table, and perhaps a matrix of a bias, and an adapter of them.
class TinyModel {
 public:
  void table(const TensorView& weight) { tensors_.push_back({"model.embed_tokens.weight", weight, {}}); }
  void add(const std::string& name, const TensorView& view) { tensors_.push_back({name, view, {}}); }
  void config(const std::string& text) { folder_.add("config.json", text); }
  void adapt(const std::string& name, const Shape& shape) { adapter_.add_random(name, shape); }
  void adapt(const std::string& name, Tensor tensor) { adapter_.add(name, std::move(tensor)); }
  Checkpoint merged() const {
    write_safetensors(folder_.path() / "model.safetensors", tensors_);
    const auto lora = folder_.path() / "lora";
    std::filesystem::create_directory(lora);
    adapter_.checkpoint(folder_);
    std::filesystem::rename(folder_.file("weights.safetensors"), lora / "adapter_model.safetensors");
    folder_.add("lora/adapter_config.json", R"({"peft_type": "LORA", "r": 1, "lora_alpha": 1})");
    return with_adapters(std::make_shared<DirectoryFiles>(folder_.path()), {{lora}}, test::shared_device())
        ->checkpoint();
  }
  Tensor of_adapter(const std::string& name) const {
    return to_tensor(*Checkpoint::open_file(folder_.path() / "lora/adapter_model.safetensors").find(name));
  }

 private:
  TempDir folder_;
  std::vector<NamedTensor> tensors_;
  test::Weights adapter_;
};

template <class Number>
TensorView view_of(DType dtype, const Shape& shape, const std::vector<Number>& numbers) {
  return {dtype, shape, reinterpret_cast<const std::byte*>(numbers.data())};
}

constexpr const char* kTableName = "model.embed_tokens.weight";
constexpr const char* kHeadName = "lm_head.weight";

/// Reads a changed matrix of 2 x 32 and one that stays, in both orders; `base` are the numbers of both.
void expect_one_changed(const TinyModel& model, const char* changed, const char* kept, const Tensor& delta,
                        const std::function<float(int64_t)>& base) {
  for (const bool changed_first : {true, false}) {
    const Checkpoint merged = model.merged();
    std::map<std::string, TensorView> read;
    for (const char* name : {changed_first ? changed : kept, changed_first ? kept : changed})
      read[name] = merged.read(name);
    for (int64_t i = 0; i < delta.size(); ++i) {
      EXPECT_NEAR(element(read[changed], i), base(i) + delta.data()[i], 1e-5) << changed << i;
      EXPECT_EQ(element(read[kept], i), base(i)) << kept << i;
    }
    EXPECT_EQ(merged.read(kept).data, read[kept].data);  // what a model holds stays where it is
    EXPECT_EQ(merged.read(changed).data, read[changed].data);
  }
}

/// (B A)^T of an adapter of the table, B A of one of the head.
Tensor delta_of(const TinyModel& model, bool table) {
  const std::string name = table ? "model.embed_tokens.lora_embedding_" : "lm_head.lora_";
  const std::string end = table ? "" : ".weight";
  const Tensor rows = model.of_adapter(name + (table ? "A" : "B") + end);
  const Tensor cols = model.of_adapter(name + (table ? "B" : "A") + end);
  Tensor delta({2, 32});
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 0; j < 32; ++j) delta.data()[i * 32 + j] = rows.data()[i] * cols.data()[j];
  return delta;
}

void adapt(TinyModel& model, bool table) {
  model.adapt(table ? "model.embed_tokens.lora_embedding_A" : "lm_head.lora_A.weight",
              table ? Shape{1, 2} : Shape{1, 32});
  model.adapt(table ? "model.embed_tokens.lora_embedding_B" : "lm_head.lora_B.weight",
              table ? Shape{32, 1} : Shape{2, 1});
  model.merged();
}

TEST(Adapters, OfATiedTableInF64LeaveTheHead) {
  std::vector<double> numbers(64);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = 0.25 * static_cast<double>(i);
  for (const bool table : {true, false}) {
    TinyModel model;
    model.config("{}");
    model.table(view_of(DType::f64, {2, 32}, numbers));
    adapt(model, table);
    expect_one_changed(model, table ? kTableName : kHeadName, table ? kHeadName : kTableName,
                       delta_of(model, table), [](int64_t i) { return 0.25F * static_cast<float>(i); });
  }
}

TEST(Adapters, OfATiedTableThatIsMadeLeaveTheHead) {
  const std::vector<uint32_t> packed(8, 0x76543210);
  const std::vector<float> scales{0.5F, 2}, biases{1, -1};
  const std::vector<uint16_t> halves{0x3f00, 0x4000}, half_biases{0x3f80, 0xbf80};  // the same in BF16
  for (const bool table : {true, false})
    for (const bool wide : {true, false}) {
      TinyModel model;
      model.config(R"({"quantization": {"bits": 4, "group_size": 32}})");
      model.table(view_of(DType::u32, {2, 4}, packed));
      model.add("model.embed_tokens.scales",
                wide ? view_of(DType::f32, {2, 1}, scales) : view_of(DType::bf16, {2, 1}, halves));
      model.add("model.embed_tokens.biases",
                wide ? view_of(DType::f32, {2, 1}, biases) : view_of(DType::bf16, {2, 1}, half_biases));
      adapt(model, table);
      if (!table) {  // the table is stored as BF16: its kept numbers are read as such
        EXPECT_EQ(model.merged().find(kTableName)->dtype, wide ? DType::f32 : DType::bf16);
      }
      expect_one_changed(model, table ? kTableName : kHeadName, table ? kHeadName : kTableName,
                         delta_of(model, table), [](int64_t i) {
                           const auto q = static_cast<float>(i % 8);
                           return i < 32 ? 0.5F * q + 1 : 2 * q - 1;
                         });
    }
}

TEST(Adapters, OfMatricesInF64AreAdded) {
  const std::vector<double> weight{1, 2, 3, 4}, bias{5, 6};
  TinyModel model;
  model.config("{}");
  model.add("fc.weight", view_of(DType::f64, {2, 2}, weight));
  model.add("fc.bias", view_of(DType::f64, {2}, bias));
  model.adapt("fc.lora_A.weight", {1, 2});
  model.adapt("fc.lora_B.weight", {2, 1});
  model.adapt("fc.lora_B.bias", {2});
  const Checkpoint merged = model.merged();
  const Tensor a = model.of_adapter("fc.lora_A.weight"), b = model.of_adapter("fc.lora_B.weight"),
               add = model.of_adapter("fc.lora_B.bias");
  const Tensor sum = to_tensor(merged.read("fc.weight")), moved = to_tensor(merged.read("fc.bias"));
  EXPECT_NEAR(sum.data()[3], 4 + b.data()[1] * a.data()[1], 1e-6);
  EXPECT_NEAR(moved.data()[1], 6 + add.data()[1], 1e-6);
}

TEST(Adapters, SumsAreFiniteOrNamed) {
  const std::vector<float> weight{1, 2, 3, 4};
  const auto fault = [&](float a, float b) {
    TinyModel model;
    model.config("{}");
    model.add("fc.weight", view_of(DType::f32, {2, 2}, weight));
    Tensor left({1, 2}), right({2, 1});
    left.data()[0] = left.data()[1] = a;
    right.data()[0] = right.data()[1] = b;
    model.adapt("fc.lora_A.weight", std::move(left));
    model.adapt("fc.lora_B.weight", std::move(right));
    const Checkpoint merged = model.merged();
    const Error error = test::error_of([&] { merged.read("fc.weight"); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    return std::string(error.what());
  };
  EXPECT_THAT(fault(std::numeric_limits<float>::quiet_NaN(), 1),
              HasSubstr("fc.weight with its LoRA adapters: got not a number at element 0"));
  EXPECT_THAT(fault(1e30F, 1e30F), HasSubstr("got infinity at element 0"));
}

TEST(Adapters, ABiasOfAnotherShapeOrTypeIsListed) {
  const std::vector<float> numbers(4096, 1);
  const auto fault = [&](const TensorView& bias) {
    TinyModel model;
    model.config("{}");
    model.add("fc.weight", view_of(DType::f32, {2, 2}, numbers));
    model.add("fc.bias", bias);
    model.adapt("fc.lora_A.weight", {1, 2});
    model.adapt("fc.lora_B.weight", {2, 1});
    model.adapt("fc.lora_B.bias", {2});
    const Error error = test::error_of([&] { model.merged(); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    return std::string(error.what());
  };
  EXPECT_THAT(fault(view_of(DType::f32, {4096}, numbers)), HasSubstr("fc.bias [2], the model has [4096]"));
  EXPECT_THAT(fault(view_of(DType::f32, {1}, numbers)), HasSubstr("fc.bias [2], the model has [1]"));
  for (const DType dtype : {DType::i8, DType::u8, DType::i64})
    EXPECT_THAT(fault(view_of(dtype, {2}, numbers)),
                HasSubstr("fc.bias, which the model has as " + std::string(to_string(dtype)) + " [2]"));
}

TEST(Adapters, ScalesAreToldInFewDigits) {
  const auto note = [](double scale) {
    return open_model(model("text_smollm2"), with({{adapter("smollm2_all"), scale}}))->notes().back();
  };
  EXPECT_THAT(note(1), testing::EndsWith("scale 1"));
  EXPECT_THAT(note(0.1), testing::EndsWith("scale 0.1"));
  EXPECT_THAT(note(1e-9), testing::EndsWith("scale 1e-09"));
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
  EXPECT_EQ(parse_lora("a:-1e6").scale, -1e6);
  for (const char* text : {"a:x", "a:", "a:inf", "a:nan", "a:1x", "a:1e39", "a:-1e308", "a:1000001"})
    EXPECT_EQ(test::error_of([&] { parse_lora(text); }).code(), ErrorCode::usage) << text;
  for (const double beyond : {std::numeric_limits<double>::infinity(), 1e39})
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
