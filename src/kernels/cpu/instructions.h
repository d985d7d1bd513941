// What the kernels use of the processor: all that it has, or less where the variable GALAGO_CPU names a cap,
// so that the ways of older processors are tested and timed on any machine. Read once in a process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace galago::kernels::cpu {

/// Steps of the instruction sets: those of x86, and those of Arm. Each has all of its processor's before it;
/// the first one is everybody's.
enum class Instructions {
  baseline,
  sse4,
  avx2,
  avx_vnni,
  avx512,
  avx512_vnni,
  avx512_bf16,
  amx,
  dotprod,
  i8mm
};

/// "baseline", "sse4", "avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_bf16", "amx",
/// "dotprod", "i8mm".
std::string_view to_string(Instructions step);
/// The step of such a word that this kind of processor may have. Error{usage} for another one, with `where`
/// and the list of all.
Instructions instructions_of(std::string_view word, std::string_view where);

/// The variable that caps what the kernels use.
inline constexpr const char* kCapVariable = "GALAGO_CPU";

/// Whether this process may use the instructions of a step, if the processor has them. Asked first by whoever
/// asks the processor. Error{usage} as instructions_of for what the variable holds.
bool may_use(Instructions step);
/// Whether it may and the processor has them, of the steps that Highway does not know: avx_vnni, avx512_vnni,
/// amx, dotprod and i8mm. Of others false.
bool can_use(Instructions step);
/// Whether the processor has AVX512_VNNI in vectors of 32 bytes too, which multiplies as AVX_VNNI does: in
/// the place of avx_vnni where this process may use that.
bool can_use_evex_for_avx_vnni();
/// Whether the processor has AMX with products of bfloat16 and of bytes, and the system lets this process use
/// it, which this asks for.
bool processor_has_amx();
/// The word of the cap; empty without one.
std::string cap_word();

/// Highway's sets that the cap switches off, as hwy::DisableTargets takes them. The first call hands them to
/// it; a test that switched off others gives these back at its end.
int64_t capped_targets();

}  // namespace galago::kernels::cpu
