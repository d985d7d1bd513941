// Prompts of conversations against transformers: the ids of 260 of them, over every family.
// Goldens: tools/oracle/conversation_goldens.py.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "galago/error.h"
#include "models/registry.h"
#include "runtime/pipeline.h"
#include "support/fixtures.h"

namespace galago {
namespace {

using Ordered = nlohmann::ordered_json;

const Ordered& goldens() {
  static const Ordered all = Ordered::parse(test::read_bytes(test::data_path("text/conversations.json")));
  return all;
}

/// A model's frontend, with its own template or with the one that shows its whole context.
const Frontend& frontend_of(const std::string& model, bool whole) {
  static std::map<std::pair<std::string, bool>, std::unique_ptr<const Frontend>> loaded;
  auto& frontend = loaded[{model, whole}];
  if (!frontend) {
    const test::TempDir directory;
    ModelOptions options;
    if (whole) options.chat_template = directory.add("whole.jinja", goldens()["whole"].get<std::string>());
    frontend = load_frontend(test::data_path("models/" + model), options);
  }
  return *frontend;
}

std::vector<int32_t> ids_of(const Ordered& runs) {
  std::vector<int32_t> ids;
  for (const Ordered& run : runs) {
    if (run.is_array())
      ids.insert(ids.end(), run[1].get<size_t>(), run[0].get<int32_t>());
    else
      ids.push_back(run.get<int32_t>());
  }
  return ids;
}

struct Asked {
  PromptText text;
  std::vector<ImageSize> sizes;
};

Asked asked_in(const Ordered& golden) {
  Asked asked;
  asked.text.add_generation_prompt = golden["add_generation_prompt"];
  asked.text.continue_final_message = golden.value("continue_final_message", false);
  if (golden.contains("tools")) asked.text.tools = golden["tools"].dump();
  if (golden.contains("arguments")) asked.text.arguments = golden["arguments"].dump();
  for (const Ordered& message : golden["messages"]) {
    ChatMessage& taken = asked.text.messages.emplace_back();
    taken.role = message["role"];
    if (message.contains("fields")) taken.fields = message["fields"].dump();
    for (const Ordered& part : message["content"]) {
      const bool image = part["type"] == "image";
      taken.content.push_back({.type = image ? ContentPart::Type::image : ContentPart::Type::text,
                               .text = image ? "" : part["text"].get<std::string>()});
      if (image) asked.sizes.push_back({.width = part["size"][0], .height = part["size"][1]});
    }
  }
  return asked;
}

TEST(Conversations, HaveTheIdsOfTransformers) {
  int with_pictures = 0;
  ASSERT_GE(goldens()["cases"].size(), 200U);
  for (const Ordered& golden : goldens()["cases"]) {
    SCOPED_TRACE(golden.dump());
    const Frontend& frontend = frontend_of(golden["model"], golden.value("whole", false));
    const Asked asked = asked_in(golden);
    with_pictures += !asked.sizes.empty();
    std::vector<ImagePlan> plans;
    for (const ImageSize& size : asked.sizes) plans.push_back(frontend.plan(size, {}));
    try {
      const std::vector<int32_t> ids = frontend.prompt_ids(asked.text, plans);
      ASSERT_TRUE(golden.contains("ids"));
      ASSERT_EQ(ids, ids_of(golden["ids"]));
    } catch (const Error& error) {
      ASSERT_TRUE(golden.contains("error")) << error.what();
      EXPECT_EQ(error.code(), ErrorCode::input_invalid) << error.what();
    }
  }
  EXPECT_GE(with_pictures, 80);
}

}  // namespace
}  // namespace galago
