// Weights in other formats than they are stored in: what is chosen for which matrix, what a load gives, and
// files of quantised weights that are damaged.
#include "models/weight_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "core/cancelled.h"
#include "formats/weights.h"
#include "galago/embedding.h"
#include "galago/galago.h"
#include "inspect/quantise.h"
#include "support/devices.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;

constexpr const char* kDecoder = "model.text_model.layers.3.mlp.up_proj.weight";
constexpr const char* kTable = "model.text_model.embed_tokens.weight";
constexpr const char* kTower = "model.vision_model.encoder.layers.0.mlp.fc1.weight";

TEST(WeightFormats, WhatIsChosen) {
  const WeightView floats(WeightFormat::f32, 4, 64), narrow(WeightFormat::bf16, 4, 48);
  const WeightView q8(WeightFormat::q8, 4, 64), q4(WeightFormat::q4, 4, 64);
  const auto chosen = [](const char* dtype, const char* name, const WeightView& stored) {
    const auto format = chosen_format(weight_dtype(dtype), name, stored);
    return format ? to_string(*format) : "as stored";
  };
  EXPECT_STREQ(chosen("auto", kDecoder, floats), "as stored");
  EXPECT_STREQ(chosen("q8", kDecoder, floats), "q8");
  EXPECT_STREQ(chosen("q4", kDecoder, floats), "q4");
  EXPECT_STREQ(chosen("q4", kTable, floats), "q8");
  EXPECT_STREQ(chosen("q4", kTower, floats), "q8");
  EXPECT_STREQ(chosen("q4", kDecoder, narrow), "as stored");  // rows of 48
  EXPECT_STREQ(chosen("q4", kDecoder, q8), "q4");
  EXPECT_STREQ(chosen("q8", kDecoder, q4), "as stored");
  EXPECT_STREQ(chosen("f32", kDecoder, q4), "f32");
  EXPECT_STREQ(chosen("f32", kDecoder, narrow), "as stored");
  EXPECT_STREQ(chosen("bf16", kDecoder, floats), "bf16");
  EXPECT_STREQ(chosen("bf16", kDecoder, q8), "as stored");
}

TEST(WeightFormats, WhatGoesIntoPanels) {
  for (const char* name :
       {kDecoder, kTable, "lm_head.weight", "model.text_model.layers.3.mlp.up_proj.weight_scale"}) {
    EXPECT_TRUE(goes_into_panels(name, WeightFormat::q4)) << name;
    EXPECT_FALSE(goes_into_panels(name, WeightFormat::bf16)) << name;
  }
  EXPECT_FALSE(goes_into_panels(kTower, WeightFormat::q8));
  EXPECT_FALSE(goes_into_panels("model.connector.modality_projection.proj.weight", WeightFormat::q8));
}

/// A tiny model as galago quantize writes it.
class Quantised : public testing::Test {
 protected:
  QuantisedModel write(const std::string& dtype) {
    return quantise_model(test::data_path("models/smolvlm_tiles"), out(), weight_dtype(dtype));
  }
  std::filesystem::path out() const { return folder_.path() / "out"; }

  test::TempDir folder_;
};

TEST_F(Quantised, ADirectoryLoadsAsTheSameWeightsConvertedAtLoad) {
  for (const std::string dtype : {"q8", "q4"}) {
    const QuantisedModel done = write(dtype);
    EXPECT_GT(done.matrices.at(WeightFormat::q8), 0);
    EXPECT_EQ(done.matrices.contains(WeightFormat::q4), dtype == "q4");
    EXPECT_LT(done.bytes_after, done.bytes_before);
    const Checkpoint written = Checkpoint::open_directory(out());
    EXPECT_EQ(written.metadata().at("galago.dtype"), dtype);
    EXPECT_EQ(written.bytes(), done.bytes_after);
    const Model stored = Model::load(out()), converted = Model::load(test::data_path("models/smolvlm_tiles"),
                                                                     {.dtype = weight_dtype(dtype)});
    Request request{.prompt = "abc"};
    request.options.max_new_tokens = 8;
    EXPECT_EQ(stored.ask(request).token_ids, converted.ask(request).token_ids);
    std::filesystem::remove_all(out());
  }
}

// Planes of every format are copied as they are, a matrix that is asked for twice only once.
TEST_F(Quantised, WithoutAMapMatricesAreCopies) {
  write("q4");
  for (const std::filesystem::path& path :
       {std::filesystem::path(test::data_path("models/smolvlm_tiles")), out()}) {
    const auto files = load_frontend(path, {.numbers = {.mmap = false}})->files().checkpoint();
    const Checkpoint mapped = Checkpoint::open_directory(path);
    Binder stored(mapped, test::device()), copies(files, test::device());
    for (const auto& [name, shape] :
         {std::pair<std::string, LinearShape>{kTable, {.out = 512, .in = 64}},
          {"model.text_model.layers.0.mlp.up_proj.weight", {.out = 128, .in = 64}}}) {
      const WeightView from = stored.root().weight(name, shape), copy = copies.root().weight(name, shape);
      ASSERT_NE(from.values, nullptr) << name;
      EXPECT_EQ(copy.format, from.format);
      EXPECT_NE(copy.values, from.values);
      EXPECT_EQ(copy.in_panels(), is_quantised(from.format));
      EXPECT_EQ(copies.root().weight(name, shape).values, copy.values);
      std::vector<float> a(static_cast<size_t>(from.rows * from.cols)), b = a;
      to_floats(from, a.data());
      to_floats(copy, b.data());
      EXPECT_EQ(a, b) << name;
    }
  }
}

TEST_F(Quantised, StoppedItLeavesNothing) {
  for (int64_t at = 0; at < 4; ++at) {
    const auto stop = [&](int64_t done, int64_t) { return done < at; };
    EXPECT_THROW(quantise_model(test::data_path("models/smolvlm_tiles"), out(), WeightDtype::q8, stop),
                 Cancelled);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  }
}

// A head that repeats a tied table is not written: beside a quantised table it would be a head of its own.
TEST_F(Quantised, AHeadStaysWhatItIs) {
  for (const bool own : {false, true}) {
    const test::ModelCopy model("tied_head");
    const Checkpoint from = Checkpoint::open_directory(test::data_path("models/tied_head"));
    TensorView head = *from.find("model.text_model.embed_tokens.weight");
    std::vector<std::byte> other(head.data, head.data + head.count() * size_of(head.dtype));
    other.back() ^= std::byte{1};
    if (own) head.data = other.data();
    model.change_weights([&](std::vector<NamedTensor>& tensors) {
      tensors.push_back({"lm_head.weight", head});
    });
    quantise_model(model.path(), out(), WeightDtype::q8);
    EXPECT_EQ(Checkpoint::open_directory(out()).find("lm_head.weight") != nullptr, own);
    Request request{.prompt = "abc"};
    request.options.max_new_tokens = 8;
    EXPECT_EQ(Model::load(out()).ask(request).token_ids,
              Model::load(model.path(), {.dtype = WeightDtype::q8}).ask(request).token_ids);
    std::filesystem::remove_all(out());
  }
}

TEST_F(Quantised, SigLipToo) {
  const auto from = test::data_path("models/siglip");
  quantise_model(from, out(), WeightDtype::q4);
  const Embeddings floats = EmbeddingModel::load(from).embed_texts({"a cat"}, {.normalize = true});
  const Embeddings small = EmbeddingModel::load(out()).embed_texts({"a cat"}, {.normalize = true});
  double cosine = 0;
  for (int64_t i = 0; i < floats.dimension; ++i)
    cosine += double{floats.row(0)[static_cast<size_t>(i)]} * small.row(0)[static_cast<size_t>(i)];
  EXPECT_GT(cosine, 0.999);
}

/// What is wrong with a file, and what the error says.
struct Damage {
  const char* what;
  std::function<void(std::vector<NamedTensor>&)> change;
  std::string said;
};

TEST_F(Quantised, DamagedFilesSayWhatIsWrong) {
  write("q4");
  const std::string up = "model.text_model.layers.0.mlp.up_proj.weight";
  const auto on = [](const std::string& name, const std::function<void(NamedTensor&)>& change) {
    return [=](std::vector<NamedTensor>& tensors) {
      for (NamedTensor& tensor : tensors)
        if (tensor.name == name) change(tensor);
    };
  };
  const auto without = [](const std::string& name) {
    return [=](std::vector<NamedTensor>& tensors) {
      std::erase_if(tensors, [&](const NamedTensor& tensor) { return tensor.name == name; });
    };
  };
  const auto turned = [](NamedTensor& tensor) { std::swap(tensor.view.shape[0], tensor.view.shape[1]); };
  const std::vector<Damage> cases = {
      {"no scales", without(up + "_scale"), "missing " + up + "_scale, expected "},
      {"no minimums", without(up + "_min"), "missing " + up + "_min, expected "},
      {"values of another shape", on(up, turned), "shape of " + up + ": got "},
      {"scales of another shape", on(up + "_scale", turned), "shape of " + up + "_scale: got "},
      {"scales of another type",
       on(up + "_scale", [](NamedTensor& tensor) { tensor.view.dtype = DType::bf16; }),
       "type of " + up + "_scale: got BF16, expected F16"},
      {"bytes said to be int8", on(up, [](NamedTensor& tensor) { tensor.view.dtype = DType::i8; }),
       "shape of " + up + ": got "},
      {"a norm of bytes",
       on("model.text_model.norm.weight",
          [](NamedTensor& tensor) {
            tensor.view = {DType::u8, tensor.view.shape, tensor.view.data};
          }),
       "type of model.text_model.norm.weight: got U8, expected F32, F16 or BF16"},
      {"values without the rest",
       [](std::vector<NamedTensor>& tensors) {
         std::erase_if(tensors, [](const NamedTensor& tensor) {
           return tensor.name.ends_with("_scale") || tensor.name.ends_with("_min");
         });
       },
       "faults in the weights"}};
  const Checkpoint whole = Checkpoint::open_directory(out());
  for (const Damage& damage : cases) {
    SCOPED_TRACE(damage.what);
    std::vector<NamedTensor> tensors;
    for (const auto& [name, view] : whole.tensors()) tensors.push_back({name, view, {}});
    damage.change(tensors);
    const test::TempDir copy;
    std::filesystem::copy(out(), copy.path() / "model");
    std::filesystem::remove(copy.path() / "model/model.safetensors");
    write_safetensors(copy.path() / "model/model.safetensors", tensors);
    const Error error = test::error_of([&] { test::Loaded loaded(copy.path() / "model"); });
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    EXPECT_THAT(error.what(), HasSubstr(damage.said));
  }
}

}  // namespace
}  // namespace galago
