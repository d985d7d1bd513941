// See the header.
#include "batch/output.h"

#include <array>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "batch/names.h"
#include "core/words.h"
#include "galago/error.h"
#include "io/atomic_directory.h"
#include "io/files.h"
#include "io/temporary_name.h"
#include "messages/ordered_json.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBuffer = size_t{1} << 20;

fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

fs::path journal_path(const fs::path& output) { return without_slash(output).string() + ".journal"; }

// "LENGTH KEY=VALUE\n", where the length counts its own digits.
std::string pax_record(const std::string& key, const std::string& value) {
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest;
  while (length != rest + std::to_string(length).size()) length = rest + std::to_string(length).size();
  return std::to_string(length) + " " + key + "=" + value + "\n";
}

std::string octal(int64_t value, size_t digits) {
  std::string text(digits, '0');
  for (size_t i = digits; i-- > 0; value /= 8) text[i] = static_cast<char>('0' + value % 8);
  return text;
}

// ustar, POSIX.1-2001: of no one in particular, at no time, so that the same answers make the same archive.
std::string tar_header(const std::string& name, char type, int64_t size) {
  std::string block(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { block.replace(at, text.size(), text); };
  put(0, name);
  put(100, octal(0644, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(size, 11));
  put(136, octal(0, 11));
  put(148, "        ");
  block[156] = type;
  put(257, std::string("ustar\00000", 8));
  int64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  return block;
}

class LinesSink final : public Sink {
 public:
  explicit LinesSink(const fs::path& path) : path_(path), file_(path) {}

  void write(const std::string& record) override {
    buffer_ += record;
    buffer_ += '\n';
    if (buffer_.size() >= kBuffer) flush();
  }
  void commit() override {
    flush();
    file_.commit();
    sync_folder(path_.parent_path());
  }

 private:
  void flush() {
    file_.write(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
  }

  fs::path path_;
  AtomicFile file_;
  std::string buffer_;
};

/// What a record says, as far as files of their own are made of it.
struct Said {
  std::string id;
  std::optional<std::string> text;  // of an answer
};

Said said_by(const std::string& record) {
  const OrderedJson json = OrderedJson::parse(record, nullptr, false);
  const auto text_at = [&](const char* path) -> std::optional<std::string> {
    const OrderedJson::json_pointer pointer(path);
    if (!json.contains(pointer) || !json[pointer].is_string()) return {};
    return json[pointer].get<std::string>();
  };
  Said said{.id = text_at("/custom_id").value_or(text_at("/id").value_or("")), .text = text_at("/text")};
  if (!said.text) said.text = text_at("/response/body/choices/0/message/content");
  return said;
}

/// A folder with files for each item.
class FolderSink final : public Sink {
 public:
  explicit FolderSink(const fs::path& path) : path_(without_slash(path)), folder_(path_, Existing::refuse) {}

  void write(const std::string& record) override {
    const Said said = said_by(record);
    const fs::path name = folder_.folder() / names_.next(said.id);
    if (name.parent_path() != made_) {
      std::error_code error;
      fs::create_directories(name.parent_path(), error);
      if (error)
        throw Error(ErrorCode::output_io,
                    {.where = path_.string(), .got = error.message(), .expected = "to make a folder in it"});
      made_ = name.parent_path();
    }
    write_new_file(name.string() + ".json", record + "\n");
    if (said.text) write_new_file(name.string() + ".txt", *said.text);
  }
  void commit() override {
    sync_file_system(folder_.folder());
    folder_.commit();
    sync_folder(path_.parent_path());
  }

 private:
  fs::path path_;
  AtomicDirectory folder_;
  Names names_;
  fs::path made_;  // the last folder
};

/// A tar archive with members for each item.
class TarSink final : public Sink {
 public:
  explicit TarSink(const fs::path& path) : path_(path), file_(path) {}

  void write(const std::string& record) override {
    const Said said = said_by(record);
    const std::string name = names_.next(said.id);
    add(name + ".json", record + "\n");
    if (said.text) add(name + ".txt", *said.text);
  }
  void commit() override {
    buffer_.append(1024, '\0');
    flush();
    file_.commit();
    sync_folder(path_.parent_path());
  }

 private:
  void add(const std::string& name, const std::string& content) {
    if (name.size() > 100) {
      const std::string record = pax_record("path", name);
      member("pax", 'x', record);
    }
    member(name.substr(0, 100), '0', content);
  }
  void member(const std::string& name, char type, const std::string& content) {
    buffer_ += tar_header(name, type, static_cast<int64_t>(content.size()));
    buffer_ += content;
    buffer_.append((512 - content.size() % 512) % 512, '\0');
    if (buffer_.size() >= kBuffer) flush();
  }
  void flush() {
    file_.write(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
  }

  fs::path path_;
  AtomicFile file_;
  Names names_;
  std::string buffer_;
};

bool is_folder(const fs::path& output) {
  std::error_code error;
  return !output.has_filename() || fs::is_directory(output, error);
}

/// Forms that a name asks for and that are not written.
struct Unwritten {
  std::string_view ending;
  std::string_view hint;
};
constexpr std::string_view kTable =
    "write NAME.jsonl; pandas.read_json(\"NAME.jsonl\", lines=True) makes a table of it";
constexpr std::string_view kCompress = "write NAME.jsonl or NAME.tar, and compress it when the run is over";
constexpr std::string_view kParquet = "galago.batch of the Python package writes it";
constexpr std::array<Unwritten, 16> kUnwritten = {{{".csv", kTable},
                                                   {".tsv", kTable},
                                                   {".xlsx", kTable},
                                                   {".json", "NAME.jsonl has a line of JSON for each item"},
                                                   {".parquet", kParquet},
                                                   {".pq", kParquet},
                                                   {".arrow", kParquet},
                                                   {".gz", kCompress},
                                                   {".tgz", kCompress},
                                                   {".bz2", kCompress},
                                                   {".tbz2", kCompress},
                                                   {".xz", kCompress},
                                                   {".txz", kCompress},
                                                   {".zst", kCompress},
                                                   {".zip", kCompress},
                                                   {".7z", kCompress}}};

}  // namespace

void check_output(const fs::path& output) {
  const auto refuse = [&](const std::string& got, const std::string& hint = "") {
    throw Error(ErrorCode::usage, {.where = output.empty() ? "the output" : output.string(),
                                   .got = got,
                                   .expected = "a new file of JSON lines, NAME.tar, or a folder",
                                   .hint = hint});
  };
  const fs::path name = without_slash(output);
  if (name == "-") refuse("standard output", "the journal stands beside a file: -o FILE && cat FILE");
  if (name.empty() || name == "." || name == "..") refuse("no usable name");
  if (name.native().find('\0') != std::string::npos) refuse("a name with a zero byte");
  std::error_code error;
  const auto status = fs::status(name, error);
  if (fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status))
    refuse("a pipe or device");
  const fs::path folder = name.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error)) refuse("no folder to put it in");
}

void check_form(const fs::path& output) {
  const std::string name = lower_ascii(output.filename().string());
  if (is_folder(output)) return;
  for (const Unwritten& unwritten : kUnwritten)
    if (name.ends_with(unwritten.ending))
      throw Error(ErrorCode::usage, {.where = output.string(),
                                     .got = "a name that ends with " + std::string(unwritten.ending),
                                     .expected = "NAME.jsonl, NAME.tar, or a folder NAME/",
                                     .hint = std::string(unwritten.hint)});
}

Journal open_journal(const std::string& manifest, const Options& options) {
  const fs::path journal = journal_path(options.output);
  const fs::path output = without_slash(options.output);
  std::error_code error;
  const bool there =
      fs::exists(output, error) && !(fs::is_directory(output, error) && fs::is_empty(output, error));
  if (there && fs::is_directory(output, error))
    throw Error(
        ErrorCode::usage,
        {.where = output.string(), .got = "a folder that is not empty", .expected = "a new or empty one"});
  if (there && !options.restart && !fs::exists(journal, error))
    throw Error(
        ErrorCode::usage,
        {.where = output.string(),
         .got = "an output that is there already",
         .expected = "a new one",
         .hint = options.retry_errors ? "there is no journal of it: --keep-journal keeps one"
                                      : "name another, or --restart replaces it when the run is over"});
  return {journal, manifest, options.restart ? Journal::Begin::restart : Journal::Begin::resume};
}

std::unique_ptr<Sink> make_sink(const fs::path& output) {
  // What a run that was killed at this point left there.
  remove_abandoned(without_slash(fs::absolute(output)).parent_path());
  if (is_folder(output)) return std::make_unique<FolderSink>(output);
  if (lower_ascii(output.string()).ends_with(".tar")) return std::make_unique<TarSink>(output);
  return std::make_unique<LinesSink>(output);
}

}  // namespace galago::batch
