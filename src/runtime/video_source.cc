// See the header.
#include "runtime/video_source.h"

#include <utility>

#include "runtime/model_state.h"

namespace galago {

Video video_of(std::shared_ptr<const VideoSource> source) { return Video::Data::video(std::move(source)); }

const std::shared_ptr<const VideoSource>& source_of(const Video& video) { return video.data().source; }

}  // namespace galago
