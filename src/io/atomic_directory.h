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
  replace,  ///< files of the same names are replaced, all at once; others stay
};

/// The files are written into a hidden folder beside the one named; commit() gives it its name, or lets it
/// change places with the folder that is there, so that a process that is killed leaves the old folder or the
/// new one. (A file system that cannot exchange two folders gets the files one by one.) The hidden folder
/// goes away with the object; one that a killed process left, with the next object for the same place. Every
/// fault is Error{output_io}.
class AtomicDirectory {
 public:
  AtomicDirectory(const std::filesystem::path& path, Existing existing);
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  /// Where to write the file of that plain name until commit().
  std::filesystem::path file(const std::string& name);
  /// Where to write files of any names and folders, if the folder named is new or empty.
  const std::filesystem::path& folder() const { return temporary_; }
  void commit();

 private:
  [[noreturn]] void fail(int error) const;
  void make_temporary();
  void adopt_others();
  bool exchange();
  void move_files();

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  std::vector<std::string> names_;
  bool replace_ = false;
  int lock_ = -1;  ///< the hidden folder, locked while it is written
};

}  // namespace galago
