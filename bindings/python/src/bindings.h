// The extension module galago._core, in parts: each binds one of the library's headers. The package's Python
// files put what users see on top of it.
#pragma once

#include <nanobind/nanobind.h>

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "galago/galago.h"

namespace galago::python {

namespace nb = nanobind;

void bind_errors(nb::module_& module);
void bind_images(nb::module_& module);
void bind_requests(nb::module_& module);
void bind_models(nb::module_& module);
void bind_embedders(nb::module_& module);
void bind_hub(nb::module_& module);
void bind_batch(nb::module_& module);
void bind_documents(nb::module_& module);

/// A path as os.fsencode gives it.
std::filesystem::path path_of(const nb::bytes& encoded);
/// The bytes of an object; they are valid as long as it is.
std::span<const std::byte> bytes_of(const nb::bytes& object);
/// A dict of everything that an answer holds; docs of galago.Answer.
nb::dict answer_dict(const Answer& answer);
nb::dict piece_dict(const StreamPiece& piece);
nb::dict image_info_dict(const ImageInfo& info);

}  // namespace galago::python
