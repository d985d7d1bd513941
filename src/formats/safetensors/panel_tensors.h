// Quantised matrices that a safetensors file holds in panels, the order in which products read them.
// In: a file's metadata and tensors. Out: format and sizes of each such matrix, checked against its tensor.
// One matrix is one tensor U8 [panels, lines, 64] under its own name; the header's metadata has
// "galago.layout", the version of the layout, and "galago.panels.NAME", e.g. "q8 49280 576".
// docs/quantisation.md has the layout.
#pragma once

#include <map>
#include <string>

#include "core/weight.h"
#include "formats/safetensors/header.h"

namespace galago {

/// The matrices in panels, without data, by name. Error{model_unsupported} for a layout that galago does not
/// know, Error{model_invalid} where metadata and tensors do not agree; `where` names the file.
std::map<std::string, WeightView> read_panels(const TensorFile& file, const std::string& where);
/// Whether metadata says that a tensor is a matrix in panels.
bool is_panels(const std::string& name, const std::map<std::string, std::string>& metadata);

}  // namespace galago
