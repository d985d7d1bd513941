// The journal of a batch, whose lines carry checksums: the mutator seals what it changes. What was read once
// is read again, half a line or not, and items without a record get one.
#include "batch/journal.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <vector>

#include "support/fuzz.h"
#include "support/mutators.h"

using namespace galago;
using namespace galago::batch;

namespace {

constexpr const char* kManifest = "{\"model\":\"m\"}";
constexpr size_t kDigest = 17;  // 16 digits and a space
constexpr int64_t kMostItems = 1000;

std::string sealed(const std::string& text) {
  char digest[kDigest + 1];
  std::snprintf(digest, sizeof digest, "%016llx ", static_cast<unsigned long long>(short_digest(text)));
  return digest + text + "\n";
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// Records by their places; those that there are none of are empty.
std::vector<std::string> records_of(const Journal& journal) {
  std::vector<std::string> records;
  int64_t count = 0;
  for (int64_t i = 0; i < journal.items(); ++i) {
    count += journal.has(i);
    if (i < kMostItems) records.push_back(journal.has(i) ? journal.record(i) : "");
    if (journal.has(i)) journal.identity(i);
  }
  fuzz::require(count == journal.records());
  return records;
}

void check(const std::filesystem::path& path) {
  std::vector<std::string> records;
  {
    Journal journal(path, kManifest, Journal::Begin::resume);
    records = records_of(journal);
    for (int64_t i = 0; i < journal.items() && i < kMostItems; ++i) {
      if (journal.has(i)) continue;
      records[static_cast<size_t>(i)] = "{}";
      journal.add({.index = i, .identity = 7, .failed = false, .record = "{}"});
    }
  }
  const Journal again(path, kManifest, Journal::Begin::resume);
  fuzz::require(again.resumed() && records_of(again) == records);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  fuzz::Random random(seed);
  const std::string_view text = fuzz::as_text(data, size);
  std::vector<std::string> lines = lines_of(text);
  if (lines.empty() || fuzz::pick(random, 8) == 0)
    return fuzz::put(fuzz::mutate_bytes(text, most), data, most);
  std::string& line = lines[fuzz::pick(random, lines.size())];
  line = line.size() > kDigest ? line.substr(kDigest) : "0 0 0 {}";
  constexpr std::array<const char*, 7> kIndexes = {
      "0", "7", "-1", "1048577", "2147483648", "549755813888", "9223372036854775807"};
  if (const size_t space = line.find(' '); fuzz::pick(random, 4) == 0 && space != std::string::npos)
    line = kIndexes[fuzz::pick(random, kIndexes.size())] + line.substr(space);
  std::string changed;
  for (const std::string& one : lines) {
    std::string bare = fuzz::pick(random, 2) == 0 ? one : fuzz::mutate_bytes(one, one.size() + 32);
    std::erase(bare, '\n');
    changed += &one == &line ? sealed(bare) : one + "\n";
  }
  return changed.size() <= most ? fuzz::put(changed, data, most) : size;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto path = fuzz::scratch_file("out.journal", fuzz::as_text(data, size));
  fuzz::accept([&] { check(path); });
  return 0;
}
