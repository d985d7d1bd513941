// Tables. Reference: RFC 4180; quotes double inside quotes, a quoted field may hold line ends.
#include <algorithm>
#include <deque>
#include <utility>

#include "batch/file_sources.h"
#include "batch/line_fields.h"

namespace galago::batch {
namespace {

constexpr size_t kLongestRow = size_t{1} << 20;
constexpr size_t kMostColumns = 1000;

/// The fields of a row, as far as its lines go.
struct Parsed {
  enum class State { whole, open, malformed } state = State::whole;
  std::vector<std::string> fields;
};

Parsed parse_row(std::string_view text, char separator) {
  Parsed row;
  size_t at = 0;
  for (;;) {
    std::string field;
    if (at < text.size() && text[at] == '"') {
      for (++at;;) {
        const size_t quote = text.find('"', at);
        field += text.substr(at, quote - at);
        if (quote == std::string_view::npos) return {.state = Parsed::State::open, .fields = {}};
        at = quote + 1;
        if (at == text.size() || text[at] != '"') break;
        field += '"';
        ++at;
      }
      if (at < text.size() && text[at] != separator) return {.state = Parsed::State::malformed, .fields = {}};
    } else {
      const size_t end = std::min(text.find(separator, at), text.size());
      field = text.substr(at, end - at);
      at = end;
    }
    row.fields.push_back(std::move(field));
    if (at == text.size()) return row;
    if (row.fields.size() == kMostColumns) return {.state = Parsed::State::malformed, .fields = {}};
    ++at;
  }
}

class CsvSource final : public Source {
 public:
  CsvSource(LineReader lines, char separator, const SourceOptions& options)
      : lines_(std::move(lines)), separator_(separator), options_(options) {
    read_header();
  }

  std::optional<Item> next() override {
    Row row;
    if (!next_row(row)) return {};
    const std::string where = place_of(lines_, row.number);
    Item item = row.parsed.state != Parsed::State::whole || row.parsed.fields.size() != columns_
                    ? error_item(where, wrong(row, where))
                    : question_of(std::move(row.parsed.fields), where);
    item.identity = digest_text(row.text);
    return item;
  }

 private:
  struct Row {
    Parsed parsed;
    std::string text;
    int64_t number = 0;
  };

  bool next_line(LineReader::Line& line) {
    if (pending_.empty()) return lines_.next(line);
    line = std::move(pending_.front());
    pending_.pop_front();
    return true;
  }

  // A quote that does not end within kLongestRow bytes spoils its own line alone.
  bool next_row(Row& row) {
    LineReader::Line line;
    do {
      if (!next_line(line)) return false;
    } while (line.text.empty() && !line.cut);
    row.number = line.number;
    row.text = line.text;
    std::vector<LineReader::Line> more;
    row.parsed =
        line.cut ? Parsed{.state = Parsed::State::malformed, .fields = {}} : parse_row(row.text, separator_);
    // The row is parsed again where its number of quotes allows an end, which is cheap enough for its bound.
    bool odd = std::ranges::count(row.text, '"') % 2 != 0;
    while (row.parsed.state == Parsed::State::open && row.text.size() < kLongestRow && next_line(line)) {
      row.text += "\n" + line.text;
      odd ^= std::ranges::count(line.text, '"') % 2 != 0;
      const bool cut = line.cut;
      more.push_back(std::move(line));
      if (cut) break;
      if (!odd) row.parsed = parse_row(row.text, separator_);
    }
    if (row.parsed.state == Parsed::State::whole || more.empty()) return true;
    row.text.resize(row.text.find('\n'));
    pending_.insert(pending_.begin(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
    return true;
  }

  void read_header() {
    Row row;
    const bool any = next_row(row);
    if (row.text.starts_with("\xEF\xBB\xBF")) row.parsed = parse_row(row.text.substr(3), separator_);
    const std::vector<std::string>& names = row.parsed.fields;
    const auto find = [&](const std::string& given, std::initializer_list<const char*> usual) {
      std::vector<std::string> wanted(usual.begin(), usual.end());
      if (!given.empty()) wanted = {given};
      for (const std::string& name : wanted)
        if (const auto found = std::ranges::find(names, name); found != names.end())
          return static_cast<size_t>(found - names.begin());
      if (!given.empty())
        throw Error(ErrorCode::input_invalid, {.where = place_of(lines_, 1),
                                               .got = "no column " + given,
                                               .expected = "its name in the first line"});
      return names.size();
    };
    columns_ = names.size();
    image_ = find(options_.columns.image, {"image", "file_name", "path", "image_path", "file", "filename"});
    id_ = find(options_.columns.id, {"id"});
    prompt_ = find(options_.columns.prompt, {"prompt", "question"});
    if (!any || image_ == columns_)
      throw Error(ErrorCode::input_invalid,
                  {.where = place_of(lines_, 1),
                   .got = "no column of pictures",
                   .expected = "names of columns in the first line, one of them image, file_name or path",
                   .hint = "--image-column NAME takes another"});
  }

  Error wrong(const Row& row, const std::string& where) const {
    const bool whole = row.parsed.state == Parsed::State::whole;
    return {ErrorCode::input_invalid,
            {.where = where,
             .got = whole ? std::to_string(row.parsed.fields.size()) + " fields"
                          : "a quote that does not end, or text behind one",
             .expected = std::to_string(columns_) + " fields, as the first line has"}};
  }

  Item question_of(std::vector<std::string> fields, const std::string& where) const {
    const auto field = [&](size_t column) {
      return column < fields.size() ? std::move(fields[column]) : std::string();
    };
    std::string word = field(image_), id = field(id_), prompt = field(prompt_);
    if (id.empty()) id = word.empty() || word.starts_with("data:") ? where : word;
    Item item{.id = std::move(id)};
    item.request = [word = std::move(word), prompt = std::move(prompt), where,
                    root = options_.image_root](const Request& base) {
      Request request = base;
      if (!prompt.empty()) request.prompt = prompt;
      check_question(request, where);
      if (word.empty())
        throw Error(ErrorCode::input_invalid,
                    {.where = where, .got = "an empty field", .expected = "the name of a picture"});
      request.images.push_back(open_picture(word, root));
      return request;
    };
    return item;
  }

  LineReader lines_;
  char separator_;
  SourceOptions options_;
  std::deque<LineReader::Line> pending_;
  size_t columns_ = 0;
  size_t image_ = 0, id_ = 0, prompt_ = 0;  // columns_: none
};

}  // namespace

std::unique_ptr<Source> csv_source(LineReader lines, char separator, const SourceOptions& options) {
  return std::make_unique<CsvSource>(std::move(lines), separator, options);
}

}  // namespace galago::batch
