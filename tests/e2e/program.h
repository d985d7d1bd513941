// Runs build/galago as a user would. In: arguments and what stands on standard input. Out: exit code, stdout,
// stderr.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <ctime>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/fixtures.h"

namespace galago::test {

using Json = nlohmann::json;

/// What a run of the program left behind; code is -1 when it did not exit by itself, -2 when it took too
/// long.
struct Finished {
  int code = 0;
  std::string out;
  std::string err;

  Json json() const { return Json::parse(out); }
};

struct Surroundings {
  std::string input;   ///< standard input
  std::string source;  ///< what standard input is opened on instead of `input`
  std::string output;  ///< a file that standard output goes to instead of `out`
  int seconds = 120;   ///< afterwards the program is ended
};

/// Starts the program; standard streams are files.
inline pid_t start(const std::vector<std::string>& arguments, const Surroundings& around,
                   const TempDir& streams) {
  streams.add("in", around.input);
  const std::string out = around.output.empty() ? streams.file("out") : around.output;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const std::string in = around.source.empty() ? streams.file("in") : around.source;
  posix_spawn_file_actions_addopen(&actions, 0, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), O_WRONLY | O_CREAT, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, streams.file("err").c_str(), O_WRONLY | O_CREAT, 0600);
  std::vector<std::string> words{GALAGO_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = -1;
  const int failed = posix_spawn(&child, GALAGO_PROGRAM, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(failed, 0) << GALAGO_PROGRAM;
  return failed ? -1 : child;
}

/// Whether a process handles SIGINT by now.
inline bool handles_interrupt(pid_t child) {
  std::istringstream status(read_bytes("/proc/" + std::to_string(child) + "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigCgt:")) return std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1) & 1;
  return false;
}

/// Seconds of processor time that a running process has taken, of all its threads.
inline double processor_seconds(pid_t child) {
  timespec time{};
  clockid_t clock{};
  if (clock_getcpuclockid(child, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// The child's exit code; -1 for a signal, -2 for a child that had to be ended.
inline int wait_for(pid_t child, int seconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return -2;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// One thread unless a test names its own number: the models are small and tests share their machine.
inline Finished galago(std::vector<std::string> arguments, const Surroundings& around = {}) {
  const bool computes = !arguments.empty() && (arguments[0] == "run" || arguments[0] == "chat" ||
                                               arguments[0] == "trace" || arguments[0] == "verify");
  if (computes && std::find(arguments.begin(), arguments.end(), "-t") == arguments.end())
    arguments.insert(arguments.begin() + 1, {"-t", "1"});
  const TempDir streams;
  Finished result;
  result.code = wait_for(start(arguments, around, streams), around.seconds);
  if (around.output.empty()) result.out = read_bytes(streams.file("out"));
  result.err = read_bytes(streams.file("err"));
  return result;
}

inline std::string tiny(const std::string& name = "smolvlm_tiles") { return data_path("models/" + name); }
inline std::string picture(const std::string& name) { return data_path("pictures/" + name); }

/// golden.json of a golden.
inline Json golden(const std::string& name) {
  return Json::parse(read_bytes(data_path("goldens/" + name + "/golden.json")));
}

/// An i64 tensor of a golden's trace.
inline std::vector<int64_t> golden_ids(const std::string& name, const std::string& tensor) {
  const Checkpoint trace = Checkpoint::open_file(data_path("goldens/" + name + "/trace.safetensors"));
  const TensorView& view = *trace.find(tensor);
  std::vector<int64_t> ids(static_cast<size_t>(view.count()));
  std::memcpy(ids.data(), view.data, ids.size() * sizeof(int64_t));
  return ids;
}

/// `run` arguments that repeat a golden's question.
inline std::vector<std::string> golden_run(const std::string& name) {
  const Json facts = golden(name);
  std::vector<std::string> arguments{"run", "-m", tiny(facts["model"]), "-n", "64", "-p", facts["prompt"]};
  for (const Json& image : facts["images"]) {
    arguments.push_back("--image");
    arguments.push_back(data_path("goldens/" + name + "/" + image.get<std::string>()));
  }
  if (facts["system"].is_string()) {
    arguments.push_back("--system");
    arguments.push_back(facts["system"]);
  }
  if (facts["options"].contains("do_image_splitting")) arguments.push_back("--no-split");
  if (facts.value("raw", false)) arguments.push_back("--raw");
  return arguments;
}

/// Both lists in one.
inline std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace galago::test
