// See the header.
#include "load_options.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

#include "galago/dtype.h"

namespace galago::python {
namespace {

using Options = LoadOptions;

void bind_words(nb::class_<Options>& all) {
  all.def_prop_rw(
         "dtype", [](const Options& o) { return to_string(o.dtype); },
         [](Options& o, const std::string& word) { o.dtype = weight_dtype(word); })
      .def_prop_rw(
          "compute", [](const Options& o) { return to_string(o.compute); },
          [](Options& o, const std::string& word) { o.compute = compute_dtype(word); })
      .def_prop_rw(
          "kv_cache_dtype", [](const Options& o) { return to_string(o.kv_cache_dtype); },
          [](Options& o, const std::string& word) { o.kv_cache_dtype = kv_cache_dtype(word); });
}

template <class Get>
void bind_path(nb::class_<Options>& all, const char* name, Get path) {
  all.def_prop_rw(
      name,
      [path](Options& o) {
        const std::string& text = path(o).native();
        return nb::bytes(text.data(), text.size());
      },
      [path](Options& o, const nb::bytes& encoded) { path(o) = path_of(encoded); });
}

void bind_scheduler(nb::class_<Options>& all) {
  using Field = int64_t SchedulerOptions::*;
  const auto number = [&](const char* name, Field field) {
    all.def_prop_rw(
        name, [field](const Options& o) { return o.scheduler.*field; },
        [field](Options& o, int64_t value) { o.scheduler.*field = value; });
  };
  number("max_sequences", &SchedulerOptions::max_sequences);
  number("max_waiting", &SchedulerOptions::max_waiting);
  number("max_memory", &SchedulerOptions::max_memory);
  all.def_prop_rw(
      "max_gap_ms", [](const Options& o) { return o.scheduler.max_gap_ms; },
      [](Options& o, double value) { o.scheduler.max_gap_ms = value; });
}

void bind_image_cache(nb::class_<Options>& all) {
  all.def_prop_rw(
         "image_cache_bytes", [](const Options& o) { return o.image_cache.memory_bytes; },
         [](Options& o, int64_t value) { o.image_cache.memory_bytes = value; })
      .def_prop_rw(
          "image_cache_directory_bytes", [](const Options& o) { return o.image_cache.directory_bytes; },
          [](Options& o, int64_t value) { o.image_cache.directory_bytes = value; });
}

}  // namespace

void bind_load_options(nb::module_& module) {
  nb::class_<Options> all(module, "LoadOptions", "How a model is loaded: galago.Model.");
  all.def(nb::init<>())
      .def_rw("threads", &Options::threads)
      .def_rw("mmap", &Options::mmap)
      .def_rw("pillow", &Options::pillow)
      .def_rw("low_memory", &Options::low_memory)
      .def_rw("prefix_cache_bytes", &Options::prefix_cache_bytes)
      .def_rw("strict", &Options::strict)
      .def(
          "add_lora",
          [](Options& o, const nb::bytes& directory, double scale) {
            o.lora.push_back({.directory = path_of(directory), .scale = scale});
          },
          nb::arg("directory"), nb::arg("scale"));
  bind_words(all);
  bind_scheduler(all);
  bind_image_cache(all);
  bind_path(all, "chat_template", [](Options& o) -> std::filesystem::path& { return o.chat_template; });
  bind_path(all, "mmproj", [](Options& o) -> std::filesystem::path& { return o.mmproj; });
  bind_path(all, "image_cache_directory",
            [](Options& o) -> std::filesystem::path& { return o.image_cache.directory; });
}

}  // namespace galago::python
