// Very many questions, of which none is lost, for Python: galago::batch::run with items, output and progress
// of Python's.
#include "batch/batch.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "batch/sources.h"
#include "bindings.h"
#include "interruptible.h"
#include "messages/ordered_json.h"
#include "model_handle.h"

namespace galago::python {
namespace {

/// An object that threads without the interpreter's lock copy and let go.
using Shared = std::shared_ptr<nb::object>;

Shared shared(nb::object object) {
  return Shared(new nb::object(std::move(object)), [](nb::object* held) {
    const nb::gil_scoped_acquire locked;
    delete held;
  });
}

std::string text_of(const nb::handle& object) { return nb::cast<std::string>(nb::str(object)); }

// What Python raised, as the record of an item says it. Called with the lock.
Error error_of(const nb::python_error& raised) {
  const nb::handle error = raised.value();
  if (!nb::isinstance(error, nb::module_::import_("galago._errors").attr("Error")))
    return Error(ErrorCode::input_invalid,
                 {.where = text_of(raised.type().attr("__name__")), .got = text_of(error)});
  const auto part = [&](const char* name) { return text_of(error.attr(name)); };
  const std::string code = part("code");
  int number = 0;
  while (number < static_cast<int>(ErrorCode::model_unsupported) &&
         code != to_string(static_cast<ErrorCode>(number)))
    ++number;
  return Error(
      static_cast<ErrorCode>(number),
      {.where = part("where"), .got = part("got"), .expected = part("expected"), .hint = part("hint")});
}

/// Items of an iterator of (id, identity, what makes the request when its turn comes).
class PythonSource final : public batch::Source {
 public:
  PythonSource(nb::object items, std::optional<int64_t> total) : items_(std::move(items)), total_(total) {}

  std::optional<batch::Item> next() override {
    const nb::gil_scoped_acquire locked;
    const nb::object item = nb::steal(PyIter_Next(items_.ptr()));
    if (!item.is_valid()) {
      if (PyErr_Occurred()) throw nb::python_error();
      return std::nullopt;
    }
    batch::Item made{.id = nb::cast<std::string>(item[0]), .identity = nb::cast<std::string>(item[1])};
    made.request = [make = shared(item[2])](const Request&) {
      const nb::gil_scoped_acquire held;
      try {
        return nb::cast<Request>((*make)());
      } catch (nb::python_error& raised) {
        throw error_of(raised);
      }
    };
    return made;
  }

  std::optional<int64_t> total() const override { return total_; }

 private:
  nb::object items_;
  std::optional<int64_t> total_;
};

/// Records go to an object with write(text) and commit().
class PythonSink final : public batch::Sink {
 public:
  explicit PythonSink(Shared object) : object_(std::move(object)) {}

  void write(const std::string& record) override {
    const nb::gil_scoped_acquire locked;
    object_->attr("write")(record);
  }
  void commit() override {
    const nb::gil_scoped_acquire locked;
    object_->attr("commit")();
  }

 private:
  Shared object_;
};

batch::Callbacks callbacks_of(const nb::object& progress, const nb::object& sink) {
  batch::Callbacks callbacks;
  if (!progress.is_none())
    callbacks.progress = [progress = shared(progress)](const batch::Progress& now) {
      const nb::gil_scoped_acquire locked;
      (*progress)(now.done, now.failed, now.total);
    };
  if (!sink.is_none())
    callbacks.sink = [sink = shared(sink)]() -> std::unique_ptr<batch::Sink> {
      const nb::gil_scoped_acquire locked;
      return std::make_unique<PythonSink>(shared((*sink)()));
    };
  return callbacks;
}

nb::dict summary_dict(const batch::Summary& summary) {
  nb::dict all;
  all["done"] = summary.done;
  all["failed"] = summary.failed;
  all["resumed"] = summary.resumed;
  all["tokens"] = summary.tokens;
  all["seconds"] = summary.seconds;
  return all;
}

// What shapes the answers beside the request, with which columns are read.
std::string with_settings_of(const LoadOptions& load, const std::string& columns) {
  OrderedJson all = OrderedJson::parse(batch::describe(load));
  if (!columns.empty()) all["columns"] = columns;
  return all.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

// What a signal's handler raises ends the run so that it can be resumed, and is raised then.
nb::dict run(const ModelHandle& handle, batch::Source& source, batch::Options options,
             const nb::object& progress, const nb::object& sink) {
  const auto loaded = handle.loaded();
  options.settings = with_settings_of(handle.options(), options.settings);
  batch::Callbacks callbacks = callbacks_of(progress, sink);
  std::exception_ptr raised;
  callbacks.stop = [&raised] {
    try {
      check_signals();
    } catch (nb::python_error&) {
      raised = std::current_exception();
    }
    return raised != nullptr;
  };
  const batch::Summary summary = [&] {
    const nb::gil_scoped_release unlocked;
    return batch::run(loaded->model, source, options, callbacks);
  }();
  if (raised) std::rethrow_exception(raised);
  return summary_dict(summary);
}

nb::dict run_items(const ModelHandle& handle, const nb::object& items, std::optional<int64_t> total,
                   const batch::Options& options, const nb::object& progress, const nb::object& sink) {
  PythonSource source(nb::iter(items), total);
  return run(handle, source, options, progress, sink);
}

nb::dict run_words(const ModelHandle& handle, const std::vector<std::string>& words,
                   const std::vector<std::string>& columns, batch::Options options,
                   const nb::object& progress, const nb::object& sink) {
  const batch::SourceOptions read{
      .columns = {.image = columns.at(0), .id = columns.at(1), .prompt = columns.at(2)}};
  const bool usual = columns[0].empty() && columns[1].empty() && columns[2].empty();
  if (!usual) options.settings = OrderedJson(columns).dump();
  const std::unique_ptr<batch::Source> source =
      interruptible([words, read] { return batch::open_source(words, read); });
  return run(handle, *source, std::move(options), progress, sink);
}

}  // namespace

void bind_batch(nb::module_& module) {
  using Options = batch::Options;
  nb::class_<Options>(module, "BatchOptions", "How a batch runs: galago.batch.")
      .def(nb::init<>())
      .def_rw("request", &Options::request)
      .def_prop_rw(
          "output",
          [](const Options& o) { return nb::bytes(o.output.native().data(), o.output.native().size()); },
          [](Options& o, const nb::bytes& path) { o.output = path_of(path); })
      .def_rw("workers", &Options::workers)
      .def_rw("max_memory", &Options::max_memory)
      .def_rw("limit", &Options::limit)
      .def_rw("readers", &Options::readers)
      .def_rw("timings", &Options::timings)
      .def_rw("restart", &Options::restart)
      .def_rw("retry_errors", &Options::retry_errors)
      .def_rw("keep_journal", &Options::keep_journal);
  module.def(
      "batch_items", &run_items, nb::arg("model"), nb::arg("items"), nb::arg("total").none(),
      nb::arg("options"), nb::arg("progress").none(), nb::arg("sink").none(),
      nb::sig("def batch_items(model: Model, items: collections.abc.Iterable[tuple[str, str, "
              "collections.abc.Callable[[], Request]]], total: int | None, options: BatchOptions, "
              "progress: collections.abc.Callable[[int, int, int | None], None] | None, sink: "
              "collections.abc.Callable[[], typing.Any] | None) -> dict[str, typing.Any]"),
      "Answers the items of an iterable: an id, what tells it from others, and what makes its request.");
  module.def(
      "batch_words", &run_words, nb::arg("model"), nb::arg("words"), nb::arg("columns"), nb::arg("options"),
      nb::arg("progress").none(), nb::arg("sink").none(),
      nb::sig("def batch_words(model: Model, words: list[str], columns: list[str], options: "
              "BatchOptions, progress: collections.abc.Callable[[int, int, int | None], None] | None, sink: "
              "collections.abc.Callable[[], typing.Any] | None) -> dict[str, typing.Any]"),
      "Answers the items that words name, as those of `galago batch` do. columns: of image, id and "
      "prompt; an empty text: the usual ones.");
}

}  // namespace galago::python
