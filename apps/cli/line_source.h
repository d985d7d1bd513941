// Lines of standard input, one at a time: edited on a terminal, or as they come through a pipe. In: what is
// typed or piped. Out: lines, and how the reading ended. Line editing: libedit (docs/decisions/0021).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

namespace galago::cli {

struct Line {
  enum class Kind {
    text,
    interrupted,  ///< Ctrl-C
    too_long,     ///< its text is lost
    end,          ///< no more will come
  };
  Kind kind = Kind::end;
  std::string text;    ///< without its line end; with line ends in it where some were pasted
  bool empty = false;  ///< interrupted: nothing had been typed
};

class LineSource {
 public:
  virtual ~LineSource() = default;
  /// Waits for the next line. The prompt is shown where a person types.
  virtual Line read(const std::string& prompt) = 0;
  /// Into the history, where there is one.
  virtual void remember(const std::string& /*text*/) {}
};

/// Lines up to limits::kPromptBytes of a pipe, a file or a terminal without editing. prompt: on stderr.
std::unique_ptr<LineSource> plain_lines(bool prompts);

/// Lines of a terminal, with editing, history and pasted line ends. The prompt goes to stdout if that is a
/// terminal, else to stderr. history: a file, made with its folder where it is missing; empty: none is kept.
std::unique_ptr<LineSource> edited_lines(const std::filesystem::path& history);

/// $XDG_STATE_HOME/galago/history, or that of ~/.local/state; empty without a home.
std::filesystem::path history_file();

}  // namespace galago::cli
