// Bad input to the whole program: the exit code, the error's name on stderr, the same in JSON, and never a
// crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "program.h"

namespace galago::test {
namespace {

using testing::HasSubstr;

// A folder with a copy of the small model in m/ and some pictures that are none.
class Scene {
 public:
  Scene() {
    std::filesystem::create_directory(root_.path() / "m");
    for (const auto& entry : std::filesystem::directory_iterator(tiny()))
      std::filesystem::copy_file(entry.path(), root_.path() / "m" / entry.path().filename());
    add("good.png", read_bytes(picture("shapes_37x90.png")));
    add("text.png", "this is no picture\n");
    add("empty.png", "");
    add("cut.png", read_bytes(picture("shapes_37x90.png")).substr(0, 300));
    add("cut.jpg", read_bytes(picture("shapes_640x488.jpg")).substr(0, 20));
    add("image.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n");
    add("huge.bmp", bmp_header(60000, 60000));
    add("zero.bmp", bmp_header(0, 10));
  }
  std::string file(const std::string& name) const { return root_.file(name); }
  void add(const std::string& name, std::string_view content) const { root_.add(name, content); }
  void edit(const std::string& name, const std::string& old, const std::string& now) const {
    add(name, replaced(read_bytes(file(name)), old, now));
  }
  void cut(const std::string& name, size_t length) const {
    add(name, read_bytes(file(name)).substr(0, length));
  }
  void remove(const std::string& name) const { std::filesystem::remove(file(name)); }

 private:
  static std::string bmp_header(uint32_t width, uint32_t height) {
    std::string bytes = "BM";
    const auto number = [&](uint32_t value, int size) {
      for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
    };
    for (const uint32_t value : {70U, 0U, 54U, 40U, width, height}) number(value, 4);
    number(1, 2);
    number(24, 2);
    for (int i = 0; i < 6; ++i) number(0, 4);
    return bytes;
  }

  TempDir root_;
};

struct Case {
  const char* name;
  int code;
  const char* word;                        // the error's name
  std::vector<std::string> arguments;      // "@x" stands for file x of the scene
  void (*damage)(const Scene&) = nullptr;  // done first
  const char* input = "";
  const char* says = "";  // part of the text
};

const std::vector<std::string> kAsk{"run", "-m", "@m", "-n", "2", "-p", "What is it?"};

std::vector<Case> usage_cases() {
  return {
      {"no_command", 64, "usage", {}},
      {"unknown_command", 64, "usage", {"dance"}},
      {"unknown_flag", 64, "usage", kAsk + std::vector<std::string>{"--colour"}, nullptr, "", "--colour"},
      {"missing_prompt", 64, "usage", {"run", "-m", "@m"}, nullptr, "", "--prompt"},
      {"flag_without_value", 64, "usage", {"run", "-m", "@m", "-p"}},
      {"n_is_no_number", 64, "usage", {"run", "-m", "@m", "-p", "x", "-n", "many"}},
      {"n_is_zero", 64, "usage", {"run", "-m", "@m", "-p", "x", "-n", "0"}, nullptr, "", "--max-new-tokens"},
      {"bad_dtype", 64, "usage", kAsk + std::vector<std::string>{"--dtype", "q5"}, nullptr, "",
       "expected auto, f32, bf16, q8 or q4"},
      {"bad_threads", 64, "usage", kAsk + std::vector<std::string>{"-t", "-3"}},
      {"negative_temperature", 64, "usage", kAsk + std::vector<std::string>{"--temp", "-1"}},
      {"temperature_is_no_number", 64, "usage", kAsk + std::vector<std::string>{"--temp", "nan"}},
      {"top_p_above_one", 64, "usage", kAsk + std::vector<std::string>{"--top-p", "1.5"}},
      {"min_p_below_zero", 64, "usage", kAsk + std::vector<std::string>{"--min-p", "-0.1"}},
      {"penalty_of_zero", 64, "usage", kAsk + std::vector<std::string>{"--repetition-penalty", "0"}},
      {"empty_stop", 64, "usage", kAsk + std::vector<std::string>{"--stop", ""}},
      {"split_and_no_split", 64, "usage", kAsk + std::vector<std::string>{"--split", "--no-split"}},
      {"both_from_stdin", 64, "usage", {"run", "-m", "@m", "-p", "-", "-i", "-"}},
      {"trace_without_output", 64, "usage", {"trace", "-m", "@m", "-p", "x"}},
      {"verify_without_golden", 64, "usage", {"verify", "-m", "@m"}}};
}

std::vector<Case> input_cases() {
  const auto with = [](const char* image) { return kAsk + std::vector<std::string>{"-i", image}; };
  return {{"text_as_image", 65, "unsupported_media", with("@text.png"), nullptr, "", "text.png"},
          {"svg", 65, "unsupported_media", with("@image.svg")},
          {"empty_image", 65, "input_invalid", with("@empty.png")},
          {"truncated_png", 65, "input_invalid", with("@cut.png"), nullptr, "", "cut.png"},
          {"truncated_jpeg", 65, "input_invalid", with("@cut.jpg")},
          {"bomb", 65, "input_too_large", with("@huge.bmp"), nullptr, "", "178956970"},
          {"zero_pixels", 65, "input_invalid", with("@zero.bmp")},
          {"folder_as_image", 65, "input_invalid", with("@m")},
          {"device_as_image", 65, "input_invalid", with("/dev/zero")},
          {"empty_stdin_as_image", 65, "input_invalid", with("-")},
          {"text_on_stdin_as_image", 65, "unsupported_media", with("-"), nullptr, "hello"},
          {"missing_image", 66, "not_found", with("@nobody.png"), nullptr, "", "nobody.png"},
          {"good_then_missing_image", 66, "not_found",
           with("@good.png") + std::vector<std::string>{"-i", "@nobody.png"}},
          {"long_prompt", 65, "input_too_large", {"run", "-m", "@m", "-p", "-"}, nullptr, nullptr, "2048"},
          {"prompt_is_no_utf8", 65, "input_invalid", {"run", "-m", "@m", "-p", "a\xff\xfe"}},
          {"inspect_text_as_image", 65, "unsupported_media", {"inspect", "-m", "@m", "-i", "@text.png"}},
          {"inspect_missing_image", 66, "not_found", {"inspect", "-m", "@m", "-i", "@nobody.png"}},
          {"trace_corrupt_image",
           65,
           "input_invalid",
           {"trace", "-m", "@m", "-p", "x", "-o", "@t.safetensors", "-i", "@cut.png"}},
          {"verify_without_golden_folder", 66, "not_found", {"verify", "-m", "@m", "--golden", "@nobody"}}};
}

std::vector<Case> model_cases() {
  return {
      {"missing_model", 66, "not_found", {"run", "-m", "@nobody", "-p", "x"}, nullptr, "", "nobody"},
      {"file_as_model", 66, "not_found", {"run", "-m", "@good.png", "-p", "x"}},
      {"no_config", 66, "not_found", kAsk, [](const Scene& s) { s.remove("m/config.json"); }, "",
       "config.json"},
      {"no_weights", 66, "not_found", kAsk, [](const Scene& s) { s.remove("m/model.safetensors"); }},
      {"no_tokenizer", 66, "not_found", kAsk, [](const Scene& s) { s.remove("m/tokenizer.json"); }},
      {"broken_config", 78, "model_invalid", kAsk, [](const Scene& s) { s.cut("m/config.json", 100); }, "",
       "config.json"},
      {"config_is_a_list", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.add("m/config.json", "[1, 2]"); }},
      {"unknown_model_type", 78, "model_unsupported", kAsk,
       [](const Scene& s) { s.edit("m/config.json", "\"idefics3\"", "\"mamba\""); }, "", "idefics3, smolvlm"},
      {"heads_do_not_divide", 78, "model_invalid", kAsk,
       [](const Scene& s) {
         s.edit("m/config.json", "\"num_attention_heads\": 4,\n    \"num_hidden_layers\": 3",
                "\"num_attention_heads\": 5,\n    \"num_hidden_layers\": 3");
       }},
      {"scale_does_not_divide", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.edit("m/config.json", "\"scale_factor\": 4", "\"scale_factor\": 5"); }},
      {"giant_width", 78, "model_invalid", kAsk,
       [](const Scene& s) {
         s.edit("m/config.json", "\"hidden_size\": 64", "\"hidden_size\": 4611686018427387904");
       }},
      {"image_token_elsewhere", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.edit("m/config.json", "\"image_token_id\": 510", "\"image_token_id\": 5"); }},
      {"truncated_weights", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.cut("m/model.safetensors", 200000); }, "", "model.safetensors"},
      {"weights_are_text", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.add("m/model.safetensors", "version https://git-lfs.github.com/spec/v1\n"); }},
      {"empty_weights", 78, "model_invalid", kAsk, [](const Scene& s) { s.add("m/model.safetensors", ""); }},
      {"pickled_weights", 78, "model_unsupported", kAsk,
       [](const Scene& s) {
         s.remove("m/model.safetensors");
         s.add("m/pytorch_model.bin", "x");
       }},
      {"index_leads_out", 78, "model_invalid", kAsk,
       [](const Scene& s) {
         s.remove("m/model.safetensors");
         s.add("m/model.safetensors.index.json", R"({"weight_map": {"a": "../../etc/passwd.safetensors"}})");
       }},
      {"missing_layer", 78, "model_invalid", kAsk,
       [](const Scene& s) {
         s.edit("m/config.json", "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
       },
       "", "missing model.text_model.layers.3"},
      {"broken_tokenizer", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.cut("m/tokenizer.json", 2000); }},
      {"broken_template", 78, "model_invalid", kAsk,
       [](const Scene& s) { s.add("m/chat_template.jinja", "{% for m in messages %}{{ m.role }}"); }},
      {"template_refuses", 65, "input_invalid", kAsk,
       [](const Scene& s) { s.add("m/chat_template.jinja", "{{ raise_exception('no such roles') }}"); }, "",
       "no such roles"},
      {"template_without_images", 65, "input_invalid", kAsk + std::vector<std::string>{"-i", "@good.png"},
       [](const Scene& s) { s.add("m/chat_template.jinja", "nothing at all"); }}};
}

std::vector<Case> cases() {
  std::vector<Case> all = usage_cases();
  for (const auto& more : {input_cases(), model_cases()}) all.insert(all.end(), more.begin(), more.end());
  return all;
}

class BadInput : public testing::TestWithParam<Case> {};

TEST_P(BadInput, IsAnswered) {
  const Case& c = GetParam();
  const Scene scene;
  if (c.damage) c.damage(scene);
  std::vector<std::string> arguments;
  for (const std::string& word : c.arguments)
    arguments.push_back(word.starts_with('@') ? scene.file(word.substr(1)) : word);
  std::string input;
  if (c.input) input = c.input;
  for (int i = 0; !c.input && i < 3000; ++i) input += " word";

  const Finished text = galago(arguments, {.input = input, .seconds = 30});
  EXPECT_EQ(text.code, c.code) << text.err;
  std::string errors = text.err;  // a template may be warned about first
  if (errors.starts_with("galago: warning: ")) errors.erase(0, errors.find('\n') + 1);
  EXPECT_THAT(errors, testing::StartsWith("galago: " + std::string(c.word) + ": "));
  EXPECT_THAT(text.err, HasSubstr(c.says));
  EXPECT_EQ(text.out, "");
  EXPECT_THAT(text.err, testing::Not(HasSubstr("bug in galago")));

  if (arguments.empty() || arguments[0] == "dance" || arguments[0] == "trace" || arguments.back() == "-p")
    return;  // these have no --json
  const Finished json =
      galago(arguments + std::vector<std::string>{"--json"}, {.input = input, .seconds = 30});
  EXPECT_EQ(json.code, c.code);
  ASSERT_TRUE(Json::accept(json.out)) << json.out;
  EXPECT_EQ(json.json()["error"]["code"], c.word);
  EXPECT_THAT(json.json()["error"]["message"].get<std::string>(), HasSubstr(c.says));
}

INSTANTIATE_TEST_SUITE_P(Cases, BadInput, testing::ValuesIn(cases()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace galago::test
