// See the header.
#include "batch/journal.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

#include "batch/manifest.h"
#include "core/sha256.h"
#include "galago/error.h"

namespace galago::batch {
namespace {

constexpr size_t kDigits = 16;
constexpr size_t kChunk = size_t{1} << 20;
// Items that have a line no earlier than a later one: far more than are ever in work.
constexpr int64_t kMostAhead = 1 << 20;
constexpr int64_t kShortestLine = 32;  // bytes
constexpr int kWidened = 2;            // an outcome

std::string hex(uint64_t value) {
  std::array<char, kDigits> digits{};
  const char* end = std::to_chars(digits.data(), digits.data() + kDigits, value, 16).ptr;
  const auto length = static_cast<size_t>(end - digits.data());
  return std::string(kDigits - length, '0') + std::string(digits.data(), length);
}

std::string sealed(const std::string& text) { return hex(short_digest(text)) + " " + text + "\n"; }

// What is behind the digest, if it is the digest of it.
std::optional<std::string_view> unsealed(std::string_view line) {
  if (line.size() <= kDigits || line[kDigits] != ' ') return {};
  const std::string_view text = line.substr(kDigits + 1);
  if (line.substr(0, kDigits) != hex(short_digest(text))) return {};
  return text;
}

template <class Number>
bool take_number(std::string_view& text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end == text.data() + text.size() || *end != ' ') return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return true;
}

}  // namespace

uint64_t short_digest(std::string_view text) {
  const Digest digest = sha256(std::as_bytes(std::span(text)));
  uint64_t bits = 0;
  for (size_t i = 0; i < 8; ++i) bits = bits << 8 | digest[i];
  return bits;
}

Journal::Journal(const std::filesystem::path& path, const std::string& manifest, Begin how)
    : path_(path), file_(path) {
  if (how == Begin::restart) file_.truncate(0);
  resumed_ = read(manifest);
  if (!resumed_) begin(manifest);
}

void Journal::begin(const std::string& manifest) {
  file_.truncate(0);
  file_.append(sealed(manifest));
  file_.sync();
  sync_folder(path_.parent_path());
}

void Journal::refuse_journal() const {
  throw Error(ErrorCode::input_invalid,
              {.where = path_.string(),
               .got = "a first line that no journal begins with, or that was damaged",
               .expected = "the journal of a batch",
               .hint = "--restart begins anew"});
}

// False when there is not even a whole first line: the process ended before anything was done.
bool Journal::read(const std::string& manifest) {
  std::string pending;
  int64_t offset = 0;  // of the first byte of `pending` in the file
  bool first = true;
  for (int64_t at = 0; at < file_.size();) {
    const size_t old = pending.size();
    pending.resize(old + kChunk);
    const size_t got = file_.read(at, std::span(pending).subspan(old));
    pending.resize(old + got);
    if (got == 0) break;
    at += static_cast<int64_t>(got);
    size_t begin = 0;
    for (size_t end = pending.find('\n', old); end != std::string::npos; end = pending.find('\n', begin)) {
      const std::string_view line = std::string_view(pending).substr(begin, end - begin);
      if (first) {
        const auto text = unsealed(line);
        if (!text) refuse_journal();
        check_same_run(*text, manifest, path_.string());
        first = false;
      } else {
        read_line(line, offset + static_cast<int64_t>(begin));
      }
      begin = end + 1;
    }
    pending.erase(0, begin);
    offset += static_cast<int64_t>(begin);
  }
  if (first) {
    // The beginning of a line of its own, or the zeros of a file whose bytes a power failure took.
    const std::string_view zero_or_digit("\0000123456789abcdef", 17);
    if (pending.find_first_not_of(zero_or_digit) < kDigits ||
        (pending.size() > kDigits && pending[kDigits] != ' ' && pending[kDigits] != '\0'))
      refuse_journal();
    return false;
  }
  if (offset < file_.size()) file_.truncate(offset);
  return true;
}

void Journal::read_line(std::string_view line, int64_t offset) {
  const auto text = unsealed(line);
  if (!text) return;
  std::string_view rest = *text;
  int64_t index = 0;
  int outcome = 0;
  Place place;
  // Those before it have lines of their own, so that the table of places grows with the file.
  const int64_t most = offset / kShortestLine + kMostAhead;
  if (!take_number(rest, index, 10) || !take_number(rest, place.identity, 16) ||
      !take_number(rest, outcome, 10) || index < 0 || index > most || rest.empty())
    return;
  if (outcome == kWidened) {
    int64_t count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    const bool fits = error == std::errc() && end == rest.data() + rest.size() && count >= 1 &&
                      count <= most - items() && has(index) && this->failed(index);
    if (fits) make_room(index, count);
    return;
  }
  place.offset = offset + static_cast<int64_t>(line.size() - rest.size());
  place.length = static_cast<int64_t>(rest.size());
  place.failed = outcome != 0;
  put(index, place);
}

void Journal::put(int64_t index, const Place& place) {
  if (index >= items()) places_.resize(static_cast<size_t>(index) + 1);
  Place& own = places_[static_cast<size_t>(index)];
  if (own.length > 0 && !own.failed) return;
  records_ += own.length == 0;
  own = place;
}

void Journal::make_room(int64_t index, int64_t count) {
  --records_;
  places_[static_cast<size_t>(index)] = {};
  places_.insert(places_.begin() + index, static_cast<size_t>(count - 1), Place{});
}

void Journal::widen(int64_t index, int64_t count) {
  file_.append(sealed(std::to_string(index) + " " + hex(identity(index)) + " " + std::to_string(kWidened) +
                      " " + std::to_string(count)));
  make_room(index, count);
}

std::string Journal::record(int64_t index) const {
  std::string text(static_cast<size_t>(place(index).length), '\0');
  const size_t got = file_.read(place(index).offset, text);
  if (got != text.size())
    throw Error(ErrorCode::output_io, {.where = path_.string(),
                                       .got = "a file that became shorter",
                                       .expected = "the record of item " + std::to_string(index)});
  return text;
}

void Journal::add(const Entry& entry) {
  const auto length = static_cast<int64_t>(entry.record.size());
  file_.append(sealed(std::to_string(entry.index) + " " + hex(entry.identity) +
                      (entry.failed ? " 1 " : " 0 ") + entry.record));
  put(entry.index, {.offset = file_.size() - 1 - length,
                    .length = length,
                    .failed = entry.failed,
                    .identity = entry.identity});
}

}  // namespace galago::batch
