// What the kernels use of the processor: all that it has, or less where the variable GALAGO_CPU names a cap,
// so that the ways of older processors are tested and timed on any machine. Read once in a process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace galago::kernels::cpu {

/// Steps of the instruction sets of x86, each with all before it. Other processors have the first one only.
enum class Instructions { baseline, sse4, avx2, avx512, avx512_vnni, avx512_bf16 };

/// "baseline", "sse4", "avx2", "avx512", "avx512_vnni", "avx512_bf16".
std::string_view to_string(Instructions step);
/// The step of such a word. Error{usage} for another one, with `where` and the list of all.
Instructions instructions_of(std::string_view word, std::string_view where);

/// The variable that caps what the kernels use.
inline constexpr const char* kCapVariable = "GALAGO_CPU";

/// Whether this process may use the instructions of a step, if the processor has them. Asked first by whoever
/// asks the processor. Error{usage} as instructions_of for what the variable holds.
bool may_use(Instructions step);
/// The word of the cap; empty without one.
std::string cap_word();

/// Highway's sets that the cap switches off, as hwy::DisableTargets takes them. The first call hands them to
/// it; a test that switched off others gives these back at its end.
int64_t capped_targets();

}  // namespace galago::kernels::cpu
