// See the header.
#include "convert/document_sink.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>
#include <span>
#include <utility>

#include "batch/names.h"
#include "convert/join_pages.h"
#include "convert/overlay.h"
#include "convert/page_record.h"
#include "convert/report.h"
#include "convert/text_layer.h"
#include "documents/export.h"
#include "io/files.h"

namespace galago::convert {
namespace {

namespace fs = std::filesystem;

std::string written(const documents::Document& document, Format format, const Options& options) {
  switch (format) {
    case Format::html:
      return documents::to_html(document, {.page_headers = options.page_headers});
    case Format::json:
      return documents::to_json(document, {.confidence = options.confidence}) + "\n";
    case Format::doctags:
      return documents::to_doctags(document) + "\n";
    case Format::text:
    case Format::markdown:
      break;
  }
  const documents::MarkdownOptions markdown{.page_break = options.page_break,
                                            .page_headers = options.page_headers};
  return (format == Format::text ? documents::to_text(document, markdown)
                                 : documents::to_markdown(document, markdown)) +
         "\n";
}

std::string picture_name(int64_t page) {
  std::array<char, 40> name{};
  std::snprintf(name.data(), name.size(), "page-%04lld.svg", static_cast<long long>(page));
  return name.data();
}

class DocumentSink final : public batch::Sink {
 public:
  DocumentSink(const Options& options, const Callbacks& callbacks, Summary& summary)
      : options_(options), callbacks_(callbacks), summary_(summary) {}

  void write(const std::string& line) override {
    PageRecord record = read_record(line);
    if (record.file != file_ || record.page <= page_) finish();
    file_ = record.file;
    page_ = record.page;
    tell(record);
    if (record.error.empty() || record.page > 0) pages_.push_back(std::move(record));
  }
  void commit() override { finish(); }

 private:
  void tell(const PageRecord& record) {
    std::string text = record.error;
    summary_.retried += record.attempts > 1;
    summary_.tokens += record.tokens;
    summary_.drafted += record.drafted;
    summary_.accepted += record.accepted;
    if (text.empty() && record.problem != PageProblem::none) {
      ++summary_.problems;
      text = explain(record.problem);
      if (record.attempts > 1) text += ", also when it was " + record.retried;
    }
    if (!text.empty() && callbacks_.note) callbacks_.note({page_id(record.file, record.page), text});
  }

  // The name behind the output folder, without an ending, of which none of the document's files is there yet:
  // as another document's of this run, as an input or as a folder.
  std::string name_of(const std::string& file) {
    fs::path name = fs::path(file).filename();
    for (const fs::path& input : options_.inputs) {
      std::error_code error;
      if (!fs::is_directory(input, error)) continue;
      const fs::path inside = fs::path(file).lexically_relative(input);
      if (!inside.empty() && *inside.begin() != "..") name = inside;
    }
    const std::string wanted = batch::safe_name(name.replace_extension().generic_string());
    for (int copy = 1;; ++copy) {
      const std::string one = copy == 1 ? wanted : wanted + "~" + std::to_string(copy);
      const std::vector<fs::path> files = files_of(one);
      if (std::ranges::any_of(files, [this](const fs::path& path) { return is_taken(path); })) continue;
      for (const fs::path& path : files) taken_.insert(path.string());
      return one;
    }
  }

  std::vector<fs::path> files_of(const std::string& name) const {
    std::vector<fs::path> all;
    for (const Format format : options_.formats) all.push_back(place(name, ending(format)));
    if (options_.report) all.push_back(place(name, "report.html"));
    return all;
  }

  bool is_taken(const fs::path& path) const {
    std::error_code error;
    if (options_.output.empty()) return false;
    return taken_.contains(path.string()) || fs::is_directory(path, error) ||
           std::ranges::any_of(options_.inputs,
                               [&](const fs::path& input) { return fs::equivalent(input, path, error); });
  }

  fs::path place(const std::string& name, const std::string& end) const {
    if (!one_file_) return options_.output / (name + "." + end);
    fs::path beside = options_.output;
    const auto own = format_of(beside.extension().string());
    return own && end == ending(*own) ? beside : beside.replace_extension(end);
  }

  static void write_file(const fs::path& path, const std::string& text) {
    std::error_code error;
    if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
    if (error)
      throw Error(
          ErrorCode::output_io,
          {.where = path.parent_path().string(), .got = error.message(), .expected = "a folder to write to"});
    write_file_atomically(path, std::as_bytes(std::span(text)));
  }

  // What goes wrong with a page here costs that page what was asked for, and is told.
  template <typename Action>
  void attempt(const PageRecord& record, const char* what, const Action& action) {
    try {
      action();
    } catch (const Error& fault) {
      if (fault.code() == ErrorCode::output_io || fault.code() == ErrorCode::resource) throw;
      ++summary_.problems;
      if (callbacks_.note)
        callbacks_.note({page_id(record.file, record.page), std::string(what) + ": " + fault.what()});
    }
  }

  void finish() {
    const std::vector<PageRecord> pages = std::exchange(pages_, {});
    documents::Document document;
    document.name = fs::path(file_).stem().string();
    open_file();
    std::vector<std::optional<documents::Document>> read;
    for (const PageRecord& page : pages) {
      read.push_back(page.error.empty() ? std::optional(corrected(page)) : std::nullopt);
      if (read.back()) append(document, *read.back());
    }
    if (document.pages.empty()) return;
    if (options_.join_pages) join_pages(document);
    ++summary_.documents;
    const std::string name = name_of(file_);
    for (const Format format : options_.formats) {
      const std::string text = written(document, format, options_);
      if (options_.output.empty())
        callbacks_.print(text);
      else
        write_file(place(name, ending(format)), text);
    }
    if (options_.overlay || options_.report) show(name, pages, read);
  }

  // What text layer, overlay and report need; null where it cannot be opened any more.
  void open_file() {
    shown_.reset();
    if (file_.empty() || !(options_.text_layer || options_.overlay || options_.report)) return;
    attempt({.file = file_}, "is not to be had any more",
            [this] { shown_ = PageFile::open(file_, options_.pages.draw); });
  }

  documents::Document corrected(const PageRecord& record) {
    documents::Document page = read_page(record);
    if (options_.text_layer && shown_)
      attempt(record, "its text layer",
              [&] { summary_.corrected += correct(page.pages.front(), shown_->words(record.page)); });
    return page;
  }

  void show(const std::string& name, const std::vector<PageRecord>& pages,
            const std::vector<std::optional<documents::Document>>& read) {
    const fs::path folder = place(name, "pages");
    std::vector<ReportPage> report;
    for (size_t i = 0; i < pages.size(); ++i) {
      ReportPage page{.picture = {}, .number = pages[i].page, .note = pages[i].error, .content = {}};
      if (read[i]) {
        page.note = explain(pages[i].problem);
        page.content = *read[i];
        attempt(pages[i], "its picture", [&] {
          if (!shown_) return;
          const std::string picture = picture_name(pages[i].page);
          write_file(folder / picture,
                     overlay_svg(shown_->draw(pages[i].page).image, page.content.pages.front()));
          page.picture = folder.filename().string() + "/" + picture;
        });
      }
      report.push_back(std::move(page));
    }
    if (options_.report)
      write_file(place(name, "report.html"), report_html(fs::path(file_).filename().string(), report));
  }

  const Options& options_;
  const Callbacks& callbacks_;
  Summary& summary_;
  const bool one_file_ = is_one_file(options_.output);
  std::set<std::string> taken_;  // files of this run
  std::shared_ptr<const PageFile> shown_;
  std::string file_;  // whose pages come
  int64_t page_ = 0;
  std::vector<PageRecord> pages_;
};

}  // namespace

std::unique_ptr<batch::Sink> make_document_sink(const Options& options, const Callbacks& callbacks,
                                                Summary& summary) {
  return std::make_unique<DocumentSink>(options, callbacks, summary);
}

}  // namespace galago::convert
