// Binding by name and shape: what is found, and the one error that lists everything that is not.
#include "formats/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/devices.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

using test::error_of;
using test::TemporaryDirectory;
using test::tensor_file;
using testing::HasSubstr;
using testing::Not;

/// Tensors q.weight [2,3] f32, q.bias [2] f16, n.weight [3] bf16, n.bias [3] f32, ids [1] i64.
class Binding : public testing::Test {
 protected:
  Binding() {
    const std::string header = R"({"l.0.q.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                               R"("l.0.q.bias":{"dtype":"F16","shape":[2],"data_offsets":[24,28]},)"
                               R"("n.weight":{"dtype":"BF16","shape":[3],"data_offsets":[28,34]},)"
                               R"("n.bias":{"dtype":"F32","shape":[3],"data_offsets":[34,46]},)"
                               R"("ids":{"dtype":"I64","shape":[1],"data_offsets":[46,54]}})";
    checkpoint_ = Checkpoint::open_file(directory_.add("m.safetensors", tensor_file(header, 54)));
  }

  TemporaryDirectory directory_;
  Checkpoint checkpoint_;
};

TEST_F(Binding, FindsEverythingByNameAndShape) {
  Binder binder(checkpoint_, test::device());
  const Scope layer = binder.root().sub("l", 0);
  const LinearView q = layer.linear("q", {2, 3}, Bias::yes);
  const NormView n = binder.root().norm("n", 3);
  EXPECT_EQ((Shape{q.weight.rows, q.weight.cols}), (Shape{2, 3}));
  EXPECT_EQ(q.bias.dtype, DType::f16);
  EXPECT_EQ(n.weight.dtype, DType::bf16);
  EXPECT_EQ(n.bias.data, checkpoint_.find("n.bias")->data);
  EXPECT_TRUE(layer.has("q.weight"));
  EXPECT_FALSE(layer.has("k.weight"));
  binder.waive("ids");
  EXPECT_THAT(binder.finish("m"), testing::IsEmpty());
}

TEST_F(Binding, GivesBackWhatNobodyAskedFor) {
  Binder binder(checkpoint_, test::device());
  binder.root().norm("n", 3);
  const std::vector<std::string> unused = binder.finish("m");
  EXPECT_THAT(unused, testing::ElementsAre("ids [1]", "l.0.q.bias [2]", "l.0.q.weight [2, 3]"));
  EXPECT_THAT(
      unused_warnings(unused, false, "m"),
      testing::ElementsAre("m: 3 tensors are not used: ids [1], l.0.q.bias [2], l.0.q.weight [2, 3]"));
  EXPECT_THAT(unused_warnings({"a [1]", "b [1]", "c [1]", "d [1]"}, false, "m").at(0),
              HasSubstr("4 tensors are not used: a [1], b [1], c [1], ..."));
  EXPECT_THAT(unused_warnings({}, true, "m"), testing::IsEmpty());
  const Error error = error_of([&] { unused_warnings(unused, true, "m"); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("3 faults in the weights\n  unused ids [1]"));
}

TEST(Buffers, OfOlderVersionsAreNotMissed) {
  Checkpoint checkpoint;
  const float one = 1;
  for (const char* name :
       {"rotary_emb.inv_freq", "model.layers.0.self_attn.rotary_emb.inv_freq", "x.rotary_emb.cos_cached",
        "x.rotary_emb.sin_cached", "a.embeddings.position_ids", "position_ids", "my_position_ids"})
    checkpoint.add(name, {DType::f32, {1}, reinterpret_cast<const std::byte*>(&one)}, nullptr);
  EXPECT_THAT(Binder(checkpoint, test::device()).finish("m"), testing::ElementsAre("my_position_ids [1]"));
}

TEST(Wrappers, AMissingNameBehindAStrangePrefixIsNamed) {
  Checkpoint checkpoint;
  const float one = 1;
  for (const char* name : {"student.a.w", "student.b.w"})
    checkpoint.add(name, {DType::f32, {1}, reinterpret_cast<const std::byte*>(&one)}, nullptr);
  Binder binder(checkpoint, test::device());
  binder.root().tensor("a.w", {1});
  EXPECT_THAT(error_of([&] { binder.finish("m"); }).hint(), HasSubstr("every name begins with \"student.\""));
}

TEST_F(Binding, ListsAllFaultsAtOnce) {
  Binder binder(checkpoint_, test::device());
  EXPECT_EQ(binder.root().sub("l", 0).linear("q", {3, 2}).weight.values, nullptr);
  EXPECT_EQ(binder.root().tensor("gone", {4, 5}).data, nullptr);
  EXPECT_EQ(binder.root().tensor("ids", {1}).data, nullptr);
  const Error error = error_of([&] { binder.finish("some/model"); });
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_EQ(error.where(), "some/model");
  const std::string what = error.what();
  EXPECT_THAT(what, HasSubstr("6 faults"));
  EXPECT_THAT(what, HasSubstr("shape of l.0.q.weight: got [2, 3], expected [3, 2]"));
  EXPECT_THAT(what, HasSubstr("missing gone, expected [4, 5]"));
  EXPECT_THAT(what, HasSubstr("type of ids: got I64, expected F32, F16 or BF16"));
  EXPECT_THAT(what, HasSubstr("unused l.0.q.bias [2]"));
  EXPECT_THAT(what, HasSubstr("unused n.weight [3]"));
  EXPECT_THAT(what, Not(HasSubstr("unused ids")));
}

TEST_F(Binding, WaivesNamesAndPrefixesButNotPartsOfNames) {
  Binder binder(checkpoint_, test::device());
  binder.waive("l.");
  binder.waive("n.weight");
  binder.waive("id");
  EXPECT_THAT(binder.finish("m"), testing::ElementsAre("ids [1]", "n.bias [3]"));
}

TEST_F(Binding, NamesAMissingTensorOnce) {
  Binder binder(checkpoint_, test::device());
  for (const char* rule : {"l.", "n.", "ids"}) binder.waive(rule);
  binder.root().tensor("tied", {1});
  binder.root().tensor("tied", {1});
  EXPECT_THAT(error_of([&] { binder.finish("m"); }).what(), HasSubstr("1 fault "));
}

TEST_F(Binding, CutsALongList) {
  Binder binder(checkpoint_, test::device());
  for (int i = 0; i < 100; ++i) binder.root().sub("x", i).tensor("w", {1});
  const std::string what = error_of([&] { binder.finish("m"); }).what();
  EXPECT_THAT(what, HasSubstr("105 faults"));
  EXPECT_THAT(what, HasSubstr("missing x.39.w"));
  EXPECT_THAT(what, Not(HasSubstr("missing x.40.w")));
  EXPECT_THAT(what, HasSubstr("and 65 more"));
}

}  // namespace
}  // namespace galago
