// The extension module galago._core.
#include "bindings.h"
#include "interruptible.h"

NB_MODULE(_core, module) {
  using namespace galago::python;
  nanobind::set_leak_warnings(false);  // objects that live until the process ends are no fault
  module.doc() = "What the package galago is made of; its users import galago.";
  module.attr("__version__") = galago::version();
  bind_errors(module);
  bind_images(module);
  bind_requests(module);
  bind_models(module);
  bind_embedders(module);
  module.def("wait_for_workers", &wait_for_workers, nanobind::call_guard<nanobind::gil_scoped_release>(),
             "Until work that nobody waits for any more has ended.");
}
