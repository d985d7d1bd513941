// Lines of JSON. Reference: jsonlines.org; OpenAI's batch API (custom_id, method, url, body).
#include <utility>

#include "batch/file_sources.h"
#include "batch/journal.h"
#include "batch/line_fields.h"

namespace galago::batch {
namespace {

/// One line, once it is an object.
struct Line {
  OrderedJson json;
  std::vector<std::string> pictures;
};

class JsonlSource final : public Source {
 public:
  JsonlSource(LineReader lines, const SourceOptions& options) : lines_(std::move(lines)), options_(options) {}

  std::optional<Item> next() override {
    LineReader::Line line;
    while (lines_.next(line)) {
      if (line.number == 1 && line.text.starts_with("\xEF\xBB\xBF")) line.text.erase(0, 3);
      if (line.text.find_first_not_of(" \t") == std::string::npos && !line.cut) continue;
      return item_of(line);
    }
    return {};
  }

 private:
  Item item_of(LineReader::Line& line) const {
    const std::string where = place_of(lines_, line.number);
    Item item;
    try {
      if (line.cut)
        throw Error(ErrorCode::input_too_large,
                    {.where = where,
                     .got = "more than " + std::to_string(line.text.size()) + " bytes",
                     .expected = "a line of at most so many"});
      OrderedJson json = parse_ordered_json(line.text, where);
      if (!json.is_object())
        throw Error(ErrorCode::input_invalid,
                    {.where = where, .got = shown_json(json), .expected = "an object"});
      item = json.contains("custom_id") && json.contains("body") ? call_of(json, line.text, where)
                                                                 : question_of(std::move(json), where);
    } catch (const Error& error) {
      item = error_item(where, error);
    }
    item.identity = digest_text(line.text);
    return item;
  }

  Item call_of(const OrderedJson& json, std::string& text, const std::string& where) const {
    if (!options_.read_call)
      throw Error(ErrorCode::input_invalid, {.where = where,
                                             .got = "a request of OpenAI's batch API",
                                             .expected = "an object with an image and a prompt"});
    return options_.read_call(text, id_of(json, {}), where);
  }

  Item question_of(OrderedJson json, const std::string& where) const {
    auto line = std::make_shared<Line>();
    line->pictures = pictures_of(json, options_.columns, where);
    if (line->pictures.empty() && !asks_itself(json, options_.columns))
      throw Error(ErrorCode::input_invalid,
                  {.where = where,
                   .got = "no picture and no question of its own",
                   .expected = "image, images, file_name, path or image_path; prompt, question or messages",
                   .hint = "another name of the picture is told with --image-column NAME"});
    line->json = std::move(json);
    Item item{.id = id_of(line->json, options_.columns)};
    const bool named = line->pictures.size() == 1 && !line->pictures[0].starts_with("data:");
    if (item.id.empty()) item.id = named ? line->pictures[0] : where;
    item.request = [line, where, columns = options_.columns,
                    root = options_.image_root](const Request& base) {
      Request request = base;
      const OwnPictures own = {.count = line->pictures.size(),
                               .open = [&](size_t i) { return open_picture(line->pictures[i], root); }};
      read_fields(line->json, columns, root, where, own, request);
      check_question(request, where);
      return request;
    };
    return item;
  }

  LineReader lines_;
  SourceOptions options_;
};

}  // namespace

std::string place_of(const LineReader& lines, int64_t number) {
  return lines.name() + ":" + std::to_string(number);
}

std::string digest_text(std::string_view text) { return std::to_string(short_digest(text)); }

Item error_item(const std::string& where, const Error& error) {
  return {.id = where, .request = [error](const Request&) -> Request { throw error; }};
}

std::unique_ptr<Source> jsonl_source(LineReader lines, const SourceOptions& options) {
  return std::make_unique<JsonlSource>(std::move(lines), options);
}

}  // namespace galago::batch
