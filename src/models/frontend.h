// Everything of a model that needs no weights: settings, tokenizer, chat template, image plan and prompt ids.
// In: a model directory, a question, image sizes or pixels. Out: token ids and tiles for the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/tile_grid.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "io/config.h"
#include "text/chat_template.h"
#include "text/image_prompt.h"
#include "text/tokenizer.h"
#include "vision/tower.h"

namespace galago {

/// The words of one request, with the number of images that stand before them.
struct PromptText {
  std::string prompt;
  std::string system;
  bool parse_special = false;
};

/// What one image of a given size becomes.
struct ImagePlan {
  TileGrid grid;
  int64_t tiles = 0;   ///< that go through the tower
  int64_t tokens = 0;  ///< image tokens in the prompt, one for each image row
};

/// One station as `galago inspect` shows it.
struct StationShape {
  std::string name;
  std::string input;  ///< shape with its letters filled in
  std::string output;
  std::vector<std::string> prefixes;  ///< of the checkpoint names that belong to it
};

/// The weight-free half of a model; const and thread-safe after construction.
class Frontend {
 public:
  virtual ~Frontend() = default;

  const ModelDirectory& settings() const { return settings_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

  /// preprocessor_config.json with the caller's wish about splitting.
  PreprocessorConfig preprocessing(std::optional<bool> split) const;
  /// Rendered and expanded prompt of one user message: images first, then the text.
  Segments prompt(const PromptText& text, std::span<const TileGrid> grids) const;
  /// Token ids of prompt().
  std::vector<int32_t> prompt_ids(const PromptText& text, std::span<const TileGrid> grids) const;

  /// The stations in order, with this model's numbers.
  virtual std::vector<StationShape> stations() const = 0;
  /// Grid, tiles and tokens of an image; touches no pixels.
  virtual ImagePlan plan(ImageSize size, const PreprocessorConfig& config) const = 0;
  /// Normalised pixels and patch masks of one image's tiles.
  virtual PixelBatch pixels(const Tiles& tiles, const PreprocessorConfig& config) const = 0;
  /// The image placeholders written out for these grids.
  virtual Segments expand(const Segments& rendered, std::span<const TileGrid> grids,
                          bool parse_special) const = 0;

 protected:
  explicit Frontend(ModelDirectory settings);

 private:
  ModelDirectory settings_;
  Tokenizer tokenizer_;
  ChatTemplate template_;
  TemplateContext context_;
};

}  // namespace galago
