// Names of what is being written and gets its real name later, by a rename in the same folder. Out: a name
// that no other process or container takes: process ids alone repeat, since each container counts its own
// from 1, and a killed writer leaves its file behind. In: any name, to tell whether it is one of these; and
// folders, to take away what killed writers left there.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
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

/// Whether temporary_name() can have made it.
bool is_temporary_name(std::string_view name);

/// Locks what was just made at `path` and opened, as long as the descriptor is open; the system lets go of it
/// when the process ends in whatever way. False, and the descriptor is closed, when a cleaner came first: it
/// is gone or about to be, and another is to be made. Where the system has no such locks: true.
bool keep_locked(int descriptor, const std::filesystem::path& path);

/// Removes the files and folders of temporary_name() in `folder` that nobody keeps locked. Never throws: what
/// cannot be removed stays.
void remove_abandoned(const std::filesystem::path& folder) noexcept;

}  // namespace galago
