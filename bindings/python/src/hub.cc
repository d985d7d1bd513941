// Models out of the Hugging Face hub, for Python.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "bindings.h"
#include "hub/hub.h"
#include "interruptible.h"
#include "io/hub_cache.h"

namespace galago::python {
namespace {

nb::bytes encoded(const std::filesystem::path& path) {
  return nb::bytes(path.native().data(), path.native().size());
}

// Runs on the caller's thread, which hears of signals about ten times a second.
hub::PullOptions watched(hub::PullOptions options, const nb::object& progress) {
  options.cancelled = [] {
    check_signals();
    return false;
  };
  if (!progress.is_none())
    options.on_progress = [&progress](const hub::Progress& now) {
      const nb::gil_scoped_acquire locked;
      progress(now.bytes, now.total);
    };
  return options;
}

nb::tuple pull(const std::string& name, const hub::PullOptions& options, const nb::object& progress) {
  const hub::Pulled pulled = [&] {
    const hub::PullOptions all = watched(options, progress);
    const nb::gil_scoped_release unlocked;
    return hub::pull(name, all);
  }();
  return nb::make_tuple(encoded(pulled.snapshot), encoded(pulled.model), pulled.plan.commit);
}

nb::bytes model_path(const std::string& name, const nb::object& progress) {
  return encoded([&] {
    const hub::PullOptions all = watched({}, progress);
    const nb::gil_scoped_release unlocked;
    return hub::model_path(name, all);
  }());
}

}  // namespace

void bind_hub(nb::module_& module) {
  using Options = hub::PullOptions;
  nb::class_<Options>(module, "PullOptions", "What is pulled, and where from: galago.pull.")
      .def(nb::init<>())
      .def_rw("revision", &Options::revision)
      .def_rw("include", &Options::include)
      .def_rw("exclude", &Options::exclude)
      .def_rw("all", &Options::all)
      .def_rw("workers", &Options::workers)
      .def_prop_rw(
          "cache", [](const Options& o) { return encoded(o.cache); },
          [](Options& o, const nb::bytes& path) { o.cache = path_of(path); })
      .def_rw("endpoint", &Options::endpoint)
      .def(
          "set_token", [](Options& o, const std::string& token) { o.token = token; }, nb::arg("token"))
      .def_rw("offline", &Options::offline, nb::arg().none());
  module.def("is_hub_name", &is_hub_name, nb::arg("name"), "Whether it has the form of a name on the hub.");
  const char* const told = "progress: called with the bytes that have come and those in all, or None.";
  module.def(
      "pull", &pull, nb::arg("name"), nb::arg("options"), nb::arg("progress").none(),
      nb::sig("def pull(name: str, options: PullOptions, progress: collections.abc.Callable[[int, int], "
              "None] | None) -> tuple[bytes, bytes, str]"),
      told);
  module.def("model_path", &model_path, nb::arg("name"), nb::arg("progress").none(),
             nb::sig("def model_path(name: str, progress: collections.abc.Callable[[int, int], None] | None) "
                     "-> bytes"),
             told);
}

}  // namespace galago::python
