// Compares a run with one made by transformers, station by station.
// In: a golden directory (golden.json and trace.safetensors, as tools/oracle/make_golden.py writes it) and a
// model. Out: one row for each station with the differences, the bound, and whether it holds.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inspect/trace.h"

namespace galago {

/// How a station is compared. Relative: the largest difference over the largest magnitude of the reference
/// tensor.
enum class Measure { exact, absolute, relative };

/// The bound of one station. The only place where tolerances are stated; docs/numerics.md explains them.
struct Bound {
  const char* station;
  Measure measure;
  double limit;
};
/// All bounds, in the order of the stations.
const std::vector<Bound>& bounds();

/// One line of the table.
struct StationResult {
  std::string station;
  Measure measure = Measure::exact;
  double limit = 0;
  Shape shape;           ///< of the reference
  double max_abs = 0;    ///< largest difference; for exact stations the number of differing elements
  double max_rel = 0;    ///< max_abs over the reference's largest magnitude
  std::string mismatch;  ///< shape or type difference, or the first differing element; empty when none
  bool given = false;    ///< the tensor was taken from the golden instead of computed
  bool holds = false;
};

/// The major version of Pillow that made the golden's pixels; 12 where golden.json names none, as goldens did
/// not before 13. Error{not_found}, Error{input_invalid} for a golden that cannot be read.
int golden_pillow(const std::filesystem::path& golden);

/// Runs the golden's question through the model and compares. Error{not_found}, Error{input_invalid} for a
/// golden that cannot be read.
std::vector<StationResult> verify(const Frontend& frontend, const Engine& engine,
                                  const std::filesystem::path& golden, const TileProgress& progress = {});

/// Compares two traces; stations that the reference lacks are left out.
std::vector<StationResult> compare(const Trace& ours, const Trace& reference, bool pixels_given);

}  // namespace galago
