// Takes a GGUF file apart, changes one key, value or tensor, and puts it together with right counts, lengths
// and padding. Reference: docs/gguf.md of the ggml repository.
#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "support/mutators.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace galago::fuzz {
namespace {

constexpr uint32_t kString = 8, kArray = 9;
constexpr size_t kWidths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // of the types' numbers
constexpr size_t kAlignment = 32;

struct Entry {
  std::string key;
  uint32_t type = 0;
  uint32_t element = 0;            // of an array
  std::vector<std::string> items;  // one for a scalar or text; fixed widths of an array in one
  uint64_t count = 1;
};

struct TensorEntry {
  std::string name;
  std::vector<uint64_t> sides;
  uint32_t type = 0;
  uint64_t offset = 0;
};

struct File {
  uint32_t version = 3;
  std::vector<Entry> entries;
  std::vector<TensorEntry> tensors;
  std::string data;
};

/// Reads forward; after the end everything is zero and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}
  bool ok() const { return ok_; }
  size_t at() const { return at_; }

  std::string take(uint64_t count) {
    ok_ = ok_ && count <= text_.size() - at_;
    if (!ok_) return {};
    at_ += count;
    return std::string(text_.substr(at_ - count, count));
  }
  template <class T>
  T number() {
    T value{};
    if (const std::string bytes = take(sizeof value); ok_) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  std::string text() { return take(number<uint64_t>()); }

 private:
  std::string_view text_;
  size_t at_ = 0;
  bool ok_ = true;
};

Entry read_entry(Reader& reader) {
  Entry entry;
  entry.key = reader.text();
  entry.type = reader.number<uint32_t>();
  entry.element = entry.type == kArray ? reader.number<uint32_t>() : entry.type;
  if (entry.type == kArray) entry.count = reader.number<uint64_t>();
  if (entry.element == kString) {
    for (uint64_t i = 0; i < entry.count && reader.ok(); ++i) entry.items.push_back(reader.text());
  } else if (entry.element < std::size(kWidths) && kWidths[entry.element] > 0 && entry.count < 1 << 24) {
    entry.items.push_back(reader.take(kWidths[entry.element] * entry.count));
  } else {
    reader.take(~uint64_t{0});  // arrays of arrays: not for this mutator
  }
  return entry;
}

std::optional<File> read_file(std::string_view text) {
  Reader reader(text);
  File file;
  if (reader.take(4) != "GGUF") return std::nullopt;
  file.version = reader.number<uint32_t>();
  const auto tensors = reader.number<uint64_t>(), keys = reader.number<uint64_t>();
  for (uint64_t i = 0; i < keys && reader.ok(); ++i) file.entries.push_back(read_entry(reader));
  for (uint64_t i = 0; i < tensors && reader.ok(); ++i) {
    TensorEntry tensor;
    tensor.name = reader.text();
    const uint32_t rank = std::min<uint32_t>(reader.number<uint32_t>(), 8);
    for (uint32_t d = 0; d < rank; ++d) tensor.sides.push_back(reader.number<uint64_t>());
    tensor.type = reader.number<uint32_t>();
    tensor.offset = reader.number<uint64_t>();
    file.tensors.push_back(std::move(tensor));
  }
  if (!reader.ok()) return std::nullopt;
  const size_t begin = (reader.at() + kAlignment - 1) / kAlignment * kAlignment;
  if (begin < text.size()) file.data = text.substr(begin);
  return file;
}

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& out, const std::string& text) {
  append<uint64_t>(out, text.size());
  out += text;
}

std::string written(const File& file) {
  std::string out = "GGUF";
  append(out, file.version);
  append<uint64_t>(out, file.tensors.size());
  append<uint64_t>(out, file.entries.size());
  for (const Entry& entry : file.entries) {
    append_text(out, entry.key);
    append(out, entry.type);
    if (entry.type == kArray) {
      append(out, entry.element);
      append<uint64_t>(out, entry.element == kString ? entry.items.size() : entry.count);
    }
    for (const std::string& item : entry.items)
      entry.element == kString ? append_text(out, item) : void(out += item);
  }
  for (const TensorEntry& tensor : file.tensors) {
    append_text(out, tensor.name);
    append<uint32_t>(out, static_cast<uint32_t>(tensor.sides.size()));
    for (const uint64_t side : tensor.sides) append(out, side);
    append(out, tensor.type);
    append(out, tensor.offset);
  }
  out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment);
  return out + file.data;
}

uint64_t odd_number(Random& random) {
  constexpr uint64_t kNumbers[] = {0,
                                   1,
                                   2,
                                   3,
                                   31,
                                   32,
                                   33,
                                   255,
                                   256,
                                   65535,
                                   uint64_t{1} << 31,
                                   uint64_t{1} << 32,
                                   uint64_t{1} << 62,
                                   ~uint64_t{0}};
  return kNumbers[pick(random, std::size(kNumbers))];
}

void change_value(Entry& entry, Random& random) {
  if (entry.items.empty()) {
    if (entry.element == kString) entry.items.emplace_back("a");
    return;
  }
  std::string& item = entry.items[pick(random, entry.items.size())];
  if (entry.element == kString) {
    if (entry.type == kArray && pick(random, 4) == 0) {
      if (pick(random, 2) == 0) {
        item = std::string(entry.items[pick(random, entry.items.size())]);
      } else {
        entry.items.resize(pick(random, entry.items.size() + 2));
      }
    } else {
      item = mutate_bytes(item, item.size() + 16);
    }
    return;
  }
  const size_t width = kWidths[entry.element];
  if (width == 0) return;
  if (entry.type == kArray && pick(random, 3) == 0) {
    entry.count = pick(random, entry.count + 2);
    item.resize(entry.count * width);
  } else if (item.size() >= width) {  // its type may have been changed
    const uint64_t number = odd_number(random);
    const size_t at = pick(random, item.size() / width) * width;
    if (pick(random, 2) == 0)
      std::memcpy(item.data() + at, &number, width);
    else
      item[pick(random, item.size())] ^= static_cast<char>(1 << pick(random, 8));
  }
}

void change_entries(std::vector<Entry>& entries, Random& random) {
  const size_t which = pick(random, entries.size());
  Entry& entry = entries[which];
  switch (pick(random, 10)) {
    case 0:
      entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(which));
      break;
    case 1:
      entries.push_back(Entry(entry));
      break;
    case 2:
      entry.key = std::string(entries[pick(random, entries.size())].key);
      break;
    case 3:
      entry.key = mutate_bytes(entry.key, entry.key.size() + 8);
      break;
    case 4: {  // as another type of the same width, or of any
      const auto type = static_cast<uint32_t>(pick(random, std::size(kWidths) + 1));
      (entry.type == kArray ? entry.element : entry.type) = type;
      if (entry.type != kArray && entry.type != kString) entry.element = entry.type;
      if (entry.element >= std::size(kWidths)) entry.element = 0;
      break;
    }
    default:
      change_value(entry, random);
  }
}

void change_tensors(std::vector<TensorEntry>& tensors, Random& random) {
  const size_t which = pick(random, tensors.size());
  TensorEntry& tensor = tensors[which];
  switch (pick(random, 7)) {
    case 0:
      tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(which));
      break;
    case 1:
      tensor.name = std::string(tensors[pick(random, tensors.size())].name);
      break;
    case 2:
      tensor.type = static_cast<uint32_t>(pick(random, 44));
      break;
    case 3:
      tensor.offset =
          pick(random, 2) == 0 ? odd_number(random) : tensors[pick(random, tensors.size())].offset;
      break;
    case 4:
      tensor.sides.resize(pick(random, 6), 1);
      break;
    case 5:
      tensor.name = mutate_bytes(tensor.name, tensor.name.size() + 8);
      break;
    default:
      if (!tensor.sides.empty()) {
        uint64_t& side = tensor.sides[pick(random, tensor.sides.size())];
        side = pick(random, 2) == 0 ? odd_number(random) : side + 1 - 2 * pick(random, 2);
      }
  }
}

}  // namespace

size_t mutate_gguf_file(uint8_t* data, size_t size, size_t most, unsigned seed) {
  Random random(seed);
  if (pick(random, 8) == 0) return LLVMFuzzerMutate(data, size, most);
  auto file = read_file({reinterpret_cast<const char*>(data), size});
  if (!file) return LLVMFuzzerMutate(data, size, most);
  for (size_t changes = 1 + pick(random, 3); changes > 0; --changes) {
    const size_t way = pick(random, 16);
    if (way == 0)
      file->data.resize(pick(random, file->data.size() + 64));
    else if (way == 1)
      file->version = static_cast<uint32_t>(pick(random, 5));
    else if (way < 11 && !file->entries.empty())
      change_entries(file->entries, random);
    else if (!file->tensors.empty())
      change_tensors(file->tensors, random);
  }
  std::string out = written(*file);
  if (pick(random, 32) == 0 && out.size() >= 24) {  // counts that lie
    const uint64_t number = odd_number(random);
    std::memcpy(out.data() + 8 + 8 * pick(random, 2), &number, sizeof number);
  }
  if (const size_t length = put(out, data, most)) return length;
  return LLVMFuzzerMutate(data, size, most);
}

}  // namespace galago::fuzz
