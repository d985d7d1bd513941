// Runs with a tiny model and sources made by hand: what is written, what is not done twice, what ends a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "batch/batch.h"
#include "batch/names.h"
#include "core/cancelled.h"
#include "support/fixtures.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;
using test::data_path;
using test::error_of;
using test::read_bytes;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

const Model& model() {
  static const Model loaded = Model::load(data_path("models/smolvlm_tiles"), {.threads = 1});
  return loaded;
}

/// So many items; counts those whose request was made.
class Numbers final : public Source {
 public:
  explicit Numbers(int count) : count_(count) {}
  std::optional<Item> next() override {
    if (ending && next_ == *ending) throw Error(ErrorCode::input_invalid, {.where = "the source"});
    if (next_ == count_) return {};
    const int number = next_++;
    Item item{.id = std::to_string(number)};
    item.request = [this, number](const Request& base) {
      ++made;
      if (fault && number == 3) fault();
      std::vector<uint8_t> pixels(3 * 8 * 8, static_cast<uint8_t>(20 * number));
      Request request = base;
      request.images.push_back(Image::from_rgb(8, 8, pixels));
      return request;
    };
    return item;
  }
  std::optional<int64_t> total() const override { return count_; }

  std::function<void()> fault;
  std::optional<int> ending;
  std::atomic<int> made = 0;

 private:
  int count_;
  int next_ = 0;
};

class BatchRun : public testing::Test {
 protected:
  Options options(const std::string& output = "out.jsonl") const {
    Options options;
    options.request.prompt = "What?";
    options.request.options.max_new_tokens = 3;
    options.output = folder_.file(output);
    return options;
  }
  std::string output(const std::string& name = "out.jsonl") const { return read_bytes(folder_.file(name)); }
  bool journal() const { return fs::exists(folder_.file("out.jsonl.journal")); }
  TempDir folder_;
};

TEST_F(BatchRun, GivesEachItemTheAnswerThatItGetsAlone) {
  Numbers source(12);
  const Summary summary = run(model(), source, options());
  EXPECT_EQ(summary.done, 12);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_GT(summary.tokens, 0);
  std::string expected;
  Numbers again(12);
  while (auto item = again.next())
    expected += answer_record(item->id, model().ask(item->request(options().request)), false) + "\n";
  EXPECT_EQ(output(), expected);
  EXPECT_FALSE(journal());
}

TEST_F(BatchRun, AnItemsErrorIsItsRecord) {
  for (const auto& fault : std::vector<std::function<void()>>{
           [] { throw Error(ErrorCode::unsupported_media, {.where = "it", .got = "a song"}); },
           [] { throw std::runtime_error("a song"); }, [] { throw 5; }}) {
    Numbers source(6);
    source.fault = fault;
    Options with_restart = options();
    with_restart.restart = true;
    const Summary summary = run(model(), source, with_restart);
    EXPECT_EQ(summary.done, 6);
    EXPECT_EQ(summary.failed, 1);
    EXPECT_THAT(output(), HasSubstr("{\"id\":\"3\",\"error\":{\"code\":"));
  }
}

TEST_F(BatchRun, RetriesWhatFailedAndNothingElse) {
  Numbers broken(8);
  broken.fault = [] { throw Error(ErrorCode::unsupported_media, {.where = "it", .got = "a song"}); };
  Options kept = options();
  kept.keep_journal = true;
  EXPECT_EQ(run(model(), broken, kept).failed, 1);
  Numbers same(8);
  EXPECT_EQ(run(model(), same, kept).failed, 1);
  EXPECT_EQ(same.made, 0);
  Options again = options();
  again.retry_errors = true;
  Numbers mended(8);
  const Summary summary = run(model(), mended, again);
  EXPECT_EQ(summary.done, 8);
  EXPECT_EQ(summary.failed, 0);
  EXPECT_EQ(summary.resumed, 7);
  EXPECT_EQ(mended.made, 1);
  Numbers whole(8);
  run(model(), whole, options("whole.jsonl"));
  EXPECT_EQ(output(), output("whole.jsonl"));
  EXPECT_FALSE(journal());
  Numbers over(8);
  EXPECT_THAT(error_of([&] { run(model(), over, again); }).hint(), HasSubstr("--keep-journal"));
}

TEST_F(BatchRun, WhatIsOfTheMachineEndsItAndItGoesOn) {
  for (const auto code : {ErrorCode::resource, ErrorCode::model_changed, ErrorCode::output_io}) {
    Numbers source(30);
    source.fault = [code] { throw Error(code, {.where = "the machine"}); };
    EXPECT_EQ(error_of([&] { run(model(), source, options()); }).code(), code);
    EXPECT_TRUE(journal());
    EXPECT_FALSE(fs::exists(options().output));
    EXPECT_LT(source.made, 30);
    Numbers rest(30);
    const Summary summary = run(model(), rest, options());
    EXPECT_EQ(summary.done, 30);
    EXPECT_EQ(rest.made, 30 - summary.resumed);
    fs::remove(options().output);
  }
}

TEST_F(BatchRun, ASourceThatEndsInAnErrorEndsTheRunAfterWhatItGave) {
  Numbers source(10);
  source.ending = 7;
  EXPECT_EQ(error_of([&] { run(model(), source, options()); }).where(), "the source");
  Numbers whole(10);
  EXPECT_EQ(run(model(), whole, options()).resumed, 7);
  EXPECT_EQ(whole.made, 3);
}

TEST_F(BatchRun, StopsWhenToldAndDoesNothingTwice) {
  Numbers source(200);
  std::atomic<int64_t> done = 0;
  const Callbacks callbacks{.stop = [&] { return done >= 5; },
                            .progress = [&](const Progress& p) { done = p.done; }};
  const Summary stopped = run(model(), source, options(), callbacks);
  EXPECT_TRUE(stopped.stopped);
  EXPECT_GE(stopped.done, 5);
  EXPECT_LT(stopped.done, 200);
  Numbers rest(200);
  const Summary summary = run(model(), rest, options());
  EXPECT_EQ(summary.resumed, stopped.done);
  EXPECT_EQ(rest.made, 200 - stopped.done);
  const std::string resumed = output();
  Numbers whole(200);
  run(model(), whole, options("whole.jsonl"));
  EXPECT_EQ(resumed, output("whole.jsonl"));
}

TEST_F(BatchRun, NoticesItemsThatAreOthers) {
  Numbers few(5);
  Options kept = options();
  kept.keep_journal = true;
  run(model(), few, kept);
  Numbers fewer(4);
  EXPECT_EQ(error_of([&] { run(model(), fewer, kept); }).code(), ErrorCode::usage);
  EXPECT_EQ(fewer.made, 0);
  Numbers more(8);
  EXPECT_EQ(run(model(), more, kept).done, 8);
  EXPECT_EQ(more.made, 3);
}

TEST_F(BatchRun, RefusesWhatCannotBeWrittenDown) {
  Numbers source(1);
  Options wrong = options();
  wrong.request.images.push_back(Image::from_rgb(1, 1, std::vector<uint8_t>(3)));
  EXPECT_EQ(error_of([&] { run(model(), source, wrong); }).code(), ErrorCode::usage);
  for (const char* name : {"", ".", "-", "missing/out.jsonl", "/dev/null"}) {
    Options nowhere = options();
    nowhere.output = *name ? fs::path(name) : fs::path();
    EXPECT_EQ(error_of([&] { run(model(), source, nowhere); }).code(), ErrorCode::usage) << name;
  }
}

/// Keeps what it is given.
struct Kept final : Sink {
  Kept(std::vector<std::string>& into, bool& over) : records(into), committed(over) {}
  void write(const std::string& record) override { records.push_back(record); }
  void commit() override { committed = true; }
  std::vector<std::string>& records;
  bool& committed;
};

TEST_F(BatchRun, GivesRecordsToASinkOfTheCallers) {
  Numbers source(6);
  std::vector<std::string> records;
  bool committed = false;
  run(model(), source, options(), {.sink = [&] { return std::make_unique<Kept>(records, committed); }});
  ASSERT_EQ(records.size(), 6U);
  for (size_t i = 0; i < records.size(); ++i)
    EXPECT_THAT(records[i], testing::StartsWith("{\"id\":\"" + std::to_string(i) + "\",\"text\":"));
  EXPECT_TRUE(committed);
  EXPECT_FALSE(journal());
  EXPECT_FALSE(fs::exists(options().output));
}

// A page that is being drawn when the run is told to end is no page that failed.
TEST_F(BatchRun, AnItemThatIsCancelledEndsTheRunAndHasNoRecord) {
  Numbers source(6);
  source.fault = [] { throw Cancelled{}; };
  EXPECT_TRUE(run(model(), source, options()).stopped);
  EXPECT_TRUE(journal());
  Numbers whole(6);
  const Summary summary = run(model(), whole, options());
  EXPECT_EQ(summary.done, 6);
  EXPECT_EQ(summary.failed, 0);
}

/// Numbers whose odd ones ask once more, for a longer answer.
class Insisting final : public Source {
 public:
  std::optional<Item> next() override {
    auto item = numbers_.next();
    if (!item || std::stoi(item->id) % 2 == 0) return item;
    auto kept = std::make_shared<Request>();
    item->request = [kept, make = item->request](const Request& base) { return *kept = make(base); };
    item->again = [this, kept](const Answer& answer) -> std::optional<Request> {
      ++asked;
      if (answer.token_ids.size() > 3) return {};
      if (fault) throw Error(ErrorCode::input_invalid, {.where = "again"});
      Request longer = *kept;
      longer.options.max_new_tokens = 5;
      return longer;
    };
    return item;
  }
  int asked = 0;
  bool fault = false;

 private:
  Numbers numbers_{8};
};

TEST_F(BatchRun, AnItemMayAskOnceMore) {
  Options longer = options();
  longer.request.options.ignore_eos = true;
  Insisting source;
  const Summary summary = run(model(), source, longer);
  EXPECT_EQ(summary.done, 8);
  EXPECT_EQ(source.asked, 8) << "twice each of four";
  EXPECT_EQ(summary.tokens, 4 * 3 + 4 * 5);
  Insisting failing;
  failing.fault = longer.restart = true;
  EXPECT_EQ(run(model(), failing, longer).failed, 4);
}

TEST_F(BatchRun, WritesAFolderAndAnArchive) {
  Numbers source(4);
  source.fault = [] { throw Error(ErrorCode::input_invalid, {.where = "it"}); };
  run(model(), source, options("folder/"));
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_.file("folder")))
    names.insert(entry.path().filename());
  EXPECT_THAT(names, ElementsAre("0.json", "0.txt", "1.json", "1.txt", "2.json", "2.txt", "3.json"));
  const std::string record = output("folder/1.json");
  EXPECT_THAT(output("folder/3.json"), HasSubstr("\"error\":"));
  Numbers again(4);
  run(model(), again, options("out.tar"));
  const std::string archive = output("out.tar");
  EXPECT_EQ(archive.size() % 512, 0U);
  EXPECT_THAT(archive, HasSubstr(record));
  Numbers more(4);
  EXPECT_EQ(error_of([&] { run(model(), more, options("folder/")); }).code(), ErrorCode::usage);
}

TEST(Names, LeadNowhereElse) {
  EXPECT_EQ(safe_name("photos/cat.jpg"), "photos/cat");
  EXPECT_EQ(safe_name("/etc/../../passwd"), "etc/passwd");
  EXPECT_EQ(safe_name("../.."), "item");
  EXPECT_EQ(safe_name(""), "item");
  EXPECT_EQ(safe_name(".hidden"), "%2Ehidden");
  EXPECT_EQ(safe_name(std::string("a\0b\n\xff:*", 7)), "a%00b%0A%FF%3A%2A");
  EXPECT_EQ(safe_name("h\u00f6he/\u732b.PNG"), "h\u00f6he/\u732b");
  EXPECT_EQ(safe_name("a.txt/b"), "a.txt~/b");
  EXPECT_EQ(safe_name("/a//b/"), "a/b");
  EXPECT_LE(safe_name(std::string(100'000, 'x')).size(), 180U);
  EXPECT_NE(safe_name(std::string(500, 'x')), safe_name(std::string(501, 'x')));
}

TEST(Names, AreNoTwoTheSame) {
  Names names;
  EXPECT_EQ(names.next("a.jpg"), "a");
  EXPECT_EQ(names.next("a.png"), "a~2");
  EXPECT_EQ(names.next("a"), "a~3");
  EXPECT_EQ(names.next("a~2"), "a~2~2");
}

}  // namespace
}  // namespace galago::batch
