// What a picture's rows depend on, as keys: equal keys, equal rows. In: pixels, settings, weights. Out:
// SHA-256 digests. docs/caching.md says what goes into them and why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/sha256.h"
#include "formats/safetensors/safetensors.h"
#include "image/image.h"
#include "image/preprocess.h"
#include "models/frontend.h"

namespace galago {

/// Which preprocessor a picture goes through.
enum class PictureKind { image, frame };

/// A picture as one loaded model sees it: its pixels, its size, and what the request says of splitting.
/// The same key for the same pixels, whatever file they came from.
Digest picture_key(const RgbImage& image, PictureKind kind, std::optional<bool> split);

/// One key for each tile: its bytes, its size, and how they become floats.
std::vector<Digest> tile_keys(const Tiles& tiles, PictureKind kind);

/// Everything else that rows depend on, for keys that outlive a process: the settings' texts, every tensor
/// before the text model, what was asked for at load (`options`, a text), the kernels that run, and galago's
/// version. Reads all those tensors, and gives the memory of mapped ones back.
Digest model_key(const Frontend& frontend, const Checkpoint& checkpoint, const std::string& options);

/// What a model is: its settings, its tokenizer's and template's files, and every tensor. Reads them as
/// model_key does.
Digest model_digest(const Frontend& frontend, const Checkpoint& checkpoint);

/// Tells models apart without reading files whole: model_digest's texts, and of every tensor its name, type,
/// shape and first 4096 bytes. Tensors that no file has as they are used (of GPTQ or a LoRA, for example) are
/// made for it. Unlike the other keys equal ones do not promise equal models.
Digest model_fingerprint(const Frontend& frontend, const Checkpoint& checkpoint);

}  // namespace galago
