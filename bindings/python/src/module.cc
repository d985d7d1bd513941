// The extension module galago._core.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <csignal>

#include "bindings.h"
#include "interruptible.h"
#include "program.h"

namespace {

// The program has the process for itself: Python's handler of SIGINT would only take note of it.
int program(const std::vector<std::string>& words) {
  std::signal(SIGINT, SIG_DFL);
  return galago::cli::program(words);
}

}  // namespace

NB_MODULE(_core, module) {
  using namespace galago::python;
  nanobind::set_leak_warnings(false);  // objects that live until the process ends are no fault
  module.doc() = "What the package galago is made of; its users import galago.";
  module.def("version", &galago::version, "Of the library.");
  bind_errors(module);
  bind_images(module);
  bind_requests(module);
  bind_models(module);
  bind_embedders(module);
  bind_hub(module);
  bind_batch(module);
  bind_documents(module);
  module.def("program", &program, nanobind::arg("words"),
             nanobind::call_guard<nanobind::gil_scoped_release>(),
             "Runs the command line program in this process, and returns its exit code.");
  module.def("wait_for_workers", &wait_for_workers, nanobind::call_guard<nanobind::gil_scoped_release>(),
             "Until work that nobody waits for any more has ended.");
}
