// Every stage of a model by itself, ready to be run again and again: what `galago bench` times.
// In: a frontend, an engine, a picture, a context length. Out: a list of stages, each with its arithmetic and
// the bytes it must move, both derived from the model's configuration (docs/performance.md has the formulas).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "image/image.h"
#include "models/engine.h"
#include "models/frontend.h"

namespace galago {

/// What one run of a stage costs. Zero: not counted.
struct StageCost {
  double flops = 0;  ///< additions and multiplications; a fused multiply-add is two
  double bytes = 0;  ///< input, weights and output, each once; scratch is not counted
};

/// One stage with its inputs made.
struct BenchStage {
  std::string name;
  std::string work;  ///< what one run does, e.g. "1 tile of 1024 patches"
  StageCost cost;
  bool many_rows = false;  ///< its products are those of many rows, made in the arithmetic that was asked for
  bool of_decoder = false;        ///< where int8 means bfloat16
  double items = 0;               ///< of which a user counts the rate, e.g. tokens; 0: none
  std::string item;               ///< their name, e.g. "tokens"
  std::function<void()> run;      ///< may throw Cancelled
  std::function<void()> warm_up;  ///< brings caches and packed weights to their lasting state; empty: run()
};

struct BenchOptions {
  std::vector<std::byte> image_file;  ///< a picture's file; empty: a made picture, and nothing to decode
  std::string image_name;             ///< for errors
  std::optional<bool> split;
  std::string prompt;
  int64_t context =
      0;  ///< rows of prefill, and positions before the decode step; 0: as many as the prompt has
  int64_t sequences = 8;           ///< that a batch decodes together
  DType cache_dtype = DType::f32;  ///< of keys and values, f32 or f16
  TileProgress progress;           ///< called between tiles; false throws Cancelled
};

/// Holds what the stages work on; they refer to it, to the frontend and to the engine.
class BenchStages {
 public:
  /// Error{usage} for a context that the model does not have, and the errors of decoding and planning.
  BenchStages(const Frontend& frontend, const Checkpoint& checkpoint, const Engine& engine,
              BenchOptions options);
  ~BenchStages();
  BenchStages(const BenchStages&) = delete;
  BenchStages& operator=(const BenchStages&) = delete;

  /// Every name that a stage may have.
  static std::vector<std::string> names();
  /// The stages of these names, all when there are none, in the order of an image's way. Those of pictures
  /// are missing for a model without a tower, decoding also without a picture's file.
  std::vector<BenchStage> stages(std::span<const std::string> only) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Arithmetic of the tower on one tile of `patches` patches: `linear` in its layers' products, `attention` in
/// q k^T and the product with v, `patches` in the patch embedding.
struct TowerFlops {
  double linear = 0;
  double attention = 0;
  double patches = 0;
  double total() const { return linear + attention + patches; }
};
TowerFlops tower_flops(const VisionConfig& config, int64_t patches);

/// Arithmetic of the text model on rows at positions [begin, end) of one sequence; the head for one row.
double decoder_flops(const TextConfig& config, int64_t begin, int64_t end);

}  // namespace galago
