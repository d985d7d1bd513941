// Where Metaspace puts a space, for the pre-tokenizer and the decoder of that name.
// Reference: `tokenizers` pre_tokenizers/metaspace.rs.
#pragma once

#include "formats/json.h"

namespace galago {

enum class MetaspaceScheme { never, first, always };

/// "prepend_scheme"; absent: always. The older "add_prefix_space" may be there too, but false only beside
/// never. Error{model_invalid}.
inline MetaspaceScheme metaspace_scheme(const JsonField& field) {
  MetaspaceScheme scheme = MetaspaceScheme::always;
  if (const auto given = field.find("prepend_scheme")) {
    const std::string& name = given->string();
    if (name != "always" && name != "first" && name != "never") given->fail("always, first or never");
    scheme = name == "always"  ? MetaspaceScheme::always
             : name == "first" ? MetaspaceScheme::first
                               : MetaspaceScheme::never;
  }
  const auto older = field.find("add_prefix_space");
  if (older && !older->boolean() && scheme != MetaspaceScheme::never)
    older->fail("true, or a prepend_scheme of never");
  return scheme;
}

}  // namespace galago
