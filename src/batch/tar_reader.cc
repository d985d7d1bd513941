// See the header.
#include "batch/tar_reader.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "galago/error.h"

namespace galago::batch {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kLongestName = 64 << 10;
constexpr int64_t kMostRecords = 1 << 20;

using Block = std::array<char, kBlock>;

std::string_view field(const Block& block, size_t begin, size_t length) {
  const std::string_view whole(block.data() + begin, length);
  return whole.substr(0, whole.find('\0'));
}

// Octal digits between spaces, or GNU's 256 bits, highest first; none for anything else.
std::optional<int64_t> number(const Block& block, size_t begin, size_t length) {
  const auto first = static_cast<unsigned char>(block[begin]);
  if (first >= 0x80) {
    uint64_t value = first & 0x7F;
    for (size_t i = 1; i < length; ++i) {
      if (value >> 54 != 0) return {};
      value = value << 8 | static_cast<unsigned char>(block[begin + i]);
    }
    return static_cast<int64_t>(value);
  }
  std::string_view text = field(block, begin, length);
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

// The sum of all bytes, those of the sum itself as spaces; some wrote it with signed bytes.
bool sum_holds(const Block& block) {
  const auto told = number(block, 148, 8);
  int64_t plain = 0, with_sign = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : block[i];
    plain += static_cast<unsigned char>(c);
    with_sign += static_cast<signed char>(c);
  }
  return told && (*told == plain || *told == with_sign);
}

int64_t padded(int64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

}  // namespace

struct TarReader::Header {
  std::string name;
  char type = 0;
  int64_t offset = 0;
  int64_t size = 0;
};

TarReader::TarReader(const std::filesystem::path& path) : file_(path) {
  std::array<char, 6> begin{};
  const std::string_view magic(begin.data(), file_.read(0, begin));
  for (const std::string_view kind : {"\x1F\x8B", "BZh",
                                      "\xFD"
                                      "7zXZ",
                                      "\x28\xB5\x2F\xFD"})
    if (magic.starts_with(kind))
      throw Error(ErrorCode::unsupported_media, {.where = path.string(),
                                                 .got = "a compressed archive",
                                                 .expected = "a plain one",
                                                 .hint = "pictures are compressed already: unpack it once"});
}

void TarReader::fail(const std::string& got, const std::string& expected) const {
  throw Error(
      ErrorCode::input_invalid,
      {.where = file_.path().string() + ", byte " + std::to_string(at_), .got = got, .expected = expected});
}

std::optional<TarReader::Header> TarReader::read_header() {
  Block block{};
  const size_t got = file_.read(at_, block);
  const bool zeros = std::ranges::all_of(block, [](char c) { return c == 0; });
  if (got == 0 || (got == block.size() && zeros)) return {};
  if (got < block.size()) fail("the end of the file", "a header of 512 bytes");
  if (!sum_holds(block)) fail("a header whose sum does not hold", "a member of a tar archive");
  Header header{.name = std::string(field(block, 0, 100)), .type = block[156], .offset = at_ + kBlock};
  const bool ustar = field(block, 257, 5) == "ustar";
  const std::string prefix(field(block, 345, 155));
  if (ustar && block[262] == '\0' && !prefix.empty()) header.name = prefix + "/" + header.name;
  const auto size = number(block, 124, 12);
  if (!size) fail("a size that is no number", "octal digits");
  header.size = *size;
  return header;
}

std::string TarReader::content(const Header& header) const {
  std::string text(static_cast<size_t>(header.size), '\0');
  text.resize(file_.read(header.offset, text));
  return text;
}

// "LENGTH KEY=VALUE\n", LENGTH of all of it.
void TarReader::read_pax(const std::string& records) {
  for (std::string_view rest = records; !rest.empty();) {
    size_t length = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
    const auto digits = static_cast<size_t>(end - rest.data());
    if (error != std::errc() || length <= digits + 1 || length > rest.size() || rest[length - 1] != '\n')
      fail("a pax record that does not hold", "LENGTH KEY=VALUE");
    const std::string_view record = rest.substr(digits + 1, length - digits - 2);
    rest.remove_prefix(length);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") name_ = value;
    if (key == "size") {
      int64_t size = 0;
      const auto [last, fault] = std::from_chars(value.data(), value.data() + value.size(), size);
      if (fault != std::errc() || last != value.data() + value.size() || size < 0)
        fail("a size that is no number", "digits");
      size_ = size;
    }
  }
}

std::optional<TarMember> TarReader::next() {
  while (auto header = read_header()) {
    const bool long_name = header->type == 'L', records = header->type == 'x';
    const bool about_next = long_name || records || header->type == 'K' || header->type == 'g';
    if (!about_next && size_) header->size = *size_;
    if (header->size > file_.size() - header->offset)
      fail("a member of " + std::to_string(header->size) + " bytes", "at most those that the file has");
    if ((long_name && header->size > kLongestName) || (records && header->size > kMostRecords))
      fail(std::to_string(header->size) + " bytes of a name", "at most " + std::to_string(kLongestName));
    if (long_name) {
      name_ = content(*header);
      name_.resize(std::min(name_.find('\0'), name_.size()));
    } else if (records) {
      read_pax(content(*header));
    }
    at_ = header->offset + padded(header->size);
    if (about_next) continue;
    const std::string name = std::exchange(name_, {});
    size_.reset();
    if (header->type != '0' && header->type != '\0' && header->type != '7') continue;
    return TarMember{
        .name = name.empty() ? header->name : name, .offset = header->offset, .size = header->size};
  }
  return {};
}

}  // namespace galago::batch
