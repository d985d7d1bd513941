// Pictures of one command that are opened when their turn comes; one that cannot be opened does not stop the
// others. In: words of the command line. Out: a source for the library, and the faults.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "galago/embedding.h"

namespace galago::cli {

class PictureList {
 public:
  explicit PictureList(std::vector<std::string> words) : words_(std::move(words)) {}

  /// Refers to this object. A picture that is missing, damaged, too large or of another format is one black
  /// pixel there, and a fault here; other errors are thrown.
  ImageSource source();
  /// What stands for the picture in output.
  std::string name(int64_t index) const;
  /// What was wrong with the picture; null: nothing.
  const Error* fault(int64_t index) const;
  /// Throws the first fault when there are as many as `results`, so that nothing else came of the command.
  void check_some(int64_t results) const;
  /// A line on standard error for each fault; the exit code: 0, or that of Error{partial}.
  int report_faults() const;

 private:
  std::vector<std::string> words_;
  std::map<int64_t, Error> faults_;
};

}  // namespace galago::cli
