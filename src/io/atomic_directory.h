// A folder of files that appears under its name only when all of them are complete.
// In: a path, then files by name. Out: the folder, or Error{output_io} and nothing left behind.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace galago {

/// What to do when the folder is there already and holds something.
enum class Existing {
  refuse,   ///< Error{output_io}
  replace,  ///< files of the same names are replaced one by one, in the order of file(); others stay
};

/// The files are written into a hidden folder beside the one named; commit() gives it its name. The hidden
/// folder goes away with the object. Every fault is Error{output_io}.
class AtomicDirectory {
 public:
  AtomicDirectory(const std::filesystem::path& path, Existing existing);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  /// Where to write the file of that plain name until commit().
  std::filesystem::path file(const std::string& name);
  void commit();

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<std::string> names_;
  bool replace_ = false;
};

}  // namespace galago
