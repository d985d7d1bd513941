// Binding by name and shape: what is found, and the one error that lists everything that is not.
#include "io/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support.h"

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
  Binder binder(checkpoint_);
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
  EXPECT_NO_THROW(binder.finish("m"));
}

TEST_F(Binding, ListsAllFaultsAtOnce) {
  Binder binder(checkpoint_);
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
  Binder binder(checkpoint_);
  binder.waive("l.");
  binder.waive("n.weight");
  binder.waive("id");
  const std::string what = error_of([&] { binder.finish("m"); }).what();
  EXPECT_THAT(what, HasSubstr("2 faults"));
  EXPECT_THAT(what, HasSubstr("unused ids"));
  EXPECT_THAT(what, HasSubstr("unused n.bias"));
}

TEST_F(Binding, NamesAMissingTensorOnce) {
  Binder binder(checkpoint_);
  for (const char* rule : {"l.", "n.", "ids"}) binder.waive(rule);
  binder.root().tensor("tied", {1});
  binder.root().tensor("tied", {1});
  EXPECT_THAT(error_of([&] { binder.finish("m"); }).what(), HasSubstr("1 fault "));
}

TEST_F(Binding, CutsALongList) {
  Binder binder(checkpoint_);
  for (int i = 0; i < 100; ++i) binder.root().sub("x", i).tensor("w", {1});
  const std::string what = error_of([&] { binder.finish("m"); }).what();
  EXPECT_THAT(what, HasSubstr("105 faults"));
  EXPECT_THAT(what, HasSubstr("missing x.39.w"));
  EXPECT_THAT(what, Not(HasSubstr("missing x.40.w")));
  EXPECT_THAT(what, HasSubstr("and 65 more"));
}

}  // namespace
}  // namespace galago
