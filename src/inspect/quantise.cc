// Loading the model tells which tensors are matrices of weights; each is converted when its turn to be
// written comes, so that memory holds one at a time.
#include "inspect/quantise.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/cancelled.h"
#include "core/limits.h"
#include "formats/json.h"
#include "formats/weights.h"
#include "galago/error.h"
#include "inspect/tensor_copy.h"
#include "io/atomic_directory.h"
#include "io/files.h"
#include "models/gguf/files.h"
#include "models/registry.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

/// A matrix of weights: how it is stored and how it is to be. The view has sizes only: a matrix may be made
/// when it is read.
struct Plan {
  WeightView stored;
  WeightFormat format = WeightFormat::f32;
  bool panels = false;

  bool changes() const { return format != stored.format || panels != stored.in_panels(); }
  WeightView written() const {
    return {format, stored.rows, stored.cols, panels ? WeightLayout::panels : WeightLayout::rows};
  }
};
using Plans = std::map<std::string, Plan>;

/// The matrices that a load of the files asks for, by name.
Plans plans_for(const std::shared_ptr<const ModelFiles>& files, WeightDtype dtype,
                const kernels::SharedDevice& device) {
  auto plans = std::make_shared<Plans>();
  const auto noting = with_converter(files, [plans, dtype] {
    return [plans, dtype](const std::string& name, const WeightView& stored) {
      const WeightFormat format = chosen_format(dtype, name, stored).value_or(stored.format);
      const bool stays = stored.in_panels() && format == stored.format;
      (*plans)[name] = {stored, format, stays || goes_into_panels(name, format)};
      return stored;
    };
  });
  load_once(noting, device);
  return std::move(*plans);
}

/// Lets go of a tensor that read() made; those of a file stay.
void forget_made(const Checkpoint& checkpoint, const std::string& name) {
  if (const TensorView* view = checkpoint.find(name); view && !view->data) checkpoint.unload(name);
}

DType value_type(WeightFormat format) {
  switch (format) {
    case WeightFormat::f32:
      return DType::f32;
    case WeightFormat::f16:
      return DType::f16;
    case WeightFormat::bf16:
      return DType::bf16;
    case WeightFormat::q8:
      return DType::i8;
    case WeightFormat::q4:
      return DType::u8;
  }
  return DType::f32;
}

/// A matrix that is written: where it is read, and as what.
struct Source {
  const Checkpoint& checkpoint;
  std::string name;
  Plan plan;
  const kernels::Device& device;

  /// Its numbers, as stored; forget() lets go of them.
  WeightView read() const {
    Binder binder(checkpoint, device);
    return binder.root().weight(name, {.out = plan.stored.rows, .in = plan.stored.cols});
  }
};

/// The panels of a matrix.
NamedTensor panels_of(const Source& source) {
  const WeightView matrix = source.plan.written();
  return {.name = source.name, .view = panel_tensor(matrix), .make = [source, matrix] {
            std::vector<std::byte> made(static_cast<size_t>(matrix.bytes()));
            source.device.pack_weights(source.read(), matrix.format, made.data());
            forget_made(source.checkpoint, source.name);
            return made;
          }};
}

/// One plane of a converted matrix; all of it is converted for each, which costs less than keeping it.
NamedTensor plane_of(const std::string& suffix, const Source& source, const TensorView& view,
                     const std::byte* WeightView::*plane) {
  const int64_t bytes = view.count() * size_of(view.dtype);
  return {.name = source.name + suffix, .view = view, .make = [source, plane, bytes] {
            WeightMemory memory;
            const std::byte* from =
                convert_weights(source.read(), source.plan.format, memory, source.device).*plane;
            std::vector<std::byte> made(from, from + bytes);
            forget_made(source.checkpoint, source.name);
            return made;
          }};
}

void add_matrix(const Source& source, std::vector<NamedTensor>& tensors) {
  const Plan& plan = source.plan;
  if (plan.panels) return tensors.push_back(panels_of(source));
  const int64_t rows = plan.stored.rows, cols = plan.stored.cols;
  const bool q4 = plan.format == WeightFormat::q4;
  const TensorView values{.dtype = value_type(plan.format), .shape = {rows, q4 ? cols / 2 : cols}};
  tensors.push_back(plane_of("", source, values, &WeightView::values));
  if (!is_quantised(plan.format)) return;
  const TensorView groups{.dtype = DType::f16, .shape = {rows, cols / kWeightGroup}};
  tensors.push_back(plane_of(kScaleSuffix, source, groups, &WeightView::scales));
  if (q4) tensors.push_back(plane_of(kMinimumSuffix, source, groups, &WeightView::minimums));
}

/// A head that the load did not ask for: a copy of the table, in every plane of it. Written as it is, beside
/// a table in another format, it would be a head of its own.
bool is_unused_head(const std::string& name, const Plans& plans) {
  for (const std::string head : {"lm_head.weight", "language_model.lm_head.weight"})
    if (name == head || name == head + kScaleSuffix || name == head + kMinimumSuffix)
      return !plans.contains(head);
  return false;
}

std::vector<NamedTensor> tensors_to_write(const Checkpoint& checkpoint, const Plans& plans,
                                          const kernels::Device& device) {
  std::set<std::string> replaced;
  std::vector<NamedTensor> tensors;
  for (const auto& [name, plan] : plans) {
    if (!plan.changes()) continue;
    replaced.insert({name, name + kScaleSuffix, name + kMinimumSuffix});
    add_matrix({checkpoint, name, plan, device}, tensors);
  }
  for (const auto& [name, view] : checkpoint.tensors())
    if (!replaced.contains(name) && !is_unused_head(name, plans))
      tensors.push_back(copy_of(checkpoint, name, name));
  return tensors;
}

std::map<std::string, std::string> metadata_for(WeightDtype dtype, const Checkpoint& checkpoint,
                                                const std::vector<NamedTensor>& tensors, const Plans& plans) {
  std::map<std::string, std::string> metadata = {{"format", "pt"}, {"galago.dtype", to_string(dtype)}};
  for (const NamedTensor& tensor : tensors)  // panels that nobody asked for are copied with the others
    if (const WeightView* matrix = checkpoint.matrix(tensor.name); matrix && !plans.contains(tensor.name))
      note_panels(tensor.name, *matrix, metadata);
  for (const auto& [name, plan] : plans) {
    if (plan.panels) note_panels(name, plan.written(), metadata);
    if (plan.panels) continue;
    if (plan.format == WeightFormat::q8)
      metadata["galago.q8"] =
          "NAME I8 [out, in], NAME_scale F16 [out, in/32]: w[o, i] = NAME_scale[o, i/32] * NAME[o, i]";
    if (plan.format == WeightFormat::q4)
      metadata["galago.q4"] =
          "NAME U8 [out, in/2], NAME_scale and NAME_min F16 [out, in/32]; byte 16 g + j holds weight 32 g + "
          "j "
          "in its low and 32 g + j + 16 in its high 4 bits: w = NAME_scale * q + NAME_min";
  }
  return metadata;
}

bool is_weights(const std::string& name) {
  static constexpr std::array<std::string_view, 9> kEnds = {
      ".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".gguf", ".onnx",
      ".h5"};
  return std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) { return name.ends_with(end); });
}

void copy_small_files(const fs::path& from, AtomicDirectory& to) {
  std::error_code error;
  for (fs::directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code fault;
    if (name.starts_with('.') || is_weights(name) || !fs::is_regular_file(it->path(), fault)) continue;
    write_file_atomically(to.file(name), MappedFile(it->path()).bytes());
  }
  if (error) throw Error(ErrorCode::not_found, {.where = from.string(), .got = error.message()});
}

/// Where config.json says how another tool stored the weights, that is over: it is written without.
void write_config(const ModelFiles& files, AtomicDirectory& to) {
  const auto text = files.find("config.json", limits::kConfigBytes);
  if (!text) return;
  size_t dropped = 0;
  const std::string plain =
      change_json(*text, files.where("config.json"), [&dropped](nlohmann::ordered_json& config) {
        if (!config.is_object()) return;
        for (auto* object : {&config, config.contains("text_config") ? &config["text_config"] : nullptr})
          for (const char* key : {"quantization_config", "quantization"})
            if (object && object->is_object()) dropped += object->erase(key);
      });
  if (dropped == 0) return;
  write_file_atomically(to.file("config.json"), std::as_bytes(std::span(plain)));
}

}  // namespace

QuantisedModel quantise_model(const fs::path& from, const fs::path& to, WeightDtype dtype,
                              const QuantiseProgress& on_progress, const std::vector<Lora>& lora) {
  if (is_gguf_model(from))
    throw Error(ErrorCode::model_unsupported,
                {.where = from.string(),
                 .got = "GGUF",
                 .expected = "a Hugging Face directory",
                 .hint = "Q8_0, Q4_0 and Q4_1 of a GGUF file are used as they are"});
  std::error_code error;
  if (fs::is_directory(to, error) && !fs::is_empty(to, error))
    throw Error(ErrorCode::output_io, {.where = to.string(),
                                       .got = "a folder that is not empty",
                                       .expected = "a new or empty folder to write",
                                       .hint = "name another one"});
  const kernels::SharedDevice device = kernels::cpu_device();
  ModelOptions options;
  options.lora = lora;
  options.device = device;
  const std::shared_ptr<const ModelFiles> files = open_model(from, options);
  AtomicDirectory out(to, Existing::refuse);  // before the work that a refusal would waste
  const Checkpoint checkpoint = files->checkpoint();
  const Plans plans = plans_for(files, dtype, device);
  const std::vector<NamedTensor> tensors = tensors_to_write(checkpoint, plans, *device);

  QuantisedModel done{.matrices = {}, .bytes_before = checkpoint.bytes(), .bytes_after = 0};
  for (const auto& [name, plan] : plans) {
    ++done.matrices[plan.format];
    if (plan.format == plan.stored.format && plan.changes()) ++done.moved;
  }
  for (const NamedTensor& tensor : tensors)
    done.bytes_after += tensor.view.count() * size_of(tensor.view.dtype);

  copy_small_files(files->path(), out);  // the base, where `from` is an adapter
  write_config(*files, out);
  int64_t written = 0;
  const auto total = static_cast<int64_t>(tensors.size());
  write_safetensors(out.file("model.safetensors"), tensors, metadata_for(dtype, checkpoint, tensors, plans),
                    [&] { return !on_progress || on_progress(written++, total); });
  out.commit();
  return done;
}

}  // namespace galago
