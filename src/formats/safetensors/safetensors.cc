// Finds a directory's weight files and puts their tensors under one roof; writes files.
#include "formats/safetensors/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include "core/cancelled.h"
#include "core/limits.h"
#include "core/printable.h"
#include "formats/json.h"
#include "formats/safetensors/header.h"
#include "formats/safetensors/panel_tensors.h"
#include "galago/error.h"

namespace galago {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

/// tensor name -> shard file name, as the index says.
using WeightMap = std::map<std::string, std::string>;

/// A shard is named by a plain file name: nothing in an index leads out of its directory. The file itself may
/// be a symbolic link, since the Hugging Face cache keeps the bytes elsewhere.
void check_shard_name(const std::string& name, const JsonField& field) {
  constexpr std::string_view kSuffix = ".safetensors";
  const bool plain = name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  if (!plain || !name.ends_with(kSuffix) || name.size() == kSuffix.size())
    field.fail("the plain name of a .safetensors file in the same directory");
}

WeightMap read_index(const fs::path& file) {
  const Json index =
      parse_json(read_text_file(file, limits::kConfigBytes), file.string(), {.refuse_duplicate_keys = true});
  const JsonField map = JsonField(index, file.string()).at("weight_map");
  map.expect_object();
  WeightMap weights;
  for (const auto& item : map.value().items()) {
    const JsonField field = map.at(item.key());
    check_shard_name(field.string(), field);
    weights[item.key()] = field.string();
  }
  if (weights.empty()) map.fail("at least one tensor");
  return weights;
}

[[noreturn]] void refuse_directory(const fs::path& directory) {
  std::error_code error;
  std::string other;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with("pytorch_model") || name.ends_with(".gguf") || name.ends_with(".pth"))
      other = other.empty() ? name : std::min(other, name);
  }
  const std::string expected = std::string(kSingleFile) + " or " + kIndexFile;
  if (!other.empty())
    throw Error(ErrorCode::model_unsupported,
                {.where = directory.string(),
                 .got = "weights as " + printable(other),
                 .expected = expected,
                 .hint = "load it with transformers and call save_pretrained to get safetensors"});
  throw Error(ErrorCode::not_found, {.where = directory.string(), .got = "no weights", .expected = expected});
}

/// Of what a tensor's place in a file is a multiple: panels are read in lines of 64 bytes.
int64_t alignment_of(const NamedTensor& tensor, const std::map<std::string, std::string>& metadata) {
  return is_panels(tensor.name, metadata) ? kPanelLine : size_of(tensor.view.dtype);
}

/// What wants more alignment first, then by name: each tensor then begins at a multiple of its own.
std::vector<const NamedTensor*> in_file_order(const std::vector<NamedTensor>& tensors,
                                              const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [&](const NamedTensor* a, const NamedTensor* b) {
    return std::pair(-alignment_of(*a, metadata), std::string_view(a->name)) <
           std::pair(-alignment_of(*b, metadata), std::string_view(b->name));
  });
  return order;
}

/// What stands before every name; empty: nothing that is known. No model has a part of these names.
std::string_view wrapper_of(const std::map<std::string, TensorView>& tensors) {
  constexpr std::array<std::string_view, 3> kWrappers = {"base_model.model.", "module.", "_orig_mod."};
  for (const std::string_view wrapper : kWrappers)
    if (!tensors.empty() && std::all_of(tensors.begin(), tensors.end(), [&](const auto& tensor) {
          return tensor.first.starts_with(wrapper) && tensor.first.size() > wrapper.size();
        }))
      return wrapper;
  return {};
}

/// Doubles rounded to floats: nothing computes in more.
std::shared_ptr<const void> narrow(const TensorView& doubles) {
  auto floats = std::make_shared<Tensor>(doubles.shape);
  for (int64_t i = 0; i < floats->size(); ++i) {
    double value;
    std::memcpy(&value, doubles.data + i * static_cast<int64_t>(sizeof value), sizeof value);
    floats->data()[i] = static_cast<float>(value);
  }
  return {floats, floats->data()};
}

int64_t bytes_of(const TensorView& view) { return view.count() * size_of(view.dtype); }

std::string make_header(const std::vector<const NamedTensor*>& order,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  int64_t offset = 0;
  for (const NamedTensor* tensor : order) {
    const TensorView& view = tensor->view;
    const bool whole =
        element_count(view.shape).has_value() && (view.data || tensor->make || view.count() == 0);
    if (!whole || header.contains(tensor->name) || tensor->name == "__metadata__")
      throw Error(ErrorCode::internal, {.where = "writing tensor " + in_quotes(tensor->name),
                                        .got = "no data, or a name that is taken"});
    const int64_t end = offset + bytes_of(view);
    header[tensor->name] = {
        {"dtype", to_string(view.dtype)}, {"shape", view.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  // Metadata may hold a user's text: bytes that are not UTF-8 become U+FFFD.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  constexpr size_t kLength = 8;  // of the number before the header
  const auto unit = static_cast<size_t>(
      order.empty() ? int64_t{kLength} : std::max<int64_t>(kLength, alignment_of(*order.front(), metadata)));
  text.resize((kLength + text.size() + unit - 1) / unit * unit - kLength, ' ');
  return text;
}

}  // namespace

void Checkpoint::add_file(const fs::path& file) {
  const MappedFile map(file);
  TensorFile content = read_tensor_file(map.bytes(), file.string());
  std::map<std::string, WeightView> matrices = read_panels(content, file.string());
  for (auto& [name, view] : content.tensors) {
    if (const auto other = file_of_.find(name); other != file_of_.end())
      throw Error(ErrorCode::model_invalid,
                  {.where = file.string() + ": " + printable(name),
                   .got = "a tensor that " + maps_[other->second].path().string() + " holds, too",
                   .expected = "each tensor in one file"});
    file_of_[name] = maps_.size();
    tensors_[name] = std::move(view);
  }
  matrices_.merge(std::move(matrices));
  if (maps_.empty()) metadata_ = std::move(content.metadata);
  maps_.push_back(map);
}

void Checkpoint::add_map(const MappedFile& map) { maps_.push_back(map); }

void Checkpoint::add(const std::string& name, TensorView view, std::shared_ptr<const void> owner) {
  if (!tensors_.try_emplace(name, std::move(view)).second)
    throw Error(
        ErrorCode::model_invalid,
        {.where = printable(name), .got = "a second tensor of that name", .expected = "each tensor once"});
  if (owner) memory_[name] = std::make_shared<Memory>(Memory{nullptr, std::move(owner)});
}

void Checkpoint::add_made(const std::string& name, TensorView outline, Maker make) {
  outline.data = nullptr;
  add(name, std::move(outline), nullptr);
  memory_[name] = std::make_shared<Memory>(Memory{std::move(make), nullptr});
}

void Checkpoint::rename(const std::string& from, const std::string& to) {
  add(to, tensors_.at(from), nullptr);
  if (const auto memory = memory_.find(from); memory != memory_.end()) memory_[to] = memory->second;
  if (const WeightView* outline = matrix(from)) set_matrix(to, *outline);
  remove(from);
}

std::shared_ptr<const void> Checkpoint::remove(const std::string& name) {
  std::shared_ptr<const void> owner;
  if (const auto memory = memory_.find(name); memory != memory_.end()) {
    owner = memory->second->owner;
    memory_.erase(memory);
  }
  tensors_.erase(name);
  matrices_.erase(name);
  file_of_.erase(name);
  return owner;
}

Checkpoint Checkpoint::part(const std::set<std::string>& names) const {
  Checkpoint part = *this;
  std::erase_if(part.tensors_, [&](const auto& tensor) { return !names.contains(tensor.first); });
  std::erase_if(part.matrices_, [&](const auto& matrix) { return !names.contains(matrix.first); });
  std::erase_if(part.memory_, [&](const auto& memory) { return !names.contains(memory.first); });
  for (auto& [name, memory] : part.memory_)
    memory = std::make_shared<Memory>(Memory{memory->make, memory->make ? nullptr : memory->owner});
  return part;
}

TensorView Checkpoint::read(const std::string& name) const {
  TensorView view = tensors_.at(name);
  const auto found = memory_.find(name);
  if (found == memory_.end() || !found->second->make) return view;
  Memory& memory = *found->second;
  if (!memory.owner) memory.owner = memory.make();
  view.data = static_cast<const std::byte*>(memory.owner.get());
  return view;
}

Checkpoint Checkpoint::open_file(const fs::path& file) {
  Checkpoint checkpoint;
  checkpoint.add_file(file);
  return checkpoint;
}

Checkpoint Checkpoint::open_directory(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    throw Error(ErrorCode::not_found,
                {.where = directory.string(), .got = "no such directory", .expected = "a model directory"});
  const bool single = fs::exists(directory / kSingleFile, error);
  if (!single && !fs::exists(directory / kIndexFile, error)) refuse_directory(directory);
  Checkpoint checkpoint = single ? open_file(directory / kSingleFile) : open_shards(directory);
  checkpoint.unwrap();
  for (auto& [name, view] : checkpoint.tensors_)
    if (view.dtype == DType::f64) {
      std::shared_ptr<const void> floats = narrow(view);
      checkpoint.give_back(view);
      view.dtype = DType::f32;
      view.data = static_cast<const std::byte*>(floats.get());
      checkpoint.memory_[name] = std::make_shared<Memory>(Memory{nullptr, std::move(floats)});
    }
  return checkpoint;
}

Checkpoint Checkpoint::open_shards(const fs::path& directory) {
  const fs::path index = directory / kIndexFile;
  const WeightMap weights = read_index(index);
  std::set<std::string> shards;
  for (const auto& [name, shard] : weights) shards.insert(shard);
  if (std::cmp_greater(shards.size(), limits::kShards))
    throw Error(ErrorCode::input_too_large, {.where = index.string() + ": weight_map",
                                             .got = std::to_string(shards.size()) + " shards",
                                             .expected = "at most " + std::to_string(limits::kShards)});
  Checkpoint checkpoint;
  for (const std::string& shard : shards) checkpoint.add_file(directory / shard);
  for (const auto& [name, shard] : weights) {
    const auto found = checkpoint.file_of_.find(name);
    if (found == checkpoint.file_of_.end() || checkpoint.maps_[found->second].path() != directory / shard)
      throw Error(ErrorCode::model_invalid, {.where = index.string() + ": weight_map." + printable(name),
                                             .got = in_quotes(shard) + ", which lacks this tensor",
                                             .expected = "the shard that holds it"});
  }
  return checkpoint;
}

void Checkpoint::unwrap() {
  constexpr int kMostWrappers = 4;  // one inside the other
  for (int i = 0; i < kMostWrappers; ++i) {
    const std::string_view wrapper = wrapper_of(tensors_);
    if (wrapper.empty()) return;
    const auto bare = [&](auto& by_name) {
      std::remove_reference_t<decltype(by_name)> renamed;
      for (auto& [name, value] : by_name) renamed.emplace(name.substr(wrapper.size()), std::move(value));
      by_name = std::move(renamed);
    };
    bare(tensors_);
    bare(matrices_);
    bare(file_of_);
    wrapper_ += wrapper;
  }
}

const TensorView* Checkpoint::find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

const WeightView* Checkpoint::matrix(const std::string& name) const {
  const auto found = matrices_.find(name);
  return found == matrices_.end() ? nullptr : &found->second;
}

void Checkpoint::release(std::span<const std::string> prefixes) const {
  std::map<const std::byte*, int64_t> ranges;  // begin -> bytes
  for (const auto& tensor : tensors_) {
    const TensorView& view = tensor.second;
    if (view.data && std::any_of(prefixes.begin(), prefixes.end(),
                                 [&](const std::string& p) { return tensor.first.starts_with(p); }))
      ranges[view.data] = std::max(ranges[view.data], bytes_of(view));
  }
  for (auto range = ranges.begin(); range != ranges.end();) {
    const std::byte* const begin = range->first;
    const std::byte* end = begin;
    for (; range != ranges.end() && range->first <= end; ++range)
      end = std::max(end, range->first + range->second);
    for (const MappedFile& map : maps_) map.release({begin, end});
  }
}

void Checkpoint::give_back(const TensorView& view) const {
  for (const MappedFile& map : maps_) map.release({view.data, static_cast<size_t>(bytes_of(view))});
}

void Checkpoint::unload(const std::string& name) const {
  const auto memory = memory_.find(name);
  if (memory == memory_.end()) return give_back(tensors_.at(name));
  if (memory->second->make) memory->second->owner.reset();
}

void Checkpoint::forget(const std::string& name) const {
  if (const auto memory = memory_.find(name); memory != memory_.end()) return memory->second->owner.reset();
  give_back(tensors_.at(name));
}

std::vector<fs::path> Checkpoint::files() const {
  std::vector<fs::path> paths;
  for (const MappedFile& map : maps_) paths.push_back(map.path());
  return paths;
}

int64_t Checkpoint::bytes() const {
  int64_t total = 0;
  for (const auto& [name, view] : tensors_) total += bytes_of(view);
  return total;
}

void write_safetensors(const fs::path& file, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata,
                       const std::function<bool()>& go_on) {
  const auto check = [&go_on] {
    if (go_on && !go_on()) throw Cancelled{};
  };
  const std::vector<const NamedTensor*> order = in_file_order(tensors, metadata);
  const std::string header = make_header(order, metadata);
  std::array<std::byte, 8> length;
  for (size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>(header.size() >> (8 * i));
  AtomicFile out(file);
  out.write(length);
  out.write(std::as_bytes(std::span(header)));
  for (const NamedTensor* tensor : order) {
    check();
    const auto bytes = static_cast<size_t>(bytes_of(tensor->view));
    const std::vector<std::byte> made = tensor->make ? tensor->make() : std::vector<std::byte>();
    if (tensor->make && made.size() != bytes)
      throw Error(ErrorCode::internal, {.where = "writing tensor " + in_quotes(tensor->name),
                                        .got = std::to_string(made.size()) + " bytes",
                                        .expected = std::to_string(bytes)});
    out.write({tensor->make ? made.data() : tensor->view.data, bytes});
  }
  check();
  out.commit();
}

}  // namespace galago
