// Pictures and texts as vectors in one space, and zero-shot classification, with a dual encoder (SigLIP).
// Every function throws galago::Error (galago/error.h) and nothing else on bad input.
//
//   auto model = galago::EmbeddingModel::load("siglip-base-patch16-224");
//   auto scores = model.classify({galago::Image::open("cat.png")}, {"cat", "dog"});
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "galago/galago.h"
#include "galago/visibility.h"

namespace galago {

/// Vectors, one for each picture or text, in their order.
struct Embeddings {
  int64_t count = 0;
  int64_t dimension = 0;
  bool normalized = false;    ///< whether every vector has length 1
  bool cancelled = false;     ///< the progress callback stopped it: `count` vectors were done
  std::vector<float> values;  ///< [count, dimension], row by row
  int64_t tokens = 0;         ///< of the texts, as the tower reads them, padding apart; 0 for pictures

  std::span<const float> row(int64_t i) const {
    return std::span(values).subspan(static_cast<size_t>(i * dimension), static_cast<size_t>(dimension));
  }
};

/// Pictures that are opened when their turn comes, so that many of them do not stand in memory at once.
struct ImageSource {
  int64_t count = 0;
  std::function<Image(int64_t index)> open;  ///< called once for each index, in order
};

/// Items done and items in all, called from the asking thread after each batch; return false to stop.
using EmbedProgress = std::function<bool(int64_t done, int64_t total)>;

struct EmbedOptions {
  /// Divide each vector by its length, so that a dot product of two is their cosine. Off, like
  /// get_image_features of transformers, encode_image of OpenCLIP and encode of sentence-transformers.
  bool normalize = false;
  /// Special tokens in the texts ("</s>") are control tokens, as in transformers. Off: they are plain text.
  bool parse_special = false;
  EmbedProgress on_progress;
};

/// One label's score for one picture.
struct LabelScore {
  std::string label;
  int64_t index = 0;      ///< of the label as it was given
  float logit = 0;        ///< cosine * logit_scale + logit_bias
  float probability = 0;  ///< sigmoid(logit): of this label alone; they do not sum to 1
};

struct ClassifyOptions {
  /// The sentence that is compared with the picture; "{}" stands for the label. The default is the one of the
  /// zero-shot pipeline of transformers.
  std::string template_text = "This is a photo of {}.";
  bool parse_special = false;  ///< as EmbedOptions::parse_special, of the whole sentence
  EmbedProgress on_progress;   ///< counts texts and pictures together
};

struct Classification {
  std::vector<std::vector<LabelScore>> images;  ///< for each picture, the likeliest label first
  bool cancelled = false;                       ///< the progress callback stopped it: `images` were done
};

/// A loaded dual encoder. Cheap to copy; const and safe to use from several threads at once.
class GALAGO_API EmbeddingModel {
 public:
  /// A Hugging Face directory of model_type siglip. Errors: not_found, model_invalid, model_unsupported (a
  /// model that answers questions is for galago::Model), resource.
  static EmbeddingModel load(const std::filesystem::path& directory, const LoadOptions& options = {});

  /// As Model::warnings.
  const std::vector<std::string>& warnings() const;
  /// Width of a vector.
  int64_t dimension() const;
  /// Factor and offset that make a logit of a cosine.
  float logit_scale() const;
  float logit_bias() const;

  /// [images, dimension]: what the attention-pooling head gives. What a source throws passes through.
  Embeddings embed_images(const ImageSource& images, const EmbedOptions& options = {}) const;
  Embeddings embed_images(const std::vector<Image>& images, const EmbedOptions& options = {}) const;
  /// [texts, dimension]. A text is put into the model's canonical form, cut or padded to its fixed length.
  /// Error{input_invalid} for malformed UTF-8, Error{input_too_large} over 16 MiB.
  Embeddings embed_texts(const std::vector<std::string>& texts, const EmbedOptions& options = {}) const;

  /// Every picture against every label. Error{usage} without labels, or for a template without "{}".
  Classification classify(const ImageSource& images, const std::vector<std::string>& labels,
                          const ClassifyOptions& options = {}) const;
  Classification classify(const std::vector<Image>& images, const std::vector<std::string>& labels,
                          const ClassifyOptions& options = {}) const;

 private:
  struct GALAGO_LOCAL State;
  explicit EmbeddingModel(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace galago
