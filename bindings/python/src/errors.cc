// galago::Error as the Python exception of its code. The classes are those of galago/_errors.py.
#include <exception>
#include <string>

#include "bindings.h"
#include "galago/error.h"

namespace galago::python {
namespace {

// Bytes of files that are no UTF-8 may be in an error's text.
nb::object text_of(const std::string& bytes) {
  return nb::steal(
      PyUnicode_DecodeUTF8(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
}

void raise_error(const Error& error) {
  const nb::object make = nb::module_::import_("galago._errors").attr("error_of");
  const nb::object made = make(to_string(error.code()), text_of(error.where()), text_of(error.got()),
                               text_of(error.expected()), text_of(error.hint()));
  PyErr_SetObject(made.type().ptr(), made.ptr());
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    try {
      raise_error(error);
    } catch (nb::python_error& broken) {
      broken.restore();
    }
  }
}

}  // namespace

void bind_errors(nb::module_& module) {
  nb::register_exception_translator(translate);
  module.def(
      "error_facts",
      [] {
        nb::dict all;
        for (int code = 0; code <= static_cast<int>(ErrorCode::model_unsupported); ++code) {
          const auto one = static_cast<ErrorCode>(code);
          all[to_string(one)] = nb::make_tuple(exit_code(one), http_status(one));
        }
        return all;
      },
      nb::sig("def error_facts() -> dict[str, tuple[int, int]]"),
      "Each code of galago::Error with its exit code and HTTP status.");
}

}  // namespace galago::python
