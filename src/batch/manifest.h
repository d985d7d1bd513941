// Which run a journal belongs to. In: a model and what is asked. Out: one line of JSON; or how two of them
// differ. Everything that shapes an answer is in it, nothing that only changes the time it takes.
#pragma once

#include <string>
#include <string_view>

#include "batch/batch.h"

namespace galago::batch {

/// Error{usage} for options that cannot be written down: callbacks that choose tokens.
std::string manifest(const Model& model, const Options& options);

/// Error{usage} with what differs; `where` names the journal.
void check_same_run(std::string_view there, std::string_view now, const std::string& where);

}  // namespace galago::batch
