// See the header.
#include "convert/convert.h"

#include <algorithm>
#include <array>
#include <utility>

#include "convert/document_sink.h"
#include "core/words.h"
#include "io/temporary_name.h"
#include "messages/ordered_json.h"

namespace galago::convert {
namespace {

namespace fs = std::filesystem;

struct Word {
  const char* word;
  Format format;
};
constexpr std::array<Word, 9> kWords = {{{"md", Format::markdown},
                                         {"markdown", Format::markdown},
                                         {"html", Format::html},
                                         {"htm", Format::html},
                                         {"json", Format::json},
                                         {"txt", Format::text},
                                         {"text", Format::text},
                                         {"doctags", Format::doctags},
                                         {"dt", Format::doctags}}};

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

[[noreturn]] void refuse_output(const std::string& got, const std::string& expected) {
  throw Error(ErrorCode::usage, {.where = "-o, --output", .got = got, .expected = expected});
}

// A folder may have any name, but one like this was meant as a file.
bool ends_like_a_file(const fs::path& output) {
  constexpr std::array<std::string_view, 14> endings = {".pdf", ".doc",  ".docx", ".odt",  ".rtf",
                                                        ".tex", ".csv",  ".xml",  ".yaml", ".png",
                                                        ".jpg", ".jpeg", ".tiff", ".svg"};
  return !is_folder(output) &&
         std::ranges::find(endings, lower_ascii(output.extension().string())) != endings.end();
}

void check_output(const Options& options) {
  if (options.inputs.empty()) return;  // PageSource says so
  const bool one = options.inputs.size() == 1 && !is_folder(options.inputs.front());
  const fs::path& output = options.output;
  if (options.formats.empty()) refuse_output("no format", "at least one");
  if (output.empty()) {
    if (!one) refuse_output("none", "a folder for the documents");
    if (options.overlay || options.report) refuse_output("none", "a place for the pictures of pages");
    return;
  }
  if (ends_like_a_file(output))
    refuse_output(output.string(), "a folder, or a name that ends in .md, .html, .json, .txt or .doctags");
  std::error_code error;
  for (const fs::path& input : options.inputs)
    if (!is_folder(input) && fs::equivalent(input, output, error))
      refuse_output("the input itself", "another place");
  if (!is_one_file(output)) return;
  if (!one) refuse_output(output.string(), "a folder: there may be several documents");
  if (options.formats.size() > 1 || options.formats.front() != format_of(output.extension().string()))
    refuse_output(output.string(), "a name that ends as the format does, or a folder");
}

/// Where the journal of a run stands that has no output: nowhere, once it is over.
class Scratch {
 public:
  Scratch() {
    std::error_code error;
    folder_ = fs::temp_directory_path(error) / temporary_name();
    if (error || !fs::create_directory(folder_, error))
      throw Error(
          ErrorCode::output_io,
          {.where = folder_.string(), .got = error.message(), .expected = "a folder for the run's notes"});
  }
  ~Scratch() {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const fs::path& folder() const { return folder_; }

 private:
  fs::path folder_;
};

// What shapes the answers beside the request.
std::string settings(const Options& options) {
  OrderedJson json =
      options.run.settings.empty() ? OrderedJson::object() : OrderedJson::parse(options.run.settings);
  json["scale"] = options.pages.draw.scale;
  json["retry"] = options.pages.retry;
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error(ErrorCode::output_io,
                {.where = folder.string(), .got = error.message(), .expected = "a folder to write to"});
}

fs::path journal_place(const Options& options, const std::optional<Scratch>& scratch) {
  if (scratch) return scratch->folder() / "pages";
  if (is_one_file(options.output)) {
    if (options.output.has_parent_path()) make_folder(options.output.parent_path());
    return options.output.string() + ".convert";
  }
  make_folder(options.output);
  return options.output / ".galago-convert";
}

}  // namespace

const char* ending(Format format) {
  switch (format) {
    case Format::markdown:
      return "md";
    case Format::html:
      return "html";
    case Format::json:
      return "json";
    case Format::text:
      return "txt";
    case Format::doctags:
      return "doctags";
  }
  return "";
}

std::optional<Format> format_of(std::string_view word) {
  if (word.starts_with('.')) word.remove_prefix(1);
  const std::string small = lower_ascii(word);
  for (const Word& known : kWords)
    if (small == known.word) return known.format;
  return {};
}

bool is_one_file(const fs::path& output) {
  return format_of(output.extension().string()).has_value() && !is_folder(output);
}

Summary run(const Model& model, const Options& options, const Callbacks& callbacks) {
  check_output(options);
  PageSource source(options.inputs, options.pages);
  std::optional<Scratch> scratch;
  if (options.output.empty()) scratch.emplace();
  batch::Options run = options.run;
  if (run.request.prompt.empty()) run.request.prompt = kQuestion;
  if (!run.request.options.logprobs) run.request.options.logprobs = 0;
  run.settings = settings(options);
  run.retry_errors = true;  // a program may have been missing, and the file is there now
  run.output = journal_place(options, scratch);
  Summary summary;
  summary.run =
      batch::run(model, source, run, {.stop = callbacks.stop, .progress = callbacks.progress, .sink = [&] {
                                        return make_document_sink(options, callbacks, summary);
                                      }});
  return summary;
}

}  // namespace galago::convert
