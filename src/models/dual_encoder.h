// A model that answers no questions: pictures and texts become vectors of one space.
// In: pictures, texts. Out: [n, D] as the heads give them, not normalised, and what turns a cosine into a
// logit.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/model_files.h"
#include "image/image.h"
#include "kernels/workspace.h"

namespace galago {

/// Texts as vectors.
struct EncodedTexts {
  Tensor rows;         ///< [n, D]
  int64_t tokens = 0;  ///< that the tower read, padding apart
};

/// Const and thread-safe after construction.
class DualEncoder {
 public:
  virtual ~DualEncoder() = default;

  /// What it runs on; workspaces are of the same device.
  virtual const kernels::Device& device() const = 0;
  /// D.
  virtual int64_t dimension() const = 0;
  /// logit = cosine * logit_scale + logit_bias.
  virtual float logit_scale() const = 0;
  virtual float logit_bias() const = 0;
  /// Pictures and texts that go through a tower together.
  virtual int64_t images_per_call() const = 0;
  virtual int64_t texts_per_call() const = 0;

  /// [n, D]; n of at least 1. They take any number; memory grows with it.
  virtual Tensor encode_images(std::span<const RgbImage> images, Workspace& workspace) const = 0;
  /// Of n texts, at least one. parse_special: special tokens in the texts are control tokens, not text.
  virtual EncodedTexts encode_texts(std::span<const std::string> texts, bool parse_special,
                                    Workspace& workspace) const = 0;

  /// Tensors of the checkpoint that it does not use (Binder::finish).
  std::vector<std::string> unused;
};

}  // namespace galago
