// The public API of dual encoders: batches, normalisation, labels and their scores.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "formats/weights.h"
#include "galago/embedding.h"
#include "models/dual_encoder.h"
#include "models/registry.h"
#include "runtime/guarded.h"

namespace galago {

struct EmbeddingModel::State {
  std::unique_ptr<const DualEncoder> encoder;
  std::vector<std::string> warnings;
};

namespace {

// x / |x|. The reference divides by zero where a vector is all zeros; so does this.
void normalize_row(float* row, int64_t size) {
  const double length = std::sqrt(std::inner_product(row, row + size, row, 0.0));
  const auto divisor = static_cast<float>(length);
  std::transform(row, row + size, row, [divisor](float value) { return value / divisor; });
}

// `total` items in batches; encode(begin, count, workspace) gives [count, D].
template <class Encode>
Embeddings embed(int64_t total, int64_t per_call, const DualEncoder& encoder, const EmbedOptions& options,
                 const Encode& encode) {
  Embeddings out{.dimension = encoder.dimension(), .normalized = options.normalize, .values = {}};
  const auto stopped = [&] { return options.on_progress && !options.on_progress(out.count, total); };
  Workspace workspace(encoder.device());
  out.cancelled = stopped();
  while (!out.cancelled && out.count < total) {
    const int64_t count = std::min(per_call, total - out.count);
    Tensor rows = on_host(encode(out.count, count, workspace));  // [count, D]
    if (options.normalize)
      for (int64_t i = 0; i < count; ++i) normalize_row(rows.matrix().row(i), out.dimension);
    out.values.insert(out.values.end(), rows.data(), rows.data() + rows.size());
    out.count += count;
    out.cancelled = stopped() && out.count < total;
  }
  return out;
}

RgbImage rgb_of(const Image& image) {
  return {.width = image.width(),
          .height = image.height(),
          .pixels = {image.pixels().begin(), image.pixels().end()}};
}

ImageSource source_of(const std::vector<Image>& images) {
  return {.count = static_cast<int64_t>(images.size()),
          .open = [&images](int64_t i) { return images[static_cast<size_t>(i)]; }};
}

// The sentence of each label.
std::vector<std::string> sentences(std::span<const std::string> labels, const std::string& pattern) {
  const size_t place = pattern.find("{}");
  if (labels.empty())
    throw Error(ErrorCode::usage, {.where = "labels", .got = "none", .expected = "at least one"});
  if (place == std::string::npos)
    throw Error(ErrorCode::usage,
                {.where = "template",
                 .got = pattern,
                 .expected = "a text with {} where the label goes, e.g. \"a photo of {}\""});
  std::vector<std::string> texts;
  for (const std::string& label : labels) {
    std::string text = pattern;
    for (size_t at = place; at != std::string::npos; at = text.find("{}", at + label.size()))
      text.replace(at, 2, label);
    texts.push_back(std::move(text));
  }
  return texts;
}

// The labels of one picture, likeliest first; equal ones as they were given.
std::vector<LabelScore> score_labels(std::span<const float> image, const Embeddings& texts,
                                     std::span<const std::string> labels, const DualEncoder& encoder) {
  std::vector<LabelScore> scores;
  for (int64_t i = 0; i < texts.count; ++i) {
    const std::span<const float> text = texts.row(i);
    const auto cosine = static_cast<float>(std::inner_product(text.begin(), text.end(), image.begin(), 0.0));
    const float logit = cosine * encoder.logit_scale() + encoder.logit_bias();
    scores.push_back({.label = labels[static_cast<size_t>(i)],
                      .index = i,
                      .logit = logit,
                      .probability = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(logit))))});
  }
  std::stable_sort(scores.begin(), scores.end(),
                   [](const LabelScore& a, const LabelScore& b) { return a.logit > b.logit; });
  return scores;
}

}  // namespace

EmbeddingModel EmbeddingModel::load(const std::filesystem::path& directory, const LoadOptions& options) {
  return guarded([&] {
    auto state = std::make_shared<State>();
    state->encoder = load_dual_encoder(directory, model_options(options));
    state->warnings = unused_warnings(state->encoder->unused, options.strict, directory.string());
    return EmbeddingModel(std::move(state));
  });
}

const std::vector<std::string>& EmbeddingModel::warnings() const { return state_->warnings; }
int64_t EmbeddingModel::dimension() const { return state_->encoder->dimension(); }
float EmbeddingModel::logit_scale() const { return state_->encoder->logit_scale(); }
float EmbeddingModel::logit_bias() const { return state_->encoder->logit_bias(); }

Embeddings EmbeddingModel::embed_images(const ImageSource& images, const EmbedOptions& options) const {
  const DualEncoder& encoder = *state_->encoder;
  return guarded([&] {
    return embed(images.count, encoder.images_per_call(), encoder, options,
                 [&](int64_t begin, int64_t count, Workspace& workspace) {
                   std::vector<RgbImage> batch;
                   for (int64_t i = begin; i < begin + count; ++i) batch.push_back(rgb_of(images.open(i)));
                   return encoder.encode_images(batch, workspace);
                 });
  });
}

Embeddings EmbeddingModel::embed_images(const std::vector<Image>& images, const EmbedOptions& options) const {
  return embed_images(source_of(images), options);
}

Embeddings EmbeddingModel::embed_texts(const std::vector<std::string>& texts,
                                       const EmbedOptions& options) const {
  const DualEncoder& encoder = *state_->encoder;
  return guarded([&] {
    int64_t tokens = 0;
    Embeddings out =
        embed(static_cast<int64_t>(texts.size()), encoder.texts_per_call(), encoder, options,
              [&](int64_t begin, int64_t count, Workspace& workspace) {
                EncodedTexts batch = encoder.encode_texts(
                    std::span(texts).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)),
                    options.parse_special, workspace);
                tokens += batch.tokens;
                return std::move(batch.rows);
              });
    out.tokens = tokens;
    return out;
  });
}

Classification EmbeddingModel::classify(const ImageSource& images, const std::vector<std::string>& labels,
                                        const ClassifyOptions& options) const {
  const std::vector<std::string> texts = sentences(labels, options.template_text);
  const auto text_count = static_cast<int64_t>(texts.size());
  const int64_t total = text_count + images.count;
  const auto from = [&](int64_t before) {
    return [&options, before, total](int64_t done, int64_t) {
      return !options.on_progress || options.on_progress(before + done, total);
    };
  };
  Classification result;
  const Embeddings text =
      embed_texts(texts, {.normalize = true, .parse_special = options.parse_special, .on_progress = from(0)});
  result.cancelled = text.cancelled;
  if (result.cancelled) return result;
  const Embeddings image = embed_images(images, {.normalize = true, .on_progress = from(text_count)});
  result.cancelled = image.cancelled;
  for (int64_t i = 0; i < image.count; ++i)
    result.images.push_back(score_labels(image.row(i), text, labels, *state_->encoder));
  return result;
}

Classification EmbeddingModel::classify(const std::vector<Image>& images,
                                        const std::vector<std::string>& labels,
                                        const ClassifyOptions& options) const {
  return classify(source_of(images), labels, options);
}

}  // namespace galago
