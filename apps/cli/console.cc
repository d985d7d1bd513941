// See the header. POSIX: signals, isatty.
#include "console.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "core/cancelled.h"
#include "core/limits.h"
#include "messages/answer_json.h"
#include "terminal.h"

namespace galago::cli {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;
volatile std::sig_atomic_t end_seen = 0;
volatile std::sig_atomic_t ends_at_once = 0;

int exit_after(int signal) { return 128 + signal; }

void on_interrupt(int signal) {
  if (ends_at_once != 0) _exit(exit_after(signal));
  if (signal == SIGTERM) end_seen = 1;
  interrupt_seen = 1;
}

}  // namespace

void print(std::string_view text) {
  static const bool terminal = isatty(STDOUT_FILENO) != 0;
  static TerminalText shown;
  if (terminal)
    print_raw(shown.take(text));
  else
    print_raw(text);
}

void print_raw(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) throw Error(ErrorCode::output_io, {.where = "standard output", .got = std::strerror(errno)});
}

void print_json(const nlohmann::ordered_json& value) {
  print(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
}

int report(const Error& error, bool json) {
  if (json && error.code() != ErrorCode::output_io) try {
      print_json(error_json(error));
    } catch (const Error& output) {
      return report(output, false);
    }
  std::cerr << "galago: " << to_string(error.code()) << ": "
            << (isatty(STDERR_FILENO) ? escaped_line(error.what()) : error.what()) << "\n";
  return exit_code(error.code());
}

void catch_interrupt() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  // The second Ctrl-C ends the process at once; a write that waits for its reader goes on.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return interrupt_seen != 0; }
bool told_to_end() { return end_seen != 0; }
int interrupted_exit() { return exit_after(told_to_end() ? SIGTERM : SIGINT); }

void forget_interrupt() {
  interrupt_seen = 0;
  catch_interrupt();
}

CatchesInterrupt::CatchesInterrupt() {
  sigaction(SIGINT, nullptr, &interrupt_);
  sigaction(SIGTERM, nullptr, &end_);
  catch_interrupt();
}

CatchesInterrupt::~CatchesInterrupt() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &end_, nullptr);
}

EndsAtOnce::EndsAtOnce() {
  ends_at_once = 1;
  if (interrupted()) throw Cancelled{};
}
EndsAtOnce::~EndsAtOnce() { ends_at_once = 0; }

void warn(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << "galago: warning: " << one_line(warning) << "\n";
}

std::string read_stdin(int64_t limit, const std::string& what) {
  std::string text;
  char buffer[65536];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, stdin)) {
    text.append(buffer, n);
    if (static_cast<int64_t>(text.size()) > limit)
      throw Error(ErrorCode::input_too_large, {.where = "standard input (" + what + ")",
                                               .got = "more than " + std::to_string(limit) + " bytes"});
  }
  if (std::ferror(stdin) != 0)
    throw Error(ErrorCode::input_invalid, {.where = "standard input (" + what + ")",
                                           .got = std::strerror(errno),
                                           .expected = "a stream that can be read"});
  return text;
}

std::string prompt_text(const std::string& text) {
  return text == "-" ? read_stdin(limits::kPromptBytes, "prompt") : text;
}

void notice(const std::string& text) {
  if (isatty(STDERR_FILENO)) to_terminal("\r\033[K");  // a status line may stand there
  std::cerr << "galago: " << text << "\n";
}

StatusLine::StatusLine(bool wanted) : on_(wanted && isatty(STDERR_FILENO)) {}

void StatusLine::show(const std::string& text) {
  if (!on_) return;
  to_terminal("\r\033[K" + escaped_for_terminal(text));
  shown_ = true;
}

void StatusLine::clear() {
  if (shown_) to_terminal("\r\033[K");
  shown_ = false;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; }, ' ');
  return text;
}

std::string grouped(int64_t value) {
  std::string digits = std::to_string(value);
  for (auto i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<size_t>(i), 1, ',');
  return digits;
}

}  // namespace galago::cli
