// What `galago` says about a model's files while it loads them, and that loading can be stopped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "program.h"

namespace galago::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// A copy of a tiny model whose tensors a test may change.
class Copy {
 public:
  explicit Copy(const std::string& model) { folder_.add_copy_of(data_path("models/" + model)); }

  std::string path() const { return folder_.path().string(); }
  void add(const std::string& name, std::string_view text) const { folder_.add(name, text); }
  void remove(const std::string& name) const { std::filesystem::remove(folder_.file(name)); }
  void change_weights(const std::function<void(std::vector<NamedTensor>&)>& change) const {
    const Checkpoint checkpoint = Checkpoint::open_directory(folder_.path());
    std::vector<NamedTensor> tensors;
    for (const auto& [name, view] : checkpoint.tensors()) tensors.push_back({name, view, {}});
    change(tensors);
    write_safetensors(folder_.file("changed"), tensors);
    std::filesystem::rename(folder_.file("changed"), folder_.file("model.safetensors"));
  }

 private:
  TempDir folder_;
};

TEST(Loading, WarnsOnceOfTensorsOfNoUseAndRefusesThemWithStrict) {
  const Copy model("text_llama2");
  const float extra = 1;
  model.change_weights([&](std::vector<NamedTensor>& tensors) {
    for (const char* name : {"a", "b", "c", "d", "model.layers.0.self_attn.rotary_emb.inv_freq"})
      tensors.push_back({name, {DType::f32, {1}, reinterpret_cast<const std::byte*>(&extra)}, {}});
  });
  const std::vector<std::string> question = {"run", "-m", model.path(), "-p", "abc", "-n", "4"};
  const Finished done = galago(question);
  EXPECT_EQ(done.code, 0);
  EXPECT_THAT(done.err, testing::StartsWith("galago: warning: " + model.path() +
                                            ": 4 tensors are not used: a [1], b [1], c [1], ...\n"));
  EXPECT_EQ(done.out, galago({"run", "-m", data_path("models/text_llama2"), "-p", "abc", "-n", "4"}).out);
  std::vector<std::string> strict = question;
  strict.push_back("--strict");
  const Finished refused = galago(strict);
  EXPECT_EQ(refused.code, 78);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("4 faults in the weights"), HasSubstr("unused d [1]"),
                                 Not(HasSubstr("inv_freq"))));
  EXPECT_THAT(galago({"run", "--help"}).out, HasSubstr("--strict"));
}

TEST(Loading, InspectSaysWhichPrefixWasLeftOut) {
  const Copy model("text_llama2");
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& tensor : tensors) tensor.name = "base_model.model." + tensor.name;
  });
  const Finished shown = galago({"inspect", "-m", model.path()});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_THAT(shown.out, HasSubstr("tensor names without their prefix base_model.model.\n"));
  EXPECT_EQ(galago({"inspect", "-m", model.path(), "--json"}).json()["tensor_prefix"], "base_model.model.");
  EXPECT_EQ(galago({"run", "-m", model.path(), "-p", "abc", "-n", "4"}).out,
            galago({"run", "-m", data_path("models/text_llama2"), "-p", "abc", "-n", "4"}).out);
  model.change_weights([](std::vector<NamedTensor>& tensors) {
    for (NamedTensor& tensor : tensors) tensor.name = "student." + tensor.name;
  });
  const Finished unknown = galago({"run", "-m", model.path(), "-p", "abc"});
  EXPECT_EQ(unknown.code, 78);
  EXPECT_THAT(unknown.err, HasSubstr("every name begins with \"student.\""));
}

TEST(Loading, AModelWithoutATemplateTakesRawTextOrAGivenTemplate) {
  const Copy model("smolvlm_tiles");
  model.remove("chat_template.jinja");
  const std::string whole = data_path("models/smolvlm_tiles");
  const Finished missing = galago({"run", "-m", model.path(), "-p", "abc"});
  EXPECT_EQ(missing.code, 66);
  EXPECT_THAT(missing.err, AllOf(HasSubstr("no chat template"), HasSubstr("--chat-template")));
  const std::vector<std::string> raw = {"--raw", "--parse-special", "-p", "<|im_start|>User: abc", "-n",
                                        "4",     "--json"};
  const auto ask = [](std::string path, std::vector<std::string> more) {
    more.insert(more.begin(), {"run", "-m", std::move(path)});
    const Finished done = galago(more);
    EXPECT_EQ(done.code, 0) << done.err;
    const Json json = done.json();
    return std::pair(json["prompt_token_ids"], json["token_ids"]);
  };
  EXPECT_EQ(ask(model.path(), raw), ask(whole, raw));
  EXPECT_EQ(ask(model.path(),
                {"-p", "abc", "-n", "4", "--json", "--chat-template", whole + "/chat_template.jinja"}),
            ask(whole, {"-p", "abc", "-n", "4", "--json"}));
  EXPECT_EQ(galago({"inspect", "-m", model.path()}).code, 0);
  EXPECT_EQ(galago({"run", "-m", whole, "-p", "abc", "--chat-template", "/no/such/file"}).code, 66);
}

TEST(Loading, AGivenTemplateMayBeAJsonFile) {
  const std::string model = data_path("models/smolvlm_tiles");
  const std::string source = read_bytes(model + "/chat_template.jinja");
  const TempDir files;
  files.add("text.json", Json{{"chat_template", source}}.dump());
  files.add("named.json",
            Json{{"chat_template",
                  {{{"name", "tool_use"}, {"template", "no"}}, {{"name", "default"}, {"template", source}}}}}
                .dump());
  files.add("other.json", R"({"bos_token": "x"})");
  files.add("silent.jinja", "the same for everybody");
  const std::vector<std::string> question = {"run", "-m", model, "-p", "abc", "-n", "4"};
  const auto with = [&](const std::string& name) {
    return galago(question + std::vector<std::string>{"--chat-template", files.file(name)});
  };
  const std::string own = galago(question).out;
  EXPECT_EQ(with("text.json").out, own);
  EXPECT_EQ(with("named.json").out, own);
  const Finished other = with("other.json");
  EXPECT_EQ(other.code, 78);
  EXPECT_THAT(other.err, HasSubstr("a JSON object without chat_template"));
  EXPECT_THAT(with("silent.jinja").err, HasSubstr("the chat template does not write the question's text"));
  const Finished inlined = galago(question + std::vector<std::string>{"--chat-template", "{{ messages }}"});
  EXPECT_EQ(inlined.code, 66);
  EXPECT_THAT(inlined.err, HasSubstr("built-in names and inline templates are not known"));
}

TEST(Loading, GenerationKeysOfConfigJsonCount) {
  const Copy model("text_smollm2");
  model.remove("generation_config.json");
  const Finished plain = galago({"run", "-m", model.path(), "-p", "abc", "-n", "12"});
  const std::string config = read_bytes(model.path() + "/config.json");
  model.add("config.json", replaced(config, "{", "{\"repetition_penalty\": 1.9,"));
  EXPECT_EQ(galago({"run", "-m", model.path(), "-p", "abc", "-n", "12"}).out,
            galago({"run", "-m", data_path("models/text_smollm2"), "-p", "abc", "-n", "12",
                    "--repetition-penalty", "1.9"})
                .out);
  EXPECT_EQ(plain.code, 0);
  model.add("config.json", replaced(config, "{", "{\"num_beams\": 4,"));
  const Finished refused = galago({"run", "-m", model.path(), "-p", "abc"});
  EXPECT_EQ(refused.code, 78);
  EXPECT_THAT(refused.err, HasSubstr("config.json: num_beams: got 4"));
}

/// Exit code and seconds of processor time of a run; a signal other than 0 is sent once the program handles
/// it.
std::pair<int, double> processor_time(std::vector<std::string> arguments, int signal) {
  const TempDir streams;
  const pid_t child = start(arguments, {}, streams);
  while (signal != 0 && !handles_interrupt(child)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (signal != 0) kill(child, signal);
  int status = 0;
  rusage used{};
  wait4(child, &status, 0, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, seconds(used.ru_utime) + seconds(used.ru_stime)};
}

// A vocabulary of so many words takes long to read; the first signal is enough.
TEST(Loading, EndsAtTheFirstSignal) {
  const Copy model("text_smollm2");
  Json tokenizer = Json::parse(read_bytes(model.path() + "/tokenizer.json"));
  for (int i = 0; i < 300'000; ++i) tokenizer["model"]["vocab"]["w" + std::to_string(i)] = 1000 + i;
  model.add("tokenizer.json", tokenizer.dump());
  const std::vector<std::string> question = {"run", "-m", model.path(), "-p", "abc", "-n", "1", "-t", "1"};
  const auto [code, whole] = processor_time(question, 0);
  EXPECT_EQ(code, 0);
  const std::vector<std::string> server = {"serve", "-m", model.path(), "--port", "0", "-t", "1"};
  for (const int signal : {SIGTERM, SIGINT})
    for (const auto& words : {question, server}) {
      const auto [stopped, used] = processor_time(words, signal);
      EXPECT_EQ(stopped, signal == SIGINT ? 130 : 143) << words[0];
      EXPECT_LT(used, whole / 2) << words[0];
    }
}

// So many tokens take a while to be made of a question, too.
TEST(Loading, AQuestionThatIsReadEndsAtTheFirstSignal) {
  const TempDir folder;
  folder.add("question", std::string((16 << 20) - 1000, 'a'));
  const std::vector<std::string> question = {"run", "-m", tiny("text_smollm2"), "-f", folder.file("question"),
                                             "-t",  "1"};
  const auto [code, whole] = processor_time(question, 0);
  EXPECT_EQ(code, 65) << "more tokens than the context has";
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto [stopped, used] = processor_time(question, signal);
    EXPECT_EQ(stopped, signal == SIGINT ? 130 : 143);
    EXPECT_LT(used, whole / 2);
  }
}

}  // namespace
}  // namespace galago::test
