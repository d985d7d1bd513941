// The four locations of an element, `<loc_x0><loc_y0><loc_x1><loc_y1>` with x0 < x1 and y0 < y1, as they
// come: one token each, or spelled in tokens of text.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "structured/doctags_vocabulary.h"

namespace galago {

/// The place of words in an element: before, in or behind its box.
class DocBoxReader {
 public:
  /// What words may do at a place.
  struct Place {
    bool text = false;    ///< stand there
    bool spaces = false;  ///< stand there if they are white space
    bool box = false;     ///< not begin there: a box does
    bool places = false;  ///< hold locations of their own
  };

  DocBoxReader() = default;
  /// At the first token of an element or a cell. `max`: the highest number of a location.
  DocBoxReader(bool may_begin, int max) : at_start_(may_begin), max_(static_cast<int16_t>(max)) {}

  bool may_begin() const { return at_start_; }  ///< a box may still begin here
  bool running() const { return running_; }     ///< a box has begun and is not whole
  bool whole() const { return count_ == 4; }
  int written() const { return written_; }  ///< bytes of a location's text so far
  /// The numbers that the next location may have: from here to last().
  int first() const;
  int last() const;
  /// A hash of the box's numbers.
  uint64_t hash() const;

  void begin();          ///< with a location's token
  void add(int number);  ///< from first() to last()
  void leave();          ///< something else than a location came
  /// Tokens of text: false where their bytes may not come next, and then the state has no meaning.
  bool read(std::string_view bytes, Place place);
  /// Whether read() takes these digits; for a running box.
  bool takes(const DocTagsVocabulary::Digits& digits) const;

 private:
  bool read_location(char byte);
  bool read_text(char byte, Place place);

  bool at_start_ = false;
  bool running_ = false;
  uint8_t count_ = 0;
  uint8_t written_ = 0;
  int16_t number_ = -1;  // digits so far
  int16_t max_ = kMaxLocation;
  std::array<int16_t, 4> values_{};
};

}  // namespace galago
