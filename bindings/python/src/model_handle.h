// A loaded model with the scheduler that answers its requests. Threads of both belong to the process that
// loaded it: in a child that came by fork() every use is refused, and nothing is taken apart.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>

#include "galago/scheduler.h"

namespace galago::python {

/// Throws Error{unavailable} in another process than `owner`; what: "galago.Model".
void check_process(pid_t owner, const char* what);

/// Safe from any thread.
class ModelHandle {
 public:
  /// Errors of Model::load and Scheduler.
  ModelHandle(const std::filesystem::path& path, const LoadOptions& options);
  ~ModelHandle();
  ModelHandle(const ModelHandle&) = delete;
  ModelHandle& operator=(const ModelHandle&) = delete;

  struct Loaded {
    Model model;
    Scheduler scheduler;
  };
  /// Error{unavailable} in another process; Error{usage} once it was closed.
  std::shared_ptr<Loaded> loaded() const;
  /// How it was loaded.
  const LoadOptions& options() const { return options_; }
  /// Cancels what has not ended, and lets the model go.
  void close();

 private:
  const pid_t owner_;
  const LoadOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<Loaded> loaded_;
};

}  // namespace galago::python
