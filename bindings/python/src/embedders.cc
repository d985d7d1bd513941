// galago::EmbeddingModel for Python. Vectors go out as arrays that own the memory they were computed in.
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "bindings.h"
#include "galago/embedding.h"
#include "interruptible.h"
#include "model_handle.h"

namespace galago::python {
namespace {

using Matrix = nb::ndarray<nb::numpy, float, nb::ndim<2>>;

/// As ModelHandle, for a model without a scheduler.
class EmbedderHandle {
 public:
  EmbedderHandle(const std::filesystem::path& path, const LoadOptions& options)
      : owner_(getpid()), model_(std::make_shared<EmbeddingModel>(EmbeddingModel::load(path, options))) {}
  ~EmbedderHandle() {
    if (getpid() != owner_) new std::shared_ptr<EmbeddingModel>(std::move(model_));
  }
  EmbedderHandle(const EmbedderHandle&) = delete;
  EmbedderHandle& operator=(const EmbedderHandle&) = delete;

  std::shared_ptr<EmbeddingModel> model() const {
    check_process(owner_, "galago.Embedder");
    return model_;
  }

 private:
  const pid_t owner_;
  std::shared_ptr<EmbeddingModel> model_;
};

Matrix matrix_of(std::vector<float> values, int64_t rows, int64_t cols) {
  auto own = std::make_unique<std::vector<float>>(std::move(values));
  float* data = own->data();
  const nb::capsule owner(own.release(),
                          [](void* p) noexcept { delete static_cast<std::vector<float>*>(p); });
  return Matrix(data, {static_cast<size_t>(rows), static_cast<size_t>(cols)}, owner);
}

// Work that stops after its next batch when its caller is interrupted.
template <class Work>
auto stoppable(Work work) {
  auto stopped = std::make_shared<std::atomic<bool>>(false);
  const EmbedProgress going = [stopped](int64_t, int64_t) { return !*stopped; };
  try {
    return interruptible([work = std::move(work), going] { return work(going); });
  } catch (nb::python_error&) {
    *stopped = true;
    throw;
  }
}

Matrix embed_images(const EmbedderHandle& handle, const std::vector<Image>& images, bool normalize) {
  Embeddings all = stoppable([model = handle.model(), images, normalize](const EmbedProgress& going) {
    return model->embed_images(images, {.normalize = normalize, .on_progress = going});
  });
  return matrix_of(std::move(all.values), all.count, all.dimension);
}

Matrix embed_texts(const EmbedderHandle& handle, const std::vector<std::string>& texts, bool normalize,
                   bool parse_special) {
  Embeddings all =
      stoppable([model = handle.model(), texts, normalize, parse_special](const EmbedProgress& going) {
        return model->embed_texts(
            texts, {.normalize = normalize, .parse_special = parse_special, .on_progress = going});
      });
  return matrix_of(std::move(all.values), all.count, all.dimension);
}

// Logits and probabilities, [images, labels] each, labels in the order in which they were given.
std::pair<Matrix, Matrix> classify(const EmbedderHandle& handle, const std::vector<Image>& images,
                                   const std::vector<std::string>& labels, const std::string& sentence,
                                   bool parse_special) {
  const ClassifyOptions options{.template_text = sentence, .parse_special = parse_special};
  const Classification all =
      stoppable([model = handle.model(), images, labels, options](const EmbedProgress& going) {
        ClassifyOptions watched = options;
        watched.on_progress = going;
        return model->classify(images, labels, watched);
      });
  const auto rows = std::ssize(all.images), cols = std::ssize(labels);
  std::vector<float> logits(static_cast<size_t>(rows * cols)), probabilities(logits.size());
  for (int64_t i = 0; i < rows; ++i)
    for (const LabelScore& score : all.images[static_cast<size_t>(i)]) {
      const auto at = static_cast<size_t>(i * cols + score.index);
      logits[at] = score.logit;
      probabilities[at] = score.probability;
    }
  return {matrix_of(std::move(logits), rows, cols), matrix_of(std::move(probabilities), rows, cols)};
}

}  // namespace

void bind_embedders(nb::module_& module) {
  nb::class_<EmbedderHandle>(module, "Embedder", "A loaded dual encoder.")
      .def_prop_ro("warnings", [](const EmbedderHandle& handle) { return handle.model()->warnings(); })
      .def_prop_ro("dimension", [](const EmbedderHandle& handle) { return handle.model()->dimension(); })
      .def_prop_ro("logit_scale", [](const EmbedderHandle& handle) { return handle.model()->logit_scale(); })
      .def_prop_ro("logit_bias", [](const EmbedderHandle& handle) { return handle.model()->logit_bias(); })
      .def("embed_images", &embed_images, nb::arg("images"), nb::arg("normalize"))
      .def("embed_texts", &embed_texts, nb::arg("texts"), nb::arg("normalize"), nb::arg("parse_special"))
      .def("classify", &classify, nb::arg("images"), nb::arg("labels"), nb::arg("template"),
           nb::arg("parse_special"));
  module.def(
      "load_embedder",
      [](const nb::bytes& path, const LoadOptions& options) {
        return interruptible(
            [path = path_of(path), options] { return std::make_shared<EmbedderHandle>(path, options); });
      },
      nb::arg("path"), nb::arg("options"), "Loads a model directory; its path as os.fsencode gives it.");
}

}  // namespace galago::python
