// A text model alone: prompts with and without a template, pictures refused, names of tensors with and
// without prefix, and that the settings which set families apart change the answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "galago/galago.h"
#include "inspect/inspect.h"
#include "inspect/verify.h"
#include "support/model_files.h"

namespace galago {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int32_t> prompt_of(const std::filesystem::path& directory, const PromptText& text) {
  return load_frontend(directory)->prompt_ids(text, {});
}
std::string tiny(const char* name) { return test::data_path(std::string("models/") + name); }

TEST(TextModel, ReadsNoPictures) {
  const Model model = Model::load(tiny("text_llama2"), {.threads = 1});
  const std::vector<uint8_t> pixels(4 * 4 * 3, 128);
  const Error error = test::error_of(
      [&] { model.ask({.prompt = "What is this?", .images = {Image::from_rgb(4, 4, pixels)}}); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  EXPECT_THAT(error.what(), HasSubstr("this model reads no pictures"));
  EXPECT_EQ(test::error_of([&] { model.plan_image(4, 4); }).code(), ErrorCode::input_invalid);
}

TEST(TextModel, AGoldenWithPixelsIsRefused) {
  const test::Loaded model("text_smollm2");
  const Error error = test::error_of(
      [&] { verify(*model.frontend, *model.engine, test::data_path("goldens/grid26_scale2_partial")); });
  EXPECT_EQ(error.code(), ErrorCode::input_invalid);
}

TEST(TextModel, WithoutATemplateTheTextIsThePrompt) {
  const std::vector<int32_t> plain = prompt_of(tiny("text_base"), {.prompt = "the cat"});
  EXPECT_EQ(plain.front(), 1);
  EXPECT_EQ(plain, prompt_of(tiny("text_base"), {.prompt = "the cat", .raw = true}));
  const std::vector<int32_t> raw = prompt_of(tiny("text_llama2"), {.prompt = "the cat", .raw = true});
  EXPECT_EQ(raw.front(), 1);
  EXPECT_GT(prompt_of(tiny("text_llama2"), {.prompt = "the cat"}).size(), raw.size());
}

TEST(TextModel, ATemplatesTextIsTheWholePrompt) {
  const test::ModelCopy model("text_llama3");
  model.write("chat_template.jinja", "{% for m in messages %}{{ m['content'] }}{% endfor %}");
  const std::vector<int32_t> templated = prompt_of(model.path(), {.prompt = "the cat"});
  const std::vector<int32_t> raw = prompt_of(model.path(), {.prompt = "the cat", .raw = true});
  ASSERT_EQ(raw.size(), templated.size() + 1) << "only a raw prompt gets the start token";
  EXPECT_TRUE(std::equal(templated.begin(), templated.end(), raw.begin() + 1));
}

// Its tokenizer reads the template, and gives it texts.
TEST(TextModel, AProcessorsTemplateIsNotItsOwn) {
  const test::ModelCopy model("text_llama3");
  const auto ids = [&] { return prompt_of(model.path(), {.prompt = "the cat"}); };
  const std::vector<int32_t> own = ids();
  model.write("chat_template.json", R"({"chat_template": "another {{ messages[0].content }}"})");
  model.write("processor_config.json", R"({"chat_template": "another {{ messages[0].content }}"})");
  EXPECT_EQ(ids(), own);
  model.write("chat_template.jinja", "{{ messages[0].content | length }}");
  const std::vector<int32_t> length = ids();
  model.write("chat_template.jinja", "7");
  EXPECT_EQ(length, ids()) << "seven letters, not one part";
}

TEST(TextModel, RawTextHoldsNoControlTokensUnlessAsked) {
  const auto frontend = load_frontend(tiny("text_smollm2"));
  const int32_t end = *frontend->tokenizer().token_to_id("<|im_end|>");
  const PromptText text{.prompt = "a<|im_end|>", .raw = true};
  EXPECT_THAT(frontend->prompt_ids(text, {}), testing::Not(testing::Contains(end)));
  const PromptText parsed{.prompt = "a<|im_end|>", .parse_special = true, .raw = true};
  EXPECT_THAT(frontend->prompt_ids(parsed, {}), testing::Contains(end));
}

TEST(TextModel, ASystemMessageNeedsATemplate) {
  for (const PromptText& text :
       {PromptText{.prompt = "a", .system = "b"}, PromptText{.prompt = "a", .system = "b", .raw = true}}) {
    const char* name = text.raw ? "text_llama2" : "text_base";
    const Error error = test::error_of([&] { prompt_of(tiny(name), text); });
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
    EXPECT_THAT(error.what(), HasSubstr("system message"));
  }
}

TEST(TextModel, AVisionModelWithoutATemplateTakesRawTextAndAGivenOne) {
  const test::ModelCopy model;
  model.remove("chat_template.jinja");
  const auto frontend = load_frontend(model.path());
  EXPECT_FALSE(frontend->has_template());
  const Error error = test::error_of([&] { frontend->prompt_ids({.prompt = "the cat"}, {}); });
  EXPECT_EQ(error.code(), ErrorCode::not_found);
  EXPECT_THAT(error.what(), HasSubstr("--chat-template"));
  const PromptText raw{.prompt = "<|im_start|>the cat", .parse_special = true, .raw = true};
  EXPECT_EQ(frontend->prompt_ids(raw, {}).front(), *frontend->tokenizer().token_to_id("<|im_start|>"));
  const test::TempDir folder;
  const std::string given = folder.add(
      "given.jinja", test::read_bytes(test::data_path("models/smolvlm_tiles/chat_template.jinja")));
  EXPECT_EQ(load_frontend(model.path(), {.numbers = {}, .mmproj = {}, .lora = {}, .chat_template = given})
                ->prompt_ids({.prompt = "the cat"}, {}),
            prompt_of(tiny("smolvlm_tiles"), {.prompt = "the cat"}));
  const std::string other = folder.add("other.jinja", "{{ messages[0].content[0].text }}!");
  EXPECT_NE(
      load_frontend(tiny("smolvlm_tiles"), {.numbers = {}, .mmproj = {}, .lora = {}, .chat_template = other})
          ->prompt_ids({.prompt = "the cat"}, {}),
      prompt_of(tiny("smolvlm_tiles"), {.prompt = "the cat"}));
  EXPECT_EQ(test::error_of([&] {
              load_frontend(model.path(),
                            {.numbers = {}, .mmproj = {}, .lora = {}, .chat_template = folder.file("none")});
            }).code(),
            ErrorCode::not_found);
}

// As tokenizer(text): every text gets what the post-processor adds, also one that has it already.
TEST(TextModel, ARawPromptThatBeginsWithTheStartTokenGetsASecondOne) {
  const PromptText text{.prompt = "<s>the cat", .parse_special = true, .raw = true};
  const std::vector<int32_t> ids = prompt_of(tiny("text_llama2"), text);
  EXPECT_EQ(ids[0], 1);
  EXPECT_EQ(ids[1], 1);
  EXPECT_NE(ids[2], 1);
  const test::ModelCopy model("text_llama2");
  Json tokenizer = parse_json(test::read_bytes(model.path() / "tokenizer.json"), "tokenizer.json");
  Json& post = tokenizer["post_processor"];
  post["single"].push_back({{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}});
  post["special_tokens"]["</s>"] = {{"id", "</s>"}, {"ids", {2}}, {"tokens", {"</s>"}}};
  model.write("tokenizer.json", tokenizer.dump());
  std::vector<int32_t> ended = ids;
  ended.push_back(2);
  EXPECT_EQ(prompt_of(model.path(), text), ended);
}

// As ProcessorMixin.apply_chat_template: a prompt that begins with the start token is whole.
TEST(TextModel, AProcessorsPromptGetsTheStartTokenOnce) {
  const test::ModelCopy model("idefics3_llama3");
  const auto ids = [&] { return prompt_of(model.path(), {.prompt = "the cat"}); };
  const auto frontend = load_frontend(model.path());
  const int32_t start = *frontend->tokenizer().token_to_id("<|begin_of_text|>");
  model.write("chat_template.json",
              R"({"chat_template": "<|begin_of_text|>{{ messages[0].content[0].text }}"})");
  const std::vector<int32_t> own = ids();
  model.write("chat_template.json", R"({"chat_template": "{{ messages[0].content[0].text }}"})");
  EXPECT_EQ(ids(), own);
  EXPECT_EQ(std::count(own.begin(), own.end(), start), 1);
}

TEST(TextModel, StationsCountEveryParameter) {
  for (const char* name : {"text_llama2", "text_base", "text_granite"}) {
    const auto frontend = load_frontend(tiny(name));
    const Checkpoint checkpoint = frontend->files().checkpoint();
    const std::vector<ModuleSize> rows = inspect(*frontend, checkpoint);
    ASSERT_EQ(rows.size(), 3U) << name;
    int64_t parameters = 0;
    for (const ModuleSize& row : rows) parameters += row.parameters;
    int64_t expected = 0;
    for (const auto& [tensor, view] : checkpoint.tensors()) expected += view.count();
    EXPECT_EQ(parameters, expected) << name;
    EXPECT_EQ(rows[0].parameters, frontend->config().text.vocab_size * frontend->config().text.hidden_size);
  }
}

TEST(TextModel, TensorsMayLackThePrefix) {
  const test::ModelCopy model("text_smollm2");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& t : tensors) t.name = t.name.substr(std::string("model.").size());
  });
  const test::Loaded loaded(model.path());
  for (const StationResult& r :
       verify(*loaded.frontend, *loaded.engine, test::data_path("goldens/text_smollm2")))
    EXPECT_TRUE(r.holds) << r.station;
}

TEST(TextModel, RotaryFrequenciesOfOldFilesAreNotMissed) {
  const test::ModelCopy model("text_llama2");
  const std::vector<float> frequencies(6, 1);
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    for (const int layer : {0, 1})
      tensors.push_back({"model.layers." + std::to_string(layer) + ".self_attn.rotary_emb.inv_freq",
                         {DType::f32, {6}, reinterpret_cast<const std::byte*>(frequencies.data())}});
  });
  EXPECT_NO_THROW(test::Loaded(model.path()));
}

TEST(TextModel, WhatIsMissingOrLeftOverIsNamed) {
  const test::ModelCopy model("text_llama3");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    std::erase_if(tensors, [](const NamedTensor& t) { return t.name == "lm_head.weight"; });
    for (NamedTensor& t : tensors)
      if (t.name == "model.norm.weight") t.name = "model.ln.weight";
  });
  const Error error = test::error_of([&] { test::Loaded loaded(model.path()); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("missing lm_head.weight, expected [400, 48]"));
  EXPECT_THAT(error.what(), HasSubstr("missing model.norm.weight, expected [48]"));
  EXPECT_THAT(error.what(), HasSubstr("unused model.ln.weight [48]"));
}

TEST(TextModel, EitherFileOfLlama2sTokenizerGivesTheSamePrompt) {
  const test::Golden golden("text_llama2_hub");
  for (const char* absent : {"tokenizer.json", "tokenizer.model"}) {
    const test::ModelCopy model("text_llama2_hub");
    model.remove(absent);
    EXPECT_EQ(prompt_of(model.path(), golden.text()), golden.ids("input_ids")) << "without " << absent;
  }
}

TEST(TextModel, PickledWeightsAreRefusedWithAWayOut) {
  const test::ModelCopy model("text_llama2");
  model.remove("model.safetensors");
  model.write("pytorch_model.bin", "PK");
  const Error error = test::error_of([&] { test::Loaded loaded(model.path()); });
  EXPECT_THAT(error.what(), HasSubstr("pytorch_model.bin"));
  EXPECT_THAT(error.what(), HasSubstr("safetensors"));
}

TEST(TextModel, AnUnknownActivationIsRefused) {
  const test::ModelCopy model("text_llama3");
  model.edit("config.json", R"("hidden_act": "silu")", R"("hidden_act": "mish")");
  EXPECT_EQ(test::error_of([&] { test::Loaded loaded(model.path()); }).code(), ErrorCode::model_unsupported);
}

/// One setting of config.json that must matter: with another value the golden does not hold.
struct Setting {
  const char* model;
  const char* old;
  const char* now;
};

class SettingsThatMatter : public testing::TestWithParam<Setting> {};

TEST_P(SettingsThatMatter, ChangeTheLogits) {
  const test::ModelCopy model(GetParam().model);
  model.edit("config.json", GetParam().old, GetParam().now);
  const test::Loaded loaded(model.path());
  const auto results =
      verify(*loaded.frontend, *loaded.engine, test::data_path(std::string("goldens/") + GetParam().model));
  for (const StationResult& r : results)
    if (r.station == "logits") {
      EXPECT_GT(r.max_abs, 0.02);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Settings, SettingsThatMatter,
    testing::Values(
        Setting{"text_mistral", "\"sliding_window\": 7", "\"sliding_window\": 8"},
        Setting{"text_mistral", "\"sliding_window\": 7", "\"sliding_window\": 6"},
        Setting{"text_mistral", "\"sliding_window\": 7", "\"sliding_window\": null"},
        Setting{"text_granite", "\"embedding_multiplier\": 12.0", "\"embedding_multiplier\": 11.0"},
        Setting{"text_granite", "\"residual_multiplier\": 0.22", "\"residual_multiplier\": 0.24"},
        Setting{"text_granite", "\"attention_multiplier\": 0.0625", "\"attention_multiplier\": 0.07"},
        Setting{"text_granite", "\"logits_scaling\": 8.0", "\"logits_scaling\": 7.9"},
        Setting{"text_llama3", "\"factor\": 32.0", "\"factor\": 16.0"},
        Setting{"text_llama2", "\"rope_theta\": 10000.0", "\"rope_theta\": 20000.0"},
        Setting{"text_base", "\"factor\": 4.0", "\"factor\": 3.0"}));

// A prompt in parts sees through the same window as a prompt at once, and so does every later token.
TEST(TextModel, AWindowDoesNotDependOnTheChunks) {
  const Model model = Model::load(tiny("text_mistral"), {.threads = 1});
  const test::Golden golden("text_mistral");
  for (const int64_t chunk : {1, 2, 3, 5, 6, 7, 8, 9, 20, 43}) {
    Request request{.prompt = golden.text().prompt};
    request.options = {.max_new_tokens = 64, .prefill_chunk = chunk};
    EXPECT_EQ(model.ask(request).token_ids, golden.ids("generated_ids")) << chunk;
  }
}

}  // namespace
}  // namespace galago
