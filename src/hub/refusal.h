// Answers of a hub that are no success, told so that a person knows what to do. In: status and headers.
// Out: errors. Reference: hf_raise_for_status of huggingface_hub.
#pragma once

#include <string>

#include "galago/error.h"
#include "hub/settings.h"

namespace galago::hub {

struct Answer;

/// `home`: it came from the endpoint itself, not from an address that it redirected to.
Error refusal_of(const Answer& answer, bool home, const Settings& settings);

/// Throws Error{input_invalid}: this is no hub, or one that is broken.
[[noreturn]] void refuse_answer(const std::string& where, const std::string& got,
                                const std::string& expected);

}  // namespace galago::hub
