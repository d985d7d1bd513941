// See the header.
#include "model_handle.h"

#include <unistd.h>

#include <utility>

namespace galago::python {
namespace {

std::shared_ptr<ModelHandle::Loaded> load(const std::filesystem::path& path, const LoadOptions& options) {
  Model model = Model::load(path, options);
  Scheduler scheduler(model, options.scheduler);
  return std::make_shared<ModelHandle::Loaded>(std::move(model), std::move(scheduler));
}

}  // namespace

void check_process(pid_t owner, const char* what) {
  if (getpid() == owner) return;
  throw Error(
      ErrorCode::unavailable,
      {.where = what,
       .got = "a child of the process that loaded it, by fork()",
       .expected = "use in process " + std::to_string(owner) + " alone: a child has none of its threads",
       .hint = "load it in the child, or start children by multiprocessing's \"spawn\""});
}

ModelHandle::ModelHandle(const std::filesystem::path& path, const LoadOptions& options)
    : owner_(getpid()), options_(options), loaded_(load(path, options)) {}

ModelHandle::~ModelHandle() {
  if (getpid() == owner_) return;
  new std::shared_ptr<Loaded>(std::move(loaded_));  // its threads cannot be waited for here
}

std::shared_ptr<ModelHandle::Loaded> ModelHandle::loaded() const {
  check_process(owner_, "galago.Model");
  const std::lock_guard lock(mutex_);
  if (!loaded_)
    throw Error(ErrorCode::usage,
                {.where = "galago.Model", .got = "a model that was closed", .expected = "one that is open"});
  return loaded_;
}

void ModelHandle::close() {
  if (getpid() != owner_) return;
  std::shared_ptr<Loaded> going;  // taken apart without the lock
  const std::lock_guard lock(mutex_);
  going = std::move(loaded_);
}

}  // namespace galago::python
