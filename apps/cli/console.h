// Output, progress, interruption and defaults shared by the subcommands.
#pragma once

#include <csignal>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "galago/galago.h"

namespace galago::cli {

/// Writes to stdout and flushes; Error{output_io} when the reader is gone or the disk is full. A terminal
/// gets control characters spelled out (terminal.h).
void print(std::string_view text);
/// print() of text that is meant to control the terminal.
void print_raw(std::string_view text);
/// The value as one line of JSON; malformed UTF-8 is replaced.
void print_json(const nlohmann::ordered_json& value);

/// Reports one failure: a line on stderr and, when `json`, an object on stdout. Returns the exit code.
int report(const Error& error, bool json);

/// From here on Ctrl-C asks for a clean stop; a second one ends the process at once.
void catch_interrupt();
bool interrupted();
/// Whether SIGTERM was among what interrupted.
bool told_to_end();
/// Ctrl-C was answered: the next one asks for a clean stop again.
void forget_interrupt();
/// Exit code of what was interrupted, as shells expect it: 130 after Ctrl-C, 143 after SIGTERM.
int interrupted_exit();

/// While it lives, Ctrl-C asks for a clean stop; afterwards it does what it did before.
class CatchesInterrupt {
 public:
  CatchesInterrupt();
  ~CatchesInterrupt();
  CatchesInterrupt(const CatchesInterrupt&) = delete;
  CatchesInterrupt& operator=(const CatchesInterrupt&) = delete;

 private:
  struct sigaction interrupt_ {};
  struct sigaction end_ {};
};

/// While it lives, Ctrl-C ends the process at once: a model that is being loaded, or a prompt that is being
/// planned, leaves nothing behind to be cleaned, and no step of it has to look. Cancelled when Ctrl-C came
/// before.
class EndsAtOnce {
 public:
  EndsAtOnce();
  ~EndsAtOnce();
  EndsAtOnce(const EndsAtOnce&) = delete;
  EndsAtOnce& operator=(const EndsAtOnce&) = delete;
};

/// Model::warnings on stderr.
void warn(const std::vector<std::string>& warnings);

/// All of standard input. Error{input_too_large} over `limit` bytes; `what` says in errors what it is read
/// as.
std::string read_stdin(int64_t limit, const std::string& what);
/// The text itself, or all of standard input for "-".
std::string prompt_text(const std::string& text);

/// A line on stderr that is no error: what was done that nobody asked for.
void notice(const std::string& text);

/// One status line on stderr, rewritten in place; silent when stderr is no terminal.
class StatusLine {
 public:
  explicit StatusLine(bool wanted);
  ~StatusLine() { clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  void show(const std::string& text);
  void clear();

 private:
  bool on_;
  bool shown_ = false;
};

/// A text table: columns padded to their widest cell.
std::string table(const std::vector<std::vector<std::string>>& rows);
/// The text with control characters (line ends, tabs, escapes) as spaces.
std::string one_line(std::string text);
/// 1234567 -> "1,234,567".
std::string grouped(int64_t value);

}  // namespace galago::cli
