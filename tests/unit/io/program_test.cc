// Programs that galago starts: their time, their complaints, and that they never outlive the object.
#include "io/program.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/cancelled.h"
#include "galago/error.h"

namespace galago {
namespace {

template <typename Action>
ErrorCode refusal(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "was accepted";
  return ErrorCode::internal;
}

/// A program of the test's own.
std::string script(const std::string& name, const std::string& text) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / name;
  std::ofstream(file) << "#!/bin/sh\n" << text << "\n";
  chmod(file.c_str(), 0755);
  return file.string();
}

TEST(Program, EndsAtItsTimeAndWhenAsked) {
  const std::string sleeper = script("sleeper", "exec sleep 60");
  std::array<char, 16> out{};
  const auto start = std::chrono::steady_clock::now();
  {
    Program program({sleeper}, {.seconds = 0.3});
    EXPECT_EQ(refusal([&] { program.read(out); }), ErrorCode::timeout);
  }
  {
    Program program({sleeper}, {.seconds = 60, .keep_going = [] { return false; }});
    EXPECT_THROW(program.read(out), Cancelled);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

// A program that has closed its output may still run, and complain.
TEST(Program, TimeAndInterruptionHoldAfterItsOutput) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* rest : {"exec sleep 60 2>&-", "exec sleep 60", "exec yes >&2"}) {
    const std::string closed = script("closed", std::string("exec >&-\n") + rest);
    Program late({closed}, {.seconds = 0.3});
    EXPECT_EQ(refusal([&] { late.succeeded(); }), ErrorCode::timeout) << rest;
    int asked = 0;
    Program stopped({closed}, {.seconds = 60, .keep_going = [&] { return ++asked < 4; }});
    EXPECT_THROW(stopped.succeeded(), Cancelled) << rest;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

/// SIGCHLD is ignored while it lives: ended children leave no status.
class IgnoredChildren {
 public:
  IgnoredChildren() : before_(std::signal(SIGCHLD, SIG_IGN)) {}
  ~IgnoredChildren() { std::signal(SIGCHLD, before_); }
  IgnoredChildren(const IgnoredChildren&) = delete;
  IgnoredChildren& operator=(const IgnoredChildren&) = delete;

 private:
  void (*before_)(int);
};

TEST(Program, WithoutAStatusItsComplaintsDecide) {
  const IgnoredChildren ignored;
  Program quiet({script("quiet", "echo done")}, {.seconds = 60});
  EXPECT_TRUE(quiet.succeeded());
  Program complaining({script("complaining", "echo wrong >&2; exit 1")}, {.seconds = 60});
  EXPECT_FALSE(complaining.succeeded());
  EXPECT_EQ(complaining.complaint(), "wrong");
}

TEST(Program, ManyComplaintsDoNotBlockIt) {
  const std::string loud = script("loud", "yes complaint | head -n 200000 >&2; exit 4");
  Program program({loud}, {.seconds = 60});
  EXPECT_FALSE(program.succeeded());
  EXPECT_LT(program.complaint().size(), 400U);
  EXPECT_EQ(program.complaint().find('\n'), std::string::npos);
}

TEST(Program, AMissingOneIsExplained) {
  try {
    Program program({"/nonexistent/tool"}, {.purpose = "a tool", .install = "install it", .seconds = 1});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::not_found);
    EXPECT_EQ(error.expected(), "a tool");
    EXPECT_EQ(error.hint(), "install it");
  }
}

}  // namespace
}  // namespace galago
