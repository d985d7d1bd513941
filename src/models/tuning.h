// The fastest ways on this processor, measured once and remembered in the user's cache: one small file for
// each kind of processor, number of threads, cap on instructions and version of galago. In: threads. Out: a
// device that goes those ways. The file is a convenience: whatever is wrong with it or its folder, it is made
// again or done without.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "galago/dtype.h"
#include "kernels/kernels.h"
#include "kernels/tuning.h"

namespace galago {

/// The variable that says "off": nothing is measured or remembered, and the fixed ways are gone. "on" or
/// empty otherwise.
inline constexpr const char* kTuneVariable = "GALAGO_TUNE";

/// Whether ways are chosen by measuring. Error{usage} for another word in the variable.
bool tuning_is_on();

/// What a choice holds for.
struct TuningKey {
  std::string version;    ///< galago's
  std::string processor;  ///< as processor_model() has it
  std::string backend;    ///< a device's name: its instructions, and the cap on them
  int threads = 0;

  /// A plain file name.
  std::string file_name() const;
};

/// What the file holds; and back, nothing for a text that is not such a file of that key.
std::string to_text(const kernels::Tuning& tuning, const TuningKey& key);
std::optional<kernels::Tuning> parse_tuning(std::string_view text, const TuningKey& key);

/// galago/tuning in $XDG_CACHE_HOME or ~/.cache; empty where neither can be told.
std::filesystem::path tuning_folder();

/// The file's choice, or that of measure(), which is kept there if it is settled. Faults of the folder are
/// nobody's: without one, and where it cannot be written, each process measures.
kernels::Tuning remembered_tuning(const std::filesystem::path& folder, const TuningKey& key,
                                  const std::function<kernels::TuningTable()>& measure);
/// Keeps a choice. False where that cannot be done.
bool keep_tuning(const std::filesystem::path& folder, const TuningKey& key,
                 const kernels::Tuning& tuning) noexcept;

/// That of this processor with `threads` threads, 0 for one a processor.
TuningKey tuning_key(int threads);

/// The choice for this process and number of threads: made once, the fixed one where tuning is off or memory
/// for it is missing. Error{usage} as tuning_is_on.
kernels::Tuning tuning_of(int threads);

/// cpu_device with the choice. Error{usage} as kernels::cpu_device, tuning_is_on.
kernels::SharedDevice tuned_device(int threads = 0);
/// What `automatic` stands for on that device; others stand for themselves.
ComputeDtype resolved(ComputeDtype compute, const kernels::Device& device);

}  // namespace galago
