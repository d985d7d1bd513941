// What a run has done so far, on the disk: a first line that says which run it is, and a line for each item
// that is done, in the order in which they were. In: records. Out: the same records, however the process
// ended in between: half a line at the end is dropped, a damaged line anywhere is as if it had not been
// written.
//
//   DIGEST MANIFEST
//   DIGEST INDEX IDENTITY OUTCOME RECORD
//
// Of an item with several lines the first answer counts, else the last error. DIGEST is the first 16 digits
// of the SHA-256 of what follows it in its line, IDENTITY that of the item, OUTCOME 0 for an answer and 1 for
// an error. OUTCOME 2 is no record: the item of that index, an error until then, became as many as RECORD
// says, none of them done, and those behind it count from there in what follows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "io/append_file.h"

namespace galago::batch {

/// The first 64 bits of the SHA-256 of a text.
uint64_t short_digest(std::string_view text);

class Journal {
 public:
  enum class Begin {
    resume,   ///< goes on with what is there
    restart,  ///< throws it away
  };
  /// `manifest` is one line of JSON, an object that says which run it is: one that differs is Error{usage}
  /// with the first difference, and nothing is written. Error{overloaded} when another process holds the
  /// journal, Error{input_invalid} when the file is no journal, Error{output_io}.
  Journal(const std::filesystem::path& path, const std::string& manifest, Begin begin);

  /// Whether the run goes on: there was a journal of it.
  bool resumed() const { return resumed_; }
  /// Items that may have a record: all of an index below it.
  int64_t items() const { return static_cast<int64_t>(places_.size()); }
  bool has(int64_t index) const { return index < items() && place(index).length > 0; }
  int64_t records() const { return records_; }
  /// Whether a record is an error.
  bool failed(int64_t index) const { return place(index).failed; }
  /// Of the item of a record, as it was given.
  uint64_t identity(int64_t index) const { return place(index).identity; }
  std::string record(int64_t index) const;

  /// What is written of one item.
  struct Entry {
    int64_t index = 0;
    uint64_t identity = 0;  ///< short_digest of what it is
    bool failed = false;
    std::string record;  ///< without line ends, not empty
  };
  /// Once for each index; again for one that failed, in whose place it comes.
  void add(const Entry& entry);
  /// An item whose record is an error became `count` items without a record.
  void widen(int64_t index, int64_t count);
  /// Until all records are on the disk.
  void sync() { file_.sync(); }
  /// A journal that a power failure brings back has all records: its run writes the output once more.
  void remove() { file_.remove(); }

 private:
  struct Place {
    int64_t offset = 0;       ///< of the record in the file
    int64_t length : 63 = 0;  ///< 0: there is none
    bool failed : 1 = false;
    uint64_t identity = 0;
  };
  const Place& place(int64_t index) const { return places_[static_cast<size_t>(index)]; }
  bool read(const std::string& manifest);
  void read_line(std::string_view line, int64_t offset);
  void begin(const std::string& manifest);
  [[noreturn]] void refuse_journal() const;
  void put(int64_t index, const Place& place);
  void make_room(int64_t index, int64_t count);

  std::filesystem::path path_;
  AppendFile file_;
  std::vector<Place> places_;  // by index
  int64_t records_ = 0;
  bool resumed_ = false;
};

}  // namespace galago::batch
