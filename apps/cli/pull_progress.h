// A download from the Hugging Face hub, as the command line shows it: what is coming, how far it is, and
// Ctrl-C. In: what hub::pull reports. Out: a notice and a status line on stderr.
#pragma once

#include <cstdint>
#include <string>

#include "console.h"
#include "hub/hub.h"

namespace galago::cli {

/// 1234567 -> "1.2 MB".
std::string bytes_text(int64_t bytes);

/// One line for a terminal: "34% of 1.0 GB  12.3 MB/s  52 s left  model.safetensors".
std::string progress_text(const hub::Progress& progress);

/// Adds to the options what tells a person about the pull; Ctrl-C ends it. Lives as long as they are used.
class PullProgress {
 public:
  /// `quiet`: no status line and no notice.
  PullProgress(hub::PullOptions& options, bool quiet);

 private:
  CatchesInterrupt catches_;
  StatusLine status_;
};

}  // namespace galago::cli
