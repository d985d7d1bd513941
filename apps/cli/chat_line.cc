// See the header.
#include "chat_line.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "core/words.h"
#include "galago/error.h"
#include "pictures.h"

namespace galago::cli {
namespace {

constexpr std::array<ChatCommand, 12> kCommands = {{
    {"/image", "FILE...", "show the model pictures: they go with the next question"},
    {"/video", "FILE", "the same with a video, or a folder of frames (--fps)"},
    {"/system", "[TEXT]", "set the system message, or take it away"},
    {"/regenerate", "", "answer the last question again"},
    {"/undo", "", "take back pictures that wait, or the last question with its answer"},
    {"/clear", "", "begin anew; the system message stays"},
    {"/save", "FILE", "write the conversation as JSON, for /load and galago run --messages"},
    {"/load", "FILE", "go on with such a conversation"},
    {"/stats", "", "sizes and times of the last answer"},
    {"/help", "", "this list"},
    {"/quit", "", "leave, as Ctrl-D does"},
    {"/exit", "", "the same"},
}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// The first word of a text, its quotes and backslashes taken away, and where it ends; false for a quote that
/// is never closed.
bool take_word(std::string_view text, size_t& at, std::string& word) {
  while (at < text.size() && is_space(text[at])) ++at;
  char quote = 0;
  word.clear();
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (quote == 0 && is_space(c)) break;
    if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && at + 1 < text.size() &&
               (quote == 0 || text[at + 1] == '"' || text[at + 1] == '\\')) {
      word += text[++at];
    } else {
      word += c;
    }
  }
  return quote == 0;
}

std::string from_home(const std::string& word) {
  const char* home = std::getenv("HOME");
  return home && word.starts_with("~/") ? home + word.substr(1) : word;
}

bool is_file(const std::string& word) {
  std::error_code error;
  return !word.empty() && word.size() < 4096 && word.find('\0') == std::string::npos &&
         std::filesystem::is_regular_file(word, error);
}

/// The picture file that a word names, or "".
std::string picture_file(const std::string& word) {
  if (lower_ascii(word.substr(0, 7)) == "file://") try {
      const std::string path = local_file(word).string();
      return is_file(path) && ends_like_picture(path) ? path : "";
    } catch (const Error&) {
      return "";  // then it is a text
    }
  const std::string path = from_home(word);
  return ends_like_picture(path) && is_file(path) ? path : "";
}

// Whether a word can be nothing but the name of a picture. Not ".png" alone, which people ask about.
bool is_named_as_picture(const std::string& word) {
  return ends_like_picture(word) && !std::filesystem::path(word).extension().empty();
}

// A path with spaces in it, as some terminals drop it, of a picture.
bool is_path_of_picture(const std::string& line) {
  return (line.starts_with('/') || line.starts_with("~/") || line.starts_with("./")) &&
         line.find('\n') == std::string::npos && is_named_as_picture(line);
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

std::span<const ChatCommand> chat_commands() { return kCommands; }

CommandLine command_line(const std::string& line) {
  const std::string text = trimmed(line);
  const auto end = std::find_if(text.begin(), text.end(), is_space);
  return {.name = std::string(text.begin(), end), .rest = trimmed(std::string(end, text.end()))};
}

bool is_command(const std::string& line) {
  const std::string name = command_line(line).name;
  return name.size() > 1 && name[0] == '/' &&
         std::all_of(name.begin() + 1, name.end(),
                     [](unsigned char c) { return std::isalpha(c) != 0 || c == '-' || c == '_'; }) &&
         !is_file(name);
}

std::vector<std::string> file_words(const std::string& text) {
  const std::string whole = from_home(trimmed(text));
  if (is_file(whole)) return {whole};
  std::vector<std::string> words;
  std::string word;
  for (size_t at = 0; at < text.size();) {
    if (!take_word(text, at, word)) return {whole};
    if (!word.empty()) words.push_back(from_home(word));
  }
  return words;
}

Dropped dropped_pictures(const std::string& line) {
  Dropped dropped;
  if (std::string whole = picture_file(trimmed(line)); !whole.empty()) {
    dropped.pictures.push_back(std::move(whole));
    return dropped;
  }
  size_t at = 0;
  std::string word;
  for (size_t next = 0; take_word(line, next, word); at = next) {
    std::string path = picture_file(word);
    if (path.empty()) {
      if (is_named_as_picture(word)) dropped.missing = word;
      break;
    }
    dropped.pictures.push_back(std::move(path));
  }
  if (dropped.missing.empty() && dropped.pictures.empty() && is_path_of_picture(trimmed(line)))
    dropped.missing = trimmed(line);
  dropped.rest = dropped.pictures.empty() ? line : trimmed(std::string_view(line).substr(at));
  return dropped;
}

std::string picture_word(const std::string& question) {
  constexpr std::string_view kMarks = "\"'`()[]<>{},;:!?.";
  for (size_t begin = 0, end = 0; begin < question.size(); begin = end + 1) {
    end = begin;
    while (end < question.size() && !is_space(question[end])) ++end;
    const std::string_view word = std::string_view(question).substr(begin, end - begin);
    const size_t first = word.find_first_not_of("\"'`()[]<>{}"), last = word.find_last_not_of(kMarks);
    if (first == std::string_view::npos || last == std::string_view::npos || last < first) continue;
    const std::string name(word.substr(first, last + 1 - first));
    if (name.size() < 256 && is_named_as_picture(name)) return name;
  }
  return "";
}

}  // namespace galago::cli
