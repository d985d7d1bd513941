// Names of what is being written and gets its real name later, by a rename in the same folder. Out: a name
// that no other process or container takes: process ids alone repeat, since each container counts its own
// from 1, and a killed writer leaves its file behind. In: any name, to tell whether it is one of these.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace galago {

constexpr std::string_view kTemporaryPrefix = ".galago-";
constexpr std::string_view kTemporarySuffix = ".tmp";

/// `.galago-PID-DIGITS.tmp`, with 64 random bits in the digits.
inline std::string temporary_name() {
  std::random_device random;
  const uint64_t bits = uint64_t{random()} << 32 | random();
  return std::string(kTemporaryPrefix) + std::to_string(::getpid()) + "-" + std::to_string(bits) +
         std::string(kTemporarySuffix);
}

inline bool is_temporary_name(std::string_view name) {
  return name.starts_with(kTemporaryPrefix) && name.ends_with(kTemporarySuffix);
}

}  // namespace galago
