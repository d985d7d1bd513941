// A program that galago starts: its output is read through a pipe, its complaints are kept, and it never
// outlives the object. In: an argument vector, which no shell reads. Out: bytes. The only place in galago
// that starts a program.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace galago {

/// What a program is for, and when it is stopped.
struct ProgramUse {
  std::string purpose;               ///< "FFmpeg, which reads videos": what Error{not_found} expects
  std::string install;               ///< its hint
  double seconds = 0;                ///< of its whole run; Error{timeout} beyond
  std::string faster;                ///< the hint of that error
  std::function<bool()> keep_going;  ///< asked several times a second; false: throws Cancelled. May be empty
};

class Program {
 public:
  /// Starts arguments[0], which is looked for in PATH, with no input. Error{not_found} when there is none.
  Program(const std::vector<std::string>& arguments, ProgramUse use);
  /// Kills it when it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Waits for some output: its length, or 0 at its end. Error{timeout}; Cancelled.
  size_t read(std::span<char> out);
  /// Waits for its end: true when it ended by itself with status 0. Where the status cannot be had, since the
  /// process ignores SIGCHLD or waits for every child, true when nothing came on its error stream.
  /// Error{timeout}; Error{resource} when somebody else ended it, as the system does for want of memory;
  /// Cancelled.
  bool succeeded();
  /// What it wrote to its error stream, in one line of at most some hundred characters.
  std::string complaint() const;

 private:
  enum class End { none, good, bad, unknown };

  void check_going() const;
  void wait_for_output();
  void read_complaint();
  End look_for_end();
  void stop();

  std::string name_;
  ProgramUse use_;
  std::chrono::steady_clock::time_point end_;
  pid_t pid_ = -1;  // -1 once it has ended
  End end_of_it_ = End::none;
  int signal_ = 0;  // that ended it
  int output_ = -1;
  int errors_ = -1;
  std::string complaint_;
};

/// The lines of a program's output.
class ProgramLines {
 public:
  explicit ProgramLines(Program& program) : program_(&program) {}
  /// The next line without its end; false after the last one. Error{input_invalid} for one of over 64 KiB.
  bool next(std::string& line);

 private:
  Program* program_;
  std::string buffer_;
  size_t at_ = 0;
  bool ended_ = false;
};

}  // namespace galago
