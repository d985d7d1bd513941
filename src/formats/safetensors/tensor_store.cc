// The folder is read as if anybody had written to it. Only files that are named by a key, and
// those that a writer did not finish, are ever removed.
#include "formats/safetensors/tensor_store.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "core/checked.h"
#include "formats/safetensors/header.h"
#include "formats/safetensors/safetensors.h"
#include "galago/error.h"
#include "io/files.h"
#include "io/temporary_name.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTensor = "rows";
constexpr std::string_view kSuffix = ".safetensors";
constexpr size_t kKeyDigits = 2 * sizeof(Digest);
constexpr int64_t kHeaderBytes = 4096;              // more than the header of one tensor takes
constexpr auto kAbandoned = std::chrono::hours(1);  // an unfinished file this old has no writer

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return std::as_bytes(std::span(tensor.data(), static_cast<size_t>(tensor.size())));
}

// KEY.safetensors and nothing else: a file of somebody else may begin and end like that.
bool is_ours(const std::string& name) {
  return name.size() == kKeyDigits + kSuffix.size() && name.ends_with(kSuffix) &&
         name.find_first_not_of("0123456789abcdef") == kKeyDigits;
}

// A link would be written through, and a pipe refused. A folder that is not empty stays, and is refused.
void remove_unless_file(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) fs::remove(path, ignored);
}

struct Entry {
  fs::path path;
  int64_t bytes = 0;
  fs::file_time_type used;
};

}  // namespace

TensorStore::TensorStore(fs::path directory, int64_t limit_bytes, std::string kind)
    : directory_(std::move(directory)), limit_bytes_(limit_bytes), kind_(std::move(kind)) {
  std::error_code error;
  if (fs::create_directories(directory_, error) && !error)
    fs::permissions(directory_, fs::perms::owner_all, error);
  if (error)
    throw Error(ErrorCode::output_io,
                {.where = directory_.string(), .got = error.message(), .expected = "to make this folder"});
  const AtomicFile probe(directory_ / temporary_name());  // Error{output_io}; leaves nothing
}

fs::path TensorStore::file(const Digest& key) const {
  return directory_ / (to_hex(key) + std::string(kSuffix));
}

std::optional<Tensor> TensorStore::find(const Digest& key, const Shape& shape) const {
  const auto count = element_count(shape);
  const auto bytes = count ? checked_mul<int64_t>(*count, sizeof(float)) : std::nullopt;
  if (!bytes) return std::nullopt;
  try {
    const fs::path path = file(key);
    // A copy, not a map: a file that somebody shortens must not take the process with it.
    const auto content = read_if_present(path, *bytes + kHeaderBytes);
    if (!content) return std::nullopt;
    const TensorFile read = read_tensor_file(std::as_bytes(std::span(*content)), path.string());
    const auto says = [&](const char* name, const std::string& text) {
      const auto found = read.metadata.find(name);
      return found != read.metadata.end() && found->second == text;
    };
    const auto found = read.tensors.find(kTensor);
    if (read.tensors.size() != 1 || found == read.tensors.end() || found->second.dtype != DType::f32 ||
        found->second.shape != shape || !says("kind", kind_) || !says("key", to_hex(key)))
      return std::nullopt;
    Tensor tensor(shape);
    std::memcpy(tensor.data(), found->second.data, static_cast<size_t>(*bytes));
    if (!says("sha256", to_hex(sha256(bytes_of(tensor))))) return std::nullopt;
    std::error_code ignored;  // somebody else may have removed it
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
    return tensor;
  } catch (const Error&) {  // what is wrong with a file that is as good as absent is nobody's concern
    return std::nullopt;
  }
}

bool TensorStore::put(const Digest& key, const Tensor& tensor) const {
  if (std::cmp_greater(bytes_of(tensor).size() + kHeaderBytes, limit_bytes_)) return false;
  try {
    remove_unless_file(file(key));
    const TensorView view{.dtype = DType::f32, .shape = tensor.shape(), .data = bytes_of(tensor).data()};
    write_safetensors(file(key), {{kTensor, view}},
                      {{"kind", kind_}, {"key", to_hex(key)}, {"sha256", to_hex(sha256(bytes_of(tensor)))}});
  } catch (const Error&) {  // a full disk, or the folder is gone: the answer does not need it
    return false;
  }
  evict();
  return true;
}

void TensorStore::evict() const {
  std::vector<Entry> entries;
  int64_t total = 0;
  std::error_code error;
  for (fs::directory_iterator at(directory_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    std::error_code gone;
    if (!at->is_regular_file(gone) || at->is_symlink(gone)) continue;
    const auto used = at->last_write_time(gone);
    const auto size = static_cast<int64_t>(at->file_size(gone));
    if (gone) continue;
    if (is_ours(name)) {
      entries.push_back({.path = at->path(), .bytes = size, .used = used});
      total += size;
    } else if (is_temporary_name(name) && used + kAbandoned < fs::file_time_type::clock::now()) {
      fs::remove(at->path(), gone);
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (auto oldest = entries.begin(); oldest != entries.end() && total > limit_bytes_; ++oldest) {
    total -= oldest->bytes;
    std::error_code gone;
    fs::remove(oldest->path, gone);
  }
}

}  // namespace galago
