// A shared folder of tensors: what is kept, what leaves, and everything that may lie there instead.
#include "formats/safetensors/tensor_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "io/files.h"
#include "support/fixtures.h"

namespace galago {
namespace {

namespace fs = std::filesystem;
using test::TempDir;

constexpr int64_t kRoomy = 1 << 20;

Digest key_of(int number) {
  Sha256 hash;
  hash.add_number(number);
  return hash.finish();
}

Tensor rows_of(int number) { return test::random_tensor({4, 6}, static_cast<unsigned>(number)); }

fs::path file_of(const TempDir& directory, int number) {
  return directory.path() / (to_hex(key_of(number)) + ".safetensors");
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename());
  return names;
}

TEST(TensorStore, GivesBackWhatWasPut) {
  const TempDir directory;
  const TensorStore store(directory.path(), kRoomy, "test");
  EXPECT_FALSE(store.find(key_of(1), {4, 6}));
  EXPECT_TRUE(store.put(key_of(1), rows_of(1)));
  const auto found = TensorStore(directory.path(), kRoomy, "test").find(key_of(1), {4, 6});
  ASSERT_TRUE(found);
  EXPECT_EQ(test::values(*found), test::values(rows_of(1)));
  EXPECT_FALSE(store.find(key_of(2), {4, 6}));
  EXPECT_THAT(names_in(directory.path()), testing::ElementsAre(file_of(directory, 1).filename()));
}

TEST(TensorStore, IsReadByTheOrdinaryReader) {
  const TempDir directory;
  TensorStore(directory.path(), kRoomy, "test").put(key_of(1), rows_of(1));
  const Checkpoint file = Checkpoint::open_file(file_of(directory, 1));
  ASSERT_NE(file.find("rows"), nullptr);
  EXPECT_EQ(file.find("rows")->shape, (Shape{4, 6}));
  EXPECT_EQ(file.metadata().at("kind"), "test");
  EXPECT_EQ(file.metadata().at("key"), to_hex(key_of(1)));
}

TEST(TensorStore, MakesItsFolderForItsOwnerAlone) {
  const TempDir directory;
  const fs::path folder = directory.path() / "a" / "b";
  EXPECT_TRUE(TensorStore(folder, kRoomy, "test").put(key_of(1), rows_of(1)));
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  EXPECT_EQ(names_in(folder).size(), 1U);
}

TEST(TensorStore, RefusesAFolderThatCannotBeWrittenTo) {
  const TempDir directory;
  directory.add("file", "x");
  for (const fs::path& folder : {directory.path() / "file", directory.path() / "file" / "below",
                                 fs::path("/proc/galago-cache"), fs::path("/proc/self")}) {
    const Error error = test::error_of([&] { TensorStore(folder, kRoomy, "test"); });
    EXPECT_EQ(error.code(), ErrorCode::output_io) << folder;
    EXPECT_THAT(error.where(), testing::HasSubstr(folder.string()));
  }
}

// What may lie under a key's name. Each takes the place of a good file.
struct Hostile {
  const char* name;
  void (*place)(const TempDir& directory, const fs::path& file);
};

void rewrite(const fs::path& file, const std::function<void(std::string&)>& change) {
  std::string bytes = test::read_bytes(file);
  change(bytes);
  fs::remove(file);
  std::ofstream(file, std::ios::binary) << bytes;
}

void write_as(const fs::path& file, const std::string& name, const Tensor& rows,
              const std::map<std::string, std::string>& metadata) {
  const auto* bytes = reinterpret_cast<const std::byte*>(rows.data());
  fs::remove(file);
  write_safetensors(file, {{name, {DType::f32, rows.shape(), bytes}}}, metadata);
}

std::map<std::string, std::string> good_metadata(const Tensor& rows) {
  const auto bytes = std::as_bytes(std::span(rows.data(), static_cast<size_t>(rows.size())));
  return {{"kind", "test"}, {"key", to_hex(key_of(1))}, {"sha256", to_hex(sha256(bytes))}};
}

const Hostile kHostile[] = {
    {"empty", [](const TempDir&, const fs::path& f) { rewrite(f, [](std::string& b) { b.clear(); }); }},
    {"cut_in_the_header",
     [](const TempDir&, const fs::path& f) { rewrite(f, [](std::string& b) { b.resize(20); }); }},
    {"cut_in_the_rows",
     [](const TempDir&, const fs::path& f) { rewrite(f, [](std::string& b) { b.resize(b.size() - 1); }); }},
    {"longer", [](const TempDir&, const fs::path& f) { rewrite(f, [](std::string& b) { b += "more"; }); }},
    {"one_bit_of_the_rows",
     [](const TempDir&, const fs::path& f) { rewrite(f, [](std::string& b) { b[b.size() - 7] ^= 1; }); }},
    {"noise", [](const TempDir&,
                 const fs::path& f) { rewrite(f, [](std::string& b) { b.assign(b.size(), '\xa5'); }); }},
    {"header_of_many_gigabytes",
     [](const TempDir&, const fs::path& f) {
       rewrite(f, [](std::string& b) { b.replace(0, 8, "\0\0\0\0\7\0\0\0", 8); });
     }},
    {"a_file_of_gigabytes",
     [](const TempDir&, const fs::path& f) { fs::resize_file(f, uintmax_t{8} << 30); }},
    {"of_another_key",
     [](const TempDir& d, const fs::path& f) {
       const TensorStore store(d.path(), kRoomy, "test");
       store.put(key_of(2), rows_of(2));
       fs::rename(file_of(d, 2), f);
     }},
    {"of_another_kind",
     [](const TempDir& d, const fs::path&) {
       TensorStore(d.path(), kRoomy, "else").put(key_of(1), rows_of(1));
     }},
    {"of_another_shape",
     [](const TempDir& d, const fs::path&) {
       TensorStore(d.path(), kRoomy, "test").put(key_of(1), test::random_tensor({6, 4}, 1));
     }},
    {"of_another_name",
     [](const TempDir&, const fs::path& f) {
       write_as(f, "weights", rows_of(1), good_metadata(rows_of(1)));
     }},
    {"without_metadata", [](const TempDir&, const fs::path& f) { write_as(f, "rows", rows_of(1), {}); }},
    {"with_the_checksum_of_others",
     [](const TempDir&, const fs::path& f) { write_as(f, "rows", rows_of(2), good_metadata(rows_of(1))); }},
    {"of_integers",
     [](const TempDir&, const fs::path& f) {
       const Tensor rows = rows_of(1);
       const auto* bytes = reinterpret_cast<const std::byte*>(rows.data());
       fs::remove(f);
       write_safetensors(f, {{"rows", {DType::i32, rows.shape(), bytes}}}, good_metadata(rows));
     }},
    {"with_a_second_tensor",
     [](const TempDir&, const fs::path& f) {
       const Tensor rows = rows_of(1);
       const auto* bytes = reinterpret_cast<const std::byte*>(rows.data());
       fs::remove(f);
       write_safetensors(f, {{"rows", {DType::f32, rows.shape(), bytes}}, {"more", {DType::f32, {1}, bytes}}},
                         good_metadata(rows));
     }},
    {"a_pipe",
     [](const TempDir&, const fs::path& f) {
       fs::remove(f);
       ASSERT_EQ(::mkfifo(f.c_str(), 0600), 0);
     }},
    {"a_link_to_itself",
     [](const TempDir&, const fs::path& f) {
       fs::remove(f);
       fs::create_symlink(f, f);
     }},
    {"a_link_to_nothing",
     [](const TempDir&, const fs::path& f) {
       fs::remove(f);
       fs::create_symlink("gone", f);
     }},
    {"a_link_to_a_device",
     [](const TempDir&, const fs::path& f) {
       fs::remove(f);
       fs::create_symlink("/dev/zero", f);
     }},
};

class HostileFile : public testing::TestWithParam<Hostile> {};
INSTANTIATE_TEST_SUITE_P(Table, HostileFile, testing::ValuesIn(kHostile),
                         [](const auto& param) { return param.param.name; });

TEST_P(HostileFile, IsNotBelievedAndIsReplaced) {
  const TempDir directory;
  const TensorStore store(directory.path(), kRoomy, "test");
  store.put(key_of(1), rows_of(1));
  GetParam().place(directory, file_of(directory, 1));
  EXPECT_FALSE(store.find(key_of(1), {4, 6}));
  EXPECT_TRUE(store.put(key_of(1), rows_of(1)));
  const auto found = store.find(key_of(1), {4, 6});
  ASSERT_TRUE(found);
  EXPECT_EQ(test::values(*found), test::values(rows_of(1)));
}

TEST(TensorStore, LeavesTheTargetOfALinkAlone) {
  const TempDir directory;
  const TensorStore store(directory.path(), kRoomy, "test");
  const std::string precious = directory.add("precious", "a letter");
  fs::create_symlink(precious, file_of(directory, 1));
  EXPECT_TRUE(store.put(key_of(1), rows_of(1)));
  EXPECT_EQ(test::read_bytes(precious), "a letter");
  EXPECT_FALSE(fs::is_symlink(file_of(directory, 1)));
}

TEST(TensorStore, AFolderInTheWayIsAMiss) {
  const TempDir directory;
  const TensorStore store(directory.path(), kRoomy, "test");
  fs::create_directories(file_of(directory, 1) / "inside");
  EXPECT_FALSE(store.find(key_of(1), {4, 6}));
  EXPECT_FALSE(store.put(key_of(1), rows_of(1)));
  EXPECT_EQ(names_in(directory.path()).size(), 1U);
}

TEST(TensorStore, AFolderThatGoesAwayIsAMiss) {
  const TempDir directory;
  const TensorStore store(directory.path() / "cache", kRoomy, "test");
  fs::remove_all(directory.path() / "cache");
  EXPECT_FALSE(store.put(key_of(1), rows_of(1)));
  EXPECT_FALSE(store.find(key_of(1), {4, 6}));
}

TEST(TensorStore, AFullDiskIsAMissAndLeavesNothing) {
  const TempDir directory;
  const TensorStore store(directory.path(), kRoomy, "test");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit tight{.rlim_cur = 100, .rlim_max = before.rlim_max};  // bytes: less than a header
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const bool stored = store.put(key_of(1), rows_of(1));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(stored);
  EXPECT_THAT(names_in(directory.path()), testing::IsEmpty());
  EXPECT_TRUE(store.put(key_of(1), rows_of(1)));
}

TEST(TensorStore, WhatWasUsedLongestAgoLeavesFirst) {
  const TempDir directory;
  const TensorStore roomy(directory.path(), kRoomy, "test");
  roomy.put(key_of(1), rows_of(1));
  const auto bytes = static_cast<int64_t>(fs::file_size(file_of(directory, 1)));
  const TensorStore store(directory.path(), std::max<int64_t>(5 * bytes, 4096 + 96), "test");
  const auto now = fs::file_time_type::clock::now();
  for (int i = 1; i <= 5; ++i) {
    roomy.put(key_of(i), rows_of(i));
    fs::last_write_time(file_of(directory, i), now - std::chrono::minutes(60 - i));
  }
  const int64_t fits = std::max<int64_t>(5 * bytes, 4096 + 96) / bytes;
  EXPECT_TRUE(store.find(key_of(1), {4, 6}));  // a use: 2 is the oldest now
  for (int i = 6; i <= fits + 1; ++i) {
    EXPECT_TRUE(store.put(key_of(i), rows_of(i)));
    fs::last_write_time(file_of(directory, i), now + std::chrono::minutes(i));
  }
  EXPECT_TRUE(fs::exists(file_of(directory, 1)));
  EXPECT_FALSE(fs::exists(file_of(directory, 2)));
  EXPECT_TRUE(fs::exists(file_of(directory, 3)));
  EXPECT_TRUE(fs::exists(file_of(directory, static_cast<int>(fits) + 1)));
}

TEST(TensorStore, RemovesNothingThatIsNotItsOwn) {
  const TempDir directory;
  directory.add("letter.txt", std::string(10'000, 'x'));
  directory.add("model.safetensors", std::string(10'000, 'x'));
  directory.add(std::string(64, 'g') + ".safetensors", std::string(10'000, 'x'));
  const std::string longer = std::string(64, 'a') + "-mine.safetensors";
  directory.add(longer, std::string(10'000, 'x'));
  const TensorStore store(directory.path(), 5000, "test");
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(store.put(key_of(i), rows_of(i)));
  EXPECT_TRUE(fs::exists(directory.file("letter.txt")));
  EXPECT_TRUE(fs::exists(directory.file("model.safetensors")));
  EXPECT_TRUE(fs::exists(directory.file(std::string(64, 'g') + ".safetensors")));
  EXPECT_TRUE(fs::exists(directory.file(longer)));
  EXPECT_FALSE(fs::exists(file_of(directory, 0)));
  EXPECT_TRUE(fs::exists(file_of(directory, 39)));
}

// The name is the writer's own: a process that is killed while it writes leaves such a file.
TEST(TensorStore, RemovesWhatAKilledWriterLeft) {
  const TempDir directory;
  const TensorStore store(directory.path(), kRoomy, "test");
  const auto leave_half_a_file = [&] {
    const pid_t child = ::fork();
    if (child == 0) {
      AtomicFile out(file_of(directory, 1));
      out.write(std::as_bytes(std::span("half")));
      ::_exit(0);  // as a kill: no destructor runs
    }
    ::waitpid(child, nullptr, 0);
  };
  leave_half_a_file();
  ASSERT_EQ(names_in(directory.path()).size(), 1U);
  const fs::path old = directory.path() / names_in(directory.path()).front();
  leave_half_a_file();  // one that may still be written
  ASSERT_EQ(names_in(directory.path()).size(), 2U);
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  EXPECT_TRUE(store.put(key_of(2), rows_of(2)));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(file_of(directory, 2)));
  EXPECT_EQ(names_in(directory.path()).size(), 2U);
}

TEST(TensorStore, KeepsNothingOverItsLimit) {
  const TempDir directory;
  for (const int64_t limit : {int64_t{0}, int64_t{4095}}) {
    const TensorStore store(directory.path(), limit, "test");
    EXPECT_FALSE(store.put(key_of(1), rows_of(1)));
    EXPECT_THAT(names_in(directory.path()), testing::IsEmpty());
  }
}

TEST(TensorStore, ManyWritersAndReadersOfFewKeys) {
  const TempDir directory;
  const TensorStore store(directory.path(), 6000, "test");  // evicts all the time
  std::atomic<int> wrong{0}, hits{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const int number = (i * 7 + t) % 20;
        store.put(key_of(number), rows_of(number));
        const auto found = store.find(key_of(number), {4, 6});
        hits += found.has_value();
        wrong += found && test::values(*found) != test::values(rows_of(number));
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(hits, 0);
}

}  // namespace
}  // namespace galago
