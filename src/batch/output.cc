// See the header.
#include "batch/output.h"

#include <span>
#include <system_error>
#include <utility>

#include "galago/error.h"
#include "io/files.h"

namespace galago::batch {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBuffer = size_t{1} << 20;

fs::path without_slash(const fs::path& path) { return path.has_filename() ? path : path.parent_path(); }

fs::path journal_path(const fs::path& output) { return without_slash(output).string() + ".journal"; }

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

}  // namespace

void check_output(const fs::path& output) {
  const auto refuse = [&](const std::string& got) {
    throw Error(ErrorCode::usage, {.where = output.empty() ? "the output" : output.string(),
                                   .got = got,
                                   .expected = "a new file of JSON lines, NAME.tar, or a folder"});
  };
  const fs::path name = without_slash(output);
  if (name.empty() || name == "." || name == "..") refuse("no usable name");
  if (name.native().find('\0') != std::string::npos) refuse("a name with a zero byte");
  std::error_code error;
  const fs::path folder = name.parent_path();
  if (!folder.empty() && !fs::is_directory(folder, error)) refuse("no folder to put it in");
}

Journal open_journal(const std::string& manifest, const Options& options) {
  const fs::path journal = journal_path(options.output);
  const fs::path output = without_slash(options.output);
  std::error_code error;
  const bool there =
      fs::exists(output, error) && !(fs::is_directory(output, error) && fs::is_empty(output, error));
  if (there && !options.restart && !fs::exists(journal, error))
    throw Error(ErrorCode::usage, {.where = output.string(),
                                   .got = "an output that is there already",
                                   .expected = "a new one",
                                   .hint = "name another, or --restart replaces it when the run is over"});
  return {journal, manifest, options.restart ? Journal::Begin::restart : Journal::Begin::resume};
}

std::unique_ptr<Sink> make_sink(const fs::path& output) { return std::make_unique<LinesSink>(output); }

}  // namespace galago::batch
