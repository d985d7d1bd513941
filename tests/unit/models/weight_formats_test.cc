// Weights in other formats than they are stored in: what is chosen for which matrix, what a load gives, and
// files of quantised weights that are damaged.
#include "models/weight_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
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
  /// What an older galago wrote as q4: every matrix in planes.
  std::filesystem::path old() const {
    const std::filesystem::path old = folder_.path() / "old";
    if (std::filesystem::exists(old)) return old;
    std::filesystem::copy(test::data_path("models/smolvlm_tiles"), old);
    std::filesystem::copy(test::data_path("quantised/smolvlm_tiles_q4_planes.safetensors"),
                          old / "model.safetensors", std::filesystem::copy_options::overwrite_existing);
    return old;
  }
  static std::vector<int32_t> answer(const std::filesystem::path& model, const LoadOptions& options = {}) {
    Request request{.prompt = "abc"};
    request.options.max_new_tokens = 8;
    return Model::load(model, options).ask(request).token_ids;
  }

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

TEST_F(Quantised, BitsAreThoseOfOlderDirectories) {
  write("q4");
  const Checkpoint before = Checkpoint::open_directory(old()), now = Checkpoint::open_directory(out());
  Binder planes(before, test::device()), panels(now, test::device());
  int64_t compared = 0;
  for (const auto& [name, view] : now.tensors()) {
    const WeightView* matrix = now.matrix(name);
    if (!matrix) {
      ASSERT_NE(before.find(name), nullptr) << name;
      EXPECT_EQ(std::memcmp(before.find(name)->data, view.data,
                            static_cast<size_t>(view.count() * size_of(view.dtype))),
                0)
          << name;
      continue;
    }
    const LinearShape shape{.out = matrix->rows, .in = matrix->cols};
    const WeightView a = planes.root().weight(name, shape), b = panels.root().weight(name, shape);
    ASSERT_TRUE(a.values && b.in_panels() && !a.in_panels()) << name;
    std::vector<std::byte> packed(static_cast<size_t>(b.bytes()));
    test::device().pack_weights(a, b.format, packed.data());
    EXPECT_EQ(std::memcmp(packed.data(), b.values, packed.size()), 0) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 23);  // 21 of layers, table, head
  EXPECT_EQ(answer(old()), answer(out()));
  EXPECT_EQ(answer(old()), answer(test::data_path("models/smolvlm_tiles"), {.dtype = WeightDtype::q4}));
}

TEST_F(Quantised, AnOlderDirectoryGetsTheNewLayout) {
  write("q4");
  for (const WeightDtype dtype : {WeightDtype::q4, WeightDtype::q8}) {
    const std::filesystem::path again = folder_.path() / "again";
    const QuantisedModel done = quantise_model(old(), again, dtype);
    EXPECT_EQ(done.moved, 23);
    EXPECT_EQ(done.matrices.at(WeightFormat::q4), 21);
    if (dtype == WeightDtype::q4) {
      EXPECT_EQ(test::read_bytes(again / "model.safetensors"), test::read_bytes(out() / "model.safetensors"));
    }
    // Once more there is nothing to do.
    EXPECT_EQ(quantise_model(again, folder_.path() / "third", dtype).moved, 0);
    EXPECT_EQ(test::read_bytes(again / "model.safetensors"),
              test::read_bytes(folder_.path() / "third/model.safetensors"));
    std::filesystem::remove_all(again);
    std::filesystem::remove_all(folder_.path() / "third");
  }
}

// Nothing is made at load: every matrix that is multiplied lies in the file's map, panels at 64 bytes.
TEST_F(Quantised, MatricesStayInTheMap) {
  for (const std::string dtype : {"q8", "q4"}) {
    write(dtype);
    const auto files = load_frontend(out())->files().checkpoint();
    Binder binder(files, test::device());
    int64_t panels = 0;
    for (const auto& [name, view] : files.tensors()) {
      const WeightView* matrix = files.matrix(name);
      if (!matrix) continue;
      const WeightView got = binder.root().weight(name, {.out = matrix->rows, .in = matrix->cols});
      EXPECT_EQ(got.values, view.data) << name;
      EXPECT_TRUE(got.in_panels());
      EXPECT_EQ(reinterpret_cast<uintptr_t>(got.values) % kPanelLine, 0U) << name;
      ++panels;
    }
    EXPECT_EQ(panels, 23);
    std::filesystem::remove_all(out());
  }
}

// Another format of what lies in panels.
TEST_F(Quantised, PanelsAreConverted) {
  write("q8");
  EXPECT_EQ(answer(out(), {.dtype = WeightDtype::q8}), answer(out()));
  const auto floats = [](const std::filesystem::path& path, WeightDtype dtype) {
    const auto checkpoint = load_frontend(path, {.numbers = {.dtype = dtype}})->files().checkpoint();
    Binder binder(checkpoint, test::device());
    const WeightView weight = binder.root().weight(kTable, {.out = 512, .in = 64});
    std::vector<float> all(512 * 64);
    to_floats(weight, all.data());
    return std::pair(weight.format, all);
  };
  const auto [q8, numbers] = floats(out(), WeightDtype::as_stored);
  const auto [f32, same] = floats(out(), WeightDtype::f32);
  EXPECT_EQ(q8, WeightFormat::q8);
  EXPECT_EQ(f32, WeightFormat::f32);
  EXPECT_EQ(numbers, same);
  // As q4: what q4 of those floats is.
  const std::filesystem::path q4 = folder_.path() / "q4";
  quantise_model(out(), q4, WeightDtype::q4);
  EXPECT_EQ(answer(q4), answer(out(), {.dtype = WeightDtype::q4}));
}

// An adapter is added to the floats that panels stand for, as it is to those of planes.
TEST_F(Quantised, AdaptersMergeOverPanels) {
  write("q4");
  LoadOptions options;
  options.lora = {{.directory = test::data_path("adapters/smolvlm"), .scale = 1}};
  const auto before = open_model(old(), {.lora = options.lora})->checkpoint(),
             now = open_model(out(), {.lora = options.lora})->checkpoint();
  int64_t changed = 0;
  for (const auto& [name, view] : now.tensors()) {
    const TensorView* other = before.find(name);
    if (view.data || !other || other->data) continue;  // made: with something added
    ASSERT_EQ(other->shape, view.shape) << name;
    EXPECT_EQ(std::memcmp(now.read(name).data, before.read(name).data,
                          static_cast<size_t>(view.count() * size_of(view.dtype))),
              0)
        << name;
    ++changed;
  }
  EXPECT_GT(changed, 0);
  EXPECT_EQ(answer(out(), options), answer(old(), options));
}

// Planes of every format are copied as they are, a matrix that is asked for twice only once.
TEST_F(Quantised, WithoutAMapMatricesAreCopies) {
  write("q4");
  for (const std::filesystem::path& path :
       {std::filesystem::path(test::data_path("models/smolvlm_tiles")), old(), out()}) {
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

/// The error of loading a directory whose weights are these.
Error error_with(const std::filesystem::path& directory, const std::vector<NamedTensor>& tensors,
                 const std::map<std::string, std::string>& metadata = {}) {
  const test::TempDir copy;
  std::filesystem::copy(directory, copy.path() / "model");
  std::filesystem::remove(copy.path() / "model/model.safetensors");
  write_safetensors(copy.path() / "model/model.safetensors", tensors, metadata);
  return test::error_of([&] { test::Loaded loaded(copy.path() / "model"); });
}

std::vector<NamedTensor> tensors_of(const Checkpoint& checkpoint) {
  std::vector<NamedTensor> tensors;
  for (const auto& [name, view] : checkpoint.tensors()) tensors.push_back({name, view, {}});
  return tensors;
}

TEST_F(Quantised, DamagedPlanesSayWhatIsWrong) {
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
  const Checkpoint whole = Checkpoint::open_directory(old());
  for (const Damage& damage : cases) {
    SCOPED_TRACE(damage.what);
    std::vector<NamedTensor> tensors = tensors_of(whole);
    damage.change(tensors);
    const Error error = error_with(old(), tensors);
    EXPECT_EQ(error.code(), ErrorCode::model_invalid);
    EXPECT_THAT(error.what(), HasSubstr(damage.said));
  }
}

TEST_F(Quantised, DamagedPanelsSayWhatIsWrong) {
  write("q4");
  const Checkpoint whole = Checkpoint::open_directory(out());
  const std::string up = "model.text_model.layers.0.mlp.up_proj.weight", key = "galago.panels." + up;
  const std::string layout = "galago.layout";
  ASSERT_EQ(whole.metadata().at(layout), "panels 1");
  ASSERT_EQ(whole.metadata().at(key), "q4 128 64");
  struct Case {
    const char* what;
    std::string key, value;  // empty: the key is not there
    ErrorCode code;
    std::string said;
  };
  const ErrorCode bad = ErrorCode::model_invalid;
  const std::string takes = ": got U8 [8, 10, 64] for ";
  const std::vector<Case> cases = {
      {"a layout to come", layout, "panels 2", ErrorCode::model_unsupported,
       "galago.layout: got \"panels 2\", expected \"panels 1\""},
      {"no layout", layout, "", bad, ": got no galago.layout, expected "},
      {"not said to be panels", key, "", bad, "shape of " + up + ": got [8, 10, 64], expected [128, 32]"},
      {"another format", key, "q8 128 64", bad, key + takes + "\"q8 128 64\", expected U8 [8, 17, 64]"},
      {"more rows", key, "q4 129 64", bad, takes + "\"q4 129 64\", expected U8 [9, 10, 64]"},
      {"fewer rows", key, "q4 127 64", bad, "shape of " + up + ": got [127, 64], expected [128, 64]"},
      {"more columns", key, "q4 128 96", bad, takes},
      {"columns in no groups", key, "q4 128 65", bad, ": got \"q4 128 65\", expected q8 or q4, rows, "},
      {"beyond all bounds", key, "q4 9223372036854775807 64", bad, "expected q8 or q4, rows, "},
      {"columns beyond all bounds", key, "q4 128 9223372036854775776", bad, "expected q8 or q4, rows, "},
      {"more digits than a number has", key, "q4 99999999999999999999 64", bad, "expected q8 or q4, rows, "},
      {"a negative number", key, "q4 -128 64", bad, "expected q8 or q4, rows, "},
      {"no rows", key, "q4 0 64", bad, "expected q8 or q4, rows, "},
      {"floats", key, "f32 128 64", bad, "expected q8 or q4, rows, "},
      {"words are missing", key, "q4 128", bad, "expected q8 or q4, rows, "},
      {"nothing", key, " ", bad, "expected q8 or q4, rows, "},
      {"one word too many", key, "q4 128 64 1", bad, "expected q8 or q4, rows, "},
      {"no such tensor", "galago.panels.other", "q4 128 64", bad, "galago.panels.other: got no tensor"},
      {"a tensor of floats", "galago.panels.model.text_model.norm.weight", "q4 128 64", bad, ": got BF16 "}};
  for (const Case& each : cases) {
    SCOPED_TRACE(each.what);
    std::map<std::string, std::string> metadata = whole.metadata();
    metadata[each.key] = each.value;
    if (each.value.empty()) metadata.erase(each.key);
    const Error error = error_with(out(), tensors_of(whole), metadata);
    EXPECT_EQ(error.code(), each.code);
    EXPECT_THAT(error.what(), HasSubstr(each.said));
  }
}

// Another tool may have written the file anew: panels then begin anywhere, and are read where they lie.
TEST_F(Quantised, PanelsNeedNoAlignment) {
  write("q4");
  const auto expected = answer(out());
  const std::string bytes = test::read_bytes(out() / "model.safetensors");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  for (const uint64_t more : {1, 8, 63}) {
    const uint64_t longer = length + more;
    std::string moved(reinterpret_cast<const char*>(&longer), sizeof longer);
    moved += bytes.substr(8, length) + std::string(more, ' ') + bytes.substr(8 + length);
    std::ofstream(out() / "model.safetensors", std::ios::binary) << moved;
    EXPECT_EQ(answer(out()), expected) << more;
  }
}

}  // namespace
}  // namespace galago
