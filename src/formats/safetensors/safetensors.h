// safetensors: an 8-byte little-endian header length, a JSON header {name: {dtype, shape, data_offsets}}, raw
// data. In: one file, or a directory with model.safetensors or model.safetensors.index.json. Out: views into
// the memory map. Everything is checked before use: header length, JSON depth, shapes, overflow, offsets,
// overlaps, gaps, shard paths. Reference: https://github.com/huggingface/safetensors (format section of its
// README; Metadata::validate for the rule that tensors lie without gaps).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "core/weight.h"
#include "io/files.h"

namespace galago {

/// The tensors of one or several weight files, memory-mapped, or in memory that it owns. Views live as long
/// as this object or a copy of it (cheap to copy: the maps are shared). Data need not be aligned to its
/// element size.
class Checkpoint {
 public:
  Checkpoint() = default;
  /// One .safetensors file. Error{model_invalid} for anything malformed, Error{model_unsupported} for an
  /// element type that galago does not know, Error{input_too_large} over a published limit, Error{not_found}.
  static Checkpoint open_file(const std::filesystem::path& file);
  /// A model directory: model.safetensors, else the shards of model.safetensors.index.json (the order of
  /// transformers). Names are without wrapper(), F64 tensors F32, rounded into memory of their own.
  /// Error{model_unsupported} when it holds weights in another format only.
  static Checkpoint open_directory(const std::filesystem::path& directory);

  /// Keeps a file of another container open, and lists it in files().
  void add_map(const MappedFile& map);
  /// Adds a tensor of another container: a view into a map that was added, or memory that `owner` keeps.
  /// Error{model_invalid} when the name is taken.
  void add(const std::string& name, TensorView view, std::shared_ptr<const void> owner);
  /// The numbers of a tensor, made when they are first asked for; what is returned keeps them.
  using Maker = std::function<std::shared_ptr<const std::byte>()>;
  /// Adds a tensor that is no file's: its view has no data until read() makes it. Error{model_invalid} when
  /// the name is taken.
  void add_made(const std::string& name, TensorView outline, Maker make);
  /// Gives a tensor another name. Error{model_invalid} when that is taken.
  void rename(const std::string& from, const std::string& to);
  /// Takes a tensor out of the list; the lists of copies stay. What is returned keeps the memory of its
  /// views, of one in no file; null for a file's, which the files keep.
  std::shared_ptr<const void> remove(const std::string& name);
  /// The tensors of those names that are here, over the same files, apart from this object: what read() makes
  /// of one is not the other's.
  Checkpoint part(const std::set<std::string>& names) const;

  /// A quantised matrix whose numbers lie in one tensor, in panels or blocks: its format, layout and sizes,
  /// without data. Null for all others.
  const WeightView* matrix(const std::string& name) const;
  /// Says that a tensor, which is here, is such a matrix.
  void set_matrix(const std::string& name, const WeightView& outline) { matrices_[name] = outline; }

  /// Every matrix of weights that a Binder finds passes through this; what it returns has the same shape, and
  /// memory that lives as long as the function, which copies of the checkpoint share.
  using WeightConverter = std::function<WeightView(const std::string& name, const WeightView& stored)>;
  void set_converter(WeightConverter converter) { converter_ = std::move(converter); }
  /// Empty: matrices are used as they are stored.
  const WeightConverter& converter() const { return converter_; }
  /// In what products with its matrices of weights multiply.
  void set_arithmetic(Arithmetic arithmetic) { arithmetic_ = arithmetic; }
  Arithmetic arithmetic() const { return arithmetic_; }

  /// The tensor of that name, or null. A made one has data only in what read() gives.
  const TensorView* find(const std::string& name) const;
  /// The tensor of that name with its numbers, made now where need be; it must be there. Loading is one
  /// thread's.
  TensorView read(const std::string& name) const;
  const std::map<std::string, TensorView>& tensors() const { return tensors_; }
  /// What training tools have put before the name of every tensor of a directory, e.g. "base_model.model.";
  /// empty: nothing.
  const std::string& wrapper() const { return wrapper_; }
  /// The header's "__metadata__" strings of the first file.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// The files read, in order.
  std::vector<std::filesystem::path> files() const;
  /// MappedFile::release for every tensor whose name begins with one of the prefixes. Neighbours in a file
  /// are given back as one range. Tensors in memory that is owned keep it.
  void release(std::span<const std::string> prefixes) const;
  /// For one tensor that may be read again: gives back its pages of a file, and frees what read() made, which
  /// it makes anew. Memory that was added with a tensor stays.
  void unload(const std::string& name) const;
  /// For a tensor whose numbers nobody will read again, neither of this object nor of a copy: releases it,
  /// and frees memory that is owned for it alone. read() makes a made one anew.
  void forget(const std::string& name) const;
  /// Bytes of tensor data.
  int64_t bytes() const;

 private:
  void add_file(const std::filesystem::path& file);
  static Checkpoint open_shards(const std::filesystem::path& directory);
  void unwrap();

  /// Of a tensor that is in no file. Copies of the checkpoint share it, whatever they call the tensor.
  struct Memory {
    Maker make;                         ///< empty where the memory was added
    std::shared_ptr<const void> owner;  ///< null until it is made, and when it is forgotten
  };
  void give_back(const TensorView& view) const;

  std::vector<MappedFile> maps_;
  std::map<std::string, std::shared_ptr<Memory>> memory_;  ///< by the tensor's name
  std::map<std::string, TensorView> tensors_;
  std::map<std::string, WeightView> matrices_;  ///< of those tensors; views without data
  std::map<std::string, size_t> file_of_;       ///< tensor name -> index in maps_
  std::map<std::string, std::string> metadata_;
  std::string wrapper_;
  WeightConverter converter_;
  Arithmetic arithmetic_ = Arithmetic::f32;
};

/// One tensor to write.
struct NamedTensor {
  std::string name;
  TensorView view;
  /// Makes the bytes of a view without data when their turn comes.
  std::function<std::vector<std::byte>()> make;
};

/// The tensor of a quantised matrix in panels, without data: U8 [panels, lines, 64].
TensorView panel_tensor(const WeightView& matrix);
/// What a file's metadata must say of such a tensor, so that reading it gives Checkpoint::matrix.
void note_panels(const std::string& name, const WeightView& matrix,
                 std::map<std::string, std::string>& metadata);

/// Writes a safetensors file atomically: tensors that metadata says are in panels first, at multiples of 64
/// bytes in the file, then larger elements first, then by name as the reference does, which keeps every
/// tensor aligned. Error{output_io}; a name given twice or a view without data is Error{internal}. go_on is
/// asked before each tensor and before the file gets its name; false is Cancelled, and nothing is left
/// behind.
void write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {},
                       const std::function<bool()>& go_on = {});

}  // namespace galago
