// A request that waits holds its plan, not its words.
#include "runtime/planned_request.h"

#include <gtest/gtest.h>

#include "galago/galago.h"
#include "support/model_files.h"

namespace galago {
namespace {

TEST(PlannedRequest, KeepsNoneOfItsWords) {
  const Model model = Model::load(test::data_path("models/smolvlm_tiles"), {.threads = 1});
  Request talk{.template_arguments = R"({"a":"b"})"};
  talk.messages = {{.role = "user", .parts = {std::string("What is this?")}, .fields = {}}};
  talk.tools = R"([{"type":"function","function":{"name":"look"}}])";
  const PlannedRequest planned(*model.state(), talk);
  EXPECT_FALSE(planned.plan().ids.empty());
  EXPECT_TRUE(planned.request().messages.empty());
  EXPECT_TRUE(planned.request().tools.empty());
  EXPECT_TRUE(planned.request().template_arguments.empty());
  const PlannedRequest brief(*model.state(), {.prompt = "What is this?", .system = "Be brief."});
  EXPECT_TRUE(brief.request().prompt.empty());
  EXPECT_TRUE(brief.request().system.empty());
}

}  // namespace
}  // namespace galago
