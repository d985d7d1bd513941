// Conversions with tiny models: which pages come, what is written where, what is told of pages that are not
// well.
#include "convert/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tiffio.h>

#include <chrono>
#include <thread>

#include "convert/page_record.h"
#include "documents/export.h"
#include "support/fixtures.h"
#include "support/pdf.h"

namespace galago::convert {
namespace {

namespace fs = std::filesystem;
using test::data_path;
using test::error_of;
using test::read_bytes;
using test::TempDir;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const Model& model() {
  static const Model loaded = Model::load(data_path("models/docling"), {.threads = 1});
  return loaded;
}

bool poppler() { return std::system("pdfinfo -v >/dev/null 2>&1 && pdftoppm -v >/dev/null 2>&1") == 0; }

class Converting : public testing::Test {
 protected:
  Options options(const std::vector<std::string>& inputs, const std::string& output) const {
    Options options;
    options.run.request.options.max_new_tokens = 12;
    for (const std::string& input : inputs) options.inputs.emplace_back(folder_.file(input));
    if (!output.empty()) options.output = folder_.file(output);
    return options;
  }
  void add_picture(const std::string& name) const {
    fs::create_directories(fs::path(folder_.file(name)).parent_path());
    fs::copy_file(data_path("pictures/shapes_37x90.png"), folder_.file(name));
  }
  // So many pages, each darker than the one before.
  void add_tiff(const std::string& name, int pages) const {
    TIFF* tiff = TIFFOpen(folder_.file(name).c_str(), "w");
    for (int page = 0; page < pages; ++page) {
      for (const auto& [tag, value] :
           {std::pair{TIFFTAG_IMAGEWIDTH, 16 + page}, std::pair{TIFFTAG_IMAGELENGTH, 4},
            std::pair{TIFFTAG_BITSPERSAMPLE, 8}, std::pair{TIFFTAG_SAMPLESPERPIXEL, 1},
            std::pair{TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK}})
        TIFFSetField(tiff, static_cast<uint32_t>(tag), value);
      std::vector<uint8_t> row(static_cast<size_t>(16 + page), static_cast<uint8_t>(200 - 40 * page));
      for (uint32_t y = 0; y < 4; ++y) TIFFWriteScanline(tiff, row.data(), y, 0);
      TIFFWriteDirectory(tiff);
    }
    TIFFClose(tiff);
  }
  std::vector<std::string> ids(const std::vector<std::string>& inputs, const PageOptions& pages = {}) const {
    std::vector<fs::path> paths;
    for (const std::string& input : inputs) paths.emplace_back(folder_.file(input));
    PageSource source(paths, pages);
    std::vector<std::string> all;
    while (auto item = source.next())
      all.push_back(fs::path(item->id).lexically_relative(folder_.path()).string());
    EXPECT_EQ(counted(source), std::ssize(all));
    return all;
  }
  // What a source says in the end; it counts beside.
  static std::optional<int64_t> counted(const PageSource& source) {
    for (int tries = 0; tries < 2000; ++tries) {
      if (const auto total = source.total()) return total;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return {};
  }
  std::vector<std::string> files() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.file("out")))
      if (entry.is_regular_file())
        all.push_back(entry.path().lexically_relative(folder_.file("out")).string());
    std::ranges::sort(all);
    return all;
  }

  TempDir folder_;
};

TEST_F(Converting, PagesComeInOrder) {
  add_picture("in/b.png");
  add_picture("in/a/z.PNG");
  folder_.add("in/readme.md", "no document");
  add_tiff("in/c.tiff", 3);
  EXPECT_THAT(ids({"in"}),
              ElementsAre("in/a/z.PNG#1", "in/b.png#1", "in/c.tiff#1", "in/c.tiff#2", "in/c.tiff#3"));
  EXPECT_THAT(ids({"in/c.tiff", "in/b.png"}, {.pages = PageRange::parse("2-")}),
              ElementsAre("in/c.tiff#2", "in/c.tiff#3", "in/b.png"));
  EXPECT_EQ(error_of([&] { ids({"nowhere"}); }).code(), ErrorCode::not_found);
  EXPECT_EQ(error_of([&] { ids({}); }).code(), ErrorCode::usage);
  fs::create_directory(folder_.file("empty"));
  EXPECT_EQ(error_of([&] { ids({"empty"}); }).code(), ErrorCode::not_found);
}

TEST_F(Converting, ManyFilesAreCountedBesideTheRun) {
  fs::create_directories(folder_.file("in"));
  for (int i = 0; i < 150; ++i) {
    if (i % 10 == 0)
      add_tiff("in/" + std::to_string(i) + ".tiff", 2);
    else
      folder_.add("in/" + std::to_string(i) + ".png", "no picture");
  }
  const std::vector<fs::path> in = {folder_.file("in")};
  EXPECT_EQ(counted(PageSource(in, {})), 165);
  EXPECT_EQ(counted(PageSource(in, {.pages = PageRange::parse("2")})), 150);
  // What is opened meanwhile is not opened to be counted, and whoever goes does not wait for the count.
  for (int taken = 0; taken < 40; taken += 13) {
    PageSource source(in, {});
    for (int i = 0; i < taken; ++i) source.next();
    source.total();
    if (taken % 2 == 0) {
      EXPECT_EQ(counted(source), 165);
    }
  }
  bool stopped = false;
  const DrawOptions asked{.keep_going = [&] { return !stopped; }};
  PageSource source(in, {.draw = asked});
  source.total();
  stopped = true;
}

TEST_F(Converting, PagesOfATiffAreItsPictures) {
  add_tiff("three.tiff", 3);
  const auto file = PageFile::open(folder_.file("three.tiff"), {});
  ASSERT_EQ(file->pages(), 3);
  for (int64_t page = 1; page <= 3; ++page) {
    const DrawnPage drawn = file->draw(page);
    EXPECT_EQ(drawn.width, 15 + static_cast<double>(page));
    EXPECT_EQ(drawn.image.pixels()[0], 240 - 40 * page);
  }
  for (const int64_t page : {0, 4, -1})
    EXPECT_EQ(error_of([&] { file->draw(page); }).code(), ErrorCode::input_invalid);
}

TEST_F(Converting, EveryFormatIsWritten) {
  add_picture("page.png");
  Options all = options({"page.png"}, "out");
  all.formats = {Format::markdown, Format::html, Format::json, Format::text, Format::doctags};
  all.overlay = all.report = true;
  const Summary summary = run(model(), all);
  EXPECT_EQ(summary.documents, 1);
  EXPECT_EQ(summary.run.done, 1);
  EXPECT_THAT(files(), ElementsAre("page.doctags", "page.html", "page.json", "page.md",
                                   "page.pages/page-0001.svg", "page.report.html", "page.txt"));
  EXPECT_THAT(read_bytes(folder_.file("out/page.json")), HasSubstr("\"schema_name\":\"DoclingDocument\""));
  EXPECT_THAT(read_bytes(folder_.file("out/page.report.html")),
              HasSubstr("src=\"page.pages/page-0001.svg\""));
  EXPECT_THAT(read_bytes(folder_.file("out/page.pages/page-0001.svg")), StartsWith("<svg "));
}

TEST_F(Converting, AnAnswerThatIsCutIsAskedForOnceMoreAndTold) {
  add_picture("page.png");
  std::vector<std::string> notes;
  const Callbacks callbacks{
      .note = [&](const PageNote& note) { notes.push_back(note.page + ": " + note.text); }};
  Options twelve = options({"page.png"}, "out/page.txt");
  fs::create_directory(folder_.file("out"));
  twelve.formats = {Format::text};
  const Summary summary = run(model(), twelve, callbacks);
  EXPECT_EQ(summary.problems, 1);
  EXPECT_EQ(summary.retried, 1);
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes[0], HasSubstr("page.png#1: ends at the token limit, so the rest is missing, also when it "
                                  "was sampled at temperature 0.3"));
  EXPECT_THAT(files(), ElementsAre("page.txt"));
  // No better the second time: the first answer stands.
  Request request = twelve.run.request;
  request.prompt = kQuestion;
  request.images.push_back(Image::open(folder_.file("page.png")));
  const std::string once = model().ask(request).text;
  Options kept = twelve;
  kept.formats = {Format::doctags};
  kept.output = folder_.file("out/page.doctags");
  run(model(), kept);
  const PageRecord first{.file = "page", .page = 1, .doctags = once};
  EXPECT_EQ(read_bytes(folder_.file("out/page.doctags")), documents::to_doctags(read_page(first)) + "\n");
  twelve.pages.retry = false;
  EXPECT_EQ(run(model(), twelve).retried, 0);
}

TEST_F(Converting, WhatCannotBeReadCostsItsPageAlone) {
  add_picture("in/good.png");
  folder_.add("in/bad.png", "no picture");
  folder_.add("in/bad.pdf", "no pdf");
  std::vector<std::string> notes;
  const Summary summary =
      run(model(), options({"in"}, "out"),
          {.note = [&](const PageNote& note) { notes.push_back(fs::path(note.page).filename()); }});
  EXPECT_EQ(summary.run.done, 3);
  EXPECT_EQ(summary.run.failed, 2);
  EXPECT_THAT(notes, ElementsAre("bad.pdf", "bad.png", "good.png#1"));
  EXPECT_THAT(files(), ElementsAre("good.md"));
}

TEST_F(Converting, TwoOfOneNameAreTwoFiles) {
  add_picture("in/a.png");
  add_tiff("in/a.tiff", 2);
  run(model(), options({"in"}, "out"));
  EXPECT_THAT(files(), ElementsAre("a.md", "a~2.md"));
}

TEST_F(Converting, NoFileOfADocumentIsAnothersOrAnInput) {
  add_picture("in/x.png");
  add_picture("in/x.report.png");
  fs::create_directories(folder_.file("out/x.md"));
  Options both = options({"in"}, "out");
  both.formats = {Format::html};
  both.report = true;
  EXPECT_EQ(run(model(), both).documents, 2);
  EXPECT_THAT(files(), ElementsAre("x.html", "x.pages/page-0001.svg", "x.report.html", "x.report~2.html",
                                   "x.report~2.pages/page-0001.svg", "x.report~2.report.html"));
  EXPECT_EQ(run(model(), options({"in"}, "out")).documents, 2) << "x.md is a folder";
  EXPECT_TRUE(fs::exists(folder_.file("out/x~2.md")));
  add_picture("out/page.md");  // a picture of that name, which is an input
  const std::string before = read_bytes(folder_.file("out/page.md"));
  run(model(), options({"out/page.md"}, "out"));
  EXPECT_EQ(read_bytes(folder_.file("out/page.md")), before);
  EXPECT_TRUE(fs::exists(folder_.file("out/page~2.md")));
}

TEST_F(Converting, AFolderThatEndsAsAFormatIsAFolder) {
  add_picture("in/a.png");
  add_picture("in/b.png");
  fs::create_directories(folder_.file("out/docs.md"));
  Options all = options({"in"}, "out/docs.md");
  all.formats = {Format::json, Format::text};
  run(model(), all);
  EXPECT_THAT(files(), ElementsAre("docs.md/a.json", "docs.md/a.txt", "docs.md/b.json", "docs.md/b.txt"));
}

TEST_F(Converting, NamesThatAreNoUtf8KeepTheirBytes) {
  add_picture("in/lat\xe9 100% #1?.png");
  Options shown = options({"in"}, "out");
  shown.report = true;
  std::vector<std::string> notes;
  EXPECT_EQ(
      run(model(), shown, {.note = [&](const PageNote& note) { notes.push_back(note.text); }}).documents, 1);
  EXPECT_THAT(notes, ElementsAre(HasSubstr("ends at the token limit")));
  EXPECT_THAT(read_bytes(folder_.file("out/lat%E9 100%25 #1%3F.report.html")),
              HasSubstr("src=\"lat%25E9%20100%2525%20%231%253F.pages/page-0001.svg\""));
}

TEST_F(Converting, AFileThatIsAnotherByNowIsNoticed) {
  add_tiff("in.tiff", 12);
  bool some = false;
  const Callbacks callbacks{.stop = [&] { return some; },
                            .progress = [&](const batch::Progress& p) { some = p.done > 0; }};
  EXPECT_TRUE(run(model(), options({"in.tiff"}, "out"), callbacks).run.stopped);
  add_tiff("in.tiff", 11);
  EXPECT_EQ(error_of([&] { run(model(), options({"in.tiff"}, "out")); }).code(), ErrorCode::usage);
}

// A page whose picture cannot be drawn any more costs its picture.
TEST_F(Converting, WhatIsGoneWhenDocumentsAreWrittenIsTold) {
  add_picture("in/a.png");
  Options shown = options({"in"}, "out");
  shown.report = true;
  std::vector<std::string> notes;
  const Summary summary = run(model(), shown,
                              {.progress =
                                   [&](const batch::Progress& p) {
                                     if (p.done == 1) fs::remove(folder_.file("in/a.png"));
                                   },
                               .note = [&](const PageNote& note) { notes.push_back(note.text); }});
  EXPECT_EQ(summary.documents, 1);
  EXPECT_THAT(notes, testing::Contains(HasSubstr("is not to be had any more")));
  EXPECT_THAT(files(), ElementsAre("a.md", "a.report.html"));
}

// A file that was refused, and is not any more: its pages come in its place.
TEST_F(Converting, AnotherPasswordMakesTheRefusedFileRunAgain) {
  if (!poppler()) GTEST_SKIP() << "poppler-utils is not installed";
  fs::create_directories(folder_.file("in"));
  add_picture("in/a.png");
  fs::copy_file(data_path("pdf/locked.pdf"), folder_.file("in/b.pdf"));
  folder_.add("in/c.pdf", "no pdf yet");
  add_tiff("in/d.tiff", 12);
  const auto with = [&](const std::string& password, const std::string& output) {
    Options one = options({"in"}, output);
    one.pages.draw.password = password;
    one.formats = {Format::doctags};
    one.run.workers = 2;
    return one;
  };
  const auto stopped_at = [&](const Options& one, int64_t records) {
    int64_t done = 0;
    return run(model(), one,
               {.stop = [&] { return done >= records; },
                .progress = [&](const batch::Progress& p) { done = p.done; }});
  };
  EXPECT_TRUE(stopped_at(with("wrong", "out"), 6).run.stopped);
  EXPECT_THAT(read_bytes(folder_.file("out/.galago-convert.journal")), testing::Not(HasSubstr("wrong")));
  folder_.add("in/c.pdf", test::pdf({{.width = 60, .height = 30}, {.width = 50, .height = 30}}));
  EXPECT_TRUE(stopped_at(with("user", "out"), 9).run.stopped);
  EXPECT_THAT(read_bytes(folder_.file("out/.galago-convert.journal")), testing::Not(HasSubstr("user")));
  std::vector<std::string> notes;
  const Summary summary =
      run(model(), with("user", "out"), {.note = [&](const PageNote& note) { notes.push_back(note.page); }});
  EXPECT_EQ(summary.run.failed, 0);
  EXPECT_GE(summary.run.resumed, 9);
  EXPECT_EQ(summary.documents, 4);
  const Summary anew = run(model(), with("user", "anew"));
  EXPECT_EQ(summary.run.done, anew.run.done);
  for (const char* name : {"a", "b", "c", "d"})
    EXPECT_EQ(read_bytes(folder_.file(std::string("out/") + name + ".doctags")),
              read_bytes(folder_.file(std::string("anew/") + name + ".doctags")));
}

// The answers are the same; what is guessed is counted.
TEST_F(Converting, GuessesChangeNothing) {
  if (!poppler()) GTEST_SKIP() << "poppler-utils is not installed";
  fs::create_directories(folder_.file("in"));
  add_tiff("in/a.tiff", 3);
  folder_.add("in/b.pdf", test::pdf({{.width = 60, .height = 30, .ink = "5 5 20 10 re f"}}));
  const auto read = [&](bool draft, const std::string& output) {
    Options one = options({"in"}, output);
    one.run.request.options.max_new_tokens = 80;
    one.formats = {Format::json};
    one.confidence = true;
    one.pages.draft = draft;
    return run(model(), one);
  };
  const Summary with = read(true, "with"), without = read(false, "without");
  EXPECT_EQ(without.drafted, 0);
  EXPECT_GE(with.drafted, with.accepted);
  EXPECT_EQ(with.tokens, without.tokens);
  for (const char* name : {"a.json", "b.json"})
    EXPECT_EQ(read_bytes(folder_.file(std::string("with/") + name)),
              read_bytes(folder_.file(std::string("without/") + name)));
}

TEST_F(Converting, PdfPagesAreDrawn) {
  if (!poppler()) GTEST_SKIP() << "poppler-utils is not installed";
  folder_.add("two.pdf",
              test::pdf({{.width = 60, .height = 30, .ink = "5 5 20 10 re f"}, {.width = 60, .height = 30}}));
  std::string printed;
  Options shown = options({"two.pdf"}, "");
  const Summary summary = run(model(), shown, {.print = [&](const std::string& text) { printed += text; }});
  EXPECT_EQ(summary.run.done, 2);
  EXPECT_FALSE(printed.empty());
  shown.pages.draw.scale = 4;
  shown.text_layer = shown.join_pages = true;
  shown.pages.pages = PageRange::parse("2");
  EXPECT_EQ(run(model(), shown, {.print = [](const std::string&) {}}).run.done, 1);
  const auto file = PageFile::open(folder_.file("two.pdf"), {.scale = 4});
  const DrawnPage page = file->draw(1);
  EXPECT_EQ(page.image.width(), 240);
  EXPECT_EQ(page.width, 60);
  EXPECT_EQ(page.unit, documents::PageUnit::points);
}

TEST_F(Converting, OutputsThatDoNotFitAreRefused) {
  add_picture("a.png");
  add_picture("b.png");
  const auto refused = [&](Options wrong) { return error_of([&] { run(model(), wrong); }).code(); };
  EXPECT_EQ(refused(options({"a.png", "b.png"}, "out.md")), ErrorCode::usage);
  EXPECT_EQ(refused(options({"a.png", "b.png"}, "")), ErrorCode::usage);
  EXPECT_EQ(refused(options({"a.png"}, "a.png")), ErrorCode::usage);
  Options none = options({"a.png"}, "out.md");
  none.formats = {};
  EXPECT_EQ(refused(none), ErrorCode::usage);
  Options pictures = options({"a.png"}, "");
  pictures.overlay = true;
  EXPECT_EQ(refused(pictures), ErrorCode::usage);
  EXPECT_FALSE(fs::exists(folder_.file("out.md")));
  EXPECT_EQ(refused(options({"a.png"}, "out.docx")), ErrorCode::usage);
  Options other = options({"a.png"}, "out.html");
  EXPECT_EQ(refused(other), ErrorCode::usage) << "Markdown in a file of HTML's name";
}

TEST_F(Converting, AStoppedRunGoesOn) {
  add_tiff("in.tiff", 12);
  const Options one = options({"in.tiff"}, "out");
  int asked = 0;
  EXPECT_TRUE(run(model(), one, {.stop = [&] { return ++asked > 3; }}).run.stopped);
  EXPECT_TRUE(fs::exists(folder_.file("out/.galago-convert.journal")));
  const Summary summary = run(model(), one);
  EXPECT_EQ(summary.run.done, 12);
  EXPECT_THAT(files(), ElementsAre("in.md"));
  const std::string resumed = read_bytes(folder_.file("out/in.md"));
  run(model(), one);
  EXPECT_EQ(read_bytes(folder_.file("out/in.md")), resumed);
}

TEST(Formats, HaveTheirNames) {
  EXPECT_EQ(format_of(".MD"), Format::markdown);
  EXPECT_EQ(format_of("doctags"), Format::doctags);
  EXPECT_FALSE(format_of("pdf"));
  EXPECT_FALSE(format_of(""));
}

}  // namespace
}  // namespace galago::convert
