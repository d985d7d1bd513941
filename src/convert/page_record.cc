// See the header.
#include "convert/page_record.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

#include "core/base64.h"
#include "core/utf8.h"
#include "documents/doctags_parser.h"
#include "messages/answer_json.h"
#include "messages/ordered_json.h"

namespace galago::convert {
namespace {

using documents::Document;
using documents::Element;
using documents::PageUnit;

constexpr int kDigits = 10'000;  // of a confidence, in the line
constexpr double kNone = -1;

constexpr std::array<std::string_view, 3> kUnits = {"", "pixels", "points"};

template <typename Visit>
void visit_element(Element& element, const Visit& visit) {
  visit(element.confidence);
  if (element.table)
    for (documents::TableCell& cell : element.table->cells) visit(cell.confidence);
  for (documents::KeyValueCell& cell : element.key_values.cells) visit(cell.confidence);
  for (Element& caption : element.captions) visit_element(caption, visit);
  for (Element& child : element.children) visit_element(child, visit);
}

template <typename Visit>
void for_each_confidence(Document& document, const Visit& visit) {
  for (documents::Page& page : document.pages)
    for (Element& element : page.elements) visit_element(element, visit);
}

double rounded(double value) { return std::round(value * kDigits) / kDigits; }

OrderedJson base_json(const PageRecord& record) {
  OrderedJson json{{"id", page_id(record.file, record.page)},
                   {"file", record.file},
                   {"page", record.page},
                   {"pages", record.pages}};
  if (unicode::find_malformed(record.file) != std::string::npos) json["file_base64"] = to_base64(record.file);
  if (record.unit != PageUnit::none)
    json.update({{"width", record.width},
                 {"height", record.height},
                 {"unit", kUnits[static_cast<size_t>(record.unit)]}});
  return json;
}

std::string written(const OrderedJson& json) {
  return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

PageProblem problem_of(const std::string& word) {
  for (const PageProblem problem : {PageProblem::cut, PageProblem::empty, PageProblem::loop})
    if (word == to_string(problem)) return problem;
  return PageProblem::none;
}

PageUnit unit_of(const std::string& word) {
  for (const PageUnit unit : {PageUnit::pixels, PageUnit::points})
    if (word == kUnits[static_cast<size_t>(unit)]) return unit;
  return PageUnit::none;
}

}  // namespace

std::string page_id(const std::string& file, int64_t page) {
  return page == 0 ? file : file + "#" + std::to_string(page);
}

std::string to_line(const PageRecord& record) {
  OrderedJson json = base_json(record);
  json["doctags"] = record.doctags;
  if (record.problem != PageProblem::none) json["problem"] = to_string(record.problem);
  json["attempts"] = record.attempts;
  if (!record.retried.empty()) json["retried"] = record.retried;
  json["tokens"] = record.tokens;
  if (record.drafted > 0) json.update({{"drafted", record.drafted}, {"accepted", record.accepted}});
  if (record.confidence) json["confidence"] = rounded(*record.confidence);
  if (!record.confidences.empty()) json["confidences"] = record.confidences;
  return written(json);
}

std::string to_line(const PageRecord& record, const Error& error) {
  OrderedJson json = base_json(record);
  json.update(error_json(error));
  return written(json);
}

PageRecord read_record(const std::string& line) {
  try {
    const OrderedJson json = OrderedJson::parse(line);
    PageRecord record{.file = json.at("file"), .page = json.at("page"), .pages = json.at("pages")};
    if (json.contains("file_base64"))
      record.file = from_base64(json.at("file_base64").get<std::string>()).value_or(record.file);
    record.width = json.value("width", 0.0);
    record.height = json.value("height", 0.0);
    record.unit = unit_of(json.value("unit", ""));
    if (json.contains("error")) {
      const OrderedJson& error = json.at("error");
      record.error = error.at("message");
      return record;
    }
    record.doctags = json.at("doctags");
    record.problem = problem_of(json.value("problem", ""));
    record.attempts = json.value("attempts", 1);
    record.retried = json.value("retried", "");
    record.tokens = json.value("tokens", int64_t{0});
    record.drafted = json.value("drafted", int64_t{0});
    record.accepted = json.value("accepted", int64_t{0});
    if (json.contains("confidence")) record.confidence = json.at("confidence").get<double>();
    record.confidences = json.value("confidences", std::vector<double>{});
    return record;
  } catch (const OrderedJson::exception&) {
    throw Error(ErrorCode::input_invalid, {.where = "a page's record", .got = "another line"});
  }
}

Document read_page(const Answer& answer) {
  std::string text;
  for (const TokenLogprobs& token : answer.tokens) {
    if (text.size() >= answer.text.size()) break;  // the end token
    text += token.bytes;
  }
  if (text != answer.text) return documents::parse_doctags(answer.text);
  documents::DocTagsParser parser;
  size_t given = 0;
  for (const TokenLogprobs& token : answer.tokens) {
    if (given >= text.size()) break;
    parser.push(token.bytes, token.logprob);
    given += token.bytes.size();
  }
  return parser.finish();
}

Document read_page(const PageRecord& record) {
  Document document = documents::parse_doctags(record.doctags);
  size_t next = 0;
  for_each_confidence(document, [&](std::optional<double>& confidence) {
    if (next < record.confidences.size() && record.confidences[next] >= 0)
      confidence = record.confidences[next];
    ++next;
  });
  documents::Page& page = document.pages.front();
  for (size_t i = 1; i < document.pages.size(); ++i)  // the model spoke of two pages, and saw one
    std::ranges::move(document.pages[i].elements, std::back_inserter(page.elements));
  document.pages.resize(1);
  page.number = static_cast<int>(record.page);
  page.width = record.width;
  page.height = record.height;
  page.unit = record.unit;
  page.confidence = record.confidence;
  return document;
}

std::vector<double> confidences_of(const Document& page) {
  Document copy = page;
  std::vector<double> all;
  bool any = false;
  for_each_confidence(copy, [&](std::optional<double>& confidence) {
    any |= confidence.has_value();
    all.push_back(confidence ? rounded(*confidence) : kNone);
  });
  return any ? all : std::vector<double>{};
}

}  // namespace galago::convert
