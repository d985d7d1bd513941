// Rows of hostile inputs: each ends in the error that it names, without taking much memory.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "galago/error.h"
#include "support/allocation.h"

namespace galago::test {

struct Refusal {
  std::string name;
  ErrorCode code;
  std::function<void()> action;
};

/// Runs the rows; none may hold `most_bytes` at once.
inline void expect_errors(const std::vector<Refusal>& rows, int64_t most_bytes = 1 << 20) {
  for (const Refusal& row : rows) {
    SCOPED_TRACE(row.name);
    const AllocationWatch watch;
    try {
      row.action();
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), row.code) << error.what();
      EXPECT_FALSE(std::string(error.what()).empty());
      EXPECT_LT(std::string(error.what()).size(), 2000U);
    }
    EXPECT_LT(watch.peak(), most_bytes);
  }
}

inline std::string repeated(const std::string& text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

}  // namespace galago::test
