// See the header.
#include "batch/sources.h"

#include <algorithm>
#include <array>
#include <span>
#include <system_error>
#include <utility>

#include "batch/file_sources.h"
#include "batch/line_fields.h"
#include "batch/walk.h"
#include "core/printable.h"
#include "core/words.h"
#include "io/byte_source.h"
#include "messages/uri.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 15> kEndings = {".jpg",  ".jpeg", ".jpe",  ".jfif", ".png",
                                                       ".apng", ".webp", ".gif",  ".bmp",  ".dib",
                                                       ".tif",  ".tiff", ".heic", ".heif", ".avif"};
constexpr int64_t kLongestWord = int64_t{64} << 20;   // a data: URI, a row of a table
constexpr int64_t kLongestLine = int64_t{512} << 20;  // JSON with pictures in it

Item item_of_picture(std::string id, std::string word, fs::path root) {
  Item item{.id = std::move(id)};
  item.request = [word = std::move(word), root = std::move(root)](const Request& base) {
    Request request = base;
    check_question(request, shown_word(word));
    request.images.push_back(open_picture(word, root));
    return request;
  };
  return item;
}

/// One picture.
class PictureSource final : public Source {
 public:
  explicit PictureSource(std::string word) : word_(std::move(word)) {}
  std::optional<Item> next() override {
    if (std::exchange(done_, true)) return {};
    return item_of_picture(shown_word(word_), word_, {});
  }
  std::optional<int64_t> total() const override { return 1; }

 private:
  std::string word_;
  bool done_ = false;
};

/// A folder, or what matches a pattern.
class FolderSource final : public Source {
 public:
  FolderSource(const fs::path& folder, const std::string& pattern, const std::string& word)
      : walk_(folder, pattern) {
    for (Walk count(folder, pattern); count.next();) ++total_;
    if (total_ == 0)
      throw Error(ErrorCode::not_found,
                  {.where = word,
                   .got = pattern.empty() ? "a folder without pictures" : "a pattern that matches no file",
                   .expected = "files whose names end as those of pictures"});
  }
  std::optional<Item> next() override {
    const auto path = walk_.next();
    if (!path) return {};
    return item_of_picture(path->string(), path->string(), {});
  }
  std::optional<int64_t> total() const override { return total_; }

 private:
  Walk walk_;
  int64_t total_ = 0;
};

/// A file of words.
class ListSource final : public Source {
 public:
  ListSource(LineReader lines, fs::path root) : lines_(std::move(lines)), root_(std::move(root)) {}
  std::optional<Item> next() override {
    LineReader::Line line;
    while (lines_.next(line)) {
      if (line.text.empty()) continue;
      if (!line.cut) return item_of_picture(shown_word(line.text), line.text, root_);
      const std::string where = place_of(lines_, line.number);
      return error_item(where, Error(ErrorCode::input_too_large,
                                     {.where = where,
                                      .got = "more than " + std::to_string(line.text.size()) + " bytes",
                                      .expected = "the name of a picture"}));
    }
    return {};
  }

 private:
  LineReader lines_;
  fs::path root_;
};

/// One after the other.
class ChainSource final : public Source {
 public:
  explicit ChainSource(std::vector<std::unique_ptr<Source>> sources) : sources_(std::move(sources)) {}
  std::optional<Item> next() override {
    for (; at_ < sources_.size(); ++at_)
      if (auto item = sources_[at_]->next()) return item;
    return {};
  }
  std::optional<int64_t> total() const override {
    int64_t sum = 0;
    for (const auto& source : sources_) {
      const auto total = source->total();
      if (!total) return {};
      sum += *total;
    }
    return sum;
  }

 private:
  std::vector<std::unique_ptr<Source>> sources_;
  size_t at_ = 0;
};

bool is_pattern(const std::string& word) {
  std::error_code error;
  return word.find_first_of("*?[") != std::string::npos && !fs::exists(word, error);
}

// The folder of the parts without wildcards, and the pattern behind it.
std::unique_ptr<Source> pattern_source(const std::string& word) {
  const size_t wild = word.find_first_of("*?[");
  const size_t slash = word.rfind('/', wild);
  const std::string folder = slash == std::string::npos ? "" : word.substr(0, std::max<size_t>(slash, 1));
  const std::string pattern = slash == std::string::npos ? word : word.substr(slash + 1);
  return std::make_unique<FolderSource>(folder, pattern, word);
}

bool is_uri(const std::string& word) {
  return on_the_web(word) || has_scheme(word, "data:") || has_scheme(word, "file:");
}

struct Ending {
  std::string_view text;
  Form form;
};
constexpr std::array<Ending, 7> kForms = {{{".txt", Form::list},
                                           {".lst", Form::list},
                                           {".jsonl", Form::jsonl},
                                           {".ndjson", Form::jsonl},
                                           {".csv", Form::csv},
                                           {".tsv", Form::csv},
                                           {".tar", Form::tar}}};

/// What holds pictures or names of them, too, and is not read.
struct Unread {
  std::string_view ending;
  std::string_view what;
  std::string_view hint;
};
constexpr std::string_view kUnpack = "unpack it: mkdir DIR; tar -xf FILE -C DIR; galago batch DIR";
constexpr std::string_view kInPython = "galago.batch of the Python package reads it";
constexpr std::array<Unread, 14> kUnread = {
    {{".tar.gz", "a compressed archive", kUnpack},
     {".tgz", "a compressed archive", kUnpack},
     {".tar.bz2", "a compressed archive", kUnpack},
     {".tbz2", "a compressed archive", kUnpack},
     {".tar.xz", "a compressed archive", kUnpack},
     {".txz", "a compressed archive", kUnpack},
     {".tar.zst", "a compressed archive", kUnpack},
     {".zip", "a compressed archive", "unpack it: unzip FILE -d DIR; galago batch DIR"},
     {".7z", "a compressed archive", "unpack it into a folder: galago batch DIR"},
     {".gz", "a compressed file", "unpack it: gunzip -k FILE"},
     {".zst", "a compressed file", "unpack it: unzstd FILE"},
     {".parquet", "a Parquet file", kInPython},
     {".pq", "a Parquet file", kInPython},
     {".json", "a file of JSON", "lines of JSON are read, NAME.jsonl: jq -c '.[]' FILE > NAME.jsonl"}}};

// A word that is no picture by its looks: what is written wrong would be one record with an error.
void check_picture_file(const std::string& word, Form asked) {
  std::error_code error;
  if (!fs::exists(word, error))
    throw Error(ErrorCode::not_found, {.where = printable(word),
                                       .got = "no such file or folder",
                                       .expected = "a folder, a picture, or a file of items",
                                       .hint = "galago batch --help tells what is read"});
  if (asked == Form::pictures) return;
  const std::string name = lower_ascii(word);
  for (const Unread& unread : kUnread)
    if (name.ends_with(unread.ending))
      throw Error(ErrorCode::unsupported_media,
                  {.where = printable(word),
                   .got = std::string(unread.what),
                   .expected = "pictures, a folder, NAME.tar, NAME.jsonl, NAME.csv or NAME.txt",
                   .hint = std::string(unread.hint)});
}

// Of a file; pictures for what is none of the others.
Form form_of(const std::string& word, const SourceOptions& options) {
  std::error_code error;
  if (is_uri(word) || (word != "-" && (fs::is_directory(word, error) || is_pattern(word))))
    return Form::pictures;
  if (options.form != Form::by_name) return options.form;
  const std::string name = lower_ascii(word);
  for (const Ending& ending : kForms)
    if (name.ends_with(ending.text)) return ending.form;
  return word == "-" ? Form::list : Form::pictures;
}

std::unique_ptr<Source> lines_source(const std::string& word, Form form, SourceOptions options) {
  LineReader lines(word, form == Form::jsonl || word == "-" ? kLongestLine : kLongestWord);
  if (form != Form::csv && lines.at_end())
    throw Error(ErrorCode::not_found,
                {.where = lines.name(), .got = "nothing in it", .expected = "an item in each line"});
  if (form == Form::list && options.form == Form::by_name && word == "-" && lines.begins_with('{'))
    form = Form::jsonl;
  if (options.image_root.empty() && word != "-" && form != Form::list)
    options.image_root = fs::path(word).parent_path();
  if (form == Form::list) return std::make_unique<ListSource>(std::move(lines), options.image_root);
  if (form == Form::jsonl) return jsonl_source(std::move(lines), options);
  return csv_source(std::move(lines), lower_ascii(word).ends_with(".tsv") ? '\t' : ',', options);
}

std::unique_ptr<Source> source_of(const std::string& word, const SourceOptions& options) {
  std::error_code error;
  const Form form = form_of(word, options);
  if (form == Form::tar) return tar_source(word, options);
  if (form != Form::pictures) return lines_source(word, form, options);
  if (is_uri(word)) return std::make_unique<PictureSource>(word);
  if (fs::is_directory(word, error)) return std::make_unique<FolderSource>(word, "", word);
  if (is_pattern(word)) return pattern_source(word);
  check_picture_file(word, options.form);
  return std::make_unique<PictureSource>(word);
}

}  // namespace

bool ends_like_picture(std::string_view name) {
  const std::string small = lower_ascii(name.substr(name.size() - std::min<size_t>(name.size(), 8)));
  return std::ranges::any_of(kEndings, [&](std::string_view ending) { return small.ends_with(ending); });
}

bool brings_questions(const std::vector<std::string>& words, const SourceOptions& options) {
  return std::ranges::any_of(words, [&](const std::string& word) {
    const Form form = form_of(word, options);
    return (form != Form::pictures && form != Form::list) || word == "-";
  });
}

std::string shown_word(const std::string& word) {
  if (!has_scheme(word, "data:")) return word;
  return word.substr(0, std::min<size_t>(word.find(','), 60)) + ",...";
}

Image open_picture(const std::string& word, const fs::path& root) {
  if (on_the_web(word))
    throw Error(ErrorCode::usage, {.where = printable(word),
                                   .got = "an address on the web",
                                   .expected = "a file: galago downloads no pictures",
                                   .hint = "download it first: curl -L -o FILE URL"});
  if (has_scheme(word, "data:")) {
    const std::string bytes = picture_of_data_uri(word);
    return Image::from_bytes(std::as_bytes(std::span(bytes)), shown_word(word));
  }
  if (has_scheme(word, "file:")) return Image::open(file_of_uri(word));
  return Image::open(root / word);
}

std::unique_ptr<Source> open_source(const std::vector<std::string>& words, const SourceOptions& options) {
  if (words.empty())
    throw Error(ErrorCode::usage, {.where = "the input", .got = "nothing", .expected = "a folder or files"});
  std::vector<std::unique_ptr<Source>> sources;
  for (const std::string& word : words) sources.push_back(source_of(word, options));
  if (sources.size() == 1) return std::move(sources[0]);
  return std::make_unique<ChainSource>(std::move(sources));
}

}  // namespace galago::batch
