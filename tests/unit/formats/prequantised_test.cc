// Weights as other tools quantise them: every format against the floats that the tool itself makes, bit for
// bit, and tensors from strangers, one case a line.
#include "formats/prequantised/prequantised.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "formats/model_files.h"
#include "support/fixtures.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using testing::HasSubstr;

fs::path folder(const std::string& name) { return test::data_path("prequantised/" + name); }

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder(""))) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class Prequantised : public testing::TestWithParam<std::string> {};

TEST_P(Prequantised, EqualsTheToolsOwnFloats) {
  const Checkpoint checkpoint = DirectoryFiles(folder(GetParam())).checkpoint();
  const Checkpoint expected = Checkpoint::open_file(folder(GetParam()) / "expected.safetensors");
  for (const auto& [name, view] : expected.tensors()) {
    const TensorView* found = checkpoint.find(name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->shape, view.shape) << name;
    EXPECT_EQ(found->dtype, view.dtype) << name;
    const TensorView made = checkpoint.read(name);
    int64_t different = 0;
    for (int64_t i = 0; i < view.count(); ++i) {
      const float a = element(made, i), b = element(view, i);
      different += a != b && !(std::isnan(a) && std::isnan(b));
    }
    EXPECT_EQ(different, 0) << name;
  }
  EXPECT_EQ(checkpoint.tensors().size(), expected.tensors().size());
}

INSTANTIATE_TEST_SUITE_P(Tools, Prequantised, testing::ValuesIn(cases()),
                         [](const auto& row) { return row.param; });

TEST(PrequantisedCases, AreAllThere) { EXPECT_EQ(cases().size(), 25U); }

// What is rounded when it is read is memory, which what is made of it keeps.
TEST(Prequantised, ScalesAndKernelsInF64AreRead) {
  const TempDir directory;
  const std::vector<double> scales{0.5, 2}, biases{1, -1}, kernel{1, 2, 3, 4, 5, 6, 7, 8};
  const std::vector<uint32_t> packed(8, 0x33333333);
  const auto bytes = [](const auto& values) { return reinterpret_cast<const std::byte*>(values.data()); };
  directory.add("config.json", R"({"quantization": {"bits": 4, "group_size": 32}})");
  write_safetensors(directory.path() / "model.safetensors",
                    {{"m.weight", {DType::u32, {2, 4}, bytes(packed)}, {}},
                     {"m.scales", {DType::f64, {2, 1}, bytes(scales)}, {}},
                     {"m.biases", {DType::f64, {2, 1}, bytes(biases)}, {}},
                     {"patch_embedding.weight", {DType::f64, {1, 2, 2, 2}, bytes(kernel)}, {}}},
                    {{"format", "mlx"}});
  const Checkpoint checkpoint = DirectoryFiles(directory.path()).checkpoint();
  const TensorView matrix = checkpoint.read("m.weight");
  EXPECT_EQ(element(matrix, 0), 2.5F);
  EXPECT_EQ(element(matrix, 63), 5);
  const Tensor turned = to_tensor(checkpoint.read("patch_embedding.weight"));
  EXPECT_THAT(test::values(turned), testing::ElementsAre(1, 3, 5, 7, 2, 4, 6, 8));
}

/// A case's tensors with some of them changed, as a directory.
class Changed {
 public:
  explicit Changed(const std::string& name)
      : source_(Checkpoint::open_file(folder(name) / "model.safetensors")),
        config_(test::read_bytes(folder(name) / "config.json")) {
    for (const auto& [tensor, view] : source_.tensors()) views_[tensor] = view;
  }
  Changed& shape(const std::string& tensor, const Shape& shape) {
    TensorView& view = views_.at(tensor);
    const auto bytes = static_cast<size_t>(*element_count(shape) * size_of(view.dtype));
    kept_.emplace_back(bytes, std::byte{0x11});
    view = {view.dtype, shape, kept_.back().data()};
    return *this;
  }
  Changed& type(const std::string& tensor, DType dtype) {
    TensorView& view = views_.at(tensor);
    kept_.emplace_back(static_cast<size_t>(view.count() * size_of(dtype)), std::byte{0x11});
    view = {dtype, view.shape, kept_.back().data()};
    return *this;
  }
  Changed& bytes(const std::string& tensor, const std::string& text) {
    kept_.emplace_back(text.size());
    std::memcpy(kept_.back().data(), text.data(), text.size());
    views_.at(tensor) = {DType::u8, {static_cast<int64_t>(text.size())}, kept_.back().data()};
    return *this;
  }
  Changed& fill(const std::string& tensor, unsigned char byte) {
    TensorView& view = views_.at(tensor);
    kept_.emplace_back(static_cast<size_t>(view.count() * size_of(view.dtype)), std::byte{byte});
    view.data = kept_.back().data();
    return *this;
  }
  Changed& without(const std::string& tensor) {
    views_.erase(tensor);
    return *this;
  }
  Changed& config(const std::string& old, const std::string& now) {
    config_ = test::replaced(config_, old, now);
    return *this;
  }
  /// Opens it and reads all of it.
  void open() const {
    const TempDir directory;
    directory.add("config.json", config_);
    std::vector<NamedTensor> tensors;
    for (const auto& [name, view] : views_) tensors.push_back({name, view, {}});
    write_safetensors(directory.path() / "model.safetensors", tensors, source_.metadata());
    const Checkpoint checkpoint = DirectoryFiles(directory.path()).checkpoint();
    for (const auto& [name, view] : checkpoint.tensors()) checkpoint.read(name);
  }

 private:
  Checkpoint source_;
  std::string config_;
  std::map<std::string, TensorView> views_;
  std::deque<std::vector<std::byte>> kept_;
};

struct Hostile {
  const char* name;
  std::function<void(Changed&)> change;
  const char* text;
};

void expect_refused(const std::string& name, const std::vector<Hostile>& cases,
                    ErrorCode code = ErrorCode::model_invalid) {
  for (const Hostile& one : cases) {
    Changed changed(name);
    one.change(changed);
    const Error error = test::error_of([&] { changed.open(); });
    EXPECT_EQ(error.code(), code) << name << " " << one.name << ": " << error.what();
    EXPECT_THAT(error.what(), HasSubstr(one.text)) << name << " " << one.name;
  }
}

std::string state(const std::string& shape, const std::string& more = "") {
  return R"({"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": )" + shape + more + "}";
}

TEST(HostilePrequantised, Bitsandbytes) {
  const std::string name = "a.weight.quant_state.bitsandbytes__nf4";
  const auto with = [&](const std::string& text) { return [=](Changed& c) { c.bytes(name, text); }; };
  expect_refused(
      "bnb_nf4",
      {{"MoreThanThereIs", with(state("[60, 64]")), "a.weight: got 192 bytes, expected 1920"},
       {"Huge", with(state("[16777216, 16777216]")), "a.weight: got 192 bytes"},
       {"Beyond", with(state("[16777217, 1]")), "shape"},
       {"OneSize", with(state("[384]")), "two sizes"},
       {"Negative", with(state("[-6, 64]")), "shape"},
       {"NoJson", with("{"), "quant_state"},
       {"NoBlocks", with(R"({"quant_type": "nf4", "blocksize": 0, "dtype": "bfloat16", "shape": [6, 64]})"),
        "blocksize"},
       {"OtherType", with(R"({"quant_type": "nf4", "blocksize": 64, "dtype": "int8", "shape": [6, 64]})"),
        "float32, float16 or bfloat16"},
       {"FewSizes", [](Changed& c) { c.shape("a.weight.absmax", {5}); }, "6 blocks"},
       {"NoSizes", [](Changed& c) { c.without("a.weight.absmax"); }, "no such tensor"},
       {"ShortTable", [](Changed& c) { c.shape("a.weight.quant_map", {15}); }, "expected [16]"},
       {"WrongTable", [](Changed& c) { c.type("a.weight.quant_map", DType::f16); }, "type F16"}});
  expect_refused(
      "bnb_nf4_nested",
      {{"ShortTable", [](Changed& c) { c.shape("a.weight.nested_quant_map", {255}); }, "expected [256]"},
       {"FewSizes", [](Changed& c) { c.shape("a.weight.nested_absmax", {1}); }, "expected [2]"},
       {"NoOffset", [&](Changed& c) { c.bytes(name, state("[264, 64]", R"(, "nested_blocksize": 256)")); },
        "nested_offset"}});
  expect_refused("bnb_int8",
                 {{"FewRows", [](Changed& c) { c.shape("a.SCB", {4}); }, "a.SCB: got [4], expected [5]"},
                  {"Flat", [](Changed& c) { c.shape("a.weight", {160}); }, "[out, in]"}});
}

TEST(HostilePrequantised, GptqAndAwq) {
  expect_refused(
      "gptq_4",
      {{"GroupBeyond", [](Changed& c) { c.fill("a.g_idx", 0x7f); }, "a.g_idx: got group 2139062143"},
       {"GroupNegative", [](Changed& c) { c.fill("a.g_idx", 0xff); }, "a.g_idx: got group -1"},
       {"ShortIndex", [](Changed& c) { c.shape("a.g_idx", {63}); }, "expected [64]"},
       {"Zeros",
        [](Changed& c) {
          c.shape("a.qzeros", {2, 3});
        },
        "expected [2, 4]"},
       {"Scales",
        [](Changed& c) {
          c.shape("a.scales", {2, 31});
        },
        "expected [2, 32]"},
       {"Flat", [](Changed& c) { c.shape("a.qweight", {256}); }, "[in * bits / 32, out]"},
       {"Bits", [](Changed& c) { c.config("\"bits\": 4", "\"bits\": 9"); }, "bits"},
       {"Group", [](Changed& c) { c.config("\"group_size\": 32", "\"group_size\": 0"); }, "group_size"},
       {"Missing", [](Changed& c) { c.without("a.scales"); }, "a.scales: got no such tensor"}});
  expect_refused("gptq_4_v2",
                 {{"Format", [](Changed& c) { c.config("gptq_v2", "marlin"); }, "gptq or gptq_v2"},
                  {"Bits", [](Changed& c) { c.config("\"bits\": 4", "\"bits\": 5"); }, "2, 3, 4 or 8"}},
                 ErrorCode::model_unsupported);
  expect_refused("gptq_3", {{"Uneven", [](Changed& c) { c.shape("a.qweight", {7, 32}); }, "whole numbers"}});
  expect_refused("awq", {{"Groups", [](Changed& c) { c.config("\"group_size\": 32", "\"group_size\": 16"); },
                          "4 groups"},
                         {"Scales",
                          [](Changed& c) {
                            c.shape("a.scales", {2, 15});
                          },
                          "expected [groups, 16]"},
                         {"Zeros",
                          [](Changed& c) {
                            c.shape("a.qzeros", {1, 2});
                          },
                          "expected [2, 2]"}});
  expect_refused("awq",
                 {{"Version", [](Changed& c) { c.config("\"gemm\"", "\"gemv_fast\""); }, "gemm"},
                  {"Bits", [](Changed& c) { c.config("\"bits\": 4", "\"bits\": 3"); }, "bits"}},
                 ErrorCode::model_unsupported);
}

TEST(HostilePrequantised, CompressedTensorsAndFp8) {
  expect_refused("ct_w4a16",
                 {{"Scales",
                   [](Changed& c) {
                     c.shape("a.weight_scale", {32, 3});
                   },
                   "a.weight_scale"},
                  {"Sizes", [](Changed& c) { c.shape("a.weight_shape", {3}); }, "weight_shape [2]"},
                  {"WildSizes", [](Changed& c) { c.fill("a.weight_shape", 0x7f); }, "a.weight_shape"},
                  {"NegativeSizes", [](Changed& c) { c.fill("a.weight_shape", 0xff); }, "a.weight_shape"},
                  {"Bits", [](Changed& c) { c.config("\"num_bits\": 4", "\"num_bits\": 0"); }, "num_bits"},
                  {"NoScale", [](Changed& c) { c.without("a.weight_scale"); }, "no such tensor"}});
  expect_refused("ct_w4a16_uneven", {{"Zeros",
                                      [](Changed& c) {
                                        c.shape("a.weight_zero_point", {1, 3});
                                      },
                                      "expected [3, 3]"}});
  expect_refused("ct_fp8_channel", {{"Scales",
                                     [](Changed& c) {
                                       c.shape("a.weight_scale", {31, 1});
                                     },
                                     "a.weight_scale: got [31, 1]"},
                                    {"Cube",
                                     [](Changed& c) {
                                       c.shape("a.weight_scale", {32, 1, 1});
                                     },
                                     "a.weight_scale"},
                                    {"Flat", [](Changed& c) { c.shape("a.weight", {2048}); }, "[out, in]"}});
  expect_refused("fp8_blocks", {{"Scales",
                                 [](Changed& c) {
                                   c.shape("a.weight_scale_inv", {2, 3});
                                 },
                                 "weight_scale_inv"},
                                {"Block", [](Changed& c) { c.config("32,", "0,"); }, "weight_block_size"}});
}

TEST(HostilePrequantised, Mlx) {
  expect_refused(
      "mlx",
      {{"Scales",
        [](Changed& c) {
          c.shape("m4.scales", {4, 3});
        },
        "m4.scales: got [4, 3]"},
       {"Biases", [](Changed& c) { c.without("m4.biases"); }, "m4.biases: got no such tensor"},
       {"Group", [](Changed& c) { c.config("\"group_size\": 32", "\"group_size\": 0"); }, "group_size"},
       {"Bits", [](Changed& c) { c.config("\"bits\": 3", "\"bits\": 1"); }, "bits"}});
  expect_refused("mlx", {{"Mode", [](Changed& c) { c.config("\"affine\"", "\"mxfp4\""); }, "affine"}},
                 ErrorCode::model_unsupported);
}

TEST(HostilePrequantised, AnyNumbersAreNumbers) {
  for (const std::string& name : cases())
    for (const unsigned char byte : {0xff, 0x7f, 0x00}) {
      Changed changed(name);
      for (const char* tensor :
           {"a.weight", "a.scales", "a.weight_scale", "a.weight_packed", "a.qweight", "a.SCB",
            "a.weight.absmax", "a.weight_scale_inv", "a.qzeros", "m3.weight", "m3.scales"})
        try {
          changed.fill(tensor, byte);
        } catch (const std::out_of_range&) {
        }
      EXPECT_NO_THROW(changed.open()) << name;
    }
}

TEST(Prequantised, OtherMethodsAreRefusedByName) {
  const auto refusal = [](const std::string& settings) {
    const Json config = Json::parse(settings);
    return test::error_of([&] { check_quantization(JsonField(config, "config.json")); });
  };
  for (const char* method : {"hqq", "quanto", "aqlm", "torchao", "eetq", "auto-round"}) {
    const Error error =
        refusal(R"({"quantization_config": {"quant_method": ")" + std::string(method) + "\"}}");
    EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
    EXPECT_THAT(error.what(), testing::AllOf(HasSubstr("quantization_config.quant_method"), HasSubstr(method),
                                             HasSubstr("gptq"), HasSubstr("save_pretrained")));
  }
  EXPECT_EQ(refusal(R"({"text_config": {"quantization_config": {"bits": 4}}})").code(),
            ErrorCode::model_unsupported);
  const Json plain = Json::parse(R"({"quantization_config": {"load_in_8bit": true}})");
  EXPECT_NO_THROW(check_quantization(JsonField(plain, "config.json")));
  EXPECT_THAT(quantization_notes(JsonField(plain, "config.json")),
              testing::ElementsAre("weights stored by bitsandbytes, read as floats"));
}

}  // namespace
}  // namespace galago
