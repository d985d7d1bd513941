// What `galago batch` tells while it runs, on standard error: a line that is rewritten on a terminal, a line
// every ten seconds where that is asked for, and how it ended.
#pragma once

#include <string>

#include "batch/batch.h"
#include "console.h"

namespace galago::cli {

/// "12/100  12%  3.4 items/s  85 tokens/s  2 min 5 s left  1 error".
std::string progress_text(const batch::Progress& progress);
/// "45 s", "2 min 5 s", "3 h 20 min", "4 d 2 h".
std::string time_text(double seconds);

class BatchProgress {
 public:
  /// lines: on what is no terminal, too.
  BatchProgress(bool quiet, bool lines);
  void show(const std::string& text) { status_.show(text); }
  void clear() { status_.clear(); }
  void tell(const batch::Progress& progress);
  void finish(const batch::Summary& summary, const std::string& output);

 private:
  StatusLine status_;
  bool quiet_;
  bool lines_;
  bool began_ = false;
  double told_ = 0;  // seconds
};

}  // namespace galago::cli
