// A file, or the parts of one: llama-gguf-split writes NAME-00001-of-00003.gguf and so on, where the first
// part has the metadata and each says which it is.
#include <array>
#include <fstream>
#include <utility>

#include "core/limits.h"
#include "core/printable.h"
#include "formats/gguf/gguf.h"
#include "galago/error.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNumber = "split.no";
constexpr const char* kCount = "split.count";
constexpr const char* kTensors = "split.tensors.count";
constexpr size_t kDigits = 5;  // of a part's number

std::string digits(int64_t number) {
  std::string text = std::to_string(number);
  return std::string(text.size() < kDigits ? kDigits - text.size() : 0, '0') + text;
}

std::string part_name(const std::string& stem, int64_t number, int64_t count) {
  return stem + "-" + digits(number) + "-of-" + digits(count) + ".gguf";
}

/// Takes five digits off the end of a text; nothing where they are none.
std::optional<int64_t> take_number(std::string& text) {
  if (text.size() < kDigits) return std::nullopt;
  const std::string number = text.substr(text.size() - kDigits);
  if (number.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  text.resize(text.size() - kDigits);
  return std::stoll(number);
}

bool take(std::string& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.resize(text.size() - end.size());
  return true;
}

int64_t parts_of(const GgufFile& file) {
  const auto count = file.find(kCount);
  return count ? count->integer(0, limits::kShards) : 0;
}

}  // namespace

bool has_gguf_magic(const fs::path& file) noexcept {
  try {
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return false;
    std::array<char, 4> magic{};
    std::ifstream(file, std::ios::binary).read(magic.data(), magic.size());
    return std::string_view(magic.data(), magic.size()) == "GGUF";
  } catch (const std::exception&) {
    return false;
  }
}

std::optional<GgufPartName> gguf_part_name(const fs::path& file) {
  GgufPartName part{.stem = file.filename().string()};
  if (!take(part.stem, ".gguf")) return std::nullopt;
  const auto count = take_number(part.stem);
  if (!count || !take(part.stem, "-of-")) return std::nullopt;
  const auto number = take_number(part.stem);
  if (!number || !take(part.stem, "-") || *number < 1 || *number > *count) return std::nullopt;
  part.number = *number;
  part.count = *count;
  return part;
}

GgufFile::GgufFile(const fs::path& file) {
  maps_.emplace_back(file);
  header_ = read_gguf_header(maps_.front().bytes(), file.string());
}

GgufFile GgufFile::open_parts(const fs::path& file) {
  GgufFile given(file);
  const int64_t count = parts_of(given);
  if (count <= 1) return given;
  const auto name = gguf_part_name(file);
  if (!name || name->count != count)
    throw Error(ErrorCode::model_invalid,
                {.where = file.string() + ": " + kCount,
                 .got = std::to_string(count) + " parts",
                 .expected = "a name that says which, as " + part_name("NAME", 1, count),
                 .hint = "give the parts the names that they had"});
  const fs::path folder = file.parent_path();
  GgufFile whole(folder / part_name(name->stem, 1, count));
  const auto first = whole.find(kNumber);
  if (!first || first->integer(0, limits::kShards) != 0 || parts_of(whole) != count)
    throw Error(ErrorCode::model_invalid, {.where = whole.path().string(),
                                           .got = "metadata of another part",
                                           .expected = "part 1 of " + std::to_string(count)});
  for (int64_t number = 2; number <= count; ++number)
    whole.add_part(folder / part_name(name->stem, number, count), number, count);
  if (const auto tensors = whole.find(kTensors);
      tensors && tensors->integer(0, limits::kTensors) != std::ssize(whole.header_.tensors))
    throw Error(ErrorCode::model_invalid,
                {.where = tensors->where(),
                 .got = std::to_string(whole.header_.tensors.size()) + " in all parts",
                 .expected = std::to_string(tensors->integer(0, limits::kTensors))});
  return whole;
}

void GgufFile::add_part(const fs::path& file, int64_t number, int64_t count) {
  const GgufFile part(file);
  const GgufField said = part.at(kNumber);
  if (said.integer(0, limits::kShards) != number - 1)
    said.fail(std::to_string(number - 1) + ", as the name says");
  if (parts_of(part) != count) part.at(kCount).fail(std::to_string(count));
  for (const auto& [name, tensor] : part.header_.tensors) {
    GgufTensor& added = header_.tensors[name];
    if (added.data)
      throw Error(ErrorCode::model_invalid, {.where = file.string() + ": tensor " + printable(name),
                                             .got = "a tensor that another part holds, too",
                                             .expected = "each tensor in one part"});
    added = tensor;
    added.part = maps_.size();
  }
  maps_.push_back(part.maps_.front());
}

const GgufTensor* GgufFile::tensor(const std::string& name) const {
  const auto found = header_.tensors.find(name);
  return found == header_.tensors.end() ? nullptr : &found->second;
}

std::optional<GgufField> GgufFile::find(const std::string& key) const {
  const auto found = header_.metadata.find(key);
  if (found == header_.metadata.end()) return std::nullopt;
  return GgufField(found->second, path().string() + ": " + key);
}

GgufField GgufFile::at(const std::string& key) const {
  if (auto field = find(key)) return std::move(*field);
  throw Error(ErrorCode::model_invalid,
              {.where = path().string(), .got = "no " + key, .expected = "this key in the metadata"});
}

}  // namespace galago
