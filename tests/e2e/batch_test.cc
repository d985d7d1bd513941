// galago batch as a user runs it: the answers of galago run, whatever happens to the process in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <random>

#include "program.h"

namespace galago::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<std::string> kAsk = {"-m", tiny("smolvlm_tiles"), "-t", "1", "-n", "6",
                                       "-p", "What is this?"};

/// `pictures` copies of small pictures, and one file that is none.
class BatchRun : public testing::Test {
 protected:
  explicit BatchRun(int pictures = 60) {
    fs::create_directory(folder_.path() / "in");
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(data_path("pictures")))
      if (entry.path().extension() == ".png") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (int i = 0; i < pictures; ++i)
      fs::copy(files[static_cast<size_t>(i) % files.size()],
               folder_.path() / "in" / (std::to_string(1000 + i) + ".png"));
    folder_.add("in/1030.png", "no picture");
  }

  std::vector<std::string> words(const std::string& output, const std::vector<std::string>& more = {}) const {
    return std::vector<std::string>{"batch", folder_.file("in"), "-o", folder_.file(output)} + kAsk + more;
  }
  std::string output(const std::string& name) const { return read_bytes(folder_.file(name)); }
  /// That of a run that nobody disturbed.
  const std::string& expected() {
    if (whole_.empty()) {
      EXPECT_EQ(galago(words("whole.jsonl")).code, 3);
      whole_ = output("whole.jsonl");
    }
    return whole_;
  }

  TempDir folder_;
  std::string whole_;
};

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

TEST_F(BatchRun, AnswersAsRunDoes) {
  const std::vector<Json> lines = lines_of(expected());
  ASSERT_EQ(lines.size(), 60U);
  for (size_t i = 0; i < lines.size(); i += 15) {
    const std::string file = folder_.file("in/" + std::to_string(1000 + i) + ".png");
    EXPECT_EQ(lines[i]["id"], file);
    const Finished one = galago(std::vector<std::string>{"run", "--json", "--image", file} + kAsk);
    if (i == 30) {
      EXPECT_EQ(lines[i]["error"]["code"], "unsupported_media");
      EXPECT_EQ(one.json()["error"]["code"], "unsupported_media");
      continue;
    }
    ASSERT_EQ(one.code, 0) << one.err;
    EXPECT_EQ(lines[i]["text"], one.json()["text"]);
    EXPECT_EQ(lines[i]["finish_reason"], one.json()["finish_reason"]);
    EXPECT_EQ(lines[i]["usage"]["completion_tokens"], one.json()["usage"]["completion_tokens"]);
  }
  EXPECT_FALSE(fs::exists(folder_.file("whole.jsonl.journal")));
}

TEST_F(BatchRun, KilledAndStartedAgainGivesTheSameBytes) {
  std::mt19937 chance(7);
  const char* wanted = std::getenv("GALAGO_TEST_KILLS");
  int killed = 0;
  for (int trial = 0; killed < (wanted ? std::atoi(wanted) : 20); ++trial) {
    ASSERT_LT(trial, 1000);
    const std::string name = "out" + std::to_string(trial) + ".jsonl";
    for (bool over = false; !over;) {
      const TempDir streams;
      const pid_t child = start(words(name), {}, streams);
      std::this_thread::sleep_for(std::chrono::milliseconds(chance() % 400));
      kill(child, SIGKILL);
      const int code = wait_for(child, 60);
      if (code != -1) {
        ASSERT_EQ(code, 3) << read_bytes(streams.file("err"));
      }
      over = fs::exists(folder_.file(name)) && !fs::exists(folder_.file(name + ".journal"));
      killed += code == -1;
    }
    ASSERT_EQ(output(name), expected());
    ASSERT_FALSE(fs::exists(folder_.file(name + ".journal")));
  }
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
}

/// Starts it and waits for its first records.
pid_t started(const std::vector<std::string>& words, const std::string& journal, const TempDir& streams) {
  const pid_t child = start(words, {}, streams);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < end) {
    std::error_code error;
    if (fs::file_size(journal, error) > 3000 && !error) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return child;
}

TEST_F(BatchRun, ErrorsAreAnsweredAgainWhateverHappensToThat) {
  const auto picture_of = [&](int i) { return folder_.file("in/" + std::to_string(1000 + i) + ".png"); };
  expected();
  const std::string name = "again.jsonl";
  for (int i = 0; i < 25; ++i) fs::rename(picture_of(i), picture_of(i) + ".away");
  for (int i = 0; i < 25; ++i) folder_.add("in/" + std::to_string(1000 + i) + ".png", "no picture");
  EXPECT_EQ(galago(words(name, {"--keep-journal"})).code, 3);
  EXPECT_NE(output(name), expected());
  for (int i = 0; i < 25; ++i) fs::rename(picture_of(i) + ".away", picture_of(i));
  const auto before = fs::file_size(folder_.file(name + ".journal"));
  const TempDir streams;
  const pid_t child = start(words(name, {"--retry-errors", "--keep-journal"}), {}, streams);
  for (int i = 0; i < 10000 && fs::file_size(folder_.file(name + ".journal")) == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  kill(child, SIGKILL);
  wait_for(child, 60);
  const Finished rest = galago(words(name, {"--retry-errors"}));
  EXPECT_EQ(rest.code, 3) << rest.err;
  EXPECT_EQ(output(name), expected());
  EXPECT_FALSE(fs::exists(folder_.file(name + ".journal")));
}

TEST_F(BatchRun, ToldToEndGoesOnLater) {
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string name = "told" + std::to_string(signal) + ".jsonl";
    const TempDir streams;
    const pid_t child = started(words(name), folder_.file(name + ".journal"), streams);
    kill(child, signal);
    EXPECT_EQ(wait_for(child, 60), code);
    EXPECT_THAT(read_bytes(streams.file("err")), HasSubstr("the same command goes on from there"));
    EXPECT_FALSE(fs::exists(folder_.file(name)));
    const Finished again = galago(words(name));
    EXPECT_EQ(again.code, 3);
    EXPECT_THAT(again.err, HasSubstr(" of 60 were done already"));
    EXPECT_EQ(output(name), expected());
  }
}

TEST_F(BatchRun, IsTheOnlyOneAtItsOutput) {
  const TempDir streams;
  const std::string journal = folder_.file("held.jsonl.journal");
  const pid_t child = started(words("held.jsonl"), journal, streams);
  kill(child, SIGSTOP);
  for (const auto& more : {std::vector<std::string>{}, {"--restart"}}) {
    const std::string before = read_bytes(journal);
    const Finished second = galago(words("held.jsonl", more));
    EXPECT_EQ(second.code, 75) << second.err;
    EXPECT_THAT(second.err, HasSubstr("another process"));
    EXPECT_EQ(read_bytes(journal), before);
  }
  kill(child, SIGCONT);
  EXPECT_EQ(wait_for(child, 60), 3);
  EXPECT_EQ(output("held.jsonl"), expected());
}

TEST_F(BatchRun, DoesNotMixTwoRuns) {
  const TempDir streams;
  const std::string journal = folder_.file("mixed.jsonl.journal");
  const pid_t child = started(words("mixed.jsonl"), journal, streams);
  kill(child, SIGKILL);
  wait_for(child, 60);
  const std::string before = read_bytes(journal);
  const auto refused = [&](const std::vector<std::string>& more, const std::string& what,
                           const std::string& prompt = kAsk.back()) {
    std::vector<std::string> other_words = words("mixed.jsonl");
    other_words.back() = prompt;
    const Finished other = galago(other_words + more);
    EXPECT_EQ(other.code, 64) << other.err;
    EXPECT_THAT(other.err, HasSubstr(what));
    EXPECT_EQ(read_bytes(journal), before);
  };
  refused({}, "request.prompt", "Why?");
  refused({"--temp", "0.5"}, "request.generation.temperature");
  refused({"-m", tiny("grid25_llama3")}, "model");
  refused({"--dtype", "q8"}, "settings.dtype");
  fs::rename(folder_.file("in/1000.png"), folder_.file("in/0000.png"));
  refused({}, "another one than before");
  fs::rename(folder_.file("in/0000.png"), folder_.file("in/1000.png"));
  EXPECT_EQ(galago(words("mixed.jsonl")).code, 3);
  EXPECT_EQ(output("mixed.jsonl"), expected());
}

TEST_F(BatchRun, LeavesAnOutputThatIsThere) {
  folder_.add("there.jsonl", "mine");
  const Finished refused = galago(words("there.jsonl"));
  EXPECT_EQ(refused.code, 64);
  EXPECT_EQ(output("there.jsonl"), "mine");
  EXPECT_FALSE(fs::exists(folder_.file("there.jsonl.journal")));
  EXPECT_EQ(galago(words("there.jsonl", {"--restart", "--limit", "3"})).code, 0);
  EXPECT_EQ(lines_of(output("there.jsonl")).size(), 3U);
}

TEST_F(BatchRun, GrowsWithItsInputWhenTheJournalIsKept) {
  EXPECT_EQ(galago(words("grown.jsonl", {"--keep-journal", "--limit", "20"})).code, 0);
  EXPECT_EQ(lines_of(output("grown.jsonl")).size(), 20U);
  const Finished rest = galago(words("grown.jsonl"));
  EXPECT_EQ(rest.code, 3);
  EXPECT_THAT(rest.err, HasSubstr("20 of 60 were done already"));
  EXPECT_EQ(output("grown.jsonl"), expected());
}

TEST_F(BatchRun, ALimitDoesNotThrowAwayWhatIsBehindIt) {
  const TempDir streams;
  const pid_t child = started(words("limited.jsonl"), folder_.file("limited.jsonl.journal"), streams);
  kill(child, SIGKILL);
  wait_for(child, 60);
  EXPECT_EQ(galago(words("limited.jsonl", {"--limit", "2"})).code, 0);
  EXPECT_EQ(lines_of(output("limited.jsonl")).size(), 2U);
  EXPECT_TRUE(fs::exists(folder_.file("limited.jsonl.journal")));
  EXPECT_EQ(galago(words("limited.jsonl")).code, 3);
  EXPECT_EQ(output("limited.jsonl"), expected());
}

TEST_F(BatchRun, SaysWhatIsWrongBeforeAnythingIsWritten) {
  const auto refused = [&](const std::vector<std::string>& words, int code) {
    const Finished result = galago(words);
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_FALSE(fs::exists(folder_.file("never.jsonl.journal")));
  };
  refused(words("never.jsonl", {"--top-p", "2"}), 64);
  refused(words("missing/never.jsonl"), 64);
  refused(std::vector<std::string>{"batch", folder_.file("nothing*.png"), "-o", folder_.file("never.jsonl")} +
              kAsk,
          66);
  refused({"batch", folder_.file("in"), "-o", folder_.file("never.jsonl"), "-m", tiny()}, 64);
  refused({"batch", "-o", folder_.file("never.jsonl"), "-p", "What?"}, 64);
  refused({"batch", "-", "-o", folder_.file("never.jsonl"), "-p", "What?", "-m", tiny()}, 66);
  const Finished stray =
      galago({"batch", folder_.file("in"), "What is this?", "-o", folder_.file("never.jsonl"), "-m", tiny()});
  EXPECT_EQ(stray.code, 64);
  EXPECT_THAT(stray.err, HasSubstr("a question is given with -p"));
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--from", "pictures"}})
    refused(std::vector<std::string>{"batch", folder_.file("nope"), "-o", folder_.file("never.jsonl")} +
                kAsk + more,
            66);
  refused(std::vector<std::string>{"batch", folder_.add("s.tar.gz", "x"), "-o", folder_.file("never.jsonl")} +
              kAsk,
          65);
  refused(words("never.jsonl", {"-p", "Why?"}), 64);
  refused(std::vector<std::string>{"batch", folder_.file("in"), "-o", "-"} + kAsk, 64);
  for (const char* name : {"never.csv", "never.parquet", "never.tar.gz", "never.json"}) {
    refused(words(name), 64);
    EXPECT_FALSE(fs::exists(folder_.file(name)));
    EXPECT_FALSE(fs::exists(folder_.file(std::string(name) + ".journal")));
  }
  const std::string table = folder_.add("table.csv", "image\nin/1000.png\n");
  refused(std::vector<std::string>{"batch", table, "-o", table, "--restart"} + kAsk, 64);
  EXPECT_EQ(output("table.csv"), "image\nin/1000.png\n");
}

TEST_F(BatchRun, ReadsLinesTablesAndArchivesAndWritesTextsBesideThem) {
  const std::string file = folder_.file("in/1000.png");
  const Json alone = galago(std::vector<std::string>{"run", "--json", "--image", file} + kAsk).json();
  folder_.add(
      "q.jsonl",
      "{\"id\": \"a\", \"image\": \"in/1000.png\"}\n{\"image\": \"in/1000.png\", \"max_tokens\": 1}\n");
  folder_.add("q.csv", "image,id\nin/1000.png,b\n");
  const Finished run = galago(std::vector<std::string>{"batch", folder_.file("q.jsonl"),
                                                       folder_.file("q.csv"), "-o", folder_.file("q.out")} +
                              kAsk);
  ASSERT_EQ(run.code, 0) << run.err;
  const std::vector<Json> lines = lines_of(output("q.out"));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["text"], alone["text"]);
  EXPECT_EQ(lines[1]["usage"]["completion_tokens"], 1);
  EXPECT_EQ(lines[2]["id"], "b");
  EXPECT_EQ(lines[2]["text"], alone["text"]);
  const std::string asked = R"("messages": [{"role": "user", "content": "What is this?"}])";
  folder_.add("m.jsonl", R"({"image": "in/1000.png", )" + asked + "}\n" +
                             R"({"picture": "in/1000.png", "prompt": "What is this?"})");
  EXPECT_EQ(
      galago(std::vector<std::string>{"batch", folder_.file("m.jsonl"), "-o", folder_.file("m.out")} + kAsk)
          .code,
      3);
  const std::vector<Json> more = lines_of(output("m.out"));
  EXPECT_EQ(more[0]["text"], alone["text"]) << "the picture beside a conversation is seen";
  EXPECT_EQ(more[0]["usage"]["image_tokens"], alone["usage"]["image_tokens"]);
  EXPECT_THAT(more[1]["error"]["message"].get<std::string>(), HasSubstr("--image-column"));
  ASSERT_EQ(galago(words("texts/", {"--limit", "2"})).code, 0);
  const std::string text = alone["text"];
  EXPECT_EQ(output("texts" + folder_.file("in/1000.txt")), text) << "the id is the path as it was given";
  ASSERT_EQ(galago(words("texts.tar", {"--limit", "2"})).code, 0);
  const Finished again = galago(
      std::vector<std::string>{"batch", folder_.file("texts.tar"), "-o", folder_.file("none.jsonl")} + kAsk);
  EXPECT_EQ(again.code, 0) << "an archive without pictures: " << again.err;
  EXPECT_THAT(again.err,
              HasSubstr("0 records in " + folder_.file("none.jsonl") + ", since there was no item"));
}

TEST_F(BatchRun, AnswersRequestsOfOpenAisBatches) {
  const auto line = [](const std::string& id, const std::string& content, const std::string& more) {
    return "{\"custom_id\": \"" + id +
           "\", \"method\": \"POST\", \"url\": \"/v1/chat/completions\", \"body\": " +
           "{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": " + content + "}]" + more +
           "}}\n";
  };
  const std::string picture =
      "[{\"type\": \"image_url\", \"image_url\": {\"url\": \"file://in/1000.png\"}}, "
      "{\"type\": \"text\", \"text\": \"What is this?\"}]";
  folder_.add(
      "calls.jsonl",
      line("one", picture, ", \"max_tokens\": 6") + line("two", picture, ", \"temperature\": -1") +
          line("three", "[{\"type\": \"image_url\", \"image_url\": {\"url\": \"file:///etc/passwd\"}}]", "") +
          line("four", picture, ", \"n\": 2") +
          line("five", "\"Hello\"", ", \"temperature\": 0.9, \"max_tokens\": 4") +
          line("six", "\"Hello\"",
               R"(, "max_tokens": 4, "prediction": {"type": "content", "content": "Hello"})"));
  const auto run = [&](const std::string& name) {
    return galago({"batch", folder_.file("calls.jsonl"), "-o", folder_.file(name), "-m", tiny(), "-t", "1"});
  };
  ASSERT_EQ(run("1.jsonl").code, 3);
  ASSERT_EQ(run("2.jsonl").code, 3);
  EXPECT_EQ(output("1.jsonl"), output("2.jsonl")) << "neither clock nor chance";
  const std::vector<Json> lines = lines_of(output("1.jsonl"));
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_FALSE(lines[5]["response"]["body"]["usage"].contains("completion_tokens_details"));
  const int status[] = {200, 400, 400, 400, 200, 200};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(lines[i]["response"]["status_code"], status[i]) << lines[i];
    EXPECT_EQ(lines[i]["error"], nullptr);
    EXPECT_TRUE(lines[i]["id"].get<std::string>().starts_with("batch_req_"));
  }
  EXPECT_EQ(lines[0]["custom_id"], "one");
  const Json alone =
      galago(std::vector<std::string>{"run", "--json", "--image", folder_.file("in/1000.png")} + kAsk).json();
  EXPECT_EQ(lines[0]["response"]["body"]["choices"][0]["message"]["content"], alone["text"]);
  EXPECT_EQ(lines[1]["response"]["body"]["error"]["param"], "temperature");
  EXPECT_EQ(lines[2]["response"]["body"]["error"]["code"], "invalid_image_url");
}

/// A small file system of its own, where the test may make one.
class SmallDisk {
 public:
  SmallDisk(const std::string& path, int kilobytes) : path_(path) {
    fs::create_directory(path_);
    made_ =
        mount("tmpfs", path_.c_str(), "tmpfs", 0, ("size=" + std::to_string(kilobytes) + "k").c_str()) == 0;
  }
  ~SmallDisk() {
    if (made_) umount(path_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool made() const { return made_; }
  bool grow() const { return mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0; }

 private:
  std::string path_;
  bool made_ = false;
};

TEST_F(BatchRun, GoesOnAfterAFullDisk) {
  for (const int kilobytes : {4, 8, 12, 16, 20, 24}) {
    const std::string place = "disk" + std::to_string(kilobytes);
    const SmallDisk disk(folder_.file(place), kilobytes);
    if (!disk.made()) GTEST_SKIP() << "no file system of its own to be had here";
    const std::string name = place + "/out.jsonl";
    const Finished full = galago(words(name));
    ASSERT_EQ(full.code, 74) << kilobytes << ": " << full.err;
    EXPECT_FALSE(fs::exists(folder_.file(name)));
    const std::string journal = output(name + ".journal");
    EXPECT_TRUE(journal.empty() || journal.ends_with('\n')) << "the last record is whole";
    ASSERT_TRUE(disk.grow());
    const Finished rest = galago(words(name));
    EXPECT_EQ(rest.code, 3) << rest.err;
    EXPECT_EQ(output(name), expected());
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_.file(place)), fs::directory_iterator()), 1);
  }
}

// A record counts as kept only when the disk has said so; which of the calls fails is tried one after the
// other.
TEST_F(BatchRun, GoesOnAfterASyncThatFailed) {
#ifdef GALAGO_SANITIZED
  GTEST_SKIP() << "the sanitizer's runtime has to come first";
#endif
  const fs::path shim = fs::path(GALAGO_PROGRAM).parent_path() / "tests" / "libfsync_fails.so";
  ASSERT_TRUE(fs::exists(shim));
  int failed = 0;
  for (bool fails = true; fails; ++failed) {
    ASSERT_LT(failed, 40);
    const std::string name = "sync" + std::to_string(failed) + ".jsonl";
    setenv("LD_PRELOAD", shim.c_str(), 1);
    setenv("FSYNC_FAILS_FROM", std::to_string(failed).c_str(), 1);
    const Finished first = galago(words(name));
    unsetenv("LD_PRELOAD");
    unsetenv("FSYNC_FAILS_FROM");
    fails = first.code != 3;
    if (fails) {
      EXPECT_EQ(first.code, 74) << first.err;
      EXPECT_TRUE(fs::exists(folder_.file(name + ".journal")));
      const Finished rest = galago(words(name));
      EXPECT_EQ(rest.code, 3) << rest.err;
    }
    EXPECT_EQ(output(name), expected());
    EXPECT_FALSE(fs::exists(folder_.file(name + ".journal")));
  }
  EXPECT_GT(failed, 4) << "journal, its folder, the last records, the output, its folder";
}

TEST_F(BatchRun, TellsHowFarItIs) {
  const Finished quiet = galago(words("quiet.jsonl", {"-q"}));
  EXPECT_EQ(quiet.code, 3);
  EXPECT_THAT(quiet.err, testing::MatchesRegex("galago: 60 records in [^\n]*, 1 error among them[^\n]*\n"));
  EXPECT_THAT(galago(words("well.jsonl", {"-q", "--limit", "2"})).err, IsEmpty());
  const std::vector<std::string> demo = {
      "batch", folder_.file("in"), "-o", folder_.file("demo.jsonl"), "-p", "What?", "-n",
      "1",     "--limit",          "1"};
  EXPECT_THAT(galago(demo + std::vector<std::string>{"-q", "--top-k", "5"}).err, IsEmpty());
  EXPECT_THAT(galago(demo + std::vector<std::string>{"--restart"}).err, HasSubstr("no -m"));
  const Finished told = galago(words("told.jsonl"));
  EXPECT_THAT(told.err, AllOf(HasSubstr("60 records in "), HasSubstr("1 error among them")));
}

}  // namespace
}  // namespace galago::test
