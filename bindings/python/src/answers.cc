// What came out of a request, as plain objects of Python: dicts with the names of galago/_answers.py.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "bindings.h"

namespace galago::python {
namespace {

nb::dict token_dict(const TokenLogprob& token) {
  nb::dict all;
  all["id"] = token.id;
  all["text"] = token.text;
  all["bytes"] = nb::bytes(token.bytes.data(), token.bytes.size());
  all["logprob"] = token.logprob;
  return all;
}

nb::dict token_dict(const TokenLogprobs& token) {
  nb::dict all = token_dict(static_cast<const TokenLogprob&>(token));
  nb::list top;
  for (const TokenLogprob& other : token.top) top.append(token_dict(other));
  all["top"] = top;
  return all;
}

nb::list token_list(const std::vector<TokenLogprobs>& tokens) {
  nb::list all;
  for (const TokenLogprobs& token : tokens) all.append(token_dict(token));
  return all;
}

nb::dict confidence_dict(const Confidence& confidence) {
  nb::dict all;
  all["tokens"] = confidence.tokens;
  all["mean_logprob"] = confidence.mean_logprob;
  all["min_logprob"] = confidence.min_logprob;
  all["margin"] = confidence.margin;
  return all;
}

nb::dict element_dict(const AnswerElement& element) {
  nb::dict all;
  all["name"] = element.name;
  all["begin"] = element.begin;
  all["end"] = element.end;
  all["depth"] = element.depth;
  all["confidence"] = confidence_dict(element.confidence);
  return all;
}

nb::dict video_dict(const VideoInfo& video) {
  nb::dict all;
  all["width"] = video.width;
  all["height"] = video.height;
  all["frames"] = video.frames;
  all["fps"] = video.fps;
  all["seconds"] = video.seconds;
  all["sampled"] = video.sampled;
  all["tokens"] = video.tokens;
  return all;
}

nb::dict usage_dict(const Usage& usage) {
  nb::dict all;
  all["prompt_tokens"] = usage.prompt_tokens;
  all["image_tokens"] = usage.image_tokens;
  all["completion_tokens"] = usage.completion_tokens;
  all["cached_tokens"] = usage.cached_tokens;
  all["drafted_tokens"] = usage.drafted_tokens;
  all["accepted_tokens"] = usage.accepted_tokens;
  return all;
}

nb::dict timings_dict(const Timings& timings) {
  nb::dict all;
  all["load_ms"] = timings.load_ms;
  all["decode_image_ms"] = timings.decode_image_ms;
  all["preprocess_ms"] = timings.preprocess_ms;
  all["vision_ms"] = timings.vision_ms;
  all["connector_ms"] = timings.connector_ms;
  all["prefill_ms"] = timings.prefill_ms;
  all["first_token_ms"] = timings.first_token_ms;
  all["decode_ms"] = timings.decode_ms;
  all["tokens_per_second"] = timings.tokens_per_second;
  return all;
}

nb::dict cache_dict(const CacheCounts& cache) {
  nb::dict all;
  all["memory_hits"] = cache.memory_hits;
  all["directory_hits"] = cache.directory_hits;
  all["misses"] = cache.misses;
  all["unsaved"] = cache.unsaved;
  all["tiles_encoded"] = cache.tiles_encoded;
  all["tiles_repeated"] = cache.tiles_repeated;
  return all;
}

}  // namespace

nb::dict image_info_dict(const ImageInfo& image) {
  nb::dict all;
  all["width"] = image.width;
  all["height"] = image.height;
  all["rows"] = image.rows;
  all["cols"] = image.cols;
  all["tiles"] = image.tiles;
  all["tokens"] = image.tokens;
  return all;
}

nb::dict piece_dict(const StreamPiece& piece) {
  nb::dict all;
  all["text"] = nb::str(piece.text.data(), piece.text.size());
  all["token"] = piece.token_id;
  all["logprobs"] = piece.logprobs ? nb::object(token_dict(*piece.logprobs)) : nb::object(nb::none());
  return all;
}

nb::dict answer_dict(const Answer& answer) {
  nb::dict all;
  all["text"] = answer.text;
  all["tokens"] = answer.token_ids;
  all["prompt_tokens"] = answer.prompt_token_ids;
  all["finish_reason"] = to_string(answer.finish_reason);
  all["logprobs"] = token_list(answer.tokens);
  all["prompt_logprobs"] = token_list(answer.prompt_tokens);
  all["confidence"] =
      answer.confidence ? nb::object(confidence_dict(*answer.confidence)) : nb::object(nb::none());
  nb::list elements, images, videos;
  for (const AnswerElement& element : answer.elements) elements.append(element_dict(element));
  for (const ImageInfo& image : answer.images) images.append(image_info_dict(image));
  for (const VideoInfo& video : answer.videos) videos.append(video_dict(video));
  all["elements"] = elements;
  all["images"] = images;
  all["videos"] = videos;
  all["usage"] = usage_dict(answer.usage);
  all["timings"] = timings_dict(answer.timings);
  all["cache"] = cache_dict(answer.cache);
  return all;
}

}  // namespace galago::python
