// Damaged settings, one case a line: the error's exact code, and what its text names.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>

#include "support/allocation.h"
#include "support/fixtures.h"

namespace galago::test {

constexpr auto kInvalid = ErrorCode::model_invalid;
constexpr auto kUnsupported = ErrorCode::model_unsupported;
constexpr auto kTooLarge = ErrorCode::input_too_large;

/// A whole file of settings, or what is put into one.
struct ConfigCase {
  const char* name;
  std::string json;
  ErrorCode code;
  std::string names;  ///< what the text holds after the file's name
};

inline void PrintTo(const ConfigCase& row, std::ostream* out) { *out << row.name; }

struct CaseName {
  template <class Case>
  std::string operator()(const testing::TestParamInfo<Case>& row) const {
    return row.param.name;
  }
};
inline constexpr CaseName case_name;

/// `parse` ends in the case's error, which begins with the file's name; little memory is taken.
inline void expect_refused(const ConfigCase& row, const std::string& file,
                           const std::function<void()>& parse) {
  const AllocationWatch watch;
  const Error error = error_of(parse);
  EXPECT_LT(watch.total(), 1 << 20);
  EXPECT_STREQ(to_string(error.code()), to_string(row.code)) << error.what();
  EXPECT_TRUE(error.where().starts_with(file)) << error.where();
  EXPECT_THAT(error.what(), testing::AnyOf(testing::HasSubstr(": " + row.names),
                                           testing::StartsWith(file + "." + row.names)));
  EXPECT_LT(std::string(error.what()).size(), 500U);
}

}  // namespace galago::test
