// How a model is loaded, for Python: galago::LoadOptions with words in the place of enums.
#pragma once

#include "bindings.h"

namespace galago::python {

void bind_load_options(nb::module_& module);

}  // namespace galago::python
