// The order of a backbone's ways to generate.
#include "runtime/backbone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fakes.h"
#include "runtime/scheduler_loop.h"

namespace galago {
namespace {

using fakes::error_of;
using ::testing::HasSubstr;

TEST(Backbone, TheFirstWayThatIsOfferedIsTaken) {
  for (const int64_t image_tokens : {0, 7}) {
    for (const bool embeds : {false, true})
      for (const bool ids : {false, true})
        EXPECT_EQ(choose_way({.from_embeds = true, .inputs_embeds = embeds, .input_ids = ids}, image_tokens),
                  GenerateWay::from_embeds);
    for (const bool ids : {false, true})
      EXPECT_EQ(choose_way({.inputs_embeds = true, .input_ids = ids}, image_tokens),
                GenerateWay::inputs_embeds);
  }
  EXPECT_EQ(choose_way({.input_ids = true}, 0), GenerateWay::input_ids);
}

TEST(Backbone, IdsAloneSeeNoPicture) {
  const Error error = error_of([] { choose_way({.input_ids = true}, 7); });
  EXPECT_EQ(error.code(), ErrorCode::model_unsupported);
  EXPECT_THAT(error.what(), HasSubstr("7 image tokens"));
}

TEST(Backbone, NoWayIsAnError) {
  EXPECT_EQ(error_of([] { choose_way({}, 0); }).code(), ErrorCode::model_unsupported);
}

// A decoder that cannot see is asked before any work.
TEST(Backbone, ALoopAsksItsModel) {
  class Blind : public fakes::HashModel {
   public:
    Blind() : HashModel(100) {}
    GenerateWays ways() const override { return {.input_ids = true}; }
  } model;
  const SchedulerLoop loop(model, {}, [] { return 0.0; });
  const auto work = fakes::fake_work(5, 1, {});
  EXPECT_NO_THROW(loop.check(*work));
  work->change().image_tokens = 3;
  EXPECT_EQ(error_of([&] { loop.check(*work); }).code(), ErrorCode::model_unsupported);
}

}  // namespace
}  // namespace galago
