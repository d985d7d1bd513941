// Text on its way to a terminal: what files, models and users wrote must not move the cursor, change the
// title or turn the reading direction. In: any bytes, in pieces. Out: text whose control characters are
// spelled out.
#pragma once

#include <string>
#include <string_view>

namespace galago::cli {

/// The text with control characters (C0 but line ends and tabs, DEL, C1) and those that change the direction
/// of writing as \u001b, malformed UTF-8 as U+FFFD.
std::string escaped_for_terminal(std::string_view text);
/// The same in one line: line ends and tabs are spelled out too.
std::string escaped_line(std::string_view text);

/// escaped_for_terminal of a stream whose pieces may end inside a character.
class TerminalText {
 public:
  std::string take(std::string_view piece);

 private:
  std::string pending_;
};

/// From here on all that std::cerr is given is escaped, if it is a terminal. What is meant for the terminal
/// itself goes to stderr with to_terminal.
void guard_stderr();
/// Writes control sequences of the program's own to stderr.
void to_terminal(std::string_view text);

}  // namespace galago::cli
