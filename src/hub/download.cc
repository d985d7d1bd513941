// See the header. Blobs go by the hash of their content, so that nothing has to be believed: what was there,
// what a redirect led to and what a resumed transfer added is all looked at in the end.
#include "hub/download.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/cancelled.h"
#include "core/printable.h"
#include "hub/refusal.h"

namespace galago::hub {
namespace {

constexpr int kPartial = 206, kBadRange = 416;
constexpr int64_t kProgress = 1 << 20;  // bytes after which failures are counted anew

/// What has arrived of a file.
class Arriving final : public BodySink {
 public:
  Arriving(PartialBlob& blob, const RepoFile& file, std::string where, Counter& bytes)
      : blob_(blob), file_(file), where_(std::move(where)), bytes_(bytes), hash_(file.kind, file.size) {}

  int64_t size() const { return blob_.size(); }
  /// Of the whole file, as the other side knows it: for If-Range.
  const std::string& etag() const { return etag_; }
  /// Whether some of it is from before.
  bool resumed() const { return resumed_; }

  /// Takes in what an earlier process left.
  void read_rest(const std::function<bool()>& stopped) {
    if (blob_.size() > file_.size) blob_.clear();
    resumed_ = blob_.size() > 0;
    blob_.read([&](std::span<const std::byte> piece) {
      if (stopped()) throw Cancelled{};
      hash_.add(piece);
    });
    bytes_ = blob_.size();
  }

  void restart() {
    blob_.clear();
    hash_ = BlobHash(file_.kind, file_.size);
    resumed_ = false;
    bytes_ = 0;
  }

  void begin(const Answer& head) override {
    if (head.status != kPartial)
      restart();
    else if (first_byte(head.header("content-range")) != blob_.size())
      refuse_answer(where_, "the range " + in_quotes(head.header("content-range")),
                    "bytes from " + std::to_string(blob_.size()));
    const std::string etag = head.header("etag");
    if (etag.starts_with('"')) etag_ = etag;  // a weak one cannot be asked for
  }

  void take(std::span<const std::byte> bytes) override {
    if (std::ssize(bytes) > file_.size - blob_.size())
      refuse_answer(where_, "more bytes", std::to_string(file_.size) + " bytes");
    blob_.append(bytes);
    hash_.add(bytes);
    bytes_ = blob_.size();
  }

  bool complete() const { return blob_.size() == file_.size; }
  std::string hash() { return hash_.finish(); }

 private:
  static int64_t first_byte(std::string_view range) {  // "bytes 100-199/200"
    int64_t first = -1;
    if (range.starts_with("bytes ")) std::from_chars(range.data() + 6, range.data() + range.size(), first);
    return first;
  }

  PartialBlob& blob_;
  const RepoFile& file_;
  std::string where_;
  Counter& bytes_;
  BlobHash hash_;
  std::string etag_;
  bool resumed_ = false;
};

std::string address_of(const Source& source, const std::string& path) {
  std::string url = source.settings.endpoint + "/" + source.repository + "/resolve/" + source.commit;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    url += "/" + escaped_part(std::string_view(path).substr(begin, end - begin));
    begin = end + 1;
  }
  return url;
}

void note_missing(const Source& source, const std::string& path) {
  try {
    source.store.mark_missing(source.commit, path);
  } catch (const Error&) {  // a cache that cannot be written is not what went wrong
  }
}

/// Asks whether the file is the one of the listing.
void check_head(Client& client, const Source& source, const RepoFile& file, const std::string& url) {
  Answer head;
  try {
    client.persist([&] { head = client.head(url); });
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) note_missing(source, file.path);
    throw;
  }
  const std::string commit = head.header("x-repo-commit");
  if (commit != source.commit)
    refuse_answer(printable(url), commit.empty() ? "no X-Repo-Commit header" : "commit " + in_quotes(commit),
                  "commit " + source.commit);
  const std::string linked = head.header("x-linked-etag");
  const std::string etag = linked.empty() ? head.header("etag") : linked;
  if (hash_of_etag(etag) != file.blob())
    refuse_answer(printable(url), "the ETag " + in_quotes(etag), file.blob() + ", as the listing has it");
  const std::string size = head.header("x-linked-size");
  if (!size.empty() && size != std::to_string(file.size))
    refuse_answer(printable(url), in_quotes(size) + " bytes",
                  std::to_string(file.size) + ", as in the listing");
}

void fetch(Client& client, const std::string& url, Arriving& arriving) {
  int64_t most = arriving.size();  // ever: beginning anew is no progress
  client.persist(
      [&] {
        if (arriving.complete()) return;
        const Answer answer =
            client.get_file(url, {.from = arriving.size(), .if_range = arriving.etag()}, arriving);
        if (answer.status == kBadRange) arriving.restart();
        if (!arriving.complete())
          throw Transient{Error(ErrorCode::unavailable,
                                {.where = printable(url),
                                 .got = "an end after " + std::to_string(arriving.size()) + " bytes",
                                 .expected = "the whole file",
                                 .hint = "pull again: what has arrived is kept"})};
      },
      [&] {
        const int64_t before = std::exchange(most, std::max(most, arriving.size()));
        return most - before >= kProgress;
      });
}

}  // namespace

void download(Client& client, const Source& source, const RepoFile& file, Counter& bytes,
              const std::function<bool()>& stopped) {
  const Store& store = source.store;
  const FileLock lock(store.lock(file.blob()), [&] {
    if (stopped()) throw Cancelled{};
    bytes = store.partial_bytes(file);  // of whoever downloads it
  });
  if (store.has(file)) {
    bytes = file.size;
    return;
  }
  const std::string url = address_of(source, file.path);
  check_head(client, source, file, url);
  PartialBlob blob(store.partial(file.blob()));
  Arriving arriving(blob, file, printable(url), bytes);
  arriving.read_rest(stopped);
  while (true) {
    fetch(client, url, arriving);
    const bool resumed = arriving.resumed();
    const std::string hash = arriving.hash();
    if (hash == file.blob()) break;
    arriving.restart();
    if (!resumed)
      throw Error(
          ErrorCode::input_invalid,
          {.where = printable(url),
           .got = "content of checksum " + hash,
           .expected = file.blob(),
           .hint = "it was damaged on its way, or the hub is not to be trusted: nothing of it is kept"});
  }
  blob.commit(store.blob(file.blob()));
}

}  // namespace galago::hub
