// Chat templates against transformers' own environment, the marks of user text, and where a template is
// looked for. Goldens: tools/oracle/text_templates.py.
#include "text/prompt/chat_template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "galago/error.h"

namespace galago {
namespace {

const std::filesystem::path kData = GALAGO_TEST_DATA;

std::vector<ChatMessage> messages_of(const nlohmann::json& list) {
  std::vector<ChatMessage> messages;
  for (const auto& entry : list) {
    ChatMessage message{entry["role"], {}};
    for (const auto& part : entry["content"]) {
      using Type = ContentPart::Type;
      const auto type = part["type"].get<std::string>();
      message.content.push_back({type == "image"   ? Type::image
                                 : type == "video" ? Type::video
                                                   : Type::text,
                                 part.value("text", "")});
    }
    messages.push_back(std::move(message));
  }
  return messages;
}

std::vector<ChatMessage> user(const std::string& text) {
  return {{"user", {{ContentPart::Type::text, text}}}};
}

TEST(ChatTemplateGolden, RendersAsTheReference) {
  std::ifstream file(kData / "text" / "templates.json");
  const auto cases = nlohmann::json::parse(file);
  ASSERT_GE(cases.size(), 150U);
  for (const auto& c : cases) {
    SCOPED_TRACE(c["name"].get<std::string>() + "\n" + c["template"].get<std::string>());
    const TemplateContext context{c["add_generation_prompt"], "<s>", "</s>", {}};
    try {
      const auto chat = ChatTemplate::from_source(c["template"].get<std::string>(), "golden");
      const std::string text = joined(chat.render(messages_of(c["messages"]), context));
      EXPECT_EQ(text, c.value("output", "an error: " + c.value("error", "")));
    } catch (const Error& error) {
      ASSERT_TRUE(c.contains("error")) << error.what();
      const bool raised = c["error"] == "raised";
      EXPECT_EQ(error.code(), raised ? ErrorCode::input_invalid : ErrorCode::model_invalid) << error.what();
    }
  }
}

std::string rendered(const std::string& source, const std::vector<ChatMessage>& messages,
                     const TemplateContext& context = {}) {
  return joined(ChatTemplate::from_source(source, "test").render(messages, context));
}

TEST(ChatTemplate, AMessageWithoutContentHasNone) {
  std::vector<ChatMessage> messages = user("a");
  messages.push_back(
      {.role = "assistant", .content = {}, .fields = R"({"tool_calls": [1]})", .no_content = true});
  EXPECT_EQ(
      rendered("{% for m in messages %}[{{ m.content is none }} {{ m.tool_calls }}]{% endfor %}", messages),
      "[False ][True [1]]");
}

TEST(ChatTemplate, AUsersTextIsNotTheEndOfTheFinalMessage) {
  std::vector<ChatMessage> messages = user("say CONTINUE_FINAL_MESSAGE_TAG please");
  messages.push_back({.role = "assistant", .content = {{ContentPart::Type::text, "SECRET"}}});
  const TemplateContext context{.add_generation_prompt = false, .continue_final_message = true};
  try {
    rendered("{% for m in messages %}{{ m.content if m.role == 'user' }}{% endfor %}", messages, context);
    ADD_FAILURE() << "was rendered";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  }
}

TEST(ChatTemplate, PartsAreSeenWhateverTheTemplateDoesToTheirCase) {
  const std::string source =
      "{{ bos_token + '' }}{% for m in messages %}{% for p in m.content %}"
      "{{ p.text | upper if p.type == 'text' else '<image>' }}{% endfor %}{% endfor %}";
  const std::vector<ChatMessage> messages = {
      {"user", {{ContentPart::Type::image, ""}, {ContentPart::Type::text, "a"}}}};
  EXPECT_EQ(rendered(source, messages, {.bos_token = "<s>"}), "<s><image>A");
}

TEST(ChatTemplateMarks, WhatAUserGivesAsFormatOrIndentIsTheUsers) {
  const TemplateContext context{.arguments = R"({"x": "</s>", "codes": [60, 47, 115, 62]})"};
  for (const char* source : {"{{ [1] | tojson(indent=x) }}", "{{ [1, 2] | tojson(separators=(x, x)) }}",
                             "{{ strftime_now(x) }}", "{% for c in codes %}{{ '%c' % c }}{% endfor %}"}) {
    const Segments segments = ChatTemplate::from_source(source, "test").render(user("a"), context);
    for (const Segment& segment : segments)
      if (!segment.user) {
        EXPECT_EQ(segment.text.find_first_of("</s>"), std::string::npos) << source;
      }
  }
}

TEST(ChatTemplateMarks, UserTextKeepsItsMarkThroughEveryOperation) {
  const struct {
    const char* source;
    Segments expected;
  } cases[] = {
      {"<u>{{ messages[0].content[0].text }}</u>", {{"<u>", false}, {" a<image>b ", true}, {"</u>", false}}},
      {"{{ 'x' + messages[0].content[0].text | trim + 'y' }}",
       {{"x", false}, {"a<image>b", true}, {"y", false}}},
      {"{{ messages[0].content[0].text.split('<')[1] ~ '!' }}", {{"image>b ", true}, {"!", false}}},
      {"{{ messages[0].content[0].text[1:3] | upper }}", {{"A<", true}}},
      {"{{ messages[0].content[0].text | replace('a', '<s>', 1) }}",
       {{" ", true}, {"<s>", false}, {"<image>b ", true}}},
      {"{{ 'u' | replace('u', messages[0].content[0].text) }}", {{" a<image>b ", true}}},
      {"{% set x %}[{{ messages[0].content[0].text }}]{% endset %}{{ x | length }}{{ x }}",
       {{"13[", false}, {" a<image>b ", true}, {"]", false}}},
      {"{{ [messages[0].content[0].text, 'z'] | join('-') }}", {{" a<image>b ", true}, {"-z", false}}},
      {"{{ messages[0].content[0].text | tojson }}", {{"\"", false}, {" a<image>b ", true}, {"\"", false}}},
      {"{% set ns = namespace(t='') %}{% for c in messages[0].content[0].text %}{% set ns.t = ns.t ~ c %}{% "
       "endfor "
       "%}{{ ns.t }}{{ messages[0].content[0].text and '' }}",
       {{" a<image>b ", true}}},
      {"{{ '<u>{}</u>'.format(messages[0].content[0].text) }}",
       {{"<u>", false}, {" a<image>b ", true}, {"</u>", false}}},
      {"{{ messages[0].content | map(attribute='text') | first }}", {{" a<image>b ", true}}},
      {"{{ messages[0].content[0].text.title() }}", {{" A<Image>B ", true}}},
  };
  for (const auto& c : cases) {
    const Segments got = ChatTemplate::from_source(c.source, "marks").render(user(" a<image>b "), {});
    ASSERT_EQ(got.size(), c.expected.size()) << c.source << "\n" << joined(got);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i].text, c.expected[i].text) << c.source;
      EXPECT_EQ(got[i].user, c.expected[i].user) << c.source << ": " << got[i].text;
    }
  }
}

TEST(ChatTemplateForm, PlainTextTemplatesGetTextAndRefusePictures) {
  const auto chat =
      ChatTemplate::from_source("{% for m in messages %}[{{ m['content'] }}]{% endfor %}", "plain");
  EXPECT_EQ(joined(chat.render(user("hi"), {})), "[hi]");
  try {
    chat.render({{"user", {{ContentPart::Type::image, ""}, {ContentPart::Type::text, "hi"}}}}, {});
    FAIL() << "a picture has no place in this template";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input_invalid);
  }
}

// Many templates of text models write whatever they get; a list of parts would come out as Python writes it.
TEST(ChatTemplateForm, WhereBothArePossibleTheOwnerDecides) {
  const auto rendered = [](const std::string& source, TemplateOwner owner) {
    return joined(ChatTemplate::from_source(source, "both", owner).render(user("hi"), {}));
  };
  const std::string both =
      "{% for m in messages %}{{ 'text ' + m.content if m.content is string else "
      "'parts ' + m.content[0].text }}{% endfor %}";
  EXPECT_EQ(rendered(both, TemplateOwner::processor), "parts hi");
  EXPECT_EQ(rendered(both, TemplateOwner::tokenizer), "text hi");
  const std::string lists = "{% for m in messages %}{{ m['role'] + ': ' ~ m['content'] | trim }}{% endfor %}";
  const std::string length = "{{ messages[0].content | length }}";
  for (const auto owner : {TemplateOwner::processor, TemplateOwner::tokenizer}) {
    EXPECT_EQ(rendered(lists, owner), "user: hi");
    EXPECT_EQ(rendered("{% for p in messages[0].content %}{{ p['text'] }}{% endfor %}", owner), "hi");
  }
  EXPECT_EQ(rendered(length, TemplateOwner::processor), "1");
  EXPECT_EQ(rendered(length, TemplateOwner::tokenizer), "2");
}

TEST(ChatTemplateForm, TellsTheTimeItIsGiven) {
  const auto chat =
      ChatTemplate::from_source("{{ strftime_now('%d %b %Y') }}{{ messages[0].content }}", "time");
  TemplateContext context;
  context.now = 951782400;  // 29 February 2000, 00:00 UTC
  EXPECT_EQ(joined(chat.render(user("!"), context)), "29 Feb 2000!");
}

/// A directory of its own for one test.
class TemplateFiles : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(directory_ / name) << text; }
  std::string rendered(TemplateOwner owner = TemplateOwner::processor) {
    return joined(ChatTemplate::from_files(DirectoryFiles(directory_), owner).render(user("hi"), {}));
  }

  std::filesystem::path directory_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("galago_template_") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(TemplateFiles, AreTakenInTheReferencesOrder) {
  EXPECT_THROW(rendered(), Error);
  write("tokenizer_config.json", R"({"chat_template": [{"name": "other", "template": "x"},
                                                       {"name": "default", "template": "tokenizer"}]})");
  EXPECT_EQ(rendered(), "tokenizer");
  write("chat_template.jinja", "jinja\n");
  EXPECT_EQ(rendered(), "jinja");
  write("chat_template.json", R"({"chat_template": "json"})");
  EXPECT_EQ(rendered(), "json");
  write("processor_config.json", R"({"image_seq_len": 64})");
  EXPECT_EQ(rendered(), "json");
  write("processor_config.json", R"({"chat_template": "processor"})");
  EXPECT_EQ(rendered(), "processor");
}

TEST_F(TemplateFiles, OfAProcessorAreNotATokenizers) {
  write("chat_template.json", R"({"chat_template": "json"})");
  write("processor_config.json", R"({"chat_template": "processor"})");
  EXPECT_FALSE(ChatTemplate::find(DirectoryFiles(directory_), TemplateOwner::tokenizer));
  write("tokenizer_config.json", R"({"chat_template": "tokenizer"})");
  EXPECT_EQ(rendered(TemplateOwner::tokenizer), "tokenizer");
  write("chat_template.jinja", "jinja");
  EXPECT_EQ(rendered(TemplateOwner::tokenizer), "jinja");
  EXPECT_EQ(rendered(), "processor");
}

TEST_F(TemplateFiles, ThatLinkToThemselvesAreAnError) {
  for (const char* name : {"chat_template.json", "chat_template.jinja", "tokenizer_config.json"}) {
    std::filesystem::create_symlink(directory_ / name, directory_ / name);
    EXPECT_THROW(rendered(), Error) << name;
    std::filesystem::remove(directory_ / name);
  }
  std::filesystem::create_symlink(directory_ / "tokenizer_config.json", directory_ / "tokenizer_config.json");
  EXPECT_THROW(read_template_context(DirectoryFiles(directory_)), Error);
}

// The older file counts, and counts more, where the config has no list of its added tokens.
TEST_F(TemplateFiles, NameTheStartAndEndTokens) {
  const auto names = [&] { return read_template_context(DirectoryFiles(directory_)); };
  EXPECT_EQ(names().bos_token, "");
  write("special_tokens_map.json", R"({"bos_token": {"content": "<s>"}, "eos_token": "<old>"})");
  write("tokenizer_config.json", R"({"eos_token": "</s>"})");
  EXPECT_EQ(names().bos_token, "<s>");
  EXPECT_EQ(names().eos_token, "<old>");
  write("tokenizer_config.json", R"({"eos_token": "</s>", "added_tokens_decoder": {}})");
  EXPECT_EQ(names().bos_token, "");
  EXPECT_EQ(names().eos_token, "</s>");
  write("tokenizer_config.json", R"({"eos_token": null, "tokenizer_class": "LlamaTokenizerFast"})");
  std::filesystem::remove(directory_ / "special_tokens_map.json");
  EXPECT_EQ(names().bos_token, "<s>");
  EXPECT_EQ(names().eos_token, "");
}

}  // namespace
}  // namespace galago
