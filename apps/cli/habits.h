// What people who come from llama.cpp, transformers and other programs type, and what galago calls it.
// The one table of it: a row is either another name of a flag that means the same, or an answer that says
// what to do instead.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace galago::cli {

struct Habit {
  std::string_view names;      ///< flags, with spaces between them; hyphens stand for underscores too
  std::string_view flag;       ///< galago's flag; "" when there is none
  std::string_view answer;     ///< what to do; "" when `flag` means the same and is taken in its place
  std::string_view command{};  ///< of this command alone, before the rows of all; "" for those
};

/// The whole table.
std::span<const Habit> habits();

/// The row that has this flag among its names: one of the command, or one of all commands.
const Habit* find_habit(std::string_view name, std::string_view command = {});

/// Words that are meant as a command, with the command: {"ask", "run"}.
struct CommandHabit {
  std::string_view names;
  std::string_view command;
};
std::span<const CommandHabit> command_habits();

/// Calls `visit` with every name of a list that has spaces between them.
template <class Visit>
void for_each_name(std::string_view names, Visit visit) {
  while (!names.empty()) {
    const size_t end = std::min(names.find(' '), names.size());
    if (end > 0) visit(names.substr(0, end));
    names.remove_prefix(std::min(end + 1, names.size()));
  }
}

}  // namespace galago::cli
