// Which files make a GGUF model: parts of a split file, files told by their first bytes, a vision file by
// name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/gguf/files.h"
#include "models/registry.h"
#include "support/gguf_models.h"

namespace galago {
namespace {

using test::GgufBuilder;
using test::little;
using test::load_error;
using test::TempDir;
using test::tiny_eyes;
using test::tiny_text;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kFirst = "model-00001-of-00002.gguf";
constexpr const char* kSecond = "model-00002-of-00002.gguf";

GgufBuilder& split(GgufBuilder& b, uint16_t number, uint16_t count, std::optional<int32_t> tensors = {}) {
  b.raw("split.no", 2, little(number)).raw("split.count", 2, little(count));
  if (tensors) b.raw("split.tensors.count", 5, little(*tensors));
  return b;
}

/// The tiny text model with a second layer, whose tensors are in the second part.
GgufBuilder first_part() {
  GgufBuilder b = tiny_text().without("llama.block_count").u32("llama.block_count", 2);
  return split(b, 0, 2, 20);
}
GgufBuilder second_part() {
  GgufBuilder b;
  b.zeros("blk.1.attn_norm.weight", {8}).zeros("blk.1.ffn_norm.weight", {8});
  b.zeros("blk.1.attn_q.weight", {8, 8}).zeros("blk.1.attn_k.weight", {8, 4});
  b.zeros("blk.1.attn_v.weight", {8, 4}).zeros("blk.1.attn_output.weight", {8, 8});
  b.zeros("blk.1.ffn_gate.weight", {8, 6}).zeros("blk.1.ffn_up.weight", {8, 6});
  b.zeros("blk.1.ffn_down.weight", {6, 8});
  return split(b, 1, 2);
}

void expect_loads(const std::filesystem::path& path, const std::filesystem::path& mmproj = {}) {
  const auto frontend = load_frontend(path, {.numbers = {}, .mmproj = mmproj, .lora = {}});
  EXPECT_NE(frontend->load_engine(frontend->files().checkpoint()), nullptr) << path;
}

TEST(GgufParts, AreOneModelWhicheverIsNamed) {
  const TempDir directory;
  const auto first = directory.add(kFirst, first_part().bytes());
  const auto second = directory.add(kSecond, second_part().bytes());
  expect_loads(first);
  expect_loads(second);
  expect_loads(directory.path());
  EXPECT_EQ(GgufFiles(directory.path()).checkpoint().files().size(), 2U);
}

TEST(GgufParts, AllMustBeThereAndBeWhatTheirNamesSay) {
  const auto error_of_parts = [](const GgufBuilder& first, const GgufBuilder& second) {
    const TempDir directory;
    const auto file = directory.add(kFirst, first.bytes());
    directory.add(kSecond, second.bytes());
    return load_error(file);
  };
  const auto says = [](const Error& error, const char* text) {
    EXPECT_EQ(error.code(), ErrorCode::model_invalid) << error.what();
    EXPECT_THAT(error.what(), HasSubstr(text));
  };
  GgufBuilder bad = second_part().without("split.no").raw("split.no", 2, little<uint16_t>(0));
  says(error_of_parts(first_part(), bad), "split.no: got 0, expected 1");
  bad = second_part().without("split.count").raw("split.count", 2, little<uint16_t>(3));
  says(error_of_parts(first_part(), bad), "split.count: got 3, expected 2");
  says(error_of_parts(first_part(), second_part().zeros("blk.0.attn_q.weight", {8, 8})),
       "another part holds");
  says(error_of_parts(first_part(), second_part().zeros("more", {8})),
       "split.tensors.count: got 21 in all parts, expected 20");
  GgufBuilder none;
  says(error_of_parts(first_part(), none), "no split.no");

  const TempDir directory;
  const auto alone = directory.add(kFirst, first_part().bytes());
  const Error missing = load_error(alone);
  EXPECT_EQ(missing.code(), ErrorCode::not_found);
  EXPECT_THAT(missing.what(), HasSubstr(kSecond));
  const Error unnamed = load_error(directory.add("other.gguf", first_part().bytes()));
  says(unnamed, "expected a name that says which, as NAME-00001-of-00002.gguf");
}

TEST(GgufParts, OnlyNamesOfTheirFormSayPartsOf) {
  EXPECT_EQ(gguf_part_name("a/b-00002-of-00010.gguf")->stem, "b");
  EXPECT_EQ(gguf_part_name("b-00002-of-00010.gguf")->number, 2);
  EXPECT_EQ(gguf_part_name("b-00002-of-00010.gguf")->count, 10);
  for (const char* name :
       {"b.gguf", "00001-of-00002.gguf", "b-0001-of-00002.gguf", "b-00003-of-00002.gguf",
        "b-00000-of-00002.gguf", "b-00001-of-00002", "-00001-of-.gguf", "b-+0001-of-00002.gguf"})
    EXPECT_FALSE(gguf_part_name(name)) << name;
}

TEST(GgufFilesByMagic, AFileWithoutExtensionIsTold) {
  const TempDir directory;
  const auto blob = directory.add("sha256-0123abcd", tiny_text().bytes());
  expect_loads(blob);
  const Error error = load_error(directory.add("model.safetensors", "{}"));
  EXPECT_EQ(error.code(), ErrorCode::model_invalid);
  EXPECT_THAT(error.what(), HasSubstr("a file that is no GGUF"));
  EXPECT_FALSE(has_gguf_magic(directory.path()));
  EXPECT_FALSE(has_gguf_magic(directory.file("none")));
}

TEST(GgufNamedEyes, AreTakenWhereverTheyLie) {
  const TempDir models, others;
  const auto text = models.add("sha256-text", tiny_text().bytes());
  const auto eyes = others.add("sha256-eyes", tiny_eyes().bytes());
  EXPECT_EQ(read_model_type(GgufFiles(text)), "llama");
  EXPECT_EQ(read_model_type(GgufFiles(text, eyes)), "idefics3");
}

TEST(GgufNamedEyes, MustFit) {
  const TempDir directory;
  const auto text = directory.add("text.gguf", tiny_text().bytes());
  const auto error = [&](const std::string& name, const std::string& bytes) {
    const auto eyes = directory.add(name, bytes);
    return test::error_of([&] { GgufFiles(text, eyes); });
  };
  EXPECT_THAT(error("wide.gguf", tiny_eyes(16).bytes()).what(),
              AllOf(HasSubstr("16 wide"), HasSubstr("text.gguf")));
  EXPECT_THAT(error("text2.gguf", tiny_text().bytes()).what(),
              HasSubstr("expected a vision file (mmproj): clip"));
  EXPECT_EQ(error("cut.gguf", "GGUF").code(), ErrorCode::model_invalid);
  const Error other = test::error_of([&] {
    open_model(test::data_path("models/smolvlm_tiles"), {.numbers = {}, .mmproj = text, .lora = {}});
  });
  EXPECT_EQ(other.code(), ErrorCode::usage);
}

TEST(GgufNamedEyes, AreAskedForWhereAPictureFindsNone) {
  const TempDir directory;
  const auto frontend = load_frontend(directory.add("text.gguf", tiny_text().bytes()));
  const Error error = test::error_of([&] { frontend->plan({8, 8}, std::nullopt); });
  EXPECT_THAT(error.what(),
              AllOf(HasSubstr("no vision file (mmproj) among the .gguf files of "),
                    HasSubstr(directory.path().string()), HasSubstr("--mmproj FILE names one")));
}

}  // namespace
}  // namespace galago
