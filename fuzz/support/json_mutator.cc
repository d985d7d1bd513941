// Changes one place of a JSON document; the safetensors mutator uses it on the header.
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "galago/error.h"
#include "support/mutators.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace galago::fuzz {
namespace {

/// All values below and including `node`; documents are small and at most limits::kJsonDepth deep.
void collect(Json& node, std::vector<Json*>& all) {
  all.push_back(&node);
  if (node.is_structured())
    for (Json& child : node) collect(child, all);
}

std::vector<Json*> values_of(Json& document) {
  std::vector<Json*> all;
  collect(document, all);
  return all;
}

/// Values at which readers tend to go wrong.
const std::vector<Json>& interesting() {
  static const std::vector<Json> values = {nullptr,
                                           true,
                                           false,
                                           0,
                                           1,
                                           -1,
                                           2,
                                           3,
                                           7,
                                           64,
                                           255,
                                           65536,
                                           std::numeric_limits<int32_t>::max(),
                                           std::numeric_limits<int64_t>::max(),
                                           std::numeric_limits<int64_t>::min(),
                                           std::numeric_limits<uint64_t>::max(),
                                           0.5,
                                           -0.0,
                                           1e-300,
                                           1e308,
                                           "",
                                           "a",
                                           "\xe2\x96\x81",
                                           "<0x41>",
                                           std::string(1, '\0'),
                                           std::string(600, 'x'),
                                           Json::array(),
                                           Json::object(),
                                           Json::array({0, 0}),
                                           Json::array({Json::array()})};
  return values;
}

void change_number(Json& value, Random& random) {
  if (value.is_number_float()) {
    const double factors[] = {-1, 0.5, 2, 10, 1e-3, 1e9};
    value = value.get<double>() * factors[pick(random, std::size(factors))];
    return;
  }
  const auto number = static_cast<uint64_t>(value.get<int64_t>());
  const uint64_t changed[] = {number + 1, number - 1,           number * 2,
                              number / 2, uint64_t{0} - number, number << 16};
  value = static_cast<int64_t>(changed[pick(random, std::size(changed))]);
}

/// Takes out, doubles, moves or renames a member.
void change_members(Json& value, Random& random) {
  const size_t which = pick(random, value.size());
  if (value.is_array()) {
    switch (pick(random, 3)) {
      case 0:
        value.erase(which);
        break;
      case 1:
        value.insert(value.begin() + static_cast<Json::difference_type>(which), Json(value[which]));
        break;
      default:
        std::swap(value[which], value[pick(random, value.size())]);
    }
    return;
  }
  auto member = value.begin();
  std::advance(member, which);
  const std::string key = member.key();
  Json held = *member;
  switch (pick(random, 3)) {
    case 0:
      value.erase(key);
      break;
    case 1:
      value.erase(key);
      value[mutate_bytes(key, key.size() + 8)] = std::move(held);
      break;
    default: {
      auto other = value.begin();
      std::advance(other, pick(random, value.size()));
      std::swap(*other, value[key]);
    }
  }
}

std::string written(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

size_t pick(Random& random, size_t count) { return random() % count; }

std::string mutate_bytes(std::string_view text, size_t most) {
  std::string bytes(text.substr(0, most));
  const size_t used = bytes.size();
  bytes.resize(most);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), used, most));
  return bytes;
}

size_t put(std::string_view text, uint8_t* data, size_t most) {
  if (text.size() > most) return 0;
  if (!text.empty()) std::memcpy(data, text.data(), text.size());
  return text.size();
}

void mutate_json(Json& document, Random& random) {
  const std::vector<Json*> all = values_of(document);
  Json& value = *all[pick(random, all.size())];
  const size_t way = pick(random, 6);
  if (way == 0) {
    value = interesting()[pick(random, interesting().size())];
  } else if (way == 1) {
    Json copy = *all[pick(random, all.size())];
    if (written(copy).size() < 4096) value = std::move(copy);
  } else if (value.is_string()) {
    const std::string text = value.get<std::string>();
    value = mutate_bytes(text, text.size() + 16);
  } else if (value.is_number()) {
    change_number(value, random);
  } else if (value.is_boolean()) {
    value = !value.get<bool>();
  } else if (value.is_structured() && !value.empty()) {
    change_members(value, random);
  } else {
    value = interesting()[pick(random, interesting().size())];
  }
}

void cross_json(Json& document, const Json& other, Random& random) {
  Json source = other;
  const std::vector<Json*> from = values_of(source), to = values_of(document);
  const Json taken = *from[pick(random, from.size())];
  *to[pick(random, to.size())] = taken;
}

size_t mutate_json_file(uint8_t* data, size_t size, size_t most, unsigned seed) {
  Random random(seed);
  if (pick(random, 8) != 0) try {
      Json document = parse_json({reinterpret_cast<const char*>(data), size}, "input");
      for (size_t changes = 1 + pick(random, 3); changes > 0; --changes) mutate_json(document, random);
      if (const size_t length = put(written(document), data, most)) return length;
    } catch (const Error&) {  // not JSON: bytes it is
    }
  return LLVMFuzzerMutate(data, size, most);
}

size_t mutate_safetensors_file(uint8_t* data, size_t size, size_t most, unsigned seed) {
  Random random(seed);
  uint64_t length = 0;
  if (size >= sizeof length) std::memcpy(&length, data, sizeof length);
  if (size < sizeof length || length > size - sizeof length || pick(random, 8) == 0)
    return LLVMFuzzerMutate(data, size, most);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::string header(text.substr(sizeof length, length));
  std::string tensors(text.substr(sizeof length + length));
  try {
    Json document = parse_json(header, "input");
    mutate_json(document, random);
    header = written(document);
  } catch (const Error&) {
    header = mutate_bytes(header, header.size() + 16);
  }
  if (pick(random, 8) == 0) tensors.resize(pick(random, 2 * tensors.size() + 2));
  length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  if (const size_t whole = put(file + header + tensors, data, most)) return whole;
  return LLVMFuzzerMutate(data, size, most);
}

}  // namespace galago::fuzz
