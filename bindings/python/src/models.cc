// Models and requests on their way for Python: galago::Model and its scheduler.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <vector>

#include "ask.h"
#include "bell.h"
#include "bindings.h"
#include "interruptible.h"
#include "load_options.h"
#include "model_handle.h"

namespace galago::python {
namespace {

using Loaded = ModelHandle::Loaded;

std::shared_ptr<ModelHandle> load_model(const nb::bytes& path, const LoadOptions& options) {
  return interruptible(
      [path = path_of(path), options] { return std::make_shared<ModelHandle>(path, options); });
}

std::unique_ptr<Ask> submit(const ModelHandle& handle, const Request& request, std::shared_ptr<Bell> bell,
                            int64_t number) {
  return interruptible([loaded = handle.loaded(), request, bell = std::move(bell), number] {
    Handle asked = loaded->scheduler.submit(request, [bell, number] { bell->ring(number); });
    return std::make_unique<Ask>(std::move(asked), bell);
  });
}

nb::dict capabilities(const ModelHandle& handle) {
  const Capabilities can = handle.loaded()->model.capabilities();
  nb::dict all;
  all["images"] = can.images;
  all["videos"] = can.videos;
  all["chat_template"] = can.chat_template;
  return all;
}

nb::dict answer_defaults(const ModelHandle& handle) {
  const AnswerDefaults defaults = handle.loaded()->model.answer_defaults();
  nb::dict all;
  all["max_tokens"] = defaults.max_new_tokens;
  all["doctags"] = defaults.doctags;
  return all;
}

int64_t count_tokens(const ModelHandle& handle, const Request& request) {
  return interruptible([loaded = handle.loaded(), request] { return loaded->model.count_tokens(request); });
}

std::vector<int32_t> tokenize(const ModelHandle& handle, const std::string& text, bool parse_special,
                              bool add_special) {
  return interruptible([loaded = handle.loaded(), text, parse_special, add_special] {
    return loaded->model.tokenize(text, parse_special, add_special);
  });
}

std::string detokenize(const ModelHandle& handle, const std::vector<int32_t>& ids, bool keep_special) {
  return interruptible(
      [loaded = handle.loaded(), ids, keep_special] { return loaded->model.detokenize(ids, keep_special); });
}

void bind_asks(nb::module_& module) {
  nb::class_<Bell>(module, "Bell", "Rings when there is something new of a request.")
      .def(nb::new_([] { return std::make_shared<Bell>(); }))  // which the scheduler's thread may let go
      .def_prop_ro("fileno", &Bell::descriptor, "A descriptor that is readable when there is news.")
      .def("take", &Bell::take, "The numbers of requests that have news.")
      .def(
          "wait",
          [](Bell& bell) {
            const nb::gil_scoped_release unlocked;
            for (;;) {
              bell.wait(kBetweenSignals);
              check_signals();
              if (std::vector<int64_t> numbers = bell.take(); !numbers.empty()) return numbers;
            }
          },
          "Waits for news: the numbers of the requests that have some.");
  nb::class_<Ask>(module, "Ask", "One request on its way.")
      .def("pieces", &Ask::pieces, nb::sig("def pieces(self) -> list[dict[str, typing.Any]]"),
           "The pieces that are there, without waiting.")
      .def("drain", &Ask::drain, "Throws away the pieces that are there; whether it has ended.")
      .def_prop_ro("ended", &Ask::ended, "Whether its last piece was read.")
      .def("wait", &Ask::wait, "Waits for its end; its pieces are thrown away.")
      .def("cancel", &Ask::cancel, "Ends it within one piece of work.")
      .def("answer", &Ask::answer, nb::sig("def answer(self) -> dict[str, typing.Any]"),
           "The answer, once and after the end; raises what ended it instead.");
}

}  // namespace

void bind_models(nb::module_& module) {
  bind_load_options(module);
  bind_asks(module);
  nb::class_<ModelHandle>(module, "Model", "A loaded model and the scheduler that answers its requests.")
      .def("submit", &submit, nb::arg("request"), nb::arg("bell"), nb::arg("number"),
           "Plans the request and puts it in the queue; its news ring the bell with this number.")
      .def("close", &ModelHandle::close, nb::call_guard<nb::gil_scoped_release>(),
           "Cancels what has not ended, and lets the model go.")
      .def_prop_ro("warnings", [](const ModelHandle& handle) { return handle.loaded()->model.warnings(); })
      .def_prop_ro("context_length",
                   [](const ModelHandle& handle) { return handle.loaded()->model.context_length(); })
      .def_prop_ro("unfinished", [](const ModelHandle& handle) { return handle.loaded()->scheduler.size(); })
      .def_prop_ro("capabilities", &capabilities, nb::sig("def capabilities(self) -> dict[str, bool]"))
      .def_prop_ro("answer_defaults", &answer_defaults,
                   nb::sig("def answer_defaults(self) -> dict[str, typing.Any]"))
      .def("digest",
           [](const ModelHandle& handle) {
             return interruptible([loaded = handle.loaded()] { return loaded->model.digest(); });
           })
      .def(
          "plan_image",
          [](const ModelHandle& handle, int64_t width, int64_t height, std::optional<bool> split) {
            return image_info_dict(handle.loaded()->model.plan_image(width, height, split));
          },
          nb::arg("width"), nb::arg("height"), nb::arg("split").none(),
          nb::sig("def plan_image(self, width: int, height: int, split: bool | None) -> dict[str, int]"))
      .def("count_tokens", &count_tokens, nb::arg("request"))
      .def("tokenize", &tokenize, nb::arg("text"), nb::arg("parse_special"), nb::arg("add_special"))
      .def("detokenize", &detokenize, nb::arg("ids"), nb::arg("keep_special"));
  module.def("load_model", &load_model, nb::arg("path"), nb::arg("options"),
             "Loads a model directory or a GGUF file; its path as os.fsencode gives it.");
}

}  // namespace galago::python
