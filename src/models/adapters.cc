// Names first: every tensor of an adapter finds its place in the checkpoint or is listed. Then each place
// gets a maker that adds up the base and what the adapters add.
#include "models/adapters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "core/fault_list.h"
#include "core/printable.h"
#include "formats/lora_adapter.h"
#include "formats/weights.h"
#include "galago/error.h"
#include "io/hub_cache.h"
#include "kernels/kernels.h"
#include "models/weight_formats.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTable = "embed_tokens.weight";
constexpr std::string_view kHead = "lm_head.weight";

/// An adapter and how much of it.
struct Loaded {
  Lora source;
  std::shared_ptr<const LoraAdapter> adapter;
};
using Adapters = std::vector<Loaded>;

/// What is added to one tensor, in the order of the adapters.
struct Addend {
  LoraMatrix matrix;
  double scale = 1;  ///< the matrix's own times the user's
  std::shared_ptr<const LoraAdapter> adapter;
};

/// One tensor of the checkpoint with its changes.
struct Change {
  std::string base;     ///< the tensor that is added to; another name for a tied head
  TensorView replaced;  ///< no data: the base's own
  std::vector<std::shared_ptr<const LoraAdapter>> keepers;
  std::vector<Addend> addends;
  std::vector<std::pair<TensorView, double>> biases;  ///< added to a bias
};
using Changes = std::map<std::string, Change>;

// Where the parts of a model begin: in directories of different age, and in adapters trained with other
// versions of transformers. A name that begins as one may stand for the other.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kSpellings = {
    {{"language_model.model.", "model.language_model."},
     {"language_model.lm_head.", "lm_head."},
     {"vision_tower.", "model.vision_tower."},
     {"multi_modal_projector.", "model.multi_modal_projector."},
     {"image_newline", "model.image_newline"},
     {"", "model."}}};

TensorView flat(TensorView view) {
  const int64_t rows = view.shape[0];
  view.shape = {rows, view.count() / std::max<int64_t>(rows, 1)};
  return view;
}

/// [r, n] -> [n, r].
Tensor transposed(const TensorView& view) {
  const Tensor from = to_tensor(view);
  const int64_t rows = view.shape[0], cols = view.shape[1];
  Tensor to({cols, rows});
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) to.data()[j * rows + i] = from.data()[i * cols + j];
  return to;
}

TensorView view_of(const Tensor& tensor) {
  return {DType::f32, tensor.shape(), reinterpret_cast<const std::byte*>(tensor.data())};
}

/// sum += scale * B A, or of a table scale * (B A)^T; sum as [rows, ...].
void add_product(Tensor& sum, int64_t rows, const LoraMatrix& matrix, double scale,
                 const kernels::Device& device) {
  const Tensor a = transposed(flat(matrix.a));  // [in, r]
  const Tensor b = to_tensor(flat(matrix.b));   // [out, r]
  const Tensor x = device.prepare(view_of(matrix.embedding ? a : b));
  const kernels::Linear layer(LinearView{.weight = view_of(matrix.embedding ? b : a), .bias = {}}, device);
  sum = device.on_device(std::move(sum));
  const Matrix w(sum.data(), rows, sum.size() / std::max<int64_t>(rows, 1));
  device.linear(x.matrix(), layer, w, {.scale = static_cast<float>(scale), .residual = w});
  sum = on_host(std::move(sum));
}

/// Error{model_invalid} for a sum that is no model's: an adapter with NaN, or numbers beyond a float.
void check_finite(const Tensor& sum, const std::string& name) {
  const float* const end = sum.data() + sum.size();
  const float* const bad = std::find_if(sum.data(), end, [](float one) { return !std::isfinite(one); });
  if (bad == end) return;
  throw Error(ErrorCode::model_invalid,
              {.where = printable(name) + " with its LoRA adapters",
               .got = (std::isnan(*bad) ? "not a number" : "infinity") + std::string(" at element ") +
                      std::to_string(bad - sum.data()),
               .expected = "finite numbers",
               .hint = "the adapter has such numbers itself, or its scale is too large"});
}

/// DoRA: each row of the sum gets the length that was learnt.
void stretch(Matrix w, const TensorView& magnitude) {
  for (int64_t i = 0; i < w.rows; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < w.cols; ++j) squares += static_cast<double>(w.row(i)[j]) * w.row(i)[j];
    const double factor = element(magnitude, i) / std::sqrt(squares);
    for (int64_t j = 0; j < w.cols; ++j) w.row(i)[j] = static_cast<float>(w.row(i)[j] * factor);
  }
}

/// Makes a changed tensor.
class Sum {
 public:
  Sum(std::string name, std::shared_ptr<const Checkpoint> base, Change change, Shape shape,
      kernels::SharedDevice device)
      : name_(std::move(name)),
        base_(std::move(base)),
        change_(std::move(change)),
        shape_(std::move(shape)),
        device_(std::move(device)) {}

  std::shared_ptr<const std::byte> make() const {
    const auto sum = std::make_shared<Tensor>(shape_);
    read_base(*sum);
    const int64_t rows = shape_.empty() ? 1 : shape_[0];
    for (const Addend& addend : change_.addends) {
      add_product(*sum, rows, addend.matrix, addend.scale, *device_);
      const Matrix w(sum->data(), rows, sum->size() / std::max<int64_t>(rows, 1));
      if (addend.matrix.magnitude.data) stretch(w, addend.matrix.magnitude);
    }
    for (const auto& [bias, scale] : change_.biases)
      for (int64_t i = 0; i < sum->size(); ++i)
        sum->data()[i] += static_cast<float>(scale) * element(bias, i);
    check_finite(*sum, name_);
    return {sum, reinterpret_cast<const std::byte*>(sum->data())};
  }

 private:
  void read_base(Tensor& sum) const {
    if (change_.replaced.data) return to_floats(change_.replaced, sum.data());
    const TensorView* stored = base_->find(change_.base);
    if (weight_format(stored->dtype)) {
      to_floats(base_->read(change_.base), sum.data());
    } else {
      Binder binder(*base_, *device_);
      const WeightView weight = binder.root().weight(change_.base, {.out = shape_[0], .in = shape_[1]});
      if (!weight.values)
        throw Error(ErrorCode::model_invalid, {.where = change_.base, .got = "damaged planes"});
      to_floats(weight, sum.data());
    }
    for (const std::string& plane :
         {change_.base, change_.base + kScaleSuffix, change_.base + kMinimumSuffix})
      if (base_->find(plane)) base_->unload(plane);  // a tied head may read the table, too
  }

  std::string name_;
  std::shared_ptr<const Checkpoint> base_;
  Change change_;
  Shape shape_;
  kernels::SharedDevice device_;
};

/// The shape of a tensor's numbers: q4 in planes has two to a byte.
Shape shape_of(const Checkpoint& checkpoint, const std::string& name) {
  if (const WeightView* matrix = checkpoint.matrix(name)) return {matrix->rows, matrix->cols};
  const TensorView& stored = *checkpoint.find(name);
  Shape shape = stored.shape;
  if (stored.dtype == DType::u8 && shape.size() == 2) shape[1] *= 2;
  return shape;
}

bool is_scale(double number) { return std::abs(number) <= kMostLoraScale; }  // NaN is none

/// The fewest digits that read back as the same number.
std::string shortest(double number) {
  std::array<char, 32> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

/// Finds each adapter's tensors in a checkpoint.
class Placer {
 public:
  explicit Placer(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {
    for (const auto& [name, view] : checkpoint.tensors()) {
      if (name == kTable || name.ends_with("." + std::string(kTable))) table_ = name;
      if (name == kHead || name.ends_with("." + std::string(kHead))) has_head_ = true;
    }
    constexpr std::string_view kOld = "language_model.";  // of directories that have no "model." before it
    head_ = (table_.starts_with(kOld) ? std::string(kOld) : "") + std::string(kHead);
  }

  void add(const Loaded& one) {
    for (const auto& [name, view] : one.adapter->replaced) replace(one, name, view);
    for (const auto& [name, matrix] : one.adapter->matrices) add_matrix(one, name, matrix);
  }

  Changes finish(const std::string& where) {
    if (!faults_.empty())
      throw Error(ErrorCode::model_invalid, {.where = "LoRA over " + where,
                                             .got = fault_list(faults_),
                                             .expected = "tensors that the model has, in its shapes",
                                             .hint = "the adapter may be another model's"});
    // A tied head keeps the table as it was: an adapter of the table is none of the head.
    if (!has_head_ && changes_.contains(table_) && !changes_.contains(head_)) changes_[head_].base = table_;
    return std::move(changes_);
  }

 private:
  /// The checkpoint's name for an adapter's, or empty.
  std::string place(const std::string& name) const {
    if (checkpoint_.find(name)) return name;
    for (const auto& [old, now] : kSpellings) {
      if (name.starts_with(old))
        if (std::string other = std::string(now) + name.substr(old.size()); checkpoint_.find(other))
          return other;
      if (name.starts_with(now))
        if (std::string other = std::string(old) + name.substr(now.size()); checkpoint_.find(other))
          return other;
    }
    return !has_head_ && !table_.empty() && name.ends_with(kHead) ? head_ : "";
  }

  /// The change of a tensor; null and a fault where the checkpoint has none of that name.
  Change* change_of(const Loaded& one, const std::string& name) {
    const std::string place = this->place(name);
    if (place.empty()) {
      faults_.push_back(one.source.directory.string() + ": unmatched " + printable(name));
      return nullptr;
    }
    const std::string base = checkpoint_.find(place) ? place : table_;
    const TensorView& stored = *checkpoint_.find(base);
    const bool quantised =
        checkpoint_.matrix(base) ||
        ((stored.dtype == DType::i8 || stored.dtype == DType::u8) && stored.shape.size() == 2);
    if (!weight_format(stored.dtype) && !quantised) {
      faults_.push_back(one.source.directory.string() + ": " + printable(name) + ", which the model has as " +
                        to_string(stored.dtype) + " " + to_string(stored.shape));
      return nullptr;
    }
    Change& change = changes_[place];
    change.base = base;
    return &change;
  }

  void replace(const Loaded& one, const std::string& name, const TensorView& view) {
    Change* change = change_of(one, name);
    if (!change) return;
    const Shape shape = shape_of(checkpoint_, change->base);
    if (view.shape != shape)
      add_misfit(one, name, view.shape, shape);
    else if (change->replaced.data)
      faults_.push_back(one.source.directory.string() + ": " + printable(name) +
                        ", which another adapter replaces, too");
    change->replaced = view;
    change->keepers.push_back(one.adapter);
  }

  void add_misfit(const Loaded& one, const std::string& name, const Shape& got, const Shape& own) {
    faults_.push_back(one.source.directory.string() + ": " + printable(name) + " " + to_string(got) +
                      ", the model has " + to_string(own));
  }

  void add_matrix(const Loaded& one, const std::string& name, const LoraMatrix& matrix) {
    Change* change = change_of(one, name);
    if (!change) return;
    const Shape shape = shape_of(checkpoint_, change->base);
    const TensorView a = flat(matrix.a), b = flat(matrix.b);
    const int64_t rows = matrix.embedding ? a.shape[1] : b.shape[0];
    const int64_t cols = matrix.embedding ? b.shape[0] : a.shape[1];
    if (shape.size() < 2 || shape[0] != rows || element_count(shape) != rows * cols) {
      faults_.push_back(one.source.directory.string() + ": " + printable(name) + " of " +
                        std::to_string(rows) + " x " + std::to_string(cols) + ", the model has " +
                        to_string(shape));
      return;
    }
    change->addends.push_back({matrix, matrix.scale * one.source.scale, one.adapter});
    const bool dora = std::any_of(change->addends.begin(), change->addends.end(),
                                  [](const Addend& each) { return each.matrix.magnitude.data != nullptr; });
    if (dora && change->addends.size() > 1)
      throw Error(ErrorCode::model_unsupported,
                  {.where = one.source.directory.string() + ": " + printable(name),
                   .got = "DoRA beside another adapter of the same matrix",
                   .expected = "one of them"});
    if (!matrix.bias.data) return;
    const std::string bias = name.substr(0, name.rfind('.')) + ".bias";
    Change* const moved = change_of(one, bias);
    if (!moved) return;
    if (const Shape own = shape_of(checkpoint_, moved->base); matrix.bias.shape != own) {
      add_misfit(one, bias, matrix.bias.shape, own);
    } else {
      moved->biases.emplace_back(matrix.bias, matrix.scale * one.source.scale);
      moved->keepers.push_back(one.adapter);
    }
  }

  const Checkpoint& checkpoint_;
  std::string table_;  ///< of embeddings
  std::string head_;   ///< what a head would be called
  bool has_head_ = false;
  Changes changes_;
  std::vector<std::string> faults_;
};

void apply(Checkpoint& checkpoint, const Adapters& adapters, const std::string& where,
           const kernels::SharedDevice& device) {
  Placer placer(checkpoint);
  for (const Loaded& one : adapters) placer.add(one);
  const Changes changes = placer.finish(where);
  std::set<std::string> bases;
  for (const auto& [name, change] : changes)
    bases.insert({change.base, change.base + kScaleSuffix, change.base + kMinimumSuffix});
  // Its own memory: what is made of the base under a tensor's name is not what the model reads there.
  const auto base = std::make_shared<const Checkpoint>(checkpoint.part(bases));
  for (const auto& [name, change] : changes) {
    const Shape shape = shape_of(*base, change.base);
    for (const std::string& plane : {name, name + kScaleSuffix, name + kMinimumSuffix})
      checkpoint.remove(plane);
    const TensorView outline{.dtype = DType::f32, .shape = shape, .data = nullptr};
    checkpoint.add_made(name, outline, [sum = Sum(name, base, change, shape, device)] { return sum.make(); });
  }
}

}  // namespace

Lora parse_lora(const std::string& text) {
  std::error_code error;
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || fs::is_directory(text, error)) return {.directory = text};
  Lora lora{.directory = text.substr(0, colon)};
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, lora.scale);
  if (read.ec != std::errc() || read.ptr != end || !is_scale(lora.scale))
    throw Error(ErrorCode::usage, {.where = "--lora",
                                   .got = in_quotes(text),
                                   .expected = "DIR or DIR:SCALE, a number of at most a million"});
  return lora;
}

std::shared_ptr<const ModelFiles> with_adapters(std::shared_ptr<const ModelFiles> files,
                                                const std::vector<Lora>& adapters,
                                                kernels::SharedDevice device) {
  if (adapters.empty()) return files;
  Adapters loaded;
  std::vector<std::string> notes;
  for (const Lora& one : adapters) {
    if (!is_scale(one.scale))
      throw Error(ErrorCode::usage, {.where = one.directory.string(),
                                     .got = "a scale of " + shortest(one.scale),
                                     .expected = "a number of at most a million"});
    loaded.push_back({one, std::make_shared<const LoraAdapter>(read_lora_adapter(one.directory))});
    notes.push_back("LoRA adapter " + one.directory.string() + ", scale " + shortest(one.scale));
  }
  const std::string where = files->path().string();
  return with_change(
      std::move(files),
      [loaded, where, device = std::move(device)](Checkpoint& checkpoint) {
        apply(checkpoint, loaded, where, device);
      },
      notes);
}

fs::path base_of_adapter(const fs::path& directory) {
  const LoraAdapter adapter = read_lora_adapter(directory);
  std::error_code error;
  if (!adapter.base.empty() && fs::is_directory(adapter.base, error)) return adapter.base;
  if (const auto snapshot =
          find_in_hub_cache(adapter.base + (adapter.revision.empty() ? "" : "@" + adapter.revision)))
    return *snapshot;
  throw Error(
      ErrorCode::not_found,
      {.where = directory.string(),
       .got = "a LoRA adapter" + (adapter.base.empty()
                                      ? " that names no base model"
                                      : " of " + printable(adapter.base) +
                                            ", which is neither a directory nor in " + hub_cache().string()),
       .expected = "its base model",
       .hint = "name the base with -m and the adapter with --lora " + directory.string()});
}

}  // namespace galago
