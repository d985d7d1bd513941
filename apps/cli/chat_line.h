// What a line of `galago chat` means: a command, pictures that were dropped on the terminal, a question. In:
// a line, or several. Out: its parts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace galago::cli {

struct ChatCommand {
  std::string_view name;      ///< with its slash
  std::string_view argument;  ///< "" for none; in brackets where it may be left out
  std::string_view help;
};

/// The one table of them.
std::span<const ChatCommand> chat_commands();

/// "/image  cat.png" as "/image" and "cat.png".
struct CommandLine {
  std::string name;
  std::string rest;
};
CommandLine command_line(const std::string& line);

/// Whether the line is a command: begins with a slash and a word of letters, and names no file.
bool is_command(const std::string& line);

/// Words as a shell reads them and terminals paste them: quotes, backslashes, file: URIs, ~/ at the
/// beginning. All of the line as one word where that is the name of a file.
std::vector<std::string> file_words(const std::string& text);

/// The pictures that a line begins with, and the question behind them.
struct Dropped {
  std::vector<std::string> pictures;
  std::string rest;
  std::string missing;  ///< the first word that is named as a picture and is no file; "" for none
};
Dropped dropped_pictures(const std::string& line);

/// The first word of a question that is named as a picture, without quotes and marks around it: nobody shows
/// it to the model. "" for none.
std::string picture_word(const std::string& question);

}  // namespace galago::cli
