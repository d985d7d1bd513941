// Lines of JSON, tables and archives, those of strangers too: whatever cannot be read is one item.
#include "batch/file_sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "batch/tar_reader.h"
#include "support/allocation.h"
#include "support/fixtures.h"

namespace galago::batch {
namespace {

using test::data_path;
using test::error_of;
using test::read_bytes;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;

Request base_request() {
  Request base;
  base.prompt = "What?";
  return base;
}

/// An item's id, and what it asks or "ERROR: " and where.
std::string told(const Item& item) {
  try {
    const Request request = item.request(base_request());
    return item.id + " | " + request.prompt + " | " + std::to_string(request.images.size()) + " | " +
           std::to_string(request.options.max_new_tokens.value_or(-1));
  } catch (const Error& error) {
    return item.id + " | " + to_string(error.code());
  }
}

std::vector<std::string> all_of(Source& source) {
  std::vector<std::string> all;
  while (auto item = source.next()) all.push_back(told(*item));
  return all;
}

class Files : public testing::Test {
 protected:
  Files() {
    picture_ = read_bytes(data_path("pictures/gradient.png"));
    if (picture_.empty())
      for (const auto& entry : std::filesystem::directory_iterator(data_path("pictures")))
        if (entry.path().extension() == ".png") picture_ = read_bytes(entry.path());
    folder_.add("a.png", picture_);
  }
  std::vector<std::string> read(const std::string& name, const std::string& text,
                                const SourceOptions& options = {}) {
    folder_.add(name, text);
    return all_of(*open_source({folder_.file(name)}, options));
  }
  std::string line(const std::string& name, int number) const {
    return folder_.file(name) + ":" + std::to_string(number);
  }
  TempDir folder_;
  std::string picture_;
};

TEST_F(Files, LinesAskWhatTheySay) {
  EXPECT_THAT(read("q.jsonl",
                   "\xEF\xBB\xBF{\"image\": \"a.png\"}\r\n"
                   "\n"
                   "{\"id\": 7, \"images\": [\"a.png\", \"a.png\"], \"question\": \"Why?\"}\n"
                   "{\"id\": \"x\", \"file_name\": \"a.png\", \"max_tokens\": 3.0, \"extra\": {}}\n"
                   "{\"id\": \"x\", \"prompt\": \"no picture\"}"),
              ElementsAre("a.png | What? | 1 | -1", "7 | Why? | 2 | -1", "x | What? | 1 | 3",
                          "x | no picture | 0 | -1"));
}

// With the run's question, and a picture under a name that is not known, it would be answered without one.
TEST_F(Files, ALineWithNeitherPictureNorQuestionIsAnError) {
  EXPECT_THAT(read("q.jsonl", "{\"picture\": \"a.png\"}\n{\"id\": \"x\"}\n{\"image\": \"a.png\"}"),
              ElementsAre(line("q.jsonl", 1) + " | input_invalid", line("q.jsonl", 2) + " | input_invalid",
                          "a.png | What? | 1 | -1"));
  EXPECT_THAT(read("q.jsonl", "{\"image\": \"a.png\"}\n{\"ask\": \"Why?\"}",
                   {.columns = {.image = "photo", .prompt = "ask"}}),
              ElementsAre(line("q.jsonl", 1) + " | input_invalid", testing::HasSubstr("Why? | 0")));
}

// A line that asks for itself is answered without a picture only where it has none.
TEST_F(Files, APictureUnderAnotherKeyIsAnError) {
  const auto code = [&](const std::string& key_and_value) {
    return read("q.jsonl", "{\"id\": \"x\", \"prompt\": \"What?\", " + key_and_value + "}")[0];
  };
  const std::string refused = line("q.jsonl", 1) + " | input_invalid", asked = "x | What? | 0 | -1";
  for (const char* seen : {R"("picture": "a.png")", R"("file": "a.PNG")", R"("photos": ["a"])",
                           R"("url": "https://x.org/a.jpg")", R"("input": "data:image/png;base64,AA")",
                           R"("image_url": {"url": "a"})", R"("imgs": [{"bytes": "a"}])"})
    EXPECT_EQ(code(seen), refused) << seen;
  for (const char* none :
       {R"("picture": "a.png", "image": null)", R"("file": "a.PNG", "images": [])", R"("image_id": 17)",
        R"("note": "see a.png")", R"("photo": "")", R"("picture": null)", R"("label": "cat")"})
    EXPECT_EQ(code(none), asked) << none;
  EXPECT_THAT(read("q.jsonl", R"({"id": "x", "prompt": "Why?", "photo": "a.png", "picture": "b.png"})",
                   {.columns = {.image = "photo"}}),
              ElementsAre("x | Why? | 1 | -1"));
  EXPECT_THAT(read("q.jsonl", R"({"file": "a.png", "ask": "Why?", "prompt": "b.png"})",
                   {.columns = {.image = {}, .id = "file", .prompt = "ask"}}),
              ElementsAre("a.png | Why? | 0 | -1"));
  const auto talk = [](const std::string& content) {
    return R"("messages": [{"role": "user", "content": )" + content + "}]";
  };
  EXPECT_EQ(code(R"("picture": "a.png", )" + talk(R"("What?")")), refused);
  EXPECT_EQ(code(R"("picture": "b.png", )" + talk(R"([{"type": "image", "path": "a.png"}, "What?"])")),
            "x |  | 0 | -1");
}

/// "user: I T" of a message with a picture and a text.
std::string shape(const Request& request) {
  std::string all;
  for (const Message& message : request.messages) {
    all += (all.empty() ? "" : ", ") + message.role + ":";
    for (const MessagePart& part : message.parts) all += std::holds_alternative<Image>(part) ? " I" : " T";
  }
  return all;
}

TEST_F(Files, PicturesBesideAConversationStandInIt) {
  const auto told_of = [&](const std::string& fields, const std::string& messages) {
    folder_.add("q.jsonl", "{" + fields + ", \"messages\": " + messages + "}");
    const auto item = open_source({folder_.file("q.jsonl")})->next();
    Request base = base_request();
    base.system = "The run's.";
    try {
      const Request request = item->request(base);
      EXPECT_TRUE(request.images.empty() && request.prompt.empty() && request.system.empty());
      return shape(request);
    } catch (const Error& error) {
      return std::string(to_string(error.code()));
    }
  };
  const std::string hole = R"({"type": "image"})", text = R"({"type": "text", "text": "Which?"})";
  const std::string asked = R"([{"role": "user", "content": "What?"}])";
  const auto user = [](const std::string& parts) {
    return R"([{"role": "user", "content": [)" + parts + "]}]";
  };
  const std::string one = R"("image": "a.png")", two = R"("images": ["a.png", "a.png"])";
  EXPECT_EQ(told_of(two, user(hole + "," + text + "," + hole)), "system: T, user: I T I");
  EXPECT_EQ(told_of(one, asked), "system: T, user: I T");
  EXPECT_EQ(told_of(two, user(text)), "system: T, user: I I T");
  const std::string before = R"([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, )";
  EXPECT_EQ(told_of(one, before + R"({"role": "user", "content": "c"}])"),
            "system: T, user: T, assistant: T, user: I T");
  EXPECT_EQ(told_of(one, R"([{"role": "system", "content": "Mine."}, {"role": "user", "content": "a"}])"),
            "system: T, user: I T")
      << "a system message of its own is in the place of the run's";
  EXPECT_EQ(told_of(R"("system": "Brief.")", asked), "system: T, user: T");
  const std::string bad = "input_invalid";
  EXPECT_EQ(told_of(R"("system": "Brief.")", R"([{"role": "system", "content": "a"}])"), bad);
  EXPECT_EQ(told_of(one, user(hole + "," + hole)), bad);
  EXPECT_EQ(told_of(two, user(hole)), bad);
  EXPECT_EQ(told_of(R"("id": 1)", user(hole)), bad);
  EXPECT_EQ(told_of(one, user(R"({"type": "image", "path": "a.png"})")), bad) << "which of them?";
  EXPECT_EQ(told_of(one, R"([{"role": "assistant", "content": "a"}])"), bad);
  EXPECT_EQ(told_of(one, "[]"), bad);
  EXPECT_EQ(told_of(one, "[3, {\"role\": 5}]"), bad);
  EXPECT_EQ(told_of(one, "7"), bad);
  EXPECT_EQ(told_of(R"("id": 1)", user(R"({"type": "image", "path": "\u00000"})")), "not_found");
  EXPECT_EQ(told_of(R"("image": "none.png")", asked), "not_found");
}

TEST_F(Files, ChoicesAreAList) {
  EXPECT_THAT(read("q.jsonl",
                   "{\"image\": \"a.png\", \"choices\": \"yes,no\"}\n"
                   "{\"image\": \"a.png\", \"choices\": [\"yes\", \"no\"]}"),
              ElementsAre("a.png | input_invalid", "a.png | What? | 1 | -1"));
}

TEST_F(Files, LinesThatCannotBeReadAreItems) {
  const std::string deep(100, '[');
  const std::vector<std::string> all = read(
      "q.jsonl", "{\"image\": 5}\nnull\n{\n" + deep + "\n{\"image\": \"a\\u0000.png\"}\n" +
                     "{\"id\": \"\xff\", \"image\": \"a.png\"}\n{\"image\": \"a.png\", \"top_k\": -1}\n" +
                     "{\"image\": \"https://x.org/a.png\"}\n{\"image\": \"../nothing.png\"}\n" +
                     "{\"image\": \"a.png\", \"prompt\": \"\"}\n{\"custom_id\": \"c\", \"body\": {}}\n" +
                     "{\"messages\": [{\"role\": \"user\", \"content\": 5}]}\n");
  const auto at = [&](int number) { return line("q.jsonl", number); };
  EXPECT_THAT(all,
              ElementsAre(at(1) + " | input_invalid", at(2) + " | input_invalid", at(3) + " | input_invalid",
                          at(4) + " | input_too_large", std::string("a\0.png | not_found", 18),
                          at(6) + " | input_invalid", "a.png | input_invalid", "https://x.org/a.png | usage",
                          "../nothing.png | not_found", "a.png | usage", at(11) + " | input_invalid",
                          at(12) + " | input_invalid"));
}

TEST_F(Files, ALineOfAHundredMegabytesIsReadOnceAtItsTurn) {
  const std::string big(100 << 20, 'x');
  folder_.add("q.jsonl",
              "{\"id\": \"big\", \"image\": \"a.png\", \"note\": \"" + big + "\"}\n{\"image\": \"a.png\"}\n");
  const test::AllocationWatch watch;
  const auto source = open_source({folder_.file("q.jsonl")});
  EXPECT_THAT(all_of(*source), ElementsAre("big | What? | 1 | -1", "a.png | What? | 1 | -1"));
  EXPECT_LT(watch.peak(), int64_t{600} << 20);
}

TEST_F(Files, AnIdentityIsThatOfTheWholeLine) {
  folder_.add("q.jsonl", "{\"id\": 1, \"image\": \"a.png\"}\n{\"id\": 1, \"image\": \"b.png\"}\n");
  const auto source = open_source({folder_.file("q.jsonl")});
  const std::string first = source->next()->identity;
  EXPECT_NE(first, source->next()->identity);
}

TEST_F(Files, TablesAskWhatTheirRowsSay) {
  EXPECT_THAT(
      read("t.csv", "id,image,prompt\n1,a.png,\"one, \"\"two\"\"\"\r\n2,\"a.png\",\"x\ny\"\n\n,a.png,\n"),
      ElementsAre("1 | one, \"two\" | 1 | -1", "2 | x\ny | 1 | -1", "a.png | What? | 1 | -1"));
  EXPECT_THAT(
      read("t.tsv", "pic\tkey\na.png\tk,1\n", {.columns = {.image = "pic", .id = "key", .prompt = ""}}),
      ElementsAre("k,1 | What? | 1 | -1"));
}

TEST_F(Files, RowsThatCannotBeReadAreItems) {
  const std::string nul("a\0.png", 6);
  const std::vector<std::string> all =
      read("t.csv",
           "id,image\n1\n2,a.png,3\n\"3,a.png\n4,a.png\n5,\"a\"b\n6," + nul + "\n7,\n8,\xff\xfe\n9,a.png");
  const auto bad = [&](int number) { return line("t.csv", number) + " | input_invalid"; };
  EXPECT_THAT(all, ElementsAre(bad(2), bad(3), bad(4), "4 | What? | 1 | -1", bad(6), "6 | not_found",
                               "7 | input_invalid", "8 | not_found", "9 | What? | 1 | -1"));
}

TEST_F(Files, AQuoteThatNeverEndsCostsItsLineAlone) {
  std::string table = "image\n\"a.png\n";
  for (int i = 0; i < 300'000; ++i) table += "a.png\n";
  folder_.add("t.csv", table);
  const auto source = open_source({folder_.file("t.csv")});
  int64_t items = 0;
  while (auto item = source->next()) items += item->id == "a.png";
  EXPECT_EQ(items, 300'000);
}

TEST_F(Files, ATableNeedsAColumnOfPictures) {
  for (const std::string text : {"", "id,prompt\n1,a\n", "\n\n"})
    EXPECT_EQ(error_of([&] { read("t.csv", text); }).code(), ErrorCode::input_invalid) << text;
  EXPECT_THAT(error_of([&] { read("t.csv", "image\na.png\n", {.columns = {.image = "pic"}}); }).what(),
              HasSubstr("no column pic"));
}

std::string octal(int64_t value, int digits) {
  std::string text(static_cast<size_t>(digits), '0');
  for (size_t i = text.size(); i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
  return text;
}

/// A header by hand, its sum right; `size` is written as it stands.
std::string header(const std::string& name, const std::string& size, char type = '0') {
  std::string block(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, name);
  put(124, size);
  put(148, "        ");
  block[156] = type;
  put(257, std::string("ustar\00000", 8));
  int64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  return block;
}

std::string member(const std::string& name, const std::string& content, char type = '0') {
  return header(name, octal(static_cast<int64_t>(content.size()), 11), type) + content +
         std::string((512 - content.size() % 512) % 512, '\0');
}

TEST_F(Files, ArchivesGiveWhatBelongsTogether) {
  const std::string end(1024, '\0');
  const std::string long_name = std::string(200, 'n') + ".png";
  const std::string record = "214 path=" + long_name + "\n";
  const std::string archive =
      member("a/1.png", picture_) + member("a/1.txt", "Why?") + member("a/1.cls", "5") +
      member("../2.png", picture_) + member("../2.json", "{\"prompt\": \"How?\", \"max_tokens\": 2}") +
      member("README", "x") + member("dir/", "", '5') + member("link.png", "", '2') +
      member("x", record, 'x') + member("short.png", picture_) + member("L", "gnu.left.png", 'L') +
      member("short", picture_) + member("gnu.right.png", picture_) + member("._3.png", "mac") +
      member("3.png", "broken") + end;
  EXPECT_THAT(read("w.tar", archive), ElementsAre("a/1 | What? | 1 | -1", "../2 | How? | 1 | 2",
                                                  std::string(200, 'n') + " | What? | 1 | -1",
                                                  "gnu | What? | 2 | -1", "3 | unsupported_media"));
  folder_.add("w.tar", archive);
  const auto source = open_source({folder_.file("w.tar")});
  EXPECT_EQ(source->next()->request({}).prompt, "Why?") << "where nothing else is asked";
}

TEST_F(Files, AConversationOfAnArchiveHasItsPictures) {
  folder_.add("w.tar", member("1.a.png", picture_) + member("1.b.png", picture_) +
                           member("1.json", R"({"messages": [{"role": "user", "content": [
                               {"type": "image"}, "or", {"type": "image"}]}]})") +
                           std::string(1024, '\0'));
  const auto item = open_source({folder_.file("w.tar")})->next();
  EXPECT_EQ(shape(item->request(base_request())), "user: I T I");
}

TEST_F(Files, AnArchiveThatBreaksOffIsAnItemAtItsEnd) {
  const std::string whole = member("1.png", picture_) + member("2.png", picture_);
  const size_t second = whole.size() / 2;
  for (const size_t length : {second + 1, second + 511, second + 512, whole.size() - 700}) {
    const auto all = read("w.tar", whole.substr(0, length));
    ASSERT_EQ(all.size(), 2U) << length;
    EXPECT_EQ(all[0], "1 | What? | 1 | -1");
    EXPECT_THAT(all[1], HasSubstr("w.tar, byte "));
    EXPECT_THAT(all[1], HasSubstr("input_invalid"));
  }
  EXPECT_EQ(read("w.tar", whole).size(), 2U) << "the two empty blocks at the end may be missing";
}

TEST_F(Files, SizesOfStrangersTakeNoMemory) {
  const std::string huge("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
  const std::string beyond("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12);
  for (const std::string& size :
       {huge, beyond, std::string("77777777777"), std::string("-1"), std::string("8"), std::string("0x10")}) {
    const test::AllocationWatch watch;
    for (const char type : {'0', 'L', 'x', 'g'}) {
      const auto all = read("w.tar", header("1.png", size, type) + std::string(4096, 'x'));
      ASSERT_EQ(all.size(), 1U);
      EXPECT_THAT(all[0], HasSubstr("input_invalid")) << type;
    }
    EXPECT_LT(watch.peak(), 1 << 20);
  }
  const auto records =
      read("w.tar", member("x", "30 size=99999999999999999999\n\n", 'x') + member("1.png", "x"));
  EXPECT_THAT(records.back(), HasSubstr("input_invalid"));
}

TEST_F(Files, EveryByteOfAHeaderMayBeWrong) {
  const std::string whole = member("1.png", picture_) + member("x", "17 path=b/2.png\n\n", 'x') +
                            member("2.png", picture_) + std::string(1024, '\0');
  for (size_t at = 0; at < 512; ++at)
    for (const int flip : {0x01, 0x20, 0x80}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ flip);
      folder_.add("w.tar", bytes);
      const auto source = open_source({folder_.file("w.tar")});
      int items = 0;
      while (source->next()) ++items;
      EXPECT_GE(items, 1) << at;
    }
}

TEST_F(Files, ACompressedArchiveIsRefusedAtOnce) {
  folder_.add("w.tar", "\x1f\x8b\x08 and so on");
  EXPECT_EQ(error_of([&] { open_source({folder_.file("w.tar")}); }).code(), ErrorCode::unsupported_media);
}

TEST_F(Files, SeveralFilesFollowOneAnother) {
  folder_.add("1.jsonl", "{\"id\": 1, \"image\": \"a.png\"}\n");
  folder_.add("2.csv", "id,image\n2,a.png\n");
  const auto source = open_source({folder_.file("1.jsonl"), folder_.file("2.csv"), folder_.file("a.png")});
  EXPECT_THAT(all_of(*source), ElementsAre("1 | What? | 1 | -1", "2 | What? | 1 | -1",
                                           folder_.file("a.png") + " | What? | 1 | -1"));
  EXPECT_FALSE(source->total());
  EXPECT_TRUE(brings_questions({folder_.file("a.png"), folder_.file("2.csv")}, {}));
  EXPECT_FALSE(brings_questions({folder_.file("a.png")}, {}));
}

}  // namespace
}  // namespace galago::batch
