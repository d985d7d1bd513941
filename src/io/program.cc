// posix_spawn, two pipes and poll. Reference: POSIX.1-2017; prlimit(2) on Linux.
#include "io/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <system_error>
#include <utility>

#include "core/cancelled.h"
#include "galago/error.h"

namespace galago {
namespace {

constexpr int kLookMs = 100;              // between two looks at the clock and at keep_going
constexpr int kLastReads = 32;            // of the error stream, once the program has ended: a full pipe
constexpr size_t kComplaintBytes = 2000;  // kept of the error stream
constexpr size_t kShownBytes = 300;       // of them, in a message
constexpr size_t kLineBytes = 64 << 10;
constexpr rlim_t kMemoryBytes = rlim_t{8} << 30;  // of address space

[[noreturn]] void throw_system(const std::string& what, int error) {
  throw Error(ErrorCode::resource, {.where = what, .got = std::generic_category().message(error)});
}

struct Pipe {
  int read = -1;
  int write = -1;

  Pipe() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_system("a pipe", errno);
    read = ends[0];
    write = ends[1];
  }
  ~Pipe() {
    close_end(read);
    close_end(write);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int release_read() { return std::exchange(read, -1); }

 private:
  static void close_end(int end) {
    if (end >= 0) close(end);
  }
};

/// What the program starts with: no input, our pipes, and signals as a new program expects them.
class Setting {
 public:
  Setting(int output, int errors) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files_, errors, STDERR_FILENO);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    // A group of its own: Ctrl-C at a terminal is for us, and who reads asks keep_going.
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  }
  ~Setting() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

  const posix_spawn_file_actions_t* files() const { return &files_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

// It may not write files, leave a core or take all memory. This is said to the running program, so it does
// not hold for its first moments, and where it cannot be said, the program runs without.
void restrain(pid_t pid) {
  const rlimit nothing{0, 0};
  const rlimit memory{kMemoryBytes, kMemoryBytes};
  prlimit(pid, RLIMIT_FSIZE, &nothing, nullptr);
  prlimit(pid, RLIMIT_CORE, &nothing, nullptr);
  prlimit(pid, RLIMIT_AS, &memory, nullptr);
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, ProgramUse use)
    : name_(arguments.at(0)), use_(std::move(use)) {
  const auto length = std::chrono::duration<double>(use_.seconds);
  end_ = std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(length);
  Pipe output;
  Pipe errors;
  const Setting setting(output.write, errors.write);
  std::vector<char*> vector;
  for (const std::string& argument : arguments) vector.push_back(const_cast<char*>(argument.c_str()));
  vector.push_back(nullptr);
  const int failed =
      posix_spawnp(&pid_, name_.c_str(), setting.files(), setting.attributes(), vector.data(), environ);
  if (failed == ENOENT || failed == EACCES) {
    pid_ = -1;
    throw Error(ErrorCode::not_found,
                {.where = name_, .got = "no such program", .expected = use_.purpose, .hint = use_.install});
  }
  if (failed != 0) {
    pid_ = -1;
    throw_system("starting " + name_, failed);
  }
  restrain(pid_);
  output_ = output.release_read();
  errors_ = errors.release_read();
  fcntl(errors_, F_SETFL, O_NONBLOCK);
}

Program::~Program() {
  stop();
  if (output_ >= 0) close(output_);
  if (errors_ >= 0) close(errors_);
}

Program::End Program::look_for_end() {
  if (pid_ < 0) return end_of_it_;
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0 || (ended < 0 && errno == EINTR)) return End::none;
  pid_ = -1;
  if (ended < 0)
    end_of_it_ = End::unknown;
  else
    end_of_it_ = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? End::good : End::bad;
  if (ended > 0 && WIFSIGNALED(status)) signal_ = WTERMSIG(status);
  return end_of_it_;
}

void Program::stop() {
  if (look_for_end() != End::none) return;  // its number may be another's by now
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void Program::check_going() const {
  if (use_.keep_going && !use_.keep_going()) throw Cancelled{};
  if (std::chrono::steady_clock::now() > end_)
    throw Error(ErrorCode::timeout,
                {.where = name_,
                 .got = "no end after " + std::to_string(std::lround(use_.seconds)) + " s",
                 .hint = use_.faster});
}

void Program::read_complaint() {
  std::array<char, 4096> text;
  const ssize_t count = ::read(errors_, text.data(), text.size());
  if (count > 0) {
    const size_t room = kComplaintBytes - std::min(kComplaintBytes, complaint_.size());
    complaint_.append(text.data(), std::min(room, static_cast<size_t>(count)));
  } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
    close(errors_);
    errors_ = -1;
  }
}

void Program::wait_for_output() {
  for (;;) {
    check_going();
    std::array<pollfd, 2> streams = {{{output_, POLLIN, 0}, {errors_, POLLIN, 0}}};
    const int ready = poll(streams.data(), errors_ >= 0 ? 2 : 1, kLookMs);
    if (ready < 0 && errno != EINTR) throw_system("reading from " + name_, errno);
    if (ready <= 0) continue;
    if (errors_ >= 0 && streams[1].revents != 0) read_complaint();
    if (streams[0].revents != 0) return;
  }
}

size_t Program::read(std::span<char> out) {
  for (;;) {
    wait_for_output();
    const ssize_t count = ::read(output_, out.data(), out.size());
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EINTR) throw_system("reading from " + name_, errno);
  }
}

bool Program::succeeded() {
  std::array<char, 4096> rest;
  while (read(rest) > 0) {
  }
  // It has closed its output, which need not be its end.
  for (int wait_ms = 1; look_for_end() == End::none; wait_ms = std::min(2 * wait_ms, kLookMs)) {
    check_going();
    pollfd stream{errors_, POLLIN, 0};
    if (poll(&stream, errors_ >= 0 ? 1 : 0, wait_ms) > 0) read_complaint();
  }
  for (int i = 0; i < kLastReads && errors_ >= 0; ++i) {  // others may hold the stream open
    pollfd stream{errors_, POLLIN, 0};
    if (poll(&stream, 1, 0) <= 0) break;
    read_complaint();
  }
  if (use_.keep_going && !use_.keep_going()) throw Cancelled{};
  if (signal_ == SIGKILL || signal_ == SIGTERM || signal_ == SIGINT || signal_ == SIGHUP)
    throw Error(ErrorCode::resource, {.where = name_,
                                      .got = "ended by signal " + std::to_string(signal_),
                                      .expected = "its own end",
                                      .hint = "somebody ended it, or the system for want of memory"});
  if (signal_ != 0 && complaint_.empty()) complaint_ = "ended by signal " + std::to_string(signal_);
  if (end_of_it_ == End::unknown) return complaint_.empty();
  return end_of_it_ == End::good;
}

std::string Program::complaint() const {
  std::string line;
  for (const char c : complaint_) {
    const bool blank = c == '\n' || c == '\r' || c == '\t';
    if (blank && (line.empty() || line.ends_with("; "))) continue;
    line += blank ? "; " : std::string(1, c);
    if (line.size() >= kShownBytes) return line + "...";
  }
  return line.ends_with("; ") ? line.substr(0, line.size() - 2) : line;
}

bool ProgramLines::next(std::string& line) {
  for (;;) {
    const size_t end = buffer_.find('\n', at_);
    if (end != std::string::npos) {
      line.assign(buffer_, at_, end - at_);
      at_ = end + 1;
      return true;
    }
    buffer_.erase(0, at_);
    at_ = 0;
    if (ended_) {
      line = std::exchange(buffer_, {});
      return !line.empty();
    }
    if (buffer_.size() > kLineBytes)
      throw Error(ErrorCode::input_invalid, {.where = "a program's output", .got = "an endless line"});
    std::array<char, 16384> more;
    const size_t count = program_->read(more);
    ended_ = count == 0;
    buffer_.append(more.data(), count);
  }
}

}  // namespace galago
