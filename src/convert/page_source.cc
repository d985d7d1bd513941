// See the header.
#include "convert/page_source.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "convert/page_record.h"
#include "convert/text_draft.h"

namespace galago::convert {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_missing(const fs::path& path) {
  throw Error(ErrorCode::not_found, {.where = path.string(),
                                     .got = "no such file or folder",
                                     .expected = "a PDF, a picture or a folder of them"});
}

/// A page on its way: what its record needs, and its request, until its record is written.
struct Page {
  PageRecord record;
  Request request;
  std::optional<Answer> first;  // the one that was not good enough

  void describe(const Answer& answer, const documents::Document& read) {
    record.doctags = answer.text;
    record.tokens = answer.usage.completion_tokens;
    record.drafted = answer.usage.drafted_tokens;
    record.accepted = answer.usage.accepted_tokens;
    record.confidences = confidences_of(read);
    if (answer.confidence) record.confidence = std::exp(answer.confidence->mean_logprob);
    record.problem = find_problem(read, answer.finish_reason);
  }
};

std::string how_retried(const GenerateOptions& options) {
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "sampled at temperature %g, top_p %g, seed %llu",
                options.temperature, options.top_p, static_cast<unsigned long long>(options.seed));
  return text.data();
}

// What tells a file from another of its name.
std::string version_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return "";
  const auto changed = fs::last_write_time(path, error);
  return " " + std::to_string(size) + " " + std::to_string(changed.time_since_epoch().count());
}

std::optional<Request> second_attempt(Page& page, const Answer& answer) {
  if (page.first || answer.finish_reason == FinishReason::cancelled) return {};
  if (find_problem(read_page(answer), answer.finish_reason) == PageProblem::none) return {};
  page.first = answer;
  Request again = page.request;
  GenerateOptions& options = again.options;
  ++options.seed;
  options.temperature = kRetryTemperature;
  options.top_p = kRetryTopP;
  if (options.draft.answer) options.draft.texts.insert(options.draft.texts.begin(), answer.text);
  page.record.attempts = 2;
  page.record.retried = how_retried(options);
  return again;
}

std::string record_line(Page& page, const Answer& answer) {
  page.describe(answer, read_page(answer));
  if (page.first && page.record.problem != PageProblem::none)  // no better
    page.describe(*page.first, read_page(*page.first));
  return to_line(page.record);
}

// What is guessed of a page. A layer that cannot be read is one that is not there.
Draft draft_of(const PageFile& file, int64_t page, const DrawnPage& drawn) {
  Draft draft{.texts = {}, .answer = true, .source = {}};
  try {
    draft.texts = draft_texts(file.words(page, &drawn));
  } catch (const Error&) {
  }
  return draft;
}

batch::Item item_of(PageRecord record, std::shared_ptr<const PageFile> file, const std::string& version,
                    const PageOptions& options) {
  auto page = std::make_shared<Page>(Page{.record = std::move(record), .request = {}, .first = {}});
  batch::Item item{.id = page_id(page->record.file, page->record.page)};
  item.identity = item.id + version;
  item.request = [page, file = std::move(file), draft = options.draft](const Request& base) {
    DrawnPage drawn = file->draw(page->record.page);
    page->record.width = drawn.width;
    page->record.height = drawn.height;
    page->record.unit = drawn.unit;
    page->request = base;
    if (draft) page->request.options.draft = draft_of(*file, page->record.page, drawn);
    page->request.images.push_back(std::move(drawn.image));
    return page->request;
  };
  if (options.retry) item.again = [page](const Answer& answer) { return second_attempt(*page, answer); };
  item.answer_line = [page](const Answer& answer) { return record_line(*page, answer); };
  item.error_line = [page](const Error& error) { return to_line(page->record, error); };
  return item;
}

// The item of a file whose pages do not come.
batch::Item failing_item(const fs::path& path, int64_t pages, const Error& fault) {
  batch::Item item{.id = path.string()};
  item.request = [fault](const Request&) -> Request { throw fault; };
  item.error_line = [record = PageRecord{.file = path.string(), .pages = pages}](const Error& error) {
    return to_line(record, error);
  };
  return item;
}

}  // namespace

PageSource::PageSource(std::vector<fs::path> inputs, PageOptions options)
    : inputs_(std::move(inputs)),
      options_(std::move(options)),
      files_(inputs_),
      counter_(std::make_unique<PageCounter>(inputs_, options_.draw, options_.pages)) {
  if (inputs_.empty())
    throw Error(
        ErrorCode::usage,
        {.where = "galago convert", .got = "no input", .expected = "a PDF, a picture or a folder of them"});
  for (const fs::path& input : inputs_) {
    std::error_code error;
    if (!fs::exists(input, error)) refuse_missing(input);
    if (!fs::is_directory(input, error)) continue;
    batch::Walk walk(input, "**");
    auto file = walk.next();
    while (file && !ends_like_document(file->string())) file = walk.next();
    if (!file)
      throw Error(
          ErrorCode::not_found,
          {.where = input.string(), .got = "nothing to convert", .expected = "PDF files or pictures"});
  }
}

std::optional<batch::Item> PageSource::next() {
  for (;;) {
    if (file_) {
      while (++page_ <= file_->pages())
        if (options_.pages.has(page_)) {
          ++of_file_;
          batch::Item item = item_of({.file = path_.string(), .page = page_, .pages = file_->pages()}, file_,
                                     version_, options_);
          item.instead_of = path_.string();  // as failing_item has it
          item.siblings = wanted_;
          return item;
        }
      const int64_t pages = file_->pages();
      file_.reset();
      if (of_file_ > 0) continue;
      return failing_item(
          path_, pages,  // or it would be missed
          Error(ErrorCode::usage, {.where = path_.string(),
                                   .got = std::to_string(pages) + (pages == 1 ? " page" : " pages"),
                                   .expected = "one of those of --pages"}));
    }
    auto path = files_.next();
    if (!path) return {};
    ++number_;
    path_ = std::move(*path);
    page_ = of_file_ = 0;
    version_ = version_of(path_);
    try {
      file_ = PageFile::open(path_, options_.draw);
      wanted_ = wanted_pages(*file_, options_.pages);
      counter_->know(number_, wanted_);
    } catch (const Error& fault) {
      std::error_code error;
      const bool program_missing = fault.code() == ErrorCode::not_found && fs::exists(path_, error);
      if (fault.code() == ErrorCode::resource || program_missing) throw;
      counter_->know(number_, 1);
      return failing_item(path_, 0, fault);
    }
  }
}

std::optional<int64_t> PageSource::total() const { return counter_->total(); }

}  // namespace galago::convert
