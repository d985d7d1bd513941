// Pages to documents: PDF files and pictures in, Markdown and its kin out; a run that can be killed and goes
// on. In: a model that reads pages, files, options. Out: a file for each document and format.
// docs/convert.md teaches it.
//
//   galago::convert::Options options;
//   options.inputs = {"report.pdf"};
//   options.output = "report.md";
//   galago::convert::run(model, options);
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "batch/batch.h"
#include "convert/page_source.h"

namespace galago::convert {

enum class Format { markdown, html, json, text, doctags };
/// "md", "html", "json", "txt", "doctags": as the ending of a file's name.
const char* ending(Format format);
/// Of a word or a file's ending: also "markdown", "htm", "text", "dt". Nothing for others.
std::optional<Format> format_of(std::string_view word);

struct Options {
  /// What every page is asked, and how the run works. Its output is not read, its journal stands in the
  /// output folder or beside the output file.
  batch::Options run;
  std::vector<std::filesystem::path> inputs;
  PageOptions pages;
  /// A folder, or for one document a file. Empty: texts go to Callbacks::print.
  std::filesystem::path output;
  std::vector<Format> formats = {Format::markdown};
  std::optional<std::string> page_break;  ///< stands between two pages of Markdown and text
  bool page_headers = false;              ///< page headers and footers in Markdown, text and HTML, too
  bool join_pages = false;                ///< what a page's end cut in two is joined (convert/join_pages.h)
  bool text_layer = false;                ///< a PDF's own words correct what was read (convert/text_layer.h)
  bool confidence = false;                ///< of elements in JSON, as meta.galago__confidence
  bool overlay = false;  ///< NAME.pages/page-0001.svg: pages with what was read drawn over them
  bool report = false;   ///< NAME.report.html: pages beside what was read
};

/// Whether the output is one file: its name ends as a format, and it is no folder.
bool is_one_file(const std::filesystem::path& output);

/// A page that is not as it should be.
struct PageNote {
  std::string page;  ///< "FILE#PAGE"
  std::string text;
};

struct Callbacks {
  std::function<bool()> stop;
  std::function<void(const batch::Progress&)> progress;
  /// The texts of documents, where there is no output.
  std::function<void(const std::string& text)> print;
  /// Once all pages are read, for each that failed or has a problem.
  std::function<void(const PageNote& note)> note;
};

struct Summary {
  batch::Summary run;
  int64_t documents = 0;  ///< that were written
  int64_t problems = 0;   ///< pages that were read, with a PageProblem
  int64_t corrected = 0;  ///< elements, by the text layer
  int64_t retried = 0;    ///< pages that were read twice, with and without success
  int64_t tokens = 0;     ///< of all pages, those of earlier runs included
  int64_t drafted = 0;    ///< guesses for them that went through the model (PageOptions::draft)
  int64_t accepted = 0;   ///< of these, that were right
};

/// Converts all pages, then writes the documents: each file appears whole, in the place of one that was
/// there, but never of an input. Errors of batch::run; usage for an output that does not fit the inputs;
/// not_found for an input or a program that is missing; output_io.
Summary run(const Model& model, const Options& options, const Callbacks& callbacks = {});

/// What is asked about a page unless Options::run says otherwise: what Docling's models were trained on.
inline constexpr const char* kQuestion = "Convert this page to docling.";

}  // namespace galago::convert
