// galago's public C++ API: load a Hugging Face model directory, ask a question about images, read the answer.
// Every function throws galago::Error (galago/error.h) and nothing else on bad input.
//
//   auto model = galago::Model::load("models/demo");
//   auto answer = model.ask({.prompt = "What is in the picture?", .images =
//   {galago::Image::open("cat.png")}});
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "galago/dtype.h"
#include "galago/error.h"
#include "galago/options.h"
#include "galago/visibility.h"

namespace galago {

/// The library's version, e.g. "0.1.0".
GALAGO_API const char* version() noexcept;

/// A decoded picture. Cheap to copy, immutable.
class GALAGO_API Image {
 public:
  /// A JPEG, PNG, WebP, BMP, GIF, TIFF, HEIC or AVIF file (first frame), told by its content. Errors:
  /// not_found, input_invalid, input_too_large, unsupported_media.
  static Image open(const std::filesystem::path& file);
  /// The same for a file held in memory; `name` appears in errors.
  static Image from_bytes(std::span<const std::byte> bytes, const std::string& name = "image");
  /// width x height x 3 bytes, row by row, red first. Error{input_invalid} when the size does not fit the
  /// bytes.
  static Image from_rgb(int64_t width, int64_t height, std::span<const uint8_t> pixels);

  int64_t width() const;
  int64_t height() const;
  /// The pixels, height x width x 3.
  std::span<const uint8_t> pixels() const;

  /// The same picture, to be cut into tiles or encoded as one whatever Request::split_images says.
  Image with_split(bool split) const;
  /// What with_split() said; unset: nothing.
  std::optional<bool> split() const { return split_; }

  struct GALAGO_LOCAL Data;
  /// For the library itself.
  const Data& data() const { return *data_; }

 private:
  friend class Video;
  explicit Image(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
  std::optional<bool> split_;
};

struct FfmpegOptions;

/// Frames in order at a steady rate. Cheap to copy, immutable; frames of files are decoded when they are
/// asked about, and only those that the model sees.
class GALAGO_API Video {
 public:
  /// An animated GIF or WebP file, or a folder of pictures in the order of their names. fps is needed for a
  /// folder; for a file it replaces the file's own times. Errors: not_found, usage (fps), input_invalid,
  /// input_too_large, unsupported_media (MP4 and the like: open_with_ffmpeg reads them).
  static Video open(const std::filesystem::path& path, std::optional<double> fps = {});
  /// MP4, MOV, WebM, Matroska, AVI, MPEG, FLV, Ogg or ASF, read by the installed programs ffprobe and ffmpeg
  /// (galago/ffmpeg.h): now for the times of its frames, and when the video is asked about. Errors: those of
  /// open; not_found also when a program is missing, timeout.
  static Video open_with_ffmpeg(const std::filesystem::path& path, const FfmpegOptions& options);
  /// Whether the file is one for open_with_ffmpeg, by its first bytes. Errors: not_found, input_invalid when
  /// it is neither a file nor a folder.
  static bool needs_ffmpeg(const std::filesystem::path& path);
  /// Pictures of one size, fps of them a second. Errors: input_invalid, input_too_large, usage (fps).
  static Video from_frames(std::span<const Image> frames, double fps);

  int64_t frames() const;
  double fps() const;
  double seconds() const;  ///< length

  struct GALAGO_LOCAL Data;
  /// For the library itself.
  const Data& data() const { return *data_; }

 private:
  explicit Video(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;
};

/// A LoRA adapter that peft has saved (docs/lora.md): a directory with adapter_config.json and
/// adapter_model.safetensors, and how much of it is added.
struct Lora {
  std::filesystem::path directory;
  double scale = 1;  ///< finite; 0 leaves the model as it is, but for tensors that the adapter replaces
};

/// How a model is loaded. EmbeddingModel reads threads, dtype, compute, mmap, strict and lora.
struct LoadOptions {
  int threads = 0;  ///< of this model, at most 1024; 0: one per processor
  WeightDtype dtype = WeightDtype::as_stored;
  ComputeDtype compute = ComputeDtype::f32;
  /// Whether weights are read where they lie in the file. false: matrices are copied when the model is
  /// loaded, into memory of the process's own, in large pages where the system has them: each token takes
  /// less time, loading and memory more, and processes no longer share the file (docs/memory.md).
  bool mmap = true;
  ImageCacheOptions image_cache;  ///< of Model; EmbeddingModel keeps nothing
  KvCacheDtype kv_cache_dtype = KvCacheDtype::f32;
  /// The major version of Pillow whose resized pixels pictures get, 13 or 12: of portraits that shrink they
  /// differ in the last bit (docs/preprocessing.md).
  int pillow = 13;
  /// Gives back the memory of the image stations' weights once a request's pictures are encoded. For a
  /// process that is asked once: the next picture has to fetch them from the system's cache of files again.
  bool low_memory = false;
  SchedulerOptions scheduler;  ///< of ask() and ask_all()
  /// Keeps keys and values of prompts, up to so many bytes, for prompts that begin with the same. 0: off,
  /// since an answer may then differ by rounding from that of a prompt read anew (docs/scheduling.md).
  int64_t prefix_cache_bytes = 0;
  /// Tensors of the checkpoint that the model does not use are an error; otherwise Model::warnings says so.
  bool strict = false;
  /// A Jinja file, or a JSON file with chat_template (of several named ones "default"), in place of the
  /// model's own chat template, of prompts without videos; empty: the model's.
  std::filesystem::path chat_template;
  std::vector<Lora> lora;  ///< adapters, all active; Error{model_invalid} lists what does not fit the model
  std::filesystem::path
      mmproj;  ///< of a GGUF model: the vision file; empty: the best beside it (docs/gguf.md)
};

/// How far a long request has come.
struct Progress {
  int64_t tiles_done;  ///< image tiles and frames encoded so far
  int64_t tiles_total;
  int64_t prompt_tokens;  ///< that the decoder reads once all tiles are done
};
/// Called from the thread that waits for the answer; return false to stop (the answer's finish_reason is
/// cancelled).
using ProgressCallback = std::function<bool(const Progress&)>;

/// A text in UTF-8, a picture or a video.
using MessagePart = std::variant<std::string, Image, Video>;

/// One turn of a conversation. A model whose template takes plain text gets the texts of its parts joined.
struct Message {
  std::string role;                ///< "system", "user", "assistant", "tool": what the model's template knows
  std::vector<MessagePart> parts;  ///< in any order and number
  /// What else the template may read of it, a JSON object, e.g. {"tool_calls": [...]} of an assistant's
  /// message; empty: nothing.
  std::string fields;
};

/// One question: a prompt with its pictures, or a conversation (docs/conversations.md). Images stand before
/// videos in the prompt, and videos before the text, each in their order.
struct Request {
  std::string prompt;         ///< the user's text, UTF-8
  std::vector<Image> images;  ///< may be empty
  std::vector<Video> videos;  ///< may be empty; Error{model_unsupported} for a model without videos
  std::string system;         ///< a system message; empty: none
  /// A conversation in the place of the four above, the question last. Videos stand behind all images, or
  /// Error{model_unsupported}.
  std::vector<Message> messages;
  std::string tools;               ///< a JSON list of functions that the template may offer; empty: none
  std::string template_arguments;  ///< a JSON object of further variables of the template; empty: none
  /// Whether the template opens the assistant's turn; unset: unless continue_final_message.
  std::optional<bool> add_generation_prompt;
  /// The answer goes on where the last message's text ends.
  bool continue_final_message = false;
  GenerateOptions options;           ///< sampling, limits, stop texts
  std::optional<bool> split_images;  ///< cut images into tiles; unset: as preprocessor_config.json says
  bool parse_special = false;        ///< special tokens in users' texts are control tokens, not text
  bool raw = false;                  ///< the prompt as it stands, to be continued: no chat template
  StreamCallback on_text;            ///< called with each piece of the answer; return false to stop
  ProgressCallback on_progress;      ///< called as groups of tiles are done, with the latest
  int priority = 0;                  ///< a step more is worth ten seconds of waiting
  double timeout_ms = 0;             ///< Error{timeout} when it has not ended by then; 0: no limit
};

/// How one image was cut and what it costs.
struct ImageInfo {
  int64_t width = 0;  ///< pixels of the picture
  int64_t height = 0;
  int64_t rows = 0;  ///< tile grid, 0 x 0 when not split
  int64_t cols = 0;
  int64_t tiles = 0;   ///< encoded tiles, the global image included
  int64_t tokens = 0;  ///< image tokens in the prompt
};

/// What the model saw of one video.
struct VideoInfo {
  int64_t width = 0;  ///< pixels of a frame
  int64_t height = 0;
  int64_t frames = 0;            ///< in the video
  double fps = 0;                ///< of the video
  double seconds = 0;            ///< its length
  std::vector<int64_t> sampled;  ///< indices of the frames that were seen
  int64_t tokens = 0;            ///< image tokens in the prompt, of all of them
};

/// What came out of one request.
struct Answer {
  std::string text;
  std::vector<int32_t> token_ids;         ///< generated, the end token included where one was chosen
  std::vector<int32_t> prompt_token_ids;  ///< the whole prompt after expansion
  FinishReason finish_reason = FinishReason::length;
  std::vector<TokenLogprobs> tokens;         ///< as token_ids, when GenerateOptions::logprobs asks for them
  std::vector<TokenLogprobs> prompt_tokens;  ///< as prompt_token_ids; the first has no logprob (0)
  /// Of all tokens but the end token: with logprobs, and of a model that writes DocTags.
  std::optional<Confidence> confidence;
  std::vector<AnswerElement> elements;  ///< of DocTags, in the order of their beginnings
  std::vector<ImageInfo> images;
  std::vector<VideoInfo> videos;
  Usage usage;
  Timings timings;
  CacheCounts cache;
};

/// What became of one of several requests.
struct Outcome {
  int64_t id = 0;            ///< its place among the requests
  Answer answer;             ///< as Model::ask gives it; empty when there is an error
  std::exception_ptr error;  ///< what Model::ask would have thrown; null: none

  /// The answer; throws the error instead when there is one.
  const Answer& value() const {
    if (error) std::rethrow_exception(error);
    return answer;
  }
};

/// What a model reads.
struct Capabilities {
  bool images = false;
  bool videos = false;
  bool chat_template = false;  ///< without one it takes raw prompts, and conversations are refused
};

/// A loaded model. Cheap to copy; const and safe to use from several threads at once.
class GALAGO_API Model {
 public:
  /// A Hugging Face model directory as it is. Errors: not_found, model_invalid, model_unsupported, resource.
  static Model load(const std::filesystem::path& directory, const LoadOptions& options = {});

  /// Answers one request. Prompt and context length are checked before any work is done. Those who ask at the
  /// same time are answered side by side, as LoadOptions::scheduler says, and each gets the answer that it
  /// would get alone.
  Answer ask(const Request& request) const;
  /// Answers several requests side by side; the outcomes come in their order. Each answer is the one that
  /// ask() gives (with a prefix cache: but for rounding); an error ends its own request alone. Callbacks are
  /// called from this thread. max_waiting does not count here.
  std::vector<Outcome> ask_all(std::span<const Request> requests) const;
  /// Several answers to one request, which read its prompt once: the first is that of ask(), the others have
  /// the seeds that follow. on_text hears the first. Error{usage} for a count out of 1 to 128.
  std::vector<Outcome> ask_n(const Request& request, int64_t n) const;
  /// The tile grid and token count that an image of this size would get; no pixel is touched.
  ImageInfo plan_image(int64_t width, int64_t height, std::optional<bool> split_images = {}) const;
  /// What was odd about the files and stops nothing, a line each: tensors that the model does not use.
  const std::vector<std::string>& warnings() const;
  /// What an answer gets where a request's options leave it open, as the model's files say.
  AnswerDefaults answer_defaults() const;

  Capabilities capabilities() const;
  /// Positions of prompt and answer together.
  int64_t context_length() const;
  /// Tokens of a request's prompt, those of pictures included; no pixel is touched. The errors of ask()
  /// before any work.
  int64_t count_tokens(const Request& request) const;
  /// Ids of a text. parse_special: special tokens in it are control tokens; add_special: with what the
  /// tokenizer puts around every text. Error{input_invalid} for malformed UTF-8, input_too_large.
  std::vector<int32_t> tokenize(std::string_view text, bool parse_special = false,
                                bool add_special = false) const;
  /// The text of ids; ids of no token are skipped. Error{input_invalid} for a negative id.
  std::string detokenize(std::span<const int32_t> ids, bool keep_special = false) const;
  /// SHA-256 of the settings, the tokenizer and every tensor, 64 hexadecimal digits: equal for models that
  /// give the same answers. Reads all weights when it is first called.
  std::string digest() const;

  struct GALAGO_LOCAL State;
  /// For the library itself.
  const std::shared_ptr<const State>& state() const { return state_; }

 private:
  explicit Model(std::shared_ptr<const State> state) : state_(std::move(state)) {}
  std::shared_ptr<const State> state_;
};

}  // namespace galago
