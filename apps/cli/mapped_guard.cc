// See the header. Only async-signal-safe calls: the thread that is stopped may hold any lock.
#include "mapped_guard.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "galago/error.h"
#include "io/files.h"

namespace galago::cli {
namespace {

std::atomic<bool> wants_json{false};
std::atomic_flag has_spoken;

void say(int stream, const char* text) {
  // Nobody is left to be told that this failed.
  [[maybe_unused]] const ssize_t written = ::write(stream, text, std::strlen(text));
}

void say_in_json(int stream, const char* text) {
  for (; *text != '\0'; ++text) {
    const char escaped[] = {'\\', *text, '\0'};
    say(stream, *text == '"' || *text == '\\' ? escaped : escaped + 1);
  }
}

constexpr const char* kGot = "a file that became shorter while it was used";
constexpr const char* kExpected = "a file that stays as it is";

void on_bus_error(int signal, siginfo_t* info, void* /*context*/) {
  const char* name = mapped_file_at(info->si_addr);
  if (name == nullptr) {  // not ours: let it happen
    std::signal(signal, SIG_DFL);
    return;
  }
  if (has_spoken.test_and_set())
    for (;;) ::pause();  // another thread is about to end the program
  if (wants_json) {
    say(STDOUT_FILENO, R"({"error":{"code":"model_changed","message":")");
    say_in_json(STDOUT_FILENO, name);
    say(STDOUT_FILENO, ": got ");
    say(STDOUT_FILENO, kGot);
    say(STDOUT_FILENO, ", expected ");
    say(STDOUT_FILENO, kExpected);
    say(STDOUT_FILENO, R"(","where":")");
    say_in_json(STDOUT_FILENO, name);
    say(STDOUT_FILENO, R"(","got":")");
    say(STDOUT_FILENO, kGot);
    say(STDOUT_FILENO, R"(","expected":")");
    say(STDOUT_FILENO, kExpected);
    say(STDOUT_FILENO, "\",\"hint\":\"\"}}\n");
  }
  say(STDERR_FILENO, "\ngalago: model_changed: ");
  say(STDERR_FILENO, name);
  say(STDERR_FILENO, ": got ");
  say(STDERR_FILENO, kGot);
  say(STDERR_FILENO, ", expected ");
  say(STDERR_FILENO, kExpected);
  say(STDERR_FILENO, "\n");
  ::_exit(exit_code(ErrorCode::model_changed));
}

}  // namespace

void guard_mapped_files(bool json) {
  wants_json = json;
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
}

}  // namespace galago::cli
