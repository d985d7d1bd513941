// Reading and writing safetensors: values, views, shards, order and padding of what is written.
#include "formats/safetensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <numeric>

#include "formats/json.h"
#include "io/files.h"
#include "support/temporary_files.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::TemporaryDirectory;
using test::tensor_file;

template <class T>
TensorView view_of(DType dtype, Shape shape, const std::vector<T>& values) {
  return {dtype, std::move(shape), reinterpret_cast<const std::byte*>(values.data())};
}

constexpr const char* kOne = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";

TEST(Safetensors, ReadsViewsAndMetadata) {
  const TemporaryDirectory directory;
  std::string bytes = tensor_file(
      R"({"b":{"data_offsets":[4,6],"shape":[],"dtype":"BF16"},"__metadata__":{"format":"pt"},)"
      R"("a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"none":{"dtype":"I64","shape":[0,7],"data_offsets":[4,4]}}  )",
      6);
  const float value = 2.5F;
  std::memcpy(bytes.data() + bytes.size() - 6, &value, 4);
  bytes[bytes.size() - 1] = 0x3f;  // 0x3f80: bfloat16 1.0
  bytes[bytes.size() - 2] = static_cast<char>(0x80);
  const Checkpoint checkpoint = Checkpoint::open_file(directory.add("m.safetensors", bytes));
  ASSERT_EQ(checkpoint.tensors().size(), 3u);
  EXPECT_EQ(checkpoint.find("a")->shape, (Shape{1, 1}));
  EXPECT_EQ(element(*checkpoint.find("a"), 0), 2.5F);
  EXPECT_EQ(checkpoint.find("b")->dtype, DType::bf16);
  EXPECT_EQ(checkpoint.find("b")->count(), 1);
  EXPECT_EQ(element(*checkpoint.find("b"), 0), 1.0F);
  EXPECT_EQ(checkpoint.find("none")->count(), 0);
  EXPECT_EQ(checkpoint.find("c"), nullptr);
  EXPECT_EQ(checkpoint.metadata().at("format"), "pt");
  EXPECT_EQ(checkpoint.bytes(), 6);
  EXPECT_EQ(checkpoint.files(), std::vector<fs::path>{directory.path() / "m.safetensors"});
}

// Which pages of [begin, begin + pages) are mapped, as /proc/self/pagemap tells: one character each.
std::string present(const std::byte* begin, size_t pages) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  std::vector<uint64_t> entries(pages);
  const int file = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  const auto at = static_cast<off_t>(reinterpret_cast<uintptr_t>(begin) / page * sizeof(uint64_t));
  EXPECT_EQ(::pread(file, entries.data(), pages * sizeof(uint64_t), at),
            static_cast<ssize_t>(pages * sizeof(uint64_t)));
  ::close(file);
  std::string text;
  for (const uint64_t entry : entries) text += entry >> 63 ? '#' : '.';
  return text;
}

TEST(Safetensors, ReleasesTheTensorsOfAPrefixOnly) {
  const TemporaryDirectory directory;
  const auto page = static_cast<int64_t>(::sysconf(_SC_PAGESIZE));
  std::vector<float> numbers(static_cast<size_t>(4 * page / 4));
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  std::vector<NamedTensor> tensors;
  for (const char* name : {"a.one", "a.two", "b.one", "c.one"})
    tensors.push_back({name, view_of(DType::f32, {4 * page / 4}, numbers)});
  const fs::path file = directory.path() / "m.safetensors";
  write_safetensors(file, tensors);
  Checkpoint checkpoint = Checkpoint::open_file(file);
  checkpoint.add("a.owned", view_of(DType::f32, {4 * page / 4}, numbers), nullptr);

  const std::byte* const start = checkpoint.find("a.one")->data;
  const auto touch = [&] {
    for (const auto& [name, view] : checkpoint.tensors())
      for (int64_t i = 0; i < view.count(); ++i) EXPECT_EQ(element(view, i), static_cast<float>(i)) << name;
  };
  touch();
  ASSERT_EQ(present(start, 17), std::string(17, '#'));  // 16 pages, beginning inside one
  checkpoint.release(std::vector<std::string>{"d."});
  EXPECT_EQ(present(start, 17), std::string(17, '#'));
  checkpoint.release(std::vector<std::string>{"a.", "nothing"});
  EXPECT_EQ(present(start, 17), "#.......#########");  // both of a, but for the pages they share
  touch();
  EXPECT_EQ(present(start, 17), std::string(17, '#'));
  checkpoint.release(std::vector<std::string>{"a.one", "c."});
  EXPECT_EQ(present(start, 17), "#...#########...#");
  touch();
}

TEST(Safetensors, ManyTensorsInF64AreReadInOnePass) {
  const TemporaryDirectory directory;
  const std::vector<double> one{0.1};
  std::vector<NamedTensor> tensors;
  for (int i = 0; i < 50000; ++i) tensors.push_back({std::to_string(i), view_of(DType::f64, {1}, one)});
  write_safetensors(directory.path() / "model.safetensors", tensors);
  const auto begin = std::chrono::steady_clock::now();
  const Checkpoint checkpoint = Checkpoint::open_directory(directory.path());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  EXPECT_EQ(element(*checkpoint.find("49999"), 0), 0.1F);
}

/// A maker of one number, which counts.
Checkpoint::Maker counting(int& made, float number) {
  return [&made, number] {
    ++made;
    const auto memory = std::make_shared<float>(number);
    return std::shared_ptr<const std::byte>(memory, reinterpret_cast<const std::byte*>(memory.get()));
  };
}

TEST(Checkpoints, WhatIsMadeBelongsToATensorNotToItsName) {
  int first = 0, second = 0;
  const TensorView outline{DType::f32, {1}, nullptr};
  Checkpoint one;
  one.add_made("a", outline, counting(first, 1));
  Checkpoint other = one;
  EXPECT_EQ(element(other.read("a"), 0), 1);
  EXPECT_EQ(one.read("a").data, other.read("a").data);  // copies share it
  other.remove("a");
  other.add_made("a", outline, counting(second, 2));
  EXPECT_EQ(element(other.read("a"), 0), 2);
  other.unload("a");
  EXPECT_EQ(element(one.read("a"), 0), 1);
  one.rename("a", "b");
  EXPECT_EQ(element(one.read("b"), 0), 1);
  EXPECT_EQ(first, 1);
  one.unload("b");
  EXPECT_EQ(element(one.read("b"), 0), 1);
  EXPECT_EQ(first, 2);
  EXPECT_EQ(second, 1);
}

TEST(Checkpoints, APartMakesItsOwn) {
  int made = 0;
  Checkpoint whole;
  whole.add_made("a", {DType::f32, {1}, nullptr}, counting(made, 1));
  whole.add_made("b", {DType::f32, {1}, nullptr}, counting(made, 2));
  const auto owned = std::make_shared<float>(3.0F);
  whole.add("c", {DType::f32, {1}, reinterpret_cast<const std::byte*>(owned.get())}, owned);
  const Checkpoint part = whole.part({"a", "c", "none"});
  EXPECT_EQ(part.tensors().size(), 2U);
  const TensorView view = whole.read("a");
  EXPECT_NE(part.read("a").data, view.data);
  part.unload("a");
  part.unload("c");
  EXPECT_EQ(whole.read("a").data, view.data);
  EXPECT_EQ(made, 2);
  EXPECT_EQ(owned.use_count(), 3);
  whole.release(std::vector<std::string>{""});  // there are no files, and nothing is counted from null
}

TEST(Safetensors, AcceptsAFileWithoutTensors) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(
      Checkpoint::open_file(directory.add("m.safetensors", tensor_file("{}      ", 0))).tensors().empty());
}

TEST(Safetensors, ReadsDataThatIsNotAligned) {
  const TemporaryDirectory directory;
  std::string bytes = tensor_file(
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})",
      5);
  const float value = -7.0F;
  std::memcpy(bytes.data() + bytes.size() - 4, &value, 4);
  const Checkpoint checkpoint = Checkpoint::open_file(directory.add("m.safetensors", bytes));
  EXPECT_EQ(element(*checkpoint.find("b"), 0), -7.0F);
}

TEST(Safetensors, WritesWhatItReads) {
  const TemporaryDirectory directory;
  const std::vector<float> floats{1.0F, -0.5F, 3e-8F, 4.0F, 5.0F, 6.0F};
  const std::vector<int64_t> integers{-1, int64_t{1} << 40};
  const std::vector<uint8_t> bytes{1, 2, 3};
  const std::vector<uint16_t> halves{0x3c00};
  const fs::path file = directory.path() / "out.safetensors";
  write_safetensors(file,
                    {{"bytes", view_of(DType::u8, {3}, bytes)},
                     {"z", view_of(DType::f32, {2, 3}, floats)},
                     {"half", view_of(DType::f16, {}, halves)},
                     {"a", view_of(DType::f32, {6}, floats)},
                     {"ids", view_of(DType::i64, {2}, integers)},
                     {"none", {DType::f32, {0, 4}, nullptr}}},
                    {{"made_by", "test \xff"}});

  const Checkpoint read = Checkpoint::open_file(file);
  EXPECT_EQ(read.tensors().size(), 6u);
  EXPECT_EQ(read.metadata().at("made_by"), "test \xef\xbf\xbd");
  EXPECT_EQ(read.find("z")->shape, (Shape{2, 3}));
  EXPECT_EQ(std::memcmp(read.find("z")->data, floats.data(), 24), 0);
  EXPECT_EQ(std::memcmp(read.find("ids")->data, integers.data(), 16), 0);
  EXPECT_EQ(std::memcmp(read.find("bytes")->data, bytes.data(), 3), 0);
  EXPECT_EQ(read.find("none")->shape, (Shape{0, 4}));
  // Each tensor begins at a multiple of its element, and the data at a multiple of eight.
  for (const auto& [name, view] : read.tensors())
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view.data) % static_cast<uintptr_t>(size_of(view.dtype)), 0u)
        << name;
  const std::string text = read_text_file(file, 1 << 20);
  EXPECT_EQ(static_cast<unsigned char>(text[0]) % 8, 0);
  EXPECT_LT(text.find("\"ids\""), text.find("\"a\""));
  EXPECT_LT(text.find("\"a\""), text.find("\"z\""));
}

TEST(Safetensors, RefusesToWriteWhatMakesNoFile) {
  const TemporaryDirectory directory;
  const std::vector<float> floats{1.0F};
  const NamedTensor good{"a", view_of(DType::f32, {1}, floats)};
  const fs::path file = directory.path() / "out";
  EXPECT_EQ(error_of([&] { write_safetensors(file, {good, good}); }).code(), ErrorCode::internal);
  EXPECT_EQ(error_of([&] {
              write_safetensors(file, {{"a", {DType::f32, {1}, nullptr}}});
            }).code(),
            ErrorCode::internal);
  EXPECT_EQ(error_of([&] {
              write_safetensors(file, {{"__metadata__", good.view}});
            }).code(),
            ErrorCode::internal);
  EXPECT_EQ(error_of([&] { write_safetensors(directory.path() / "no" / "out", {good}); }).code(),
            ErrorCode::output_io);
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(Safetensors, ReadsShardsAsOneCheckpoint) {
  const TemporaryDirectory directory;
  directory.add("m-1.safetensors", tensor_file(kOne, 8));
  directory.add("m-2.safetensors",
                tensor_file(R"({"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2));
  directory.add(
      "model.safetensors.index.json",
      R"({"metadata":{"total_size":10},"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}})");
  const Checkpoint checkpoint = Checkpoint::open_directory(directory.path());
  EXPECT_EQ(checkpoint.tensors().size(), 2u);
  EXPECT_EQ(checkpoint.files().size(), 2u);
  EXPECT_EQ(checkpoint.bytes(), 10);
}

TEST(Safetensors, PrefersTheSingleFile) {
  const TemporaryDirectory directory;
  directory.add("model.safetensors", tensor_file(kOne, 8));
  directory.add("model.safetensors.index.json", "broken");
  EXPECT_NE(Checkpoint::open_directory(directory.path()).find("a"), nullptr);
}

TEST(Safetensors, FollowsSymbolicLinksAsTheHubCacheHasThem) {
  const TemporaryDirectory blobs;
  const TemporaryDirectory directory;
  const fs::path blob = blobs.add("0a1b2c", tensor_file(kOne, 8));
  fs::create_symlink(blob, directory.path() / "model.safetensors");
  EXPECT_NE(Checkpoint::open_directory(directory.path()).find("a"), nullptr);
}

TEST(Safetensors, ViewsOutliveTheCheckpointTheyWereCopiedFrom) {
  const TemporaryDirectory directory;
  Checkpoint copy;
  {
    const Checkpoint original = Checkpoint::open_file(directory.add("m.safetensors", tensor_file(kOne, 8)));
    copy = original;
  }
  EXPECT_EQ(element(*copy.find("a"), 1), 0.0F);
}

// Every byte of a small header, replaced in several ways: an answer or an Error, never anything else.
TEST(Safetensors, SurvivesEveryMutationOfAHeader) {
  const TemporaryDirectory directory;
  const std::string valid = tensor_file(
      R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"b":{"dtype":"I8","shape":[3],"data_offsets":[8,11]}})",
      11);
  const size_t header_end = valid.size() - 11;
  int refused = 0;
  int accepted = 0;
  const auto attempt = [&](const std::string& bytes) {
    const fs::path file = directory.add("m.safetensors", bytes);
    try {
      const Checkpoint checkpoint = Checkpoint::open_file(file);
      for (const auto& [name, view] : checkpoint.tensors())  // touch all that a view claims
        for (int64_t i = 0; i < view.count() * size_of(view.dtype); ++i)
          EXPECT_LE(std::to_integer<int>(view.data[i]), 255);
      ++accepted;
    } catch (const Error& error) {
      EXPECT_NE(error.code(), ErrorCode::internal) << error.what();
      ++refused;
    }
  };
  for (size_t at = 0; at < header_end; ++at) {
    for (const int change : {0x01, 0x02, 0x10, 0x80, 0xff}) {
      std::string bytes = valid;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      attempt(bytes);
    }
    attempt(valid.substr(0, at));
    attempt(valid.substr(0, at) + valid.substr(at + 1));
    attempt(valid.substr(0, at) + valid[at] + valid.substr(at));
  }
  EXPECT_GT(refused, 700);
  EXPECT_GT(accepted, 0);  // e.g. another tensor name
}

}  // namespace
}  // namespace galago
