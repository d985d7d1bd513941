// Documents out of DocTags, for Python.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.h"
#include "convert/convert.h"
#include "convert/join_pages.h"
#include "convert/page_problem.h"
#include "convert/page_range.h"
#include "convert/text_draft.h"
#include "convert/text_layer.h"
#include "documents/doctags_parser.h"
#include "documents/export.h"

namespace galago::python {
namespace {

using documents::Document;
using Pieces = std::vector<std::pair<nb::bytes, double>>;

Document parse(std::string_view text, const std::optional<Pieces>& pieces) {
  if (!pieces) {
    const nb::gil_scoped_release unlocked;
    return documents::parse_doctags(text);
  }
  documents::DocTagsParser parser;
  for (const auto& [piece, logprob] : *pieces) parser.push({piece.c_str(), piece.size()}, logprob);
  return parser.finish();
}

// All that one picture of a page gave is one page.
void describe_page(Document& document, int number, double width, double height, bool points,
                   std::optional<double> confidence) {
  documents::Page& page = document.pages.at(0);
  for (size_t i = 1; i < document.pages.size(); ++i)
    for (documents::Element& element : document.pages[i].elements)
      page.elements.push_back(std::move(element));
  document.pages.resize(1);
  page.number = number;
  page.width = width;
  page.height = height;
  page.unit = points ? documents::PageUnit::points : documents::PageUnit::pixels;
  page.confidence = confidence;
}

std::vector<nb::tuple> warnings(const Document& document) {
  std::vector<nb::tuple> all;
  for (const documents::Warning& one : document.warnings)
    all.push_back(nb::make_tuple(documents::repair_name(one.kind), one.page, one.offset, one.detail));
  return all;
}

// In words; empty: there is none.
std::string problem(const Document& document, const std::string& finish_reason) {
  return convert::explain(
      convert::find_problem(document, finish_reason == "length" ? FinishReason::length : FinishReason::stop));
}

// A word, and left, top, right, bottom as fractions of the page.
using Word = std::tuple<std::string, double, double, double, double>;

std::vector<PdfWord> words_of(const std::vector<Word>& words) {
  std::vector<PdfWord> all;
  for (const auto& [text, left, top, right, bottom] : words)
    all.push_back({.text = text, .left = left, .top = top, .right = right, .bottom = bottom});
  return all;
}

}  // namespace

void bind_documents(nb::module_& module) {
  const auto unlocked = nb::call_guard<nb::gil_scoped_release>();
  nb::class_<Document>(module, "Document", "What galago.Document holds.")
      .def(nb::init<>())
      .def_rw("name", &Document::name)
      .def_prop_ro("pages", [](const Document& d) { return d.pages.size(); })
      .def_ro("repairs", &Document::repairs)
      .def("warnings", &warnings, nb::sig("def warnings(self) -> list[tuple[str, int, int, str]]"))
      .def("describe_page", &describe_page, nb::arg("number"), nb::arg("width"), nb::arg("height"),
           nb::arg("points"), nb::arg("confidence").none())
      .def(
          "append", [](Document& d, Document more) { documents::append(d, std::move(more)); },
          nb::arg("more"))
      .def(
          "correct",
          [](Document& d, const std::vector<Word>& words) {
            return convert::correct(d.pages.at(0), words_of(words));
          },
          nb::arg("words"), "What a PDF's own words correct on the first page: how many elements.")
      .def("join_pages", &convert::join_pages, "How many elements were joined.")
      .def("problem", &problem, nb::arg("finish_reason"))
      .def(
          "markdown",
          [](const Document& d, std::optional<std::string> page_break, bool page_headers) {
            return documents::to_markdown(
                d, {.page_break = std::move(page_break), .page_headers = page_headers});
          },
          nb::arg("page_break").none(), nb::arg("page_headers"), unlocked)
      .def(
          "text",
          [](const Document& d, std::optional<std::string> page_break, bool page_headers) {
            return documents::to_text(d, {.page_break = std::move(page_break), .page_headers = page_headers});
          },
          nb::arg("page_break").none(), nb::arg("page_headers"), unlocked)
      .def(
          "html",
          [](const Document& d, bool page_headers, bool whole_page) {
            return documents::to_html(d, {.page_headers = page_headers, .whole_page = whole_page});
          },
          nb::arg("page_headers"), nb::arg("whole_page"), unlocked)
      .def(
          "json",
          [](const Document& d, bool confidence) {
            return documents::to_json(d, {.confidence = confidence});
          },
          nb::arg("confidence"), unlocked)
      .def(
          "doctags", [](const Document& d) { return documents::to_doctags(d); }, unlocked);
  nb::class_<convert::PageRange>(module, "PageRange", "Pages of a file, as --pages has them.")
      .def(nb::new_([](std::string_view text) { return convert::PageRange::parse(text); }), nb::arg("text"))
      .def("has", &convert::PageRange::has, nb::arg("page"));
  module.attr("PAGE_QUESTION") = convert::kQuestion;
  module.attr("RETRY_TEMPERATURE") = convert::kRetryTemperature;
  module.attr("RETRY_TOP_P") = convert::kRetryTopP;
  module.def(
      "draft_texts", [](const std::vector<Word>& words) { return convert::draft_texts(words_of(words)); },
      nb::arg("words"), "A PDF's own words as a draft of what will be read.");
  module.def("parse_doctags", &parse, nb::arg("text"), nb::arg("pieces").none(),
             "The document of a text; with pieces, each token's bytes and log probability, in its place.");
}

}  // namespace galago::python
