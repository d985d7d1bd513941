// Loading weights: everything that does not fit is named at once, before anything runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "galago/galago.h"
#include "inspect/inspect.h"
#include "inspect/verify.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::HasSubstr;
using testing::Not;

Error load_error(const test::ModelCopy& model) {
  return test::error_of([&] { test::Loaded loaded(model.path()); });
}

const std::string kProjection = "model.connector.modality_projection.proj.weight";
const std::string kNorm = "model.text_model.norm.weight";
const std::string kPatches = "model.vision_model.embeddings.patch_embedding.weight";

TEST(Load, ListsMissingMisshapenAndUnusedTensorsAtOnce) {
  const test::ModelCopy model;
  const std::vector<float> extra(6, 0.0F);
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name == kNorm; });
    for (NamedTensor& t : tensors)
      if (t.name == kProjection) std::swap(t.view.shape[0], t.view.shape[1]);
    for (NamedTensor& t : tensors)
      if (t.name == kPatches) t.name = "model.vision_model.embeddings.patch_embeding.weight";
    tensors.push_back(
        {"model.extra.weight", {DType::f32, {2, 3}, reinterpret_cast<const std::byte*>(extra.data())}});
  });
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_EQ(error.where(), model.path().string());
  const std::string what = error.what();
  EXPECT_THAT(what, HasSubstr("5 faults"));
  EXPECT_THAT(what, HasSubstr("missing " + kNorm + ", expected [64]"));
  EXPECT_THAT(what, HasSubstr("missing " + kPatches + ", expected [32, 3, 4, 4]"));
  EXPECT_THAT(what, HasSubstr("unused model.vision_model.embeddings.patch_embeding.weight [32, 3, 4, 4]"));
  EXPECT_THAT(what, HasSubstr("shape of " + kProjection + ": got [512, 64], expected [64, 512]"));
  EXPECT_THAT(what, HasSubstr("unused model.extra.weight [2, 3]"));
}

TEST(Load, AnUntiedHeadMustBeThere) {
  const test::ModelCopy model;
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "lm_head.weight"; });
  });
  EXPECT_THAT(load_error(model).what(), HasSubstr("missing lm_head.weight, expected [512, 64]"));
}

TEST(Load, ATiedHeadMayBeThereAsACopyOrNot) {
  const test::ModelCopy model("tied_head");
  const Checkpoint checkpoint = Checkpoint::open_directory(model.path());
  const bool has_head = checkpoint.find("lm_head.weight") != nullptr;
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    if (has_head)
      std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "lm_head.weight"; });
    else
      tensors.push_back({"lm_head.weight", *checkpoint.find("model.text_model.embed_tokens.weight")});
  });
  EXPECT_NO_THROW(test::Loaded("tied_head"));
  EXPECT_NO_THROW(test::Loaded(model.path()));
}

TEST(Load, ATiedHeadAloneIsTheTableToo) {
  const test::ModelCopy model("tied_head");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& t : tensors)
      if (t.name == "model.text_model.embed_tokens.weight") t.name = "lm_head.weight";
  });
  const test::Loaded there("tied_head"), moved(model.path());
  const std::vector<int32_t> ids = {7, 8};
  Tensor expected({2, 64}), got({2, 64});
  there.engine->decoder().embed(ids, expected.matrix());
  moved.engine->decoder().embed(ids, got.matrix());
  EXPECT_EQ(test::max_difference(got.matrix(), expected.matrix()), 0);
}

TEST(Load, AConfigWithOneMoreLayerNamesAllItsTensors) {
  const test::ModelCopy model;
  model.edit("config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
  const std::string what = load_error(model).what();
  EXPECT_THAT(what, HasSubstr("9 faults"));
  EXPECT_THAT(what, HasSubstr("missing model.text_model.layers.3.self_attn.q_proj.weight"));
  EXPECT_THAT(what, HasSubstr("missing model.text_model.layers.3.mlp.down_proj.weight"));
}

TEST(Load, AConfigWithOneLayerLessLoadsAndNamesWhatIsLeft) {
  const test::ModelCopy model;
  model.edit("config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
  const test::Loaded loaded(model.path());
  EXPECT_EQ(loaded.engine->unused.size(), 9U);
  EXPECT_EQ(loaded.engine->unused[0], "model.text_model.layers.2.input_layernorm.weight [64]");
}

TEST(Load, TensorsOfNoUseAreAWarningOrAnErrorAsAsked) {
  const test::ModelCopy model;
  const float extra = 1;
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    for (const char* name : {"odd", "model.vision_model.embeddings.position_ids"})
      tensors.push_back({name, {DType::f32, {1}, reinterpret_cast<const std::byte*>(&extra)}});
  });
  const Model loaded = Model::load(model.path());
  EXPECT_THAT(loaded.warnings(),
              testing::ElementsAre(model.path().string() + ": 1 tensor is not used: odd [1]"));
  const Error error = test::error_of([&] { Model::load(model.path(), {.strict = true}); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("1 fault in the weights\n  unused odd [1]"));
  EXPECT_NO_THROW(Model::load(test::data_path("models/smolvlm_tiles"), {.strict = true}));
}

/// The same weights under the names that training tools give them.
struct Renamed {
  const char* what;
  const char* model;
  std::function<std::string(const std::string&)> name;
  std::string wrapper;
};

std::string without(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

class Prefixes : public testing::TestWithParam<Renamed> {};

TEST_P(Prefixes, AreRecognisedByTheWholeSetOfNames) {
  const test::ModelCopy model(GetParam().model);
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& t : tensors) t.name = GetParam().name(t.name);
  });
  const test::Loaded renamed(model.path()), original(GetParam().model);
  EXPECT_EQ(renamed.checkpoint.wrapper(), GetParam().wrapper);
  EXPECT_THAT(renamed.engine->unused, testing::IsEmpty());
  EXPECT_EQ(renamed.engine->decoder().weight_bytes(), original.engine->decoder().weight_bytes());
  for (const ModuleSize& row : inspect(*renamed.frontend, renamed.checkpoint))
    EXPECT_NE(row.shape.name, "other");
}

std::string wrapped(const std::string& wrapper, const std::string& name) { return wrapper + name; }

std::vector<Renamed> renamed() {
  const auto by = [](std::string wrapper) {
    return [wrapper](const std::string& name) { return wrapped(wrapper, name); };
  };
  const auto bare = [](const std::string& name) { return without(name, "model."); };
  const auto old_to_bare = [](const std::string& name) {
    return name.starts_with("language_model.model.")
               ? "language_model." + without(name, "language_model.model.")
               : name;
  };
  return {{"peft", "text_llama2", by("base_model.model."), "base_model.model."},
          {"parallel", "smolvlm_tiles", by("module."), "module."},
          {"compiled", "llava_clip", by("_orig_mod."), "_orig_mod."},
          {"both", "grid25_llama3", by("module._orig_mod."), "module._orig_mod."},
          {"base_idefics3", "tied_head", bare, ""},
          {"wrapped_base", "text_smollm2", [bare](const std::string& name) { return "module." + bare(name); },
           "module."},
          {"base_llava", "llava_granite", old_to_bare, ""}};
}

std::string renamed_name(const testing::TestParamInfo<Renamed>& info) { return info.param.what; }
INSTANTIATE_TEST_SUITE_P(Names, Prefixes, testing::ValuesIn(renamed()), renamed_name);

TEST(Load, AnUnknownPrefixIsNamed) {
  const test::ModelCopy model("text_llama2");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& t : tensors) t.name = "student." + t.name;
  });
  EXPECT_THAT(load_error(model).hint(), HasSubstr("every name begins with \"student.\""));
}

// Rounded to float32, as the reference loads them.
TEST(Load, DoublesAreFloats) {
  const test::ModelCopy model("text_smollm2");
  std::map<std::string, std::vector<double>> wide;
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& t : tensors) {
      std::vector<double>& values = wide[t.name];
      for (int64_t i = 0; i < t.view.count(); ++i) values.push_back(static_cast<double>(element(t.view, i)));
      t.view = {DType::f64, t.view.shape, reinterpret_cast<const std::byte*>(values.data())};
    }
  });
  const test::Loaded loaded(model.path());
  for (const StationResult& r :
       verify(*loaded.frontend, *loaded.engine, test::data_path("goldens/text_smollm2")))
    EXPECT_TRUE(r.holds) << r.station;
  Request request{.prompt = "abc"};
  request.options.max_new_tokens = 8;
  EXPECT_EQ(
      Model::load(model.path(), {.dtype = WeightDtype::q8}).ask(request).token_ids,
      Model::load(test::data_path("models/text_smollm2"), {.dtype = WeightDtype::q8}).ask(request).token_ids);
}

TEST(Load, RefusesATruncatedFile) {
  const test::ModelCopy model;
  const std::string bytes = test::read_bytes(model.path() / "model.safetensors");
  for (const size_t length : {size_t{0}, size_t{7}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    model.write("model.safetensors", std::string_view(bytes).substr(0, length));
    EXPECT_EQ(load_error(model).code(), ErrorCode::model_invalid) << length;
  }
}

TEST(Load, RefusesIntegersAsWeights) {
  const test::ModelCopy model;
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& t : tensors)
      if (t.name == kNorm && size_of(t.view.dtype) == 2) t.view.dtype = DType::i16;
  });
  EXPECT_THAT(load_error(model).what(),
              HasSubstr("type of " + kNorm + ": got I16, expected F32, F16 or BF16"));
}

TEST(Load, SaysWhichDirectoryHasNoWeights) {
  const test::ModelCopy model;
  model.remove("model.safetensors");
  const Error error = load_error(model);
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.what(), HasSubstr("model.safetensors"));
}

TEST(Inspect, CountsEveryParameterOnceUnderItsStation) {
  const auto frontend = load_frontend(test::data_path("models/smolvlm_tiles"));
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const std::vector<ModuleSize> rows = inspect(*frontend, checkpoint);
  int64_t parameters = 0;
  int64_t bytes = 0;
  for (const ModuleSize& row : rows) {
    EXPECT_NE(row.shape.name, "other");
    parameters += row.parameters;
    bytes += row.bytes;
  }
  int64_t expected = 0;
  for (const auto& [name, view] : checkpoint.tensors()) expected += view.count();
  EXPECT_EQ(parameters, expected);
  EXPECT_EQ(bytes, checkpoint.bytes());
  const auto station = [&](const std::string& name) {
    return *std::find_if(rows.begin(), rows.end(), [&](const ModuleSize& r) { return r.shape.name == name; });
  };
  EXPECT_EQ(station("connector").parameters, 64 * 32 * 16);
  EXPECT_EQ(station("connector").shape.input, "[N, 256, 32]");
  EXPECT_EQ(station("connector").shape.output, "[N, 16, 64]");
  EXPECT_EQ(station("head").parameters, 512 * 64);
  EXPECT_EQ(station("image").shape.output, "[N, 3, 64, 64]");
}

TEST(Inspect, ShowsTensorsOfNoStation) {
  const test::ModelCopy model;
  const float extra = 1;
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    tensors.push_back({"odd", {DType::f32, {1}, reinterpret_cast<const std::byte*>(&extra)}});
  });
  const auto frontend = load_frontend(model.path());
  const auto rows = inspect(*frontend, Checkpoint::open_directory(model.path()));
  EXPECT_EQ(rows.back().shape.name, "other");
  EXPECT_EQ(rows.back().tensors, 1);
}

}  // namespace
}  // namespace galago
