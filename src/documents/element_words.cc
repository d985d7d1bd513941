// See the header.
#include "documents/element_words.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace galago::documents {

std::string picture_class_words(std::string_view name) {
  std::string words(name);
  std::replace(words.begin(), words.end(), '_', ' ');
  if (!words.empty() && words[0] >= 'a' && words[0] <= 'z') words[0] = static_cast<char>(words[0] - 32);
  return words;
}

std::vector<std::string> key_value_lines(const KeyValues& pairs) {
  std::unordered_map<int, std::vector<const KeyValueCell*>> by_id;
  std::unordered_set<int> keys;
  for (const KeyValueCell& cell : pairs.cells) {
    by_id[cell.id].push_back(&cell);
    if (cell.key) keys.insert(cell.id);
  }
  std::unordered_map<int, std::vector<int>> values_of;
  std::unordered_set<int> linked;
  for (const auto& [from, to] : pairs.links) {
    // A value belongs to the first key that points at it.
    if (keys.contains(from) && linked.insert(to).second) values_of[from].push_back(to);
  }
  std::vector<std::string> lines;
  for (const KeyValueCell& cell : pairs.cells) {
    if (!cell.key && linked.contains(cell.id)) continue;
    std::string line = cell.text;
    const auto values = values_of.find(cell.id);
    if (cell.key && values != values_of.end()) {
      const char* between = ": ";
      for (const int id : values->second) {
        for (const KeyValueCell* const value : by_id[id]) {
          if (value->key) continue;
          line += between + value->text;
          between = ", ";
        }
      }
      values_of.erase(values);  // keys of one number: the first has the values
    }
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace galago::documents
