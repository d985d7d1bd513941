// See the header.
#include "picture_list.h"

#include <array>

#include "console.h"
#include "pictures.h"
#include "wording.h"

namespace galago::cli {
namespace {

bool is_of_the_picture(ErrorCode code) {
  return code == ErrorCode::input_invalid || code == ErrorCode::input_too_large ||
         code == ErrorCode::unsupported_media || code == ErrorCode::not_found;
}

}  // namespace

ImageSource PictureList::source() {
  return {.count = static_cast<int64_t>(words_.size()), .open = [this](int64_t index) {
            try {
              return open_image(words_[static_cast<size_t>(index)]);
            } catch (const Error& error) {
              if (!is_of_the_picture(error.code())) throw;
              faults_.emplace(index, brief(error));
            }
            constexpr std::array<uint8_t, 3> black{};
            return Image::from_rgb(1, 1, black);
          }};
}

std::string PictureList::name(int64_t index) const {
  return shown_picture(words_[static_cast<size_t>(index)]);
}

const Error* PictureList::fault(int64_t index) const {
  const auto found = faults_.find(index);
  return found == faults_.end() ? nullptr : &found->second;
}

void PictureList::check_some(int64_t results) const {
  if (results == static_cast<int64_t>(faults_.size()) && !faults_.empty()) throw faults_.begin()->second;
}

int PictureList::report_faults() const {
  for (const auto& [index, error] : faults_) report(error, false);
  return faults_.empty() ? 0 : exit_code(ErrorCode::partial);
}

}  // namespace galago::cli
