// Models of two towers damaged in one place each: the error's exact code, and the file and field in its text.
#pragma once

#include <ostream>
#include <string>

#include "galago/embedding.h"
#include "support/damaged_settings.h"
#include "support/model_files.h"

namespace galago::test {

/// One file of a model, with one text replaced by another.
struct EditCase {
  const char* name;
  const char* file;
  std::string old;
  std::string now;
  ErrorCode code;
  std::string names;  ///< what the error's text holds
};

inline void PrintTo(const EditCase& row, std::ostream* out) { *out << row.name; }

inline void expect_refused(const EditCase& row, const std::string& model) {
  const ModelCopy copy(model);
  copy.edit(row.file, row.old, row.now);
  const Error error = error_of([&] { EmbeddingModel::load(copy.path()); });
  EXPECT_EQ(error.code(), row.code) << error.what();
  EXPECT_THAT(error.what(), testing::HasSubstr(row.names));
}

}  // namespace galago::test
