// The program on a terminal (a pty), typed at by a test. In: keys. Out: what it shows.
#pragma once

#include <poll.h>
#include <pty.h>
#include <termios.h>

#include <map>

#include "program.h"

namespace galago::test {

class Terminal {
 public:
  explicit Terminal(std::vector<std::string> arguments,
                    const std::map<std::string, std::string>& variables = {}) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = 100;
    child_ = forkpty(&master_, nullptr, nullptr, &size);
    if (child_ != 0) return;
    setenv("TERM", "xterm-256color", 1);
    for (const char* name : {"COLORTERM", "NO_COLOR", "LC_ALL", "LANG"}) unsetenv(name);
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
    arguments.insert(arguments.begin(), GALAGO_PROGRAM);
    std::vector<char*> argv;
    for (std::string& word : arguments) argv.push_back(word.data());
    argv.push_back(nullptr);
    execv(GALAGO_PROGRAM, argv.data());
    _exit(127);
  }
  ~Terminal() {
    if (master_ >= 0) close(master_);
    if (child_ > 0) wait_for(child_, 30);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// What was shown up to the text, from where the last call ended; fails when it does not come.
  std::string until(const std::string& text, int seconds = 60) {
    size_t at = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while ((at = shown_.find(text)) == std::string::npos) {
      if (std::chrono::steady_clock::now() > end || !read_some()) {
        ADD_FAILURE() << "\"" << text << "\" did not come; shown: " << shown_;
        return "";
      }
    }
    std::string part = shown_.substr(0, at + text.size());
    shown_.erase(0, at + text.size());
    return part;
  }
  /// Reads meanwhile, so that neither side waits for the other.
  void type(const std::string& keys) {
    for (size_t at = 0; at < keys.size();) {
      pollfd ready{.fd = master_, .events = POLLIN | POLLOUT, .revents = 0};
      poll(&ready, 1, 1000);
      if ((ready.revents & POLLIN) != 0) read_some();
      if ((ready.revents & POLLOUT) == 0) continue;
      const ssize_t count = write(master_, keys.data() + at, std::min<size_t>(256, keys.size() - at));
      ASSERT_GT(count, 0);
      at += static_cast<size_t>(count);
    }
  }
  /// The exit code, and all that is left to be shown.
  int finish(std::string* rest = nullptr) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (read_some())
      if (std::chrono::steady_clock::now() > end) {
        ADD_FAILURE() << "it does not end; shown: " << shown_;
        kill(child_, SIGKILL);
        break;
      }
    if (rest) *rest = shown_;
    const int code = wait_for(child_, 60);
    child_ = -1;
    return code;
  }
  pid_t child() const { return child_; }

 private:
  bool read_some() {
    pollfd ready{.fd = master_, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, 1000) == 0) return true;
    char buffer[4096];
    const ssize_t count = read(master_, buffer, sizeof buffer);
    if (count <= 0) return false;
    shown_.append(buffer, static_cast<size_t>(count));
    return true;
  }

  int master_ = -1;
  pid_t child_ = -1;
  std::string shown_;
};

}  // namespace galago::test
